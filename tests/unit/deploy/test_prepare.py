# SPDX-License-Identifier: Apache-2.0
"""What is sent, and what is shown."""

from __future__ import annotations

import base64

import pytest

from pulumi_gitops.core.deploy import prepare, set_digest, shown, summarize
from pulumi_gitops.core.deploy.masking import shown_pair
from pulumi_gitops.core.errors import EmptySetError, InputError, ManifestError
from pulumi_gitops.core.redact import redact

CANARY = "canary-4717-value"


def secret(**more):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, **more}


def config(name="c", **metadata):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def test_plain_text_of_a_secret_is_encoded_and_kept_out_of_texts():
    sent = prepare([secret(stringData={"key": CANARY}, data={"old": "eA=="})], "shop")[0]
    encoded = base64.b64encode(CANARY.encode()).decode()
    assert sent["data"] == {"old": "eA==", "key": encoded}
    assert "stringData" not in sent
    assert redact(f"{CANARY} {encoded}") == "*** ***"


def test_of_a_connection_that_we_made_only_the_login_is_kept_out_of_texts():
    ours = {"name": "repo-config", "labels": {"app.kubernetes.io/managed-by": "pulumi-gitops"}}
    values = {"url": "https://git.example.com/c.git", "type": "helm", "username": "deployer", "password": CANARY}
    prepare([secret(metadata=ours, stringData=values)], "argocd")
    said = "helm: https://git.example.com/c.git refuses deployer with "
    assert redact(said + CANARY) == said + "***"
    prepare([secret(stringData={"username": "somebody-else"})], "shop")
    assert redact("somebody-else") == "***", "what users keep in their own Secrets is theirs to say"


def test_what_the_server_sets_is_not_sent():
    given = {**config(creationTimestamp=None), "status": {"x": 1}}
    assert prepare([given], "shop") == [config()]
    assert "status" in given, "what was given stays as it was"


def test_objects_without_a_namespace_get_that_of_the_release():
    assert prepare([config()], "shop", lambda ref: True)[0]["metadata"]["namespace"] == "shop"
    assert prepare([config(namespace="other")], "shop", lambda ref: True)[0]["metadata"]["namespace"] == "other"
    assert "namespace" not in prepare([config(namespace="odd")], "shop", lambda ref: False)[0]["metadata"]


def test_wrong_sets_are_refused():
    with pytest.raises(EmptySetError):
        prepare([], "shop")
    with pytest.raises(InputError, match="twice"):
        prepare([config(), config()], "shop")
    with pytest.raises(ManifestError, match="generateName"):
        prepare([{"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "x-"}}], "shop")
    with pytest.raises(ManifestError, match=r"stringData\[n\] is not text"):
        prepare([secret(stringData={"n": 5})], "shop")


def test_a_digest_does_not_depend_on_order_and_changes_with_a_secret_value():
    one, two = config("a"), config("b")
    assert set_digest([one, two]) == set_digest([two, one])
    assert set_digest([secret(data={"k": "eA=="})]) != set_digest([secret(data={"k": "eQ=="})])


def test_a_summary_tells_a_change_without_telling_a_secret():
    before, after = summarize(secret(stringData={"k": CANARY})), summarize(secret(stringData={"k": "other"}))
    assert before != after
    assert CANARY not in before
    assert before.endswith("keys=k")


def test_values_of_secrets_are_masked_and_changed_ones_marked():
    old, new = shown_pair(secret(data={"a": "eA==", "b": "eA=="}), secret(data={"a": "eA==", "b": "eQ=="}))
    assert old["data"] == {"a": "***", "b": "*** (before)"}
    assert new["data"] == {"a": "***", "b": "*** (after)"}


def test_server_noise_is_not_shown():
    noisy = config(uid="u", resourceVersion="1", managedFields=[], labels={"applyset.kubernetes.io/part-of": "x"})
    assert shown({**noisy, "status": {}}) == config()
