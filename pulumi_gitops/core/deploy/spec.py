# SPDX-License-Identifier: Apache-2.0
"""What goes into a deployment: the set of objects, and how to treat what exists already."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import InputError
from ..objects import KubeObject
from .prepare import PART_OF_LABEL
from .wait_for import WaitFor

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_IGNORED = re.compile(
    r"(?:(?P<kind>[A-Za-z][A-Za-z0-9]*)(?:/(?P<name>[^/]+))?:)?(?P<pointer>(?:/(?:[^/~]|~[01])+)+)\Z", re.DOTALL
)
# What makes an object the one that is meant, and ours.
_IDENTITY = (
    ("apiVersion",),
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("metadata", "uid"),
    ("metadata", "labels", PART_OF_LABEL),
)

# Removing one of these removes more than itself, so it takes an explicit word (``prune_kinds``).
GUARDED_KINDS = frozenset({"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"})


class ForceConflicts(enum.StrEnum):
    """When to take over a field that another manager set.

    ``never``: report each conflict. ``own_fields``: force only fields that our last revision set and that no known
    controller (an autoscaler, Argo CD, Flux) owns now. ``all``: force everything.
    """

    NEVER = "never"
    OWN_FIELDS = "own_fields"
    ALL = "all"


class Ownership(enum.StrEnum):
    """How to treat objects that exist and are not of this release (the policies of cli-utils, under its names).

    ``must_match``: refuse them. ``adopt_if_unowned``: take in what no release and no controller owns. ``adopt``: take
    over what Helm owns too, and the fields that kubectl, Helm and kubernetes.core left behind.
    """

    MUST_MATCH = "must_match"
    ADOPT_IF_UNOWNED = "adopt_if_unowned"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class IgnoredField:
    """A field that others set, and that we leave to them once the object exists.

    Attributes:
        pointer: JSON pointer (RFC 6901), for example ``/spec/replicas``.
        kind: Only objects of this kind; "" for all.
        name: Only the object of this name; "" for all.
    """

    pointer: str
    kind: str = ""
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> IgnoredField:
        """Read ``/spec/replicas``, ``Deployment:/spec/replicas`` or ``Deployment/web:/spec/replicas``.

        Raises:
            InputError: It is none of these, or a field without which an object is not the same.
        """
        found = _IGNORED.match(text)
        if not found:
            raise InputError(
                f"ignore_fields: {text!r} is not a field",
                hint="Write a JSON pointer, with a kind or object before it if need be: Deployment/web:/spec/replicas.",
            )
        ignored = cls(found["pointer"], found["kind"] or "", found["name"] or "")
        steps = ignored.steps
        if any(steps[: len(path)] == path[: len(steps)] for path in _IDENTITY):
            raise InputError(
                f"ignore_fields: {text!r} takes in what identifies an object",
                hint="Name the fields below it one by one, for example /metadata/labels/example.com~1color.",
            )
        return ignored

    def applies_to(self, kind: str, name: str) -> bool:
        """Tell whether the field is meant for an object."""
        return self.kind in ("", kind) and self.name in ("", name)

    @property
    def steps(self) -> tuple[str, ...]:
        """The pointer as keys."""
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in self.pointer[1:].split("/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """What has to hold before anything is changed. Without any of it everything is allowed.

    Attributes:
        plan_digest: Digest of the approved plan; the deployment refuses when its own plan has another one.
        objects: What that digest was made of (key -> (action, sent, live)), so that a refusal can say what moved.
        release: ``namespace/name`` that the plan was made for; "" when unknown.
        created: When the plan was made, RFC 3339; "" when unknown.
        required: Refuse to deploy changes without `plan_digest` and `approved_by`.
        approved_by: Who approved.
        max_age: Seconds after `created` for which the approval holds; 0 for ever.
    """

    plan_digest: str = ""
    objects: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    release: str = ""
    created: str = ""
    required: bool = False
    approved_by: str = ""
    max_age: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a deployment comes from, for the record.

    Attributes:
        face: ``ansible``, ``pulumi`` or ``cli``.
        user: Who started it.
        pipeline: URL of the CI run.
        commit: Commit of the sources.
    """

    face: str = ""
    user: str = ""
    pipeline: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSpec:
    """A push-style deployment of a set of objects under one name.

    Attributes:
        name: Name of the release, a DNS label of at most 63 characters.
        namespace: Namespace of the record, and of objects that name none.
        objects: The objects.
        create_namespace: Create the namespace if it does not exist.
        prune: Remove objects of the release that are no longer in the set.
        prune_kinds: Namespace, CustomResourceDefinition, PersistentVolumeClaim: those that prune may remove too.
        prune_limit: The most objects that prune may remove in one run; None for any number.
        wait: Wait until all objects are ready.
        wait_timeout: Seconds to wait.
        stall_timeout: Seconds without any progress after which waiting ends; 0 for no such limit.
        wait_for: More conditions for readiness, see :mod:`.wait_for`.
        force_conflicts: See :class:`ForceConflicts`.
        ownership: See :class:`Ownership`.
        ignore_fields: Fields to leave to others, see :meth:`IgnoredField.parse`.
        recreate: Delete and create anew what can not be changed in place. Jobs always are, PersistentVolumeClaims,
            Namespaces and CRDs never. The annotation ``pulumi-gitops/recreate: "true"`` says it for one object.
        rollback_on_failure: Go back to the last deployed revision when applying or waiting fails.
        history_limit: Revisions that the record keeps.
        history_secrets: Keep what Secrets held in the record; without it a rollback can not restore them.
        lock_timeout: Seconds to wait for another run of the release to end.
        approval: See :class:`Approval`.
        origin: See :class:`Origin`.
        facts: Facts that the record keeps beside the revision, for example the version of a controller.
    """

    name: str
    namespace: str
    objects: Sequence[KubeObject] = field(repr=False)
    create_namespace: bool = True
    prune: bool = True
    prune_kinds: Sequence[str] = ()
    prune_limit: int | None = None
    wait: bool = True
    wait_timeout: float = 300.0
    stall_timeout: float = 0.0
    wait_for: Sequence[WaitFor] = ()
    force_conflicts: ForceConflicts = ForceConflicts.OWN_FIELDS
    ownership: Ownership = Ownership.ADOPT_IF_UNOWNED
    ignore_fields: Sequence[str] = ()
    recreate: bool = False
    rollback_on_failure: bool = False
    history_limit: int = 10
    history_secrets: bool = True
    lock_timeout: float = 60.0
    approval: Approval = Approval()
    origin: Origin = Origin()
    facts: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> None:
        """Check everything that can be told without a cluster.

        Raises:
            InputError: An option is not valid.
        """
        if not _NAME.match(self.name):
            raise InputError(
                f"{self.name!r} is not a name for a release",
                hint="Use at most 63 lower-case letters, digits and dashes, with a letter or digit at both ends.",
                details={"property": "name"},
            )
        if not self.namespace:
            raise InputError(f"release {self.name} needs a namespace", details={"property": "namespace"})
        if not _NAME.match(self.namespace):
            raise InputError(f"release {self.name}: {self.namespace!r} is not a name for a namespace")
        unknown = sorted(set(self.prune_kinds) - GUARDED_KINDS)
        if unknown:
            raise InputError(
                f"prune_kinds: {', '.join(unknown)} needs no permission",
                hint=f"Only these do: {', '.join(sorted(GUARDED_KINDS))}.",
                details={"property": "prune_kinds"},
            )
        for name, value, least in (
            ("prune_limit", self.prune_limit, 0),
            ("history_limit", self.history_limit, 1),
            ("lock_timeout", self.lock_timeout, 0),
            ("wait_timeout", self.wait_timeout, 0),
            ("stall_timeout", self.stall_timeout, 0),
            ("approval_max_age", self.approval.max_age, 0),
        ):
            if value is not None and not value >= least:
                raise InputError(f"{name} is {value:g}; it has to be at least {least}")
        for text in self.ignore_fields:
            IgnoredField.parse(text)
