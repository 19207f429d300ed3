# SPDX-License-Identifier: Apache-2.0
"""What comes out of a deployment: values that feed all faces alike."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import GitOpsError
from ..objects import KubeObject, ObjectRef
from ..yamlio import dump
from .diff import FieldChange, field_changes
from .targets import ObjectStatus


class Action(enum.StrEnum):
    """What happens to an object."""

    CREATE = "create"
    CONFIGURE = "configure"
    RECREATE = "recreate"
    UNCHANGED = "unchanged"
    PRUNE = "prune"
    DELETE = "delete"
    HANDED_OVER = "handed_over"
    CONFLICT = "conflict"
    """Fields belong to other managers: a deployment would refuse."""
    BLOCKED = "blocked"
    """Something else is in the way: a deployment would refuse, for the reason given."""


# A result is kept in logs and in the memory of a CI tool: with more objects only the first are listed.
_MOST_STATUSES = 500
_QUIET = frozenset({Action.UNCHANGED, Action.HANDED_OVER, Action.CONFLICT, Action.BLOCKED})


@dataclass(frozen=True, slots=True)
class FieldOwner:
    """A field that another manager owns with another value: ``.spec.replicas``, ``kubectl-edit``."""

    field: str
    manager: str


@dataclass(frozen=True, slots=True)
class Change:
    """What happens, or happened, to one object.

    Attributes:
        action: What.
        ref: Which object.
        before: The object before, without server noise, Secrets masked; None if it did not exist.
        after: The object after, likewise; None if it is removed.
        reason: Why, where the action alone does not tell (``ownership``, ``its namespace is created first``).
        conflicts: With ``conflict``: which fields, and whose they are.
        error: With ``conflict`` and ``blocked``: what a deployment would raise.
    """

    action: Action
    ref: ObjectRef
    before: KubeObject | None = field(default=None, repr=False)
    after: KubeObject | None = field(default=None, repr=False)
    reason: str = ""
    conflicts: tuple[FieldOwner, ...] = ()
    error: GitOpsError | None = field(default=None, repr=False, compare=False)

    @property
    def changed(self) -> bool:
        """Whether the cluster changes."""
        return self.action not in _QUIET

    @property
    def fields(self) -> tuple[FieldChange, ...]:
        """What changes, field by field; empty unless the object exists before and after."""
        return field_changes(self.before, self.after)

    def as_dict(self) -> dict[str, Any]:
        """JSON form: ``{"action", "kind", "namespace", "name"}``; ``"reason"`` and ``"conflicts"`` if there are any."""
        result: dict[str, Any] = {
            "action": str(self.action),
            "kind": self.ref.kind,
            "namespace": self.ref.namespace,
            "name": self.ref.name,
        }
        if self.reason:
            result["reason"] = self.reason
        if self.conflicts:
            result["conflicts"] = [{"field": c.field, "manager": c.manager} for c in self.conflicts]
        return result

    def diff(self) -> dict[str, str]:
        """One entry of a diff: YAML texts ``before`` and ``after``, and a header naming the object for each."""
        header = f"{self.ref} ({self.action})"
        return {
            "before_header": header,
            "after_header": header,
            "before": dump(self.before) if self.before else "",
            "after": dump(self.after) if self.after else "",
        }

    def __str__(self) -> str:
        return f"{self.action} {self.ref}" + (f" ({self.reason})" if self.reason else "")


@dataclass(frozen=True, slots=True)
class Progress:
    """A step of long work.

    Attributes:
        phase: ``plan``, ``lock``, ``apply``, ``wait``, ``prune``, ``remove`` or ``rollback``.
        message: For people, redacted.
        done: Objects that are through this phase.
        total: Objects in this phase.
        ref: The object that the message is about, if it is about one.
        state: State of that object while it is waited for: ``InProgress``, ``Failed``, ``Current``, ...
    """

    phase: str
    message: str
    done: int = 0
    total: int = 0
    ref: ObjectRef | None = None
    state: str = ""


ProgressCallback = Callable[[Progress], None]


def ignore_progress(_: Progress) -> None:
    """Be the callback of callers who do not want progress."""


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """An object of a release.

    Attributes:
        ref: Which.
        uid: Its UID; "" before it was applied.
        digest: Digest of the fields that we set, as the server returned them; "" before it was applied.
    """

    ref: ObjectRef
    uid: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """What a plan's digest is made of, for one object.

    Attributes:
        key: Stable key of the object.
        action: What the plan does to it.
        sent: Digest of what would be sent; "" when nothing would.
        live: Digest of the live fields that it was computed against; ``absent`` when there is no object.
    """

    key: str
    action: str
    sent: str
    live: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment would change.

    Attributes:
        release: Name of the release.
        namespace: Its namespace.
        revision: The revision that applying would make (the current one when nothing changes).
        changes: One entry per object, sorted by kind and name.
        set_digest: Digest of the set of objects.
        digest: Digest of the plan: of what would be sent and of the live fields that it was computed against. The same
            plan on an unchanged cluster has the same digest; it is what an approval is for.
        objects: What the digest is made of.
        warnings: What the API server warned of, and what could not be previewed.
    """

    release: str
    namespace: str
    revision: int
    changes: tuple[Change, ...]
    set_digest: str
    digest: str
    objects: tuple[PlannedObject, ...] = field(default=(), repr=False)
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything would change."""
        return any(change.changed for change in self.changes)

    @property
    def refused(self) -> tuple[Change, ...]:
        """What a deployment would refuse to go on for: conflicts and blocked objects."""
        return tuple(change for change in self.changes if change.error is not None)

    def counts(self) -> dict[str, int]:
        """Return action -> number of objects."""
        return counts(self.changes)


def counts(changes: tuple[Change, ...]) -> dict[str, int]:
    """Return action -> number of changes, by name of the action."""
    return dict(sorted(Counter(str(change.action) for change in changes).items()))


@dataclass(frozen=True, slots=True)
class DeployResult:
    """What a deployment did, or would do in check mode.

    Attributes:
        revision: Revision of the release after it; 0 when there is no release.
        digest: Digest of the set of objects.
        changes: One entry per object.
        inventory: The objects of the release.
        plan_digest: Digest of the plan that was carried out (or would be).
        rolled_back_to: With a rollback: the revision whose objects these are; 0 otherwise.
        warnings: What people should know although all went well.
        statuses: The end state of each object that was waited for.
    """

    revision: int
    digest: str
    changes: tuple[Change, ...]
    inventory: tuple[InventoryItem, ...] = ()
    plan_digest: str = ""
    rolled_back_to: int = 0
    warnings: tuple[str, ...] = ()
    statuses: tuple[ObjectStatus, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the cluster was (would be) changed."""
        return any(change.changed for change in self.changes)

    def as_plan(self, release: str, namespace: str) -> Plan:
        """Return the result of a dry run as the plan that it is."""
        return Plan(
            release=release,
            namespace=namespace,
            revision=self.revision,
            changes=self.changes,
            set_digest=self.digest,
            digest=self.plan_digest,
            warnings=self.warnings,
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON form with the changed objects only, and counts per action."""
        return {
            "revision": self.revision,
            "digest": self.digest,
            "plan_digest": self.plan_digest,
            "changes": [change.as_dict() for change in self.changes if change.changed],
            "counts": counts(self.changes),
            "statuses": [status.as_dict() for status in self.statuses[:_MOST_STATUSES]],
        }
