# SPDX-License-Identifier: Apache-2.0
"""Work out what a deployment would change, asking the server only where the answer is not sure from a LIST.

One LIST per kind and namespace, narrowed by the release's label, finds what we have applied before; what is surely
equal needs no request of its own (:mod:`.fields`). Everything else is put to the server as a dry run, in parallel.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import ConflictError, ForbiddenError, GitOpsError, InputError, OwnershipError
from ..objects import KubeObject, ObjectRef, labels_of, uid_of, with_metadata
from .fields import entry_of, has_field, surely_unchanged
from .model import Action, Change, ForceConflicts
from .ownership import foreign_owner, is_controller, is_one_shot, release_of
from .parallel import each, raise_failures
from .prepare import PART_OF_LABEL, custom_kinds, prepare, shown, shown_pair

Group = tuple[str, str, str]  # apiVersion, kind, namespace
# From so many objects of one kind and namespace on, one LIST of names is cheaper than a GET each.
_LIST_FROM = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How to treat what exists already.

    Attributes:
        part_of: ApplySet id that marks the objects; "" for objects outside a release.
        force: When to take over fields of other managers.
        adopt: Take over what kubectl, Helm and the like left behind.
        sent: What the last revision sent, by key (for :attr:`ForceConflicts.OWN_FIELDS`).
    """

    part_of: str = ""
    force: ForceConflicts = ForceConflicts.OWN_FIELDS
    adopt: bool = False
    sent: dict[str, KubeObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """The planned work on one object.

    Attributes:
        change: What happens to it.
        payload: What is sent, None when nothing is.
        live: The object as it is, None when it does not exist.
        force: Whether to force field conflicts.
    """

    change: Change
    payload: KubeObject | None
    live: KubeObject | None
    force: bool = False


@dataclass(slots=True)
class Planner:
    """Plans one set of objects against one cluster.

    Attributes:
        cluster: Where.
        policy: How to treat what exists.
        missing_namespaces: Namespaces that do not exist yet but will when the objects are applied.
        owned: Key -> live object carrying our label, found by :meth:`read_owned`.
    """

    cluster: Cluster
    policy: Policy
    missing_namespaces: set[str] = field(default_factory=set)
    owned: dict[str, KubeObject] = field(default_factory=dict)
    _custom: dict[tuple[str, str], bool] = field(default_factory=dict)
    _listed: set[Group] = field(default_factory=set)

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

    def read_owned(self, refs: Iterable[ObjectRef]) -> None:
        """Read every object that carries our label, of the kinds and in the namespaces of `refs`."""
        groups = {
            (ref.api_version, ref.kind, ref.namespace)
            for ref in refs
            if ref.namespace not in self.missing_namespaces and self.cluster.discovery.find(ref.api_version, ref.kind)
        }

        def read(group: Group) -> list[KubeObject] | None:
            api_version, kind, namespace = group
            try:
                return self.cluster.list(
                    api_version, kind, namespace=namespace, label_selector=f"{PART_OF_LABEL}={self.policy.part_of}"
                )
            except ForbiddenError:
                return None  # the right to list may be missing where get is granted: object by object then

        ordered = sorted(groups)
        results = each(read, ordered)
        raise_failures([(None, e) for e in results if isinstance(e, GitOpsError)], what="read", total=len(ordered))
        for group, found in zip(ordered, results, strict=True):
            if isinstance(found, list):
                self._listed.add(group)
                self.owned.update((ObjectRef.of(obj).key, obj) for obj in found)

    def steps(self, payloads: list[KubeObject]) -> list[Step]:
        """Plan each object.

        Raises:
            OwnershipError: An object belongs to another release.
            ApplyError: Several objects can not be applied.
            ApiError: One object can not be applied, and why.
        """
        lives = self._lives(payloads)
        results = each(lambda payload: self._step(payload, lives.get(ObjectRef.of(payload).key)), payloads)
        failures = [
            (ObjectRef.of(payload), result)
            for payload, result in zip(payloads, results, strict=True)
            if isinstance(result, GitOpsError)
        ]
        raise_failures(failures, what="plan", total=len(payloads))
        return [result for result in results if isinstance(result, Step)]

    def _lives(self, payloads: list[KubeObject]) -> dict[str, KubeObject]:
        """Return what exists of the objects: owned ones are known, the others are looked for."""
        lives = {}
        unknown: dict[Group, list[ObjectRef]] = defaultdict(list)
        for payload in payloads:
            ref = ObjectRef.of(payload)
            if ref.key in self.owned:
                lives[ref.key] = self.owned[ref.key]
            elif ref.namespace not in self.missing_namespaces and self.cluster.discovery.find(
                ref.api_version, ref.kind
            ):
                unknown[ref.api_version, ref.kind, ref.namespace].append(ref)
        big = [group for group, refs in unknown.items() if len(refs) >= _LIST_FROM]
        names = dict(zip(big, each(self._names, big), strict=True))
        wanted = []
        for group, refs in unknown.items():
            known = names.get(group)
            wanted += [ref for ref in refs if not isinstance(known, set) or ref.name in known]
        found = each(self.cluster.find, wanted)
        raise_failures(
            [(ref, e) for ref, e in zip(wanted, found, strict=True) if isinstance(e, GitOpsError)],
            what="read",
            total=len(wanted),
        )
        lives.update((ref.key, obj) for ref, obj in zip(wanted, found, strict=True) if isinstance(obj, dict))
        return lives

    def _names(self, group: Group) -> set[str]:
        api_version, kind, namespace = group
        listing = self.cluster.list(api_version, kind, namespace=namespace, metadata_only=True)
        return {obj["metadata"]["name"] for obj in listing}

    def _step(self, payload: KubeObject, live: KubeObject | None) -> Step:
        ref = ObjectRef.of(payload)
        if live is None:
            return Step(self._creation(payload, ref), payload, None)
        owner = release_of(live)
        foreign = foreign_owner(live, adopt=self.policy.adopt)
        if foreign:
            return Step(Change(Action.HANDED_OVER, ref, shown(live), shown(live), f"owned by {foreign}"), None, live)
        if owner and self.policy.part_of and owner != self.policy.part_of:
            raise OwnershipError(
                f"{ref} belongs to another release (label {PART_OF_LABEL}={owner})",
                hint="Rename the object, or remove it from the other release first.",
            )
        if surely_unchanged(payload, live, FIELD_MANAGER):
            return Step(Change(Action.UNCHANGED, ref), None, live)
        return self._difference(payload, live, ref)

    def _creation(self, payload: KubeObject, ref: ObjectRef) -> Change:
        reason = ""
        if ref.namespace in self.missing_namespaces:
            reason = "its namespace is created first"
        elif not self.cluster.discovery.find(ref.api_version, ref.kind):
            reason = "its CustomResourceDefinition is created first"
        after = payload if reason else self.cluster.apply(payload, dry_run=True)
        return Change(Action.CREATE, ref, None, shown(after), reason)

    def _difference(self, payload: KubeObject, live: KubeObject, ref: ObjectRef) -> Step:
        sent = with_metadata(payload, uid=uid_of(live))
        after, force = self._dry_run(sent, ref)
        before_shown, after_shown = shown_pair(live, after)
        if _comparable(live) != _comparable(after):
            return Step(Change(Action.CONFIGURE, ref, before_shown, after_shown), sent, live, force)
        if (entry_of(live, FIELD_MANAGER) or {}).get("fieldsV1") != (entry_of(after, FIELD_MANAGER) or {}).get(
            "fieldsV1"
        ):
            # Same values, but a field would stay behind one day if it did not become ours now.
            return Step(Change(Action.CONFIGURE, ref, before_shown, after_shown, "ownership"), sent, live, force)
        return Step(Change(Action.UNCHANGED, ref), None, live)

    def _dry_run(self, payload: KubeObject, ref: ObjectRef) -> tuple[KubeObject, bool]:
        if self.policy.force is ForceConflicts.ALL:
            return self.cluster.apply(payload, dry_run=True, force=True), True
        try:
            return self.cluster.apply(payload, dry_run=True), False
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
        return self.cluster.apply(payload, dry_run=True, force=True), True

    def _may_force(self, manager: str, path: str, key: str) -> bool:
        if is_controller(manager):
            return False
        if self.policy.adopt and is_one_shot(manager):
            return True
        sent = self.policy.sent.get(key)
        return sent is not None and has_field(sent, path)


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
