# SPDX-License-Identifier: Apache-2.0
"""Let a controller that applies the objects of a release have them alone, and take them back.

Both are server-side applies: an object is applied by both for a moment, then the one who lets go applies nothing but
its name, which takes all fields from him and removes those that nobody else sets. Meanwhile the record remembers the
set, and owns none of it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Sequence

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import OwnershipError
from ..objects import KubeObject, ObjectRef, uid_of
from . import record as records
from .fields import entry_of, surely_unchanged
from .locking import ReleaseLock
from .lookup import Lookup
from .model import DeployResult, InventoryItem, Progress, ProgressCallback, ignore_progress
from .parallel import each_or_raise
from .planning import Planner, Policy
from .prepare import set_digest
from .record import Record, Revision
from .spec import ReleaseSpec
from .storage import pack


def hand_over(
    cluster: Cluster, spec: ReleaseSpec, manager: str, *, progress: ProgressCallback | None = None
) -> DeployResult:
    """Give up the objects of a set that another manager has applied, and remember the set as a revision.

    Args:
        cluster: Where.
        spec: The release; its namespace exists, and the manager has applied all of it.
        manager: Field manager that keeps the objects from now on.
        progress: Called for each step.

    Returns:
        The result, without changes: the objects are as they were. Nothing is written when all was handed over before.

    Raises:
        OwnershipError: The manager has not applied an object.
        LockedError: Another run deploys this release.
    """
    part_of = records.apply_set_id(spec.name, spec.namespace)
    payloads = Planner(cluster, Policy(part_of=part_of)).prepare(spec.objects, spec.namespace)
    digest = set_digest(payloads)
    record = records.read(cluster, spec.name, spec.namespace)
    if record is None or not _remembers(record, digest, spec):
        with ReleaseLock(
            cluster, spec.name, spec.namespace, timeout=spec.lock_timeout, progress=progress or ignore_progress
        ):
            record = records.read(cluster, spec.name, spec.namespace)
            record = record or Record(name=spec.name, namespace=spec.namespace)
            _let_go(cluster, part_of, [*map(ObjectRef.of, payloads), *(item.ref for item in record.inventory)], manager)
            record = records.write(cluster, _remembering(record, spec, payloads, digest))
    latest = record.latest
    return DeployResult(latest.number if latest else 0, digest, ())


def _remembers(record: Record, digest: str, spec: ReleaseSpec) -> bool:
    latest = record.latest
    return (
        latest is not None
        and (latest.digest, latest.status) == (digest, records.DEPLOYED)
        and not record.inventory
        and spec.facts.items() <= record.facts.items()
    )


def _remembering(record: Record, spec: ReleaseSpec, payloads: Sequence[KubeObject], digest: str) -> Record:
    """Return the record with the set as its newest revision, and nothing that we own."""
    latest = record.latest
    number = latest.number + (latest.digest != digest) if latest else 1
    revision = Revision(
        number=number,
        digest=digest,
        time=records.now(),
        status=records.DEPLOYED,
        face=spec.origin.face,
        user=spec.origin.user,
        pipeline=spec.origin.pipeline,
        commit=spec.origin.commit,
    )
    return dataclasses.replace(
        record,
        inventory=(),
        revisions=(*(known for known in record.revisions if known.number != number), revision),
        manifests={**record.manifests, number: pack(list(payloads))},
        facts={**record.facts, **spec.facts},
    ).trimmed(spec.history_limit)


def _let_go(cluster: Cluster, part_of: str, refs: Iterable[ObjectRef], manager: str) -> None:
    lookup = Lookup(cluster, part_of)
    lookup.read_owned(refs)
    ours = list(lookup.owned.values())
    untouched = [str(ObjectRef.of(obj)) for obj in ours if entry_of(obj, manager) is None]
    if untouched:
        raise OwnershipError(
            f"{manager} has not applied {', '.join(untouched[:5])}, so it is not handed over",
            hint="Is the kind excluded from what it looks after, or the object left out of what it applies?",
            details={"objects": untouched},
        )
    _apply_all(cluster, [(_bare(obj), FIELD_MANAGER) for obj in ours], "hand over")


def give_up(
    cluster: Cluster,
    name: str,
    namespace: str,
    manager: str,
    *,
    keep: Collection[ObjectRef] = (),
    progress: ProgressCallback | None = None,
) -> tuple[ObjectRef, ...]:
    """Give up those objects of a release that another manager applies as well, and forget them.

    Args:
        cluster: Where.
        name: Release; without a record nothing is done.
        namespace: Its namespace.
        manager: Field manager that keeps the objects from now on.
        keep: What stays the release's all the same.
        progress: Called for each step.

    Returns:
        What was given up.

    Raises:
        LockedError: Another run deploys this release.
        ApplyError: Objects can not be applied.
    """
    with ReleaseLock(cluster, name, namespace, timeout=60.0, progress=progress or ignore_progress):
        record = records.read(cluster, name, namespace)
        if record is None:
            return ()
        lookup, kept = Lookup(cluster, records.apply_set_id(name, namespace)), {ref.key for ref in keep}
        lookup.read_owned(item.ref for item in record.inventory)
        going = {
            key: obj for key, obj in lookup.owned.items() if key not in kept and entry_of(obj, manager) is not None
        }
        _apply_all(cluster, [(_bare(obj), FIELD_MANAGER) for obj in going.values()], "hand over")
        inventory = tuple(item for item in record.inventory if item.ref.key not in going)
        # The namespace that the release has brought goes with it, whoever marks it meanwhile.
        created = record.created_namespace or ObjectRef("", "v1", "Namespace", "", namespace).key in going
        if going:
            records.write(cluster, dataclasses.replace(record, inventory=inventory, created_namespace=created))
        return tuple(ObjectRef.of(obj) for obj in going.values())


def take_back(
    cluster: Cluster,
    name: str,
    namespace: str,
    manager: str,
    *,
    forget: Iterable[str] = (),
    lock_timeout: float = 60.0,
    progress: ProgressCallback | None = None,
) -> None:
    """Make the objects that a release remembers its own again, as it remembers them.

    Args:
        cluster: Where.
        name: Release; without a record nothing is done.
        namespace: Its namespace.
        manager: Field manager that has kept them, and has stopped to apply them.
        forget: Facts of the record that do not hold any more.
        lock_timeout: Seconds to wait for another run of the release to end.
        progress: Called for each step.

    Raises:
        LockedError: Another run deploys this release.
        ApplyError: Objects can not be applied.
    """
    with ReleaseLock(cluster, name, namespace, timeout=lock_timeout, progress=progress or ignore_progress):
        record = records.read(cluster, name, namespace)
        if record is None:
            return
        payloads = remembered(cluster, record)
        refs = [ObjectRef.of(payload) for payload in payloads]
        # First the record: what a run that is killed from here on has taken is known to the next one.
        inventory = records.merged(record.inventory, map(InventoryItem, refs))
        record = records.write(cluster, dataclasses.replace(record, inventory=inventory))
        answers = each_or_raise(cluster.find, refs, what="read", ref=lambda ref: ref)
        there = [
            (payload, live)
            for payload, live in zip(payloads, answers, strict=True)
            if live is not None and not _is_ours_alone(payload, live, manager)
        ]
        if progress:
            progress(Progress("apply", f"taking back {len(there)} objects", 0, len(there)))
        _apply_all(cluster, [(payload, FIELD_MANAGER) for payload, _ in there], "take back")
        kept = [(_bare(live), manager) for _, live in there if entry_of(live, manager) is not None]
        _apply_all(cluster, kept, "take back")
        facts = {key: value for key, value in record.facts.items() if key not in set(forget)}
        records.write(cluster, dataclasses.replace(record, facts=facts))


def remembered(cluster: Cluster, record: Record) -> list[KubeObject]:
    """Return the objects of the newest revision that has any, as they were sent or handed over.

    A rollback, or a deployment past the controller that has the objects, makes a revision without.
    """
    for revision in reversed(record.revisions):
        objects = records.manifests_of(cluster, record, revision.number)
        if objects:
            return objects
    return []


def _is_ours_alone(payload: KubeObject, live: KubeObject, manager: str) -> bool:
    return entry_of(live, manager) is None and surely_unchanged(payload, live, FIELD_MANAGER)


def _bare(live: KubeObject) -> KubeObject:
    """Return nothing but the identity of an object, of this very one."""
    metadata = live["metadata"]
    named = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {"apiVersion": live["apiVersion"], "kind": live["kind"], "metadata": {**named, "uid": uid_of(live)}}


def _apply_all(cluster: Cluster, applies: Sequence[tuple[KubeObject, str]], what: str) -> None:
    def send(apply: tuple[KubeObject, str]) -> KubeObject:
        obj, manager = apply
        return cluster.apply(obj, force=True, field_manager=manager)

    each_or_raise(send, applies, what=what, ref=lambda apply: ObjectRef.of(apply[0]))
