# SPDX-License-Identifier: Apache-2.0
"""The release record: what is written is what is read, and other ApplySet tools can read it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_gitops.core.deploy import record as records
from pulumi_gitops.core.deploy.model import InventoryItem
from pulumi_gitops.core.deploy.record import Record, Revision, apply_set_id, merged
from pulumi_gitops.core.deploy.storage import Parts, pack
from pulumi_gitops.core.errors import AlreadyExistsError, NotFoundError, RecordError
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


class Secrets:
    """The Secrets of one namespace: what records need of a cluster. The real one is in the integration tests."""

    def __init__(self) -> None:
        self.stored: dict[str, dict] = {}

    def create(self, obj):
        name = obj["metadata"]["name"]
        if name in self.stored:
            raise AlreadyExistsError(name)
        return self.apply(obj)

    def apply(self, obj, **_):
        size = sum(len(base64.b64decode(value)) for value in obj["data"].values())
        assert size <= 1024 * 1024, "an API server refuses such a Secret"
        metadata = {**obj["metadata"], "resourceVersion": str(len(self.stored) + 1), "uid": "u"}
        self.stored[obj["metadata"]["name"]] = {**obj, "metadata": metadata}
        return self.stored[obj["metadata"]["name"]]

    def get(self, ref):
        if ref.name not in self.stored:
            raise NotFoundError(ref.name)
        return self.stored[ref.name]

    def list(self, *_, label_selector, **__):
        label, _, value = label_selector.partition("=")
        return [obj for obj in self.stored.values() if obj["metadata"]["labels"].get(label) == value]

    def delete(self, ref):
        self.stored.pop(ref.name, None)


def revision(number: int, **more: object) -> Revision:
    return Revision(**{"number": number, "digest": f"sha256:{number}", "time": "t", "status": "deployed", **more})


def big(seed: int) -> list[dict]:
    return [{"data": random.Random(seed).randbytes(600_000).hex()}]


def written(record: Record, secrets: Secrets | None = None) -> dict:
    secrets = secrets or Secrets()
    records.write(secrets, record)
    return secrets.stored[f"pulumi-gitops.{record.name}"]


@given(st.lists(items, max_size=8, unique_by=lambda item: item.ref.key), st.integers(1, 30))
def test_what_is_written_is_what_is_read(inventory, number):
    secrets = Secrets()
    record = Record(
        name="shop",
        namespace="shop",
        inventory=tuple(inventory),
        revisions=(revision(number, face="ansible", images=("web:1",), seconds=1.5),),
        manifests={number: pack([{"a": "ü"}])},
        facts={"version": "1"},
        created_namespace=True,
    )
    kept = records.write(secrets, record)
    assert records.read(secrets, "shop", "shop") == kept
    assert records.manifests_of(secrets, kept, number) == [{"a": "ü"}]


def test_what_a_newer_version_adds_to_a_revision_is_passed_over():
    assert Revision.from_dict({**revision(1).as_dict(), "mood": "good"}) == revision(1)


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
    annotations = written(Record(name="shop", namespace="shop", inventory=inventory))["metadata"]["annotations"]
    assert annotations["applyset.kubernetes.io/contains-group-kinds"] == "ConfigMap,Deployment.apps"
    assert annotations["applyset.kubernetes.io/additional-namespaces"] == "other"
    assert annotations["applyset.kubernetes.io/tooling"].startswith("pulumi-gitops/")


def test_what_does_not_fit_into_one_secret_lives_in_parts_that_go_with_their_revision():
    secrets = Secrets()
    first = Record(name="shop", namespace="shop", revisions=(revision(1),), manifests={1: pack(big(1))})
    record = records.write(secrets, first)
    record = dataclasses.replace(
        record, revisions=(revision(1), revision(2)), manifests={**record.manifests, 2: pack(big(2))}
    )
    record = records.write(secrets, record)
    for number in (1, 2):
        assert records.manifests_of(secrets, records.read(secrets, "shop", "shop"), number) == big(number)
    assert len(secrets.stored) > 1
    before = set(secrets.stored)
    record = records.write(secrets, dataclasses.replace(record.trimmed(1), resource_version="1"))
    assert records.manifests_of(secrets, record, 1) is None
    assert records.manifests_of(secrets, record, 2) == big(2)
    assert set(secrets.stored) < before
    records.delete(secrets, "shop", "shop")
    assert secrets.stored == {}


def test_parts_that_a_killed_run_left_behind_go_with_the_next_write():
    secrets = Secrets()
    Parts(secrets, records.record_ref("shop", "shop")).create({"pulumi-gitops.shop.stale": b"x"})
    manifests = {1: pack(big(1)), 2: pack(big(2))}
    records.write(secrets, Record(name="shop", namespace="shop", manifests=manifests))
    assert "pulumi-gitops.shop.stale" not in secrets.stored


def test_the_limit_keeps_the_newest_revisions_and_always_the_last_one_that_was_deployed():
    record = Record(
        name="shop",
        namespace="shop",
        revisions=(revision(1), revision(2), *(revision(n, status="failed") for n in range(3, 9))),
        manifests={n: pack([]) for n in range(1, 9)},
    )
    assert [r.number for r in record.trimmed(3).revisions] == [2, 7, 8]
    assert [r.number for r in record.trimmed(1).revisions] == [2, 8]
    assert sorted(record.trimmed(3).manifests) == [2, 7, 8]
    assert [r.number for r in record.trimmed(10).revisions] == list(range(1, 9))


def test_a_record_of_another_tool_and_a_damaged_one_are_refused():
    secrets = Secrets()
    secret = written(Record(name="shop", namespace="shop"), secrets)
    good = secret["data"]
    for data in (
        {**good, "inventory": "AAAA"},
        {**good, "parts": base64.b64encode(b'{"inventory": ["gone"]}').decode()},
    ):
        secret["data"] = data
        with pytest.raises(RecordError, match="is damaged"):
            records.read(secrets, "shop", "shop")
    secret["metadata"]["annotations"]["applyset.kubernetes.io/tooling"] = "kubectl/v1.36"
    with pytest.raises(RecordError, match="kubectl"):
        records.read(secrets, "shop", "shop")


def test_a_merge_forgets_nothing_and_keeps_what_is_known():
    ref, other = ObjectRef("", "v1", "ConfigMap", "a", "x"), ObjectRef("", "v1", "ConfigMap", "a", "y")
    found = merged([InventoryItem(ref, "old")], [InventoryItem(ref), InventoryItem(other)])
    assert found == (InventoryItem(ref, "old"), InventoryItem(other))
