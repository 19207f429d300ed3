# SPDX-License-Identifier: Apache-2.0
"""Work out what a deployment would change, asking the server only where the answer is not sure from a LIST.

One LIST per kind and namespace, narrowed by the release's label, finds what we have applied before; what is surely
equal needs no request of its own (:mod:`.fields`). Everything else is put to the server as a dry run, in parallel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import (
    AdmissionDeniedError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GitOpsError,
    ImmutableFieldError,
    InputError,
    OwnershipError,
    UnauthorizedError,
)
from ..objects import KubeObject, ObjectRef, annotations_of, is_crd, labels_of, uid_of, with_metadata
from .adoption import after_takeover, leave_ignored, left_behind
from .fields import entry_of, has_field, surely_unchanged
from .lookup import Lookup
from .masking import shown, shown_pair
from .model import Action, Change, FieldOwner
from .ownership import foreign_owner, is_controller, is_one_shot, release_of
from .parallel import each, each_or_raise
from .prepare import PART_OF_LABEL, custom_kinds, object_digest, prepare
from .shapes import shape_of
from .spec import GUARDED_KINDS, ForceConflicts, IgnoredField, Ownership

RECREATE = "pulumi-gitops/recreate"
# Admission: a webhook that declares side effects and does not say that it spares them in a dry run.
_NO_DRY_RUN = re.compile(r'admission webhook "([^"]+)" does not support dry run')


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How to treat what exists already.

    Attributes:
        part_of: ApplySet id that marks the objects; "" for objects outside a release.
        force: When to take over fields of other managers.
        ownership: Which objects to take in.
        ignored: Fields that are left to others.
        recreate: Delete and create anew what can not be changed in place.
        thorough: Put every creation to the server as a dry run. Otherwise one of each shape is (:mod:`.shapes`).
        sent: Returns what the last revision sent, by key; asked only when it matters.
    """

    part_of: str = ""
    force: ForceConflicts = ForceConflicts.OWN_FIELDS
    ownership: Ownership = Ownership.ADOPT_IF_UNOWNED
    ignored: tuple[IgnoredField, ...] = ()
    recreate: bool = False
    thorough: bool = True
    sent: Callable[[], Mapping[str, KubeObject]] = dict


@dataclass(frozen=True, slots=True)
class Step:
    """The planned work on one object.

    Attributes:
        change: What happens to it.
        wanted: The object as the set wants it.
        live: The object as it is, None when it does not exist.
        sends: Whether it is sent.
        force: Whether to force field conflicts.
        takes_over: Whether fields that other tools left behind are made ours first.
    """

    change: Change
    wanted: KubeObject
    live: KubeObject | None
    sends: bool = False
    force: bool = False
    takes_over: bool = False

    @property
    def payload(self) -> KubeObject:
        """What is sent: pinned to the object that was read, unless it is created (again)."""
        if self.live is None or self.change.action is Action.RECREATE:
            return self.wanted
        return with_metadata(self.wanted, uid=uid_of(self.live))


