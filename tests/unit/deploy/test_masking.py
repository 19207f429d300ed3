# SPDX-License-Identifier: Apache-2.0
"""What is shown of objects: changes can be told, secrets can not."""

from __future__ import annotations

import base64
import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy.diff import field_changes
from pulumi_gitops.core.deploy.masking import shown, shown_pair
from pulumi_gitops.core.redact import forget_all, register

NAMES = (
    "DB_PASSWORD",
    "apiKey",
    "access-key",
    "my.private.key",
    "SECRET_KEY",
    "GITHUB_TOKEN",
    "credentials",
    "MYSQL_PWD",
)
canaries = st.uuids().map(lambda uuid: f"canary-{uuid.hex}")
words = st.text("abc", max_size=3)


@st.composite
def objects(draw):
    """An object with secrets in every place that is masked by its kind or name, and an env list of any order."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"a": draw(words)}},
        "data": draw(st.dictionaries(words, canaries | st.none(), max_size=3)),
        "stringData": draw(st.dictionaries(words, canaries, max_size=2)),
    }
    env = [{"name": name, "value": draw(canaries)} for name in draw(st.sets(st.sampled_from(NAMES)))]
    env += [{"name": f"PLAIN_{n}", "value": draw(words)} for n in range(draw(st.integers(0, 2)))]
    other = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "t"},
        "spec": {
            "containers": [{"name": "web", "env": draw(st.permutations(env))}],
            "login": draw(st.dictionaries(st.sampled_from(NAMES), canaries | st.lists(canaries), max_size=3)),
            "template": secret,
        },
    }
    return draw(st.sampled_from([secret, other]))


@settings(max_examples=100, deadline=None)
@given(objects(), objects())
def test_no_secret_is_ever_shown_and_what_is_given_stays_as_it_is(one, other):
    given_objects = copy.deepcopy((one, other))
    masked = shown_pair(one, other)
    assert "canary" not in json.dumps(masked)
    assert "canary" not in str([str(change) for change in field_changes(*masked)])
    assert (one, other) == given_objects


@settings(max_examples=100, deadline=None)
@given(objects())
def test_an_object_beside_itself_shows_no_change(obj):
    before, after = shown_pair(obj, copy.deepcopy(obj))
    assert before == after == shown(obj)
    assert "(after)" not in json.dumps(after)


@settings(max_examples=100, deadline=None)
@given(objects(), objects())
def test_changes_are_shown_where_there_are_any_and_nowhere_else(one, other):
    shown_paths = {change.path for change in field_changes(*shown_pair(one, other))}
    assert shown_paths == {change.path for change in field_changes(one, other)}


@settings(max_examples=100, deadline=None)
@given(canaries, canaries, words)
def test_known_credentials_are_replaced_in_any_text(one, other, word):
    register(one, other)
    encoded = base64.b64encode(one.encode()).decode()
    before, after = ({"kind": "ConfigMap", "data": {"conf": f"{word} {secret}\n{encoded}"}} for secret in (one, other))
    masked = shown_pair(before, after)
    assert masked[0]["data"]["conf"] == f"{word} ***\n***" + (" (before)" if one != other else "")
    assert masked[1]["data"]["conf"] == f"{word} ***\n***" + (" (after)" if one != other else "")
    forget_all()


def test_a_long_value_is_not_cut_inside_a_credential():
    register("canary-4711-value")
    change = field_changes(*shown_pair({"kind": "X"}, {"kind": "X", "x": "x " * 95 + "canary-4711-value"}))
    assert "canary" not in str(change[0])


def test_of_a_blob_its_length_and_digest_are_shown_within_moments():
    register("canary-4711-value")
    before, after = (
        {"kind": "ConfigMap", "data": {"blob": f"{letter * 1_400_000}canary-4711-value"}} for letter in "xy"
    )
    [change] = field_changes(*shown_pair(before, after))
    assert re.fullmatch(r"\*\*\* \(1400017 characters, sha256 [0-9a-f]{12}\)", change.before)
    assert change.before[:26] == change.after[:26]
    text = {"kind": "ConfigMap", "data": {"text": "words and more words " * 1000}}
    assert shown(text) == text


def env(**values):
    return {"kind": "Pod", "spec": {"env": [{"name": name, "value": value} for name, value in values.items()]}}


def test_a_variable_is_compared_with_that_of_its_name_wherever_it_stands():
    told = [str(c) for c in field_changes(*shown_pair(env(MODE="x", A_TOKEN="one"), env(A_TOKEN="two")))]
    assert told == [
        '.spec.env[name="MODE"]: - {"name": "MODE", "value": "x"}',
        '.spec.env[name="A_TOKEN"].value: *** (before) -> *** (after)',
    ]
    told = [str(c) for c in field_changes(*shown_pair(env(A_TOKEN="one", B_TOKEN="two"), env(B_TOKEN="two")))]
    assert told == ['.spec.env[name="A_TOKEN"]: - {"name": "A_TOKEN", "value": "***"}']


def test_what_comes_or_goes_is_masked_without_a_claim_that_it_changed():
    assert shown_pair(env(A_TOKEN="one"), env(A_TOKEN="")) == (env(A_TOKEN="***"), env(A_TOKEN=""))
    reference = {"kind": "Pod", "spec": {"env": [{"name": "A_TOKEN", "valueFrom": {"secretKeyRef": {"name": "s"}}}]}}
    assert shown_pair(env(A_TOKEN="one"), reference) == (env(A_TOKEN="***"), reference)
    assert shown_pair(None, env(A_TOKEN="one")) == (None, env(A_TOKEN="***"))
    assert shown_pair(None, None) == (None, None)


@pytest.mark.parametrize(
    "spec",
    [
        {"automountServiceAccountToken": True, "imagePullSecrets": [{"name": "pull"}]},
        {"volumes": [{"name": "v", "secret": {"secretName": "tls"}}], "tokenExpirationSeconds": 5},
        {"env": [{"name": "MODE", "value": "x"}], "password": "", "credentials": {"name": "reference"}},
        {"template": {"metadata": {"annotations": {"checksum/secret": "abc"}}}},
    ],
)
def test_what_only_speaks_of_secrets_is_shown(spec):
    assert shown({"kind": "X", "spec": spec}) == {"kind": "X", "spec": spec}


def test_numbers_and_lists_called_secret_are_masked():
    spec = {"password": 1234, "token": ["one", "two"]}
    assert shown({"kind": "X", "spec": spec})["spec"] == {"password": "***", "token": ["***", "***"]}


def test_what_kubectl_remembers_is_not_shown():
    remembered = {"kubectl.kubernetes.io/last-applied-configuration": "canary"}
    assert shown({"kind": "X", "metadata": {"name": "x", "annotations": remembered}}) == {
        "kind": "X",
        "metadata": {"name": "x"},
    }
