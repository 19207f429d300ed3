# SPDX-License-Identifier: Apache-2.0
"""The release record: what is written is what is read, and other ApplySet tools can read it."""

from __future__ import annotations

import base64
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_gitops.core.deploy.model import InventoryItem
from pulumi_gitops.core.deploy.record import Record, Revision, apply_set_id, decode, encode, merged
from pulumi_gitops.core.errors import RecordError
from pulumi_gitops.core.objects import ObjectRef

names = st.from_regex(r"[a-z0-9]([-a-z0-9.:]{0,20}[a-z0-9])?", fullmatch=True)
refs = st.builds(
    ObjectRef,
    group=st.sampled_from(["", "apps", "rbac.authorization.k8s.io"]),
    version=st.just("v1"),
    kind=st.sampled_from(["ConfigMap", "ClusterRole"]),
    namespace=st.sampled_from(["", "shop"]),
    name=names,
)
items = st.builds(InventoryItem, ref=refs, uid=st.text("0123456789abcdef-"), digest=st.just("sha256:1"))


def stored(record: Record) -> dict:
    secret = encode(record)
    secret["metadata"]["resourceVersion"] = "7"
    return secret


@given(st.lists(items, max_size=8), st.integers(1, 30))
def test_what_is_written_is_what_is_read(inventory, number):
    revision = Revision(number, "sha256:2", "2026-01-01T00:00:00Z", "deployed", "ansible")
    record = Record("shop", "shop", tuple(inventory), (revision,), {number: [{"a": "ü"}]}, {"version": "1"}, True, "7")
    assert decode(stored(record), "shop", "shop") == record


def test_the_id_follows_the_applyset_specification():
    digest = hashlib.sha256(b"pulumi-gitops.shop.team.Secret.").digest()
    expected = "applyset-" + base64.urlsafe_b64encode(digest).decode().rstrip("=") + "-v1"
    assert apply_set_id("shop", "team") == expected
    assert len(expected) <= 63


def test_kinds_and_namespaces_are_told_to_other_tools():
    inventory = (
        InventoryItem(ObjectRef("apps", "v1", "Deployment", "other", "x")),
        InventoryItem(ObjectRef("", "v1", "ConfigMap", "shop", "x")),
    )
    annotations = encode(Record("shop", "shop", inventory))["metadata"]["annotations"]
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Deployment.apps"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "other"
    assert annotations["applyset.kubernetes.io/tooling"].startswith("pulumi-gitops/")


def test_manifests_that_do_not_fit_are_left_out_the_oldest_first():
    noise = random.Random(1)
    big = [{"data": noise.randbytes(300_000).hex()}]
    revisions = tuple(Revision(n, "d", "t", "deployed") for n in range(1, 5))
    secret = stored(Record("shop", "shop", revisions=revisions, manifests=dict.fromkeys(range(1, 5), big)))
    assert sum(len(base64.b64decode(value)) for value in secret["data"].values()) < 1024 * 1024
    kept = decode(secret, "shop", "shop").manifests
    assert 4 in kept
    assert 1 not in kept


def test_only_ten_revisions_are_kept():
    revisions = tuple(Revision(n, "d", "t", "deployed") for n in range(1, 20))
    back = decode(stored(Record("shop", "shop", revisions=revisions)), "shop", "shop")
    assert [revision.number for revision in back.revisions] == list(range(10, 20))


def test_a_record_of_another_tool_and_a_damaged_one_are_refused():
    secret = stored(Record("shop", "shop"))
    damaged = {**secret, "data": {**secret["data"], "inventory": "AAAA"}}
    with pytest.raises(RecordError, match="is damaged"):
        decode(damaged, "shop", "shop")
    secret["metadata"]["annotations"]["applyset.kubernetes.io/tooling"] = "kubectl/v1.36"
    with pytest.raises(RecordError, match="kubectl"):
        decode(secret, "shop", "shop")


def test_a_merge_forgets_nothing_and_keeps_what_is_known():
    ref, other = ObjectRef("", "v1", "ConfigMap", "a", "x"), ObjectRef("", "v1", "ConfigMap", "a", "y")
    found = merged([InventoryItem(ref, "old")], [InventoryItem(ref), InventoryItem(other)])
    assert found == (InventoryItem(ref, "old"), InventoryItem(other))
