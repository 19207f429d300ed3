# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment of one release: plan, apply, wait, prune, remember.

An interrupted run leaves a record that names everything it may have applied (the ApplySet protocol: the parent is
written as a superset first), so the next run finds and finishes, or prunes, all of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import AlreadyExistsError, GitOpsError, InputError
from ..objects import KubeObject, ObjectRef, uid_of
from . import record as records
from .applying import apply_steps
from .fields import owned_values
from .model import (
    Action,
    Change,
    DeployResult,
    InventoryItem,
    Plan,
    Progress,
    ProgressCallback,
    ReleaseSpec,
    ignore_progress,
)
from .parallel import each
from .planning import Planner, Policy, Step, check_namespaces, namespace_ref
from .prepare import PART_OF_LABEL, object_digest, set_digest, shown
from .pruning import GUARDED_KINDS, Removal, removals, remove_all
from .record import Record, Revision
from .waiting import Target, all_ready, wait_ready

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class _Planned:
    """A plan with what is needed to carry it out."""

    record: Record | None
    steps: tuple[Step, ...]
    removals: tuple[Removal, ...]
    creates_namespace: bool
    digest: str
    namespace: str

    @property
    def changes(self) -> tuple[Change, ...]:
        own: tuple[Change, ...] = ()
        if self.creates_namespace:
            ref = namespace_ref(self.namespace)
            after: KubeObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
            own = (Change(Action.CREATE, ref, None, after),)
        everything = [*own, *(step.change for step in self.steps), *(r.change for r in self.removals)]
        return tuple(sorted(everything, key=lambda change: change.ref.key))

    @property
    def changed(self) -> bool:
        return any(change.changed for change in self.changes)

    @property
    def settled(self) -> bool:
        """Whether the newest revision is this very set, completely deployed."""
        latest = self.record.latest if self.record else None
        return latest is not None and latest.status == "deployed" and latest.digest == self.digest

    @property
    def number(self) -> int:
        """The revision that carrying it out makes: a failed attempt at the same set keeps its number."""
        latest = self.record.latest if self.record else None
        if latest is None:
            return 1
        if not self.changed and self.settled:
            return latest.number
        return latest.number if latest.status != "deployed" and latest.digest == self.digest else latest.number + 1


def plan(cluster: Cluster, spec: ReleaseSpec) -> Plan:
    """Work out what :func:`deploy` would change. Changes nothing.

    Raises:
        GitOpsError: See :func:`deploy`; everything but readiness is checked here.
    """
    planned = _plan(cluster, spec)
    return Plan(planned.changes, planned.digest, planned.number)


