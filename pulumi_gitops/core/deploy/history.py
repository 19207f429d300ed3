# SPDX-License-Identifier: Apache-2.0
"""Read releases: what was deployed when and by whom, and how the cluster differs from it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..cluster import Cluster
from ..objects import KubeObject, ObjectRef, labels_of
from . import record as records
from .carrying import live_digest
from .lookup import Lookup
from .model import InventoryItem
from .record import ID_LABEL, TOOL, Record, Revision
from .storage import Parts


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """A release as it is.

    Attributes:
        name: Release.
        namespace: Its namespace.
        revision: Newest revision.
        digest: Digest of its set.
        status: ``applying``, ``deployed`` or ``failed``.
        inventory: Its objects.
        drift: Key of an object -> ``missing`` or ``changed``: what differs from what was applied.
        facts: Free facts of the record.
        created_namespace: Whether a deployment created the namespace.
        revisions: What was deployed, oldest first.
    """

    name: str
    namespace: str
    revision: int
    digest: str
    status: str
    inventory: tuple[InventoryItem, ...]
    drift: Mapping[str, str]
    facts: Mapping[str, str]
    created_namespace: bool
    revisions: tuple[Revision, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "revision": self.revision,
            "digest": self.digest,
            "status": self.status,
            "objects": len(self.inventory),
            "drift": dict(self.drift),
            "revisions": [revision.as_dict() for revision in self.revisions],
        }


def read_release(cluster: Cluster, name: str, namespace: str, *, drift: bool = True) -> ReleaseState | None:
    """Return a release and how the cluster differs from it; None when there is none.

    Args:
        cluster: Where.
        name: Release.
        namespace: Its namespace.
        drift: Compare the cluster with the inventory (one LIST per kind and namespace).

    Raises:
        RecordError: The record is damaged.
    """
    record = records.read(cluster, name, namespace)
    if record is None:
        return None
    return _state(record, _drift(cluster, record) if drift else {})


def _state(record: Record, drift: Mapping[str, str]) -> ReleaseState:
    latest = record.latest
    return ReleaseState(
        name=record.name,
        namespace=record.namespace,
        revision=latest.number if latest else 0,
        digest=latest.digest if latest else "",
        status=latest.status if latest else "",
        inventory=record.inventory,
        drift=drift,
        facts=record.facts,
        created_namespace=record.created_namespace,
        revisions=record.revisions,
    )


def _drift(cluster: Cluster, record: Record) -> dict[str, str]:
    lookup = Lookup(cluster, records.apply_set_id(record.name, record.namespace))
    lookup.read_owned(item.ref for item in record.inventory)
    differing: dict[str, str] = {}
    for item in record.inventory:
        live = lookup.owned.get(item.ref.key)
        if live is None:
            differing[item.ref.key] = "missing"
        elif item.digest and live_digest(live) != item.digest:
            differing[item.ref.key] = "changed"
    jobs = {item.ref.key for item in record.inventory if item.ref.group_kind == "batch/Job"} & differing.keys()
    for key in _that_go_by_themselves(cluster, record) if jobs else ():
        if differing.get(key) == "missing":
            del differing[key]
    return differing


def _that_go_by_themselves(cluster: Cluster, record: Record) -> list[str]:
    """Return the keys of Jobs that the cluster removes once they have finished."""
    sent = records.manifests_of(cluster, record, record.latest.number) if record.latest else None
    return [
        ObjectRef.of(obj).key
        for obj in sent or []
        if obj.get("kind") == "Job" and (obj.get("spec") or {}).get("ttlSecondsAfterFinished") is not None
    ]


def list_releases(cluster: Cluster, namespace: str = "") -> tuple[ReleaseState, ...]:
    """Return all releases of a namespace, or of the cluster, without their drift.

    Args:
        cluster: Where.
        namespace: Namespace; "" for all.

    Raises:
        ForbiddenError: The right to list Secrets is missing.
    """
    secrets = cluster.list(
        "v1", "Secret", namespace=namespace, label_selector=f"app.kubernetes.io/managed-by={TOOL},{ID_LABEL}"
    )
    found = [_decoded(cluster, secret) for secret in secrets if ID_LABEL in labels_of(secret)]
    return tuple(sorted((_state(record, {}) for record in found), key=lambda state: (state.namespace, state.name)))


def _decoded(cluster: Cluster, secret: KubeObject) -> Record:
    name = str(secret["metadata"]["name"]).removeprefix(f"{TOOL}.")
    namespace = str(secret["metadata"]["namespace"])
    return records.decode(secret, name, namespace, Parts(cluster, records.record_ref(name, namespace)))
