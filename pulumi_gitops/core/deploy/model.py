# SPDX-License-Identifier: Apache-2.0
"""What goes into a deployment and what comes out: values that feed all faces alike."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..objects import KubeObject, ObjectRef
from ..yamlio import dump


class Action(enum.StrEnum):
    """What happens to an object."""

    CREATE = "create"
    CONFIGURE = "configure"
    UNCHANGED = "unchanged"
    PRUNE = "prune"
    DELETE = "delete"
    HANDED_OVER = "handed_over"


class ForceConflicts(enum.StrEnum):
    """When to take over a field that another manager set.

    ``never``: report each conflict. ``own_fields``: force only fields that our last revision set and that no known
    controller (an autoscaler, Argo CD, Flux) owns now. ``all``: force everything.
    """

    NEVER = "never"
    OWN_FIELDS = "own_fields"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Change:
    """What happens, or happened, to one object.

    Attributes:
        action: What.
        ref: Which object.
        before: The object before, without server noise, Secrets masked; None if it did not exist.
        after: The object after, likewise; None if it is removed.
        reason: Why, where the action alone does not tell (``ownership``, ``namespace is created by this plan``).
    """

    action: Action
    ref: ObjectRef
    before: KubeObject | None = field(default=None, repr=False)
    after: KubeObject | None = field(default=None, repr=False)
    reason: str = ""

    @property
    def changed(self) -> bool:
        """Whether the cluster changes."""
        return self.action not in (Action.UNCHANGED, Action.HANDED_OVER)

    def as_dict(self) -> dict[str, str]:
        """JSON form: ``{"action", "kind", "namespace", "name"}`` and ``"reason"`` where there is one."""
        result = {
            "action": str(self.action),
            "kind": self.ref.kind,
            "namespace": self.ref.namespace,
            "name": self.ref.name,
        }
        if self.reason:
            result["reason"] = self.reason
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
        phase: ``plan``, ``apply``, ``wait``, ``prune`` or ``remove``.
        message: For people, redacted.
        done: Objects that are through this phase.
        total: Objects in this phase.
        ref: The object that the message is about, if it is about one.
    """

    phase: str
    message: str
    done: int = 0
    total: int = 0
    ref: ObjectRef | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSpec:
    """A push-style deployment of a set of objects under one name.

    Attributes:
        name: Name of the release, a DNS label of at most 63 characters.
        namespace: Namespace of the record, and of objects that name none.
        objects: The objects.
        create_namespace: Create the namespace if it does not exist.
        prune: Remove objects of the release that are no longer in the set.
        wait: Wait until all objects are ready.
        wait_timeout: Seconds to wait.
        force_conflicts: See :class:`ForceConflicts`.
        adopt: Take over objects and fields that kubectl, Helm and the like left behind.
        source: Which face deploys: ``ansible``, ``pulumi``, ``cli``.
        annotations: Facts that the record keeps beside the revision, for example the version of a controller.
    """

    name: str
    namespace: str
    objects: Sequence[KubeObject] = field(repr=False)
    create_namespace: bool = True
    prune: bool = True
    wait: bool = True
    wait_timeout: float = 300.0
    force_conflicts: ForceConflicts = ForceConflicts.OWN_FIELDS
    adopt: bool = False
    source: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deployment would change.

    Attributes:
        changes: One entry per object, sorted by kind and name.
        digest: Digest of the set of objects.
        revision: The revision that applying would make (the current one when nothing changes).
    """

    changes: tuple[Change, ...]
    digest: str
    revision: int

    @property
    def changed(self) -> bool:
        """Whether anything would change."""
        return any(change.changed for change in self.changes)


@dataclass(frozen=True, slots=True)
class DeployResult:
    """What a deployment did, or would do in check mode.

    Attributes:
        revision: Revision of the release after it; 0 when there is no release.
        digest: Digest of the set of objects.
        changes: One entry per object.
        inventory: The objects of the release.
    """

    revision: int
    digest: str
    changes: tuple[Change, ...]
    inventory: tuple[InventoryItem, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the cluster was (would be) changed."""
        return any(change.changed for change in self.changes)

    def as_dict(self) -> dict[str, Any]:
        """JSON form with the changed objects only, and counts per action."""
        return {
            "revision": self.revision,
            "digest": self.digest,
            "changes": [change.as_dict() for change in self.changes if change.changed],
            "counts": dict(sorted(Counter(str(change.action) for change in self.changes).items())),
        }