def deploy(
    cluster: Cluster, spec: ReleaseSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> DeployResult:
    """Bring the cluster to the set of objects.

    Args:
        cluster: Where.
        spec: What.
        check: Change nothing, return what would be.
        progress: Called for each step of long work.

    Returns:
        The result. A run that finds everything as it should be writes nothing, not even the record.

    Raises:
        InputError: Empty set, duplicate object, unknown namespace, bad name.
        UnknownKindError: A kind that neither the cluster nor a CRD of the set knows.
        OwnershipError: An object belongs to another release.
        ConflictError: A field belongs to another manager, or another run deploys this release.
        ApplyError: Several objects were refused.
        ApiError: One object was refused, or a request failed.
        NotReadyError: Objects failed or are not ready in time. They stay in place; nothing was pruned.
        RemovalBlockedError: Pruned objects do not go away in time.
    """
    progress = progress or ignore_progress
    planned = _plan(cluster, spec)
    if check:
        inventory = planned.record.inventory if planned.record else ()
        return DeployResult(planned.number, planned.digest, planned.changes, inventory)
    if not planned.changed and planned.settled and planned.record is not None:
        if spec.wait:
            _wait(cluster, spec, planned, {}, progress)
        return DeployResult(planned.number, planned.digest, planned.changes, planned.record.inventory)
    return _carry_out(cluster, spec, planned, progress)


def _plan(cluster: Cluster, spec: ReleaseSpec) -> _Planned:
    if not _NAME.match(spec.name):
        raise InputError(
            f"{spec.name!r} is not a name for a release",
            hint="Use at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends.",
        )
    if not spec.namespace:
        raise InputError(f"release {spec.name} needs a namespace")
    record = records.read(cluster, spec.name, spec.namespace)
    part_of = records.apply_set_id(spec.name, spec.namespace)
    sent = {ObjectRef.of(obj).key: obj for obj in _latest_manifests(record)}
    planner = Planner(cluster, Policy(part_of=part_of, force=spec.force_conflicts, adopt=spec.adopt, sent=sent))
    payloads = planner.prepare(spec.objects, spec.namespace)
    refs = [ObjectRef.of(payload) for payload in payloads]
    creates = _namespace_is_missing(cluster, spec, record, refs)
    brought = {ref.name for ref in refs if ref.kind == "Namespace" and not ref.group}
    planner.missing_namespaces = {spec.namespace} if creates else set()
    planner.missing_namespaces |= {name for name in brought if cluster.find(namespace_ref(name)) is None}
    check_namespaces(cluster, payloads, {spec.namespace})
    inventory = record.inventory if record else ()
    if record:
        planner.read_owned([*refs, *(item.ref for item in inventory)])
    steps = planner.steps(payloads)
    leaving = _leaving(cluster, planner, refs, inventory) if spec.prune else []
    return _Planned(
        record=record,
        steps=tuple(steps),
        removals=tuple(removals(leaving, inventory, part_of=part_of, action=Action.PRUNE, prune_kinds=())),
        creates_namespace=creates and spec.namespace not in brought,
        digest=set_digest(payloads),
        namespace=spec.namespace,
    )


def _latest_manifests(record: Record | None) -> list[KubeObject]:
    if record is None or record.latest is None:
        return []
    return list(record.manifests.get(record.latest.number, ()))


def _namespace_is_missing(cluster: Cluster, spec: ReleaseSpec, record: Record | None, refs: list[ObjectRef]) -> bool:
    if record is not None or cluster.find(namespace_ref(spec.namespace)) is not None:
        return False
    brought = any(ref.kind == "Namespace" and not ref.group and ref.name == spec.namespace for ref in refs)
    if not spec.create_namespace and not brought:
        raise InputError(
            f"namespace {spec.namespace} of release {spec.name} does not exist",
            hint="Create it before, or set create_namespace: true.",
        )
    return True


def _leaving(
    cluster: Cluster, planner: Planner, refs: list[ObjectRef], inventory: tuple[InventoryItem, ...]
) -> list[KubeObject]:
    """Return the live objects of the release that are not in the set: labelled ones, and what the inventory names."""
    staying = {ref.key for ref in refs}
    labelled = {key: obj for key, obj in planner.owned.items() if key not in staying}
    unlabelled = [item.ref for item in inventory if item.ref.key not in staying and item.ref.key not in labelled]
    found = [obj for obj in each(cluster.find, unlabelled) if isinstance(obj, dict)]
    return [*labelled.values(), *found]


def _carry_out(cluster: Cluster, spec: ReleaseSpec, planned: _Planned, progress: ProgressCallback) -> DeployResult:
    if planned.creates_namespace:
        progress(Progress("apply", f"create Namespace {spec.namespace}"))
        _create_namespace(cluster, spec.namespace)
    elif planned.record is None:
        _apply_own_namespace(cluster, spec, planned, progress)
    record = _begin(cluster, spec, planned)
    try:
        applied = apply_steps(cluster, planned.steps, progress)
        record = dataclasses.replace(record, inventory=records.merged(record.inventory, _inventory(planned, applied)))
        if spec.wait:
            _wait(cluster, spec, planned, applied, progress)
        going = [removal for removal in planned.removals if removal.goes]
        remove_all(cluster, going, wait=True, timeout=spec.wait_timeout, progress=progress)
    except GitOpsError as error:
        # The record says "applying" if even this can not be written, which the next run reads the same way.
        with contextlib.suppress(GitOpsError):
            _close(cluster, record, status="failed", message=error.message)
        raise
    inventory = (*_inventory(planned, applied), *_kept(planned, record))
    record = dataclasses.replace(record, inventory=tuple(sorted(inventory, key=lambda item: item.ref.key)))
    _close(cluster, record, status="deployed")
    return DeployResult(planned.number, planned.digest, planned.changes, record.inventory)


def _create_namespace(cluster: Cluster, name: str) -> None:
    try:
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    except AlreadyExistsError:
        return  # somebody was faster: the same end


def _apply_own_namespace(cluster: Cluster, spec: ReleaseSpec, planned: _Planned, progress: ProgressCallback) -> None:
    """Apply the release's own Namespace when it is in the set: the record is to live in it."""
    key = namespace_ref(spec.namespace).key
    own = [step for step in planned.steps if step.change.ref.key == key and step.change.action is Action.CREATE]
    apply_steps(cluster, own, progress)


def _begin(cluster: Cluster, spec: ReleaseSpec, planned: _Planned) -> Record:
    """Write the record as a superset: all that was ours and all that is about to be."""
    old = planned.record or Record(spec.name, spec.namespace, created_namespace=planned.creates_namespace)
    coming = (InventoryItem(step.change.ref) for step in planned.steps if step.change.action is not Action.HANDED_OVER)
    revision = Revision(planned.number, planned.digest, records.now(), "applying", spec.source)
    payloads = [step.payload or _sent_before(old, step) for step in planned.steps]
    return records.write(
        cluster,
        dataclasses.replace(
            old,
            inventory=records.merged(old.inventory, coming),
            revisions=(*(r for r in old.revisions if r.number != revision.number), revision),
            manifests={**old.manifests, revision.number: [_without_uid(p) for p in payloads if p is not None]},
            facts={**old.facts, **spec.annotations},
        ),
    )


def _sent_before(record: Record, step: Step) -> KubeObject | None:
    return record.sent(step.change.ref.key) if step.change.action is Action.UNCHANGED else None


def _without_uid(payload: KubeObject) -> KubeObject:
    return {**payload, "metadata": {k: v for k, v in payload["metadata"].items() if k != "uid"}}


def _close(cluster: Cluster, record: Record, *, status: str, message: str = "") -> Record:
    latest = dataclasses.replace(record.revisions[-1], status=status, message=message[:2000])
    return records.write(cluster, dataclasses.replace(record, revisions=(*record.revisions[:-1], latest)))


def _inventory(planned: _Planned, applied: Mapping[str, KubeObject]) -> tuple[InventoryItem, ...]:
    items = []
    for step in planned.steps:
        if step.change.action is Action.HANDED_OVER:
            continue
        live = applied.get(step.change.ref.key) or step.live or {}
        items.append(InventoryItem(step.change.ref, uid_of(live), live_digest(live)))
    return tuple(items)


def live_digest(live: KubeObject) -> str:
    """Return the digest of the fields of an object that we set and still own."""
    values = owned_values(live, FIELD_MANAGER)
    return object_digest({**values, "kind": live.get("kind"), "apiVersion": live.get("apiVersion")}) if values else ""


def _kept(planned: _Planned, record: Record) -> list[InventoryItem]:
    """Return what left the set but stays in the cluster for a guard's sake: it must not be forgotten."""
    known = {item.ref.key: item for item in record.inventory}
    stays = [removal for removal in planned.removals if removal.change.action is Action.UNCHANGED]
    return [known[r.change.ref.key] for r in stays if r.change.ref.key in known]


def _wait(
    cluster: Cluster,
    spec: ReleaseSpec,
    planned: _Planned,
    applied: Mapping[str, KubeObject],
    progress: ProgressCallback,
) -> None:
    steps = [step for step in planned.steps if step.change.action is not Action.HANDED_OVER]
    current = [applied.get(step.change.ref.key) or step.live or {} for step in steps]
    if not applied and all_ready(current):
        return  # read a moment ago, and nothing was written since
    part_of = records.apply_set_id(spec.name, spec.namespace)
    wait_ready(
        cluster,
        [Target.of(obj) for obj in current],
        timeout=spec.wait_timeout,
        progress=progress,
        label_selector=f"{PART_OF_LABEL}={part_of}",
    )


# --- removal ---------------------------------------------------------------------------------------------------------


def remove(
    cluster: Cluster,
    name: str,
    namespace: str,
    *,
    check: bool = False,
    wait: bool = True,
    wait_timeout: float = 300.0,
    delete_namespace: bool = False,
    prune_kinds: Collection[str] = GUARDED_KINDS - {"PersistentVolumeClaim"},
    progress: ProgressCallback | None = None,
) -> DeployResult:
    """Remove a release: its objects in reverse order, then its record.

    Args:
        cluster: Where.
        name: Release.
        namespace: Its namespace.
        check: Change nothing, return what would be.
        wait: Wait until everything is gone.
        wait_timeout: Seconds to wait.
        delete_namespace: Delete the namespace too if a deployment of this release created it.
        prune_kinds: Kinds whose removal takes more with it, and which may go all the same. Default: the Namespaces
            and CRDs that the release brought; PersistentVolumeClaims stay.
        progress: Called for each step.

    Returns:
        The result; without changes when there is no such release.

    Raises:
        RemovalBlockedError: Objects do not go away in time; names the finalizers.
    """
    progress = progress or ignore_progress
    record = records.read(cluster, name, namespace)
    if record is None:
        return DeployResult(0, "", ())
    part_of = records.apply_set_id(name, namespace)
    planner = Planner(cluster, Policy(part_of=part_of))
    planner.read_owned(item.ref for item in record.inventory)
    leaving = _leaving(cluster, planner, [], record.inventory)
    going = removals(leaving, record.inventory, part_of=part_of, action=Action.DELETE, prune_kinds=prune_kinds)
    changes = [removal.change for removal in going]
    own = cluster.find(namespace_ref(namespace)) if delete_namespace and record.created_namespace else None
    own_removal = (
        Removal(Change(Action.DELETE, namespace_ref(namespace), shown(own), None), uid_of(own)) if own else None
    )
    if own_removal:
        changes.append(own_removal.change)
    latest = record.latest
    result = DeployResult(
        latest.number if latest else 0, latest.digest if latest else "", tuple(changes), record.inventory
    )
    if check:
        return result
    own_key = namespace_ref(namespace).key
    # The namespace of the record goes last, whoever brought it: with it goes the memory of what is left to remove.
    first = [removal for removal in going if removal.goes and removal.change.ref.key != own_key]
    last = [removal for removal in going if removal.goes and removal.change.ref.key == own_key]
    remove_all(cluster, first, wait=wait, timeout=wait_timeout, progress=progress)
    cluster.delete(records.record_ref(name, namespace))
    last += [own_removal] if own_removal and not last else []
    remove_all(cluster, last, wait=wait, timeout=wait_timeout, progress=progress)
    return dataclasses.replace(result, inventory=())


# --- reading ---------------------------------------------------------------------------------------------------------


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


def read_release(cluster: Cluster, name: str, namespace: str, *, drift: bool = True) -> ReleaseState | None:
    """Return a release and how the cluster differs from it; None when there is none.

    Args:
        cluster: Where.
        name: Release.
        namespace: Its namespace.
        drift: Compare the cluster with the inventory (one LIST per kind and namespace).
    """
    record = records.read(cluster, name, namespace)
    if record is None:
        return None
    differing: dict[str, str] = {}
    if drift:
        planner = Planner(cluster, Policy(part_of=records.apply_set_id(name, namespace)))
        planner.read_owned(item.ref for item in record.inventory)
        for item in record.inventory:
            live = planner.owned.get(item.ref.key)
            if live is None:
                differing[item.ref.key] = "missing"
            elif item.digest and live_digest(live) != item.digest:
                differing[item.ref.key] = "changed"
    latest = record.latest
    return ReleaseState(
        name=name,
        namespace=namespace,
        revision=latest.number if latest else 0,
        digest=latest.digest if latest else "",
        status=latest.status if latest else "",
        inventory=record.inventory,
        drift=differing,
        facts=record.facts,
        created_namespace=record.created_namespace,
    )