@dataclass(slots=True)
class Planner:
    """Plans one set of objects against one cluster.

    Attributes:
        cluster: Where.
        policy: How to treat what exists.
        missing_namespaces: Namespaces that do not exist yet but will when the objects are applied.
        lookup: Finds what exists.
    """

    cluster: Cluster
    policy: Policy
    missing_namespaces: set[str] = field(default_factory=set)
    lookup: Lookup = field(init=False)
    _custom: dict[tuple[str, str], bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.lookup = Lookup(self.cluster, self.policy.part_of, self.missing_namespaces)

    def prepare(self, objects: Iterable[KubeObject], namespace: str) -> list[KubeObject]:
        """Return the objects as they are sent: sanitized, with namespace and release label.

        Raises:
            UnknownKindError: A kind is served by nobody and defined by no CRD of the set.
            OwnershipError: An object claims to be part of another set.
        """
        objects = list(objects)
        self._custom = custom_kinds(objects)
        result = prepare(objects, namespace, self._is_namespaced)
        if not self.policy.part_of:
            return result
        for obj in result:
            if release_of(obj) not in ("", self.policy.part_of):
                raise OwnershipError(
                    f"{ObjectRef.of(obj)} carries the label {PART_OF_LABEL} of another set",
                    hint="Remove the label from the manifest; the release sets its own.",
                )
        return [with_metadata(obj, labels={**labels_of(obj), PART_OF_LABEL: self.policy.part_of}) for obj in result]

    def _is_namespaced(self, ref: ObjectRef) -> bool:
        custom = self._custom.get((ref.group, ref.kind))
        if custom is not None:
            return custom
        return self.cluster.resource(ref.api_version, ref.kind).namespaced

    def steps(self, payloads: list[KubeObject]) -> list[Step]:
        """Plan each object; what a deployment would refuse is in the ``error`` of its change.

        Raises:
            GitOpsError: The cluster can not be asked at all.
        """
        lives = self.lookup.lives(payloads)
        found: dict[str, Step] = {}
        asked: dict[str, KubeObject] = {}
        for payload in payloads:
            ref = ObjectRef.of(payload)
            live = lives.get(ref.key)
            step = self._without_asking(payload, live, ref) if live else None
            if step is None:
                asked[ref.key] = payload
            else:
                found[ref.key] = step
        spared = self._spared(asked, lives)
        steps = each_or_raise(
            lambda key: self._asked(asked[key], lives.get(key), ask=key not in spared),
            asked,
            what="plan",
            ref=lambda key: ObjectRef.of(asked[key]),
            total=len(payloads),
        )
        found.update(zip(asked, steps, strict=True))
        return [found[ObjectRef.of(payload).key] for payload in payloads]

    def _spared(self, asked: Mapping[str, KubeObject], lives: Mapping[str, KubeObject]) -> set[str]:
        """Return the keys of creations that are not asked about.

        For most of them another one of the same shape is. A CRD costs the server as much when it is only tried, and is
        applied before everything else: when it is refused, nothing has happened yet.
        """
        if self.policy.thorough:
            return set()
        first: dict[str, str] = {}
        new = {key: payload for key, payload in asked.items() if key not in lives}
        return {
            key for key, payload in new.items() if is_crd(payload) or first.setdefault(shape_of(payload), key) != key
        }

    def _without_asking(self, payload: KubeObject, live: KubeObject, ref: ObjectRef) -> Step | None:
        """Return the step for an object that exists if no request is needed to know it."""
        foreign = foreign_owner(live, adopt=self.policy.ownership is Ownership.ADOPT)
        if foreign:
            change = Change(Action.HANDED_OVER, ref, shown(live), shown(live), f"owned by {foreign}")
            return Step(change, payload, live)
        try:
            self._check_owner(live, ref)
        except OwnershipError as error:
            return Step(_refusal(error, ref, live, payload), payload, live)
        wanted = leave_ignored(payload, live, self.policy.ignored)
        if not self._takes_over(live) and surely_unchanged(wanted, live, FIELD_MANAGER):
            return Step(Change(Action.UNCHANGED, ref), wanted, live)
        return None

    def _asked(self, payload: KubeObject, live: KubeObject | None, *, ask: bool) -> Step:
        """Return the step for an object about which the server is asked."""
        ref = ObjectRef.of(payload)
        try:
            if live is None:
                return self._creation(payload, ref, ask=ask)
            wanted = leave_ignored(payload, live, self.policy.ignored)
            return self._difference(wanted, live, ref, takes_over=self._takes_over(live))
        except UnauthorizedError:
            raise
        except ApiError as error:
            return Step(_refusal(error, ref, live, payload), payload, live)

    def _takes_over(self, live: KubeObject) -> bool:
        return self.policy.ownership is Ownership.ADOPT and bool(left_behind(live))

    def _check_owner(self, live: KubeObject, ref: ObjectRef) -> None:
        owner = release_of(live)
        if not self.policy.part_of or owner == self.policy.part_of:
            return
        if owner:
            raise OwnershipError(
                f"{ref} belongs to another release (label {PART_OF_LABEL}={owner})",
                hint="Rename the object, or remove it from the other release first.",
            )
        if self.policy.ownership is Ownership.MUST_MATCH:
            raise OwnershipError(
                f"{ref} exists and belongs to no release",
                hint="Take it in with ownership: adopt_if_unowned, or rename the object.",
            )

    def _creation(self, payload: KubeObject, ref: ObjectRef, *, ask: bool) -> Step:
        if self._is_finished_job(payload, ref):
            return Step(Change(Action.UNCHANGED, ref, reason="finished; removed by its time to live"), payload, None)
        reason = ""
        if ref.namespace in self.missing_namespaces:
            reason = "its namespace is created first"
        elif not self.cluster.discovery.find(ref.api_version, ref.kind):
            reason = "its CustomResourceDefinition is created first"
        after: KubeObject | None = payload
        if ask and not reason:
            after, reason = self._previewed(payload, force=False)
        return Step(Change(Action.CREATE, ref, None, shown(after or payload), reason), payload, None, sends=True)

    def _is_finished_job(self, payload: KubeObject, ref: ObjectRef) -> bool:
        if ref.group_kind != "batch/Job" or (payload.get("spec") or {}).get("ttlSecondsAfterFinished") is None:
            return False
        before = self.policy.sent().get(ref.key)
        return before is not None and object_digest(before) == object_digest(payload)

    def _previewed(self, payload: KubeObject, *, force: bool) -> tuple[KubeObject | None, str]:
        """Return what the server would make of the payload; None and why when a webhook refuses to tell."""
        try:
            return self.cluster.apply(payload, dry_run=True, force=force), ""
        except ApiError as error:
            refused = _NO_DRY_RUN.search(error.message)
            if refused:
                return None, f"can not be previewed: webhook {refused[1]} refuses dry runs"
            raise

    def _difference(self, wanted: KubeObject, live: KubeObject, ref: ObjectRef, *, takes_over: bool) -> Step:
        sent = with_metadata(wanted, uid=uid_of(live))
        try:
            after, reason, force = self._dry_run(sent, ref)
        except ImmutableFieldError as error:
            return self._recreation(wanted, live, ref, error)
        if after is None:
            change = Change(Action.CONFIGURE, ref, shown(live), shown(live), reason)
            return Step(change, wanted, live, True, force, takes_over)
        if takes_over:
            # The server knows no dry run of both steps.
            after = after_takeover(live, after)
        before_shown, after_shown = shown_pair(live, after)
        if takes_over or _comparable(live) != _comparable(after):
            taken = f"takes over the fields of {', '.join(left_behind(live))}" if takes_over else ""
            change = Change(Action.CONFIGURE, ref, before_shown, after_shown, taken)
        elif _own_fields(live) != _own_fields(after):
            # Same values, but a field would stay behind one day if it did not become ours now.
            change = Change(Action.CONFIGURE, ref, before_shown, after_shown, "ownership")
        else:
            return Step(Change(Action.UNCHANGED, ref), wanted, live)
        return Step(change, wanted, live, True, force, takes_over)

    def _recreation(self, wanted: KubeObject, live: KubeObject, ref: ObjectRef, error: ImmutableFieldError) -> Step:
        asked = self.policy.recreate or annotations_of(wanted).get(RECREATE) == "true" or ref.group_kind == "batch/Job"
        if not asked or ref.kind in GUARDED_KINDS:
            never = ref.kind in GUARDED_KINDS
            raise ImmutableFieldError(
                error.message,
                status=error.status,
                hint=f"A {ref.kind} is never deleted to change it: give the object another name."
                if never
                else "Give the object another name, or allow to delete it and create it anew: option recreate, or "
                f'annotation {RECREATE}: "true".',
            ) from error
        before, after = shown_pair(live, wanted)
        return Step(
            Change(Action.RECREATE, ref, before, after, "a field can not be changed in place"), wanted, live, True
        )

    def _dry_run(self, payload: KubeObject, ref: ObjectRef) -> tuple[KubeObject | None, str, bool]:
        if self.policy.force is ForceConflicts.ALL:
            return (*self._previewed(payload, force=True), True)
        try:
            return (*self._previewed(payload, force=False), False)
        except ConflictError as error:
            conflicts = error.details.get("conflicts") or []
            if not conflicts or self.policy.force is ForceConflicts.NEVER:
                raise
            refused = [c for c in conflicts if not self._may_force(c["manager"], c["field"], ref.key)]
            if refused:
                listed = ", ".join(f"{c['field']} (owned by {c['manager']})" for c in refused[:5])
                raise ConflictError(
                    f"{ref}: {len(refused)} fields belong to another manager: {listed}",
                    status=409,
                    hint="Remove the fields from the manifest, or take them over with force_conflicts: all.",
                    details={"conflicts": refused},
                ) from error
        return (*self._previewed(payload, force=True), True)

    def _may_force(self, manager: str, path: str, key: str) -> bool:
        if is_controller(manager):
            return False
        if self.policy.ownership is Ownership.ADOPT and is_one_shot(manager):
            return True
        sent = self.policy.sent().get(key)
        return sent is not None and has_field(sent, path)


def _refusal(error: GitOpsError, ref: ObjectRef, live: KubeObject | None, payload: KubeObject) -> Change:
    """Return the change of an object that a deployment would refuse."""
    conflicts = tuple(FieldOwner(c["field"], c["manager"]) for c in error.details.get("conflicts") or ())
    action = Action.CONFLICT if conflicts else Action.BLOCKED
    before, after = shown_pair(live, payload)
    if isinstance(error, ForbiddenError | AdmissionDeniedError) or not conflicts:
        before, after = (before, before) if before else (None, None)
    return Change(action, ref, before, after, error.message, conflicts, error)


def _own_fields(obj: KubeObject) -> object:
    return (entry_of(obj, FIELD_MANAGER) or {}).get("fieldsV1")


def _comparable(obj: KubeObject) -> KubeObject:
    noise = ("managedFields", "resourceVersion", "generation")
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in noise}
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": metadata}


def check_namespaces(cluster: Cluster, payloads: Iterable[KubeObject], known: set[str]) -> None:
    """Check that every namespace that objects name exists or comes with the set.

    Args:
        cluster: Where.
        payloads: Prepared objects.
        known: Namespaces that exist or will.

    Raises:
        InputError: One does not.
    """
    refs = [ObjectRef.of(obj) for obj in payloads]
    brought = {ref.name for ref in refs if ref.kind == "Namespace" and not ref.group}
    wanted = sorted({ref.namespace for ref in refs} - known - brought - {""})
    for namespace, found in zip(wanted, each(lambda n: cluster.find(namespace_ref(n)), wanted), strict=True):
        if isinstance(found, ForbiddenError):
            continue  # may well exist: the apply itself will tell
        if isinstance(found, GitOpsError):
            raise found
        if found is None:
            users = [str(ref) for ref in refs if ref.namespace == namespace][:3]
            raise InputError(
                f"namespace {namespace} does not exist; {', '.join(users)} would live in it",
                hint="Add the Namespace to the set, or create it before.",
            )


def namespace_ref(name: str) -> ObjectRef:
    """Return the identity of a Namespace."""
    return ObjectRef("", "v1", "Namespace", "", name)
