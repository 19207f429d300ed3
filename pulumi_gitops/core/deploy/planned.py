# SPDX-License-Identifier: Apache-2.0
"""The plan of a whole release: its objects, what leaves the set, its namespace and its record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..cluster import Cluster
from ..errors import GitOpsError, InputError, PruneRefusedError
from ..objects import KubeObject, ObjectRef
from . import record as records
from .fingerprint import plan_digest, plan_objects
from .lookup import Lookup
from .model import Action, Change, DeployResult, InventoryItem, Plan, PlannedObject
from .order import is_deployed, ranks
from .parallel import each, each_or_raise, raise_failures
from .planning import Planner, Policy, Step, check_namespaces, namespace_ref
from .prepare import set_digest
from .pruning import Removal, check_limit, removals
from .record import Record
from .spec import IgnoredField, ReleaseSpec
from .targets import Target, with_expressions


@dataclass(frozen=True)
class PlannedRelease:
    """A plan with what is needed to carry it out.

    Attributes:
        spec: What was planned.
        record: The record of the release when it was planned, None for a new release.
        steps: One per object of the set.
        removals: One per object that is in the release and not in the set.
        creates_namespace: Whether the namespace of the release has to be made, and is not in the set itself.
        set_digest: Digest of the set of objects.
        warnings: What the API server warned of.
    """

    spec: ReleaseSpec
    record: Record | None
    steps: tuple[Step, ...]
    removals: tuple[Removal, ...]
    creates_namespace: bool
    set_digest: str
    warnings: tuple[str, ...] = field(default=())

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """One change per object, sorted by key."""
        own: tuple[Change, ...] = ()
        if self.creates_namespace:
            name = self.spec.namespace
            after: KubeObject = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            own = (Change(Action.CREATE, namespace_ref(name), None, after),)
        everything = [*own, *(step.change for step in self.steps), *(r.change for r in self.removals)]
        return tuple(sorted(everything, key=lambda change: change.ref.key))

    @property
    def changed(self) -> bool:
        """Whether the cluster would change."""
        return any(change.changed for change in self.changes)

    @property
    def settled(self) -> bool:
        """Whether the newest revision is this very set, completely deployed, and the record names nothing else."""
        record = self.record
        latest = record.latest if record else None
        if record is None or latest is None or latest.status != records.DEPLOYED or latest.digest != self.set_digest:
            return False
        return {item.ref.key for item in record.inventory} <= self.keeps

    @cached_property
    def keeps(self) -> frozenset[str]:
        """Keys of what is in the release afterwards: its set, and what left it but stays for a reason of ours."""
        own = {step.change.ref.key for step in self.steps if step.change.action is not Action.HANDED_OVER}
        return frozenset(own | {r.change.ref.key for r in self.removals if r.change.action is Action.UNCHANGED})

    @property
    def number(self) -> int:
        """The revision that carrying it out makes: another attempt at the same set keeps its number."""
        latest = self.record.latest if self.record else None
        if latest is None:
            return 1
        again = latest.digest == self.set_digest and (not self.changed or latest.status != records.DEPLOYED)
        return latest.number if again else latest.number + 1

    @cached_property
    def objects(self) -> tuple[PlannedObject, ...]:
        """What the plan's digest is made of."""
        return plan_objects(self.steps, self.removals)

    @cached_property
    def digest(self) -> str:
        """Digest of the plan."""
        return plan_digest(self.objects)

    @property
    def going(self) -> list[Removal]:
        """What is removed."""
        return [removal for removal in self.removals if removal.goes]

    @property
    def live(self) -> list[KubeObject]:
        """What there is of the set, as it was read, but for what is in other hands."""
        steps = (step for step in self.steps if step.change.action is not Action.HANDED_OVER)
        return [step.live for step in steps if step.live]

    def as_unchanged(self) -> DeployResult:
        """Return the result of a run that changed nothing: what there is, and in check mode what would change."""
        return DeployResult(
            revision=self.number,
            digest=self.set_digest,
            changes=self.changes,
            inventory=self.record.inventory if self.record else (),
            plan_digest=self.digest,
            warnings=self.warnings,
        )

    def as_plan(self) -> Plan:
        """Return the plan for people and reports."""
        return Plan(
            release=self.spec.name,
            namespace=self.spec.namespace,
            revision=self.number,
            changes=self.changes,
            set_digest=self.set_digest,
            digest=self.digest,
            objects=self.objects,
            warnings=(*self.warnings, *self._refused_prune()),
        )

    def _refused_prune(self) -> list[str]:
        try:
            check_limit(self.removals, self.spec.prune_limit)
        except PruneRefusedError as error:
            return [f"a deployment would refuse to prune: {error.message}"]
        return []

    def refuse(self) -> None:
        """Refuse to go on when something is in the way.

        Raises:
            ApplyError: Several objects can not be applied.
            GitOpsError: One object can not be applied, and why.
            PruneRefusedError: More objects would be removed than allowed.
        """
        failures = [(step.change.ref, step.change.error) for step in self.steps if step.change.error is not None]
        raise_failures(failures, what="plan", total=len(self.steps))
        check_limit(self.removals, self.spec.prune_limit)


def plan_release(
    cluster: Cluster, spec: ReleaseSpec, *, thorough: bool, keep: Mapping[str, str] | None = None
) -> PlannedRelease:
    """Plan a release. Changes nothing.

    Args:
        cluster: Where.
        spec: What.
        thorough: Put every creation to the server as a dry run, see :class:`.planning.Policy`.
        keep: Key -> reason of objects that stay although they are not in the set.

    Raises:
        GitOpsError: The set is not valid, or the cluster can not be asked.
    """
    spec.check()
    part_of = records.apply_set_id(spec.name, spec.namespace)
    found: list[Record | None] = []
    planner = Planner(
        cluster,
        Policy(
            part_of=part_of,
            force=spec.force_conflicts,
            ownership=spec.ownership,
            ignored=tuple(map(IgnoredField.parse, spec.ignore_fields)),
            recreate=spec.recreate,
            thorough=thorough,
            sent=_once(lambda: _sent(cluster, found[0])),
        ),
    )
    objects = [obj for obj in spec.objects if is_deployed(obj)]
    payloads = planner.prepare(objects, spec.namespace)
    # Both refuse what makes no sense, before anything is touched.
    ranks(payloads)
    with_expressions([Target.of(payload) for payload in payloads], spec.wait_for)
    refs = [ObjectRef.of(payload) for payload in payloads]
    record = _read(cluster, spec, planner.lookup, refs)
    found.append(record)
    creates = _namespace_is_missing(cluster, spec, record, refs)
    brought = {ref.name for ref in refs if ref.kind == "Namespace" and not ref.group}
    planner.missing_namespaces |= {spec.namespace} if creates else set()
    planner.missing_namespaces |= {name for name in brought if cluster.find(namespace_ref(name)) is None}
    check_namespaces(cluster, payloads, {spec.namespace})
    inventory = record.inventory if record else ()
    planner.lookup.read_owned(item.ref for item in inventory)
    steps = planner.steps(payloads)
    # Without a record nothing is pruned: a label alone does not tell what belonged to the set.
    gone = leaving(cluster, planner.lookup, refs, inventory) if record else []
    kept = keep or {}
    decided = removals(
        [obj for obj in gone if ObjectRef.of(obj).key not in kept],
        inventory,
        part_of=part_of,
        action=Action.PRUNE,
        prune_kinds=spec.prune_kinds,
    )
    if not spec.prune:
        decided = [removal.spared("kept: prune is off") if removal.goes else removal for removal in decided]
    decided += [
        Removal(Change(Action.UNCHANGED, item.ref, reason=kept[item.ref.key]), item.uid)
        for item in inventory
        if item.ref.key in kept
    ]
    return PlannedRelease(
        spec=spec,
        record=record,
        steps=tuple(steps),
        removals=tuple(decided),
        creates_namespace=creates and spec.namespace not in brought,
        set_digest=set_digest(payloads),
        warnings=(*cluster.transport.warnings, *_left_out(spec.objects)),
    )


def _read(cluster: Cluster, spec: ReleaseSpec, lookup: Lookup, refs: Sequence[ObjectRef]) -> Record | None:
    """Return the record, while what is there of the set is read at the same time."""
    found: list[Record | None] = []

    def read_record() -> None:
        found.append(records.read(cluster, spec.name, spec.namespace))

    def read_owned() -> None:
        lookup.read_owned(refs)

    reads: list[Callable[[], None]] = [read_record, read_owned]
    for answer in each(lambda read: read(), reads):
        if isinstance(answer, GitOpsError):
            raise answer
    return found[0]


def _left_out(objects: Sequence[KubeObject]) -> list[str]:
    names = [str(ObjectRef.of(obj)) for obj in objects if not is_deployed(obj)]
    if not names:
        return []
    return [
        f"not deployed, since they are hooks for other occasions: {', '.join(names[:5])}{', ...' * (len(names) > 5)}"
    ]


def _once(function: Callable[[], Mapping[str, KubeObject]]) -> Callable[[], Mapping[str, KubeObject]]:
    """Return `function` with its first answer remembered. Two threads may both ask; they get the same."""
    answers: list[Mapping[str, KubeObject]] = []

    def call() -> Mapping[str, KubeObject]:
        if not answers:
            answers.append(function())
        return answers[0]

    return call


def _sent(cluster: Cluster, record: Record | None) -> Mapping[str, KubeObject]:
    """Return what the newest revision sent, by key."""
    if record is None or record.latest is None:
        return {}
    objects = records.manifests_of(cluster, record, record.latest.number) or []
    return {ObjectRef.of(obj).key: obj for obj in objects}


def _namespace_is_missing(cluster: Cluster, spec: ReleaseSpec, record: Record | None, refs: list[ObjectRef]) -> bool:
    if record is not None:
        return False
    live = cluster.find(namespace_ref(spec.namespace))
    if live is not None and "deletionTimestamp" in live["metadata"]:
        raise InputError(
            f"namespace {spec.namespace} of release {spec.name} is being deleted: nothing can be created in it",
            hint="Run again when it is gone. What it waits for is in its status: kubectl describe namespace "
            f"{spec.namespace}",
        )
    if live is not None:
        return False
    brought = any(ref.kind == "Namespace" and not ref.group and ref.name == spec.namespace for ref in refs)
    if not spec.create_namespace and not brought:
        raise InputError(
            f"namespace {spec.namespace} of release {spec.name} does not exist",
            hint="Create it before, or set create_namespace: true.",
        )
    return True


def leaving(
    cluster: Cluster, lookup: Lookup, refs: Collection[ObjectRef], inventory: tuple[InventoryItem, ...]
) -> list[KubeObject]:
    """Return the live objects of a release that are not in the set: labelled ones, and what the inventory names.

    Args:
        cluster: Where.
        lookup: Has read the labelled ones.
        refs: The set.
        inventory: The inventory of the release.

    Raises:
        ApiError: An object can not be read: whether it goes can not be told.
    """
    staying = {ref.key for ref in refs}
    labelled = {key: obj for key, obj in lookup.owned.items() if key not in staying}
    unlabelled = [item.ref for item in inventory if item.ref.key not in staying and item.ref.key not in labelled]
    answers = each_or_raise(cluster.find, unlabelled, what="read", ref=lambda ref: ref)
    return [*labelled.values(), *(obj for obj in answers if obj is not None)]
