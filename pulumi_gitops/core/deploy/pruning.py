# SPDX-License-Identifier: Apache-2.0
"""Remove objects: who may go, in which order, and waiting until they are gone."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..cluster import Cluster
from ..errors import ConflictError, GitOpsError, RemovalBlockedError
from ..objects import KubeObject, ObjectRef, uid_of
from .applying import delete_order, stage_of
from .model import Action, Change, InventoryItem, Progress, ProgressCallback
from .ownership import foreign_owner, has_owner_reference, is_kept, release_of
from .parallel import each, raise_failures
from .prepare import shown

# Removing one of these removes more than itself.
GUARDED_KINDS = frozenset({"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"})
_PAUSE = 0.1
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Removal:
    """An object that is to go, or that stays for a reason.

    Attributes:
        change: ``prune`` or ``delete``; ``unchanged`` or ``handed_over`` with the reason why it stays.
        uid: Delete this very object only.
    """

    change: Change
    uid: str

    @property
    def goes(self) -> bool:
        """Whether the object is deleted."""
        return self.change.changed


def removals(
    candidates: Iterable[KubeObject],
    inventory: Iterable[InventoryItem],
    *,
    part_of: str,
    action: Action,
    prune_kinds: Collection[str],
) -> list[Removal]:
    """Decide for objects of a release that are not in the set any more.

    An object goes if it carries the release's label, is guarded by nothing, and nobody else has claimed it.

    Args:
        candidates: Live objects.
        inventory: Inventory of the release. A UID that differs from it (cluster restored from a backup) is no
            obstacle: the label says whose the object is.
        part_of: ApplySet id of the release.
        action: ``prune`` or ``delete``.
        prune_kinds: Kinds of :data:`GUARDED_KINDS` that may go.
    """
    known = {item.ref.key for item in inventory}
    result = []
    for obj in candidates:
        ref = ObjectRef.of(obj)
        foreign = foreign_owner(obj)
        if foreign:
            change = Change(Action.HANDED_OVER, ref, reason=f"owned by {foreign}")
        elif release_of(obj) != part_of:
            change = Change(Action.UNCHANGED, ref, reason="left alone: it no longer carries the release's label")
        elif has_owner_reference(obj) and ref.key not in known:
            change = Change(Action.UNCHANGED, ref, reason="left alone: another object owns it")
        elif is_kept(obj):
            change = Change(Action.UNCHANGED, ref, reason="kept by its annotation")
        elif ref.kind in GUARDED_KINDS and ref.kind not in prune_kinds:
            change = Change(Action.UNCHANGED, ref, reason=f"kept: {ref.kind} is removed only on request")
        else:
            change = Change(action, ref, shown(obj), None)
        result.append(Removal(change, uid_of(obj)))
    return sorted(result, key=lambda removal: delete_order(removal.change.ref))


def remove_all(
    cluster: Cluster, going: Sequence[Removal], *, wait: bool, timeout: float, progress: ProgressCallback
) -> None:
    """Delete objects in reverse order of their stages and wait until they are gone.

    Args:
        cluster: Where.
        going: What to delete.
        wait: Wait until each stage is gone before the next.
        timeout: Seconds for all of it.
        progress: Called for each object.

    Raises:
        RemovalBlockedError: Objects are still there; names the finalizers that block.
        ApiError: A deletion was refused.
    """
    deadline = time.monotonic() + timeout
    ordered = sorted(going, key=lambda removal: delete_order(removal.change.ref))
    done = 0
    for _, stage in groupby(ordered, key=lambda removal: stage_of({"kind": removal.change.ref.kind})):
        batch = list(stage)

        def delete(removal: Removal) -> None:
            try:
                cluster.delete(removal.change.ref, uid=removal.uid)
            except ConflictError:
                return  # another object of that name by now: the one we meant is gone

        results = each(delete, batch)
        failures = [
            (removal.change.ref, e) for removal, e in zip(batch, results, strict=True) if isinstance(e, GitOpsError)
        ]
        raise_failures(failures, what="remove", total=len(ordered))
        done += len(batch)
        progress(Progress("remove", f"{done} of {len(ordered)} objects removed", done, len(ordered)))
        if wait:
            _wait_gone(cluster, batch, deadline, timeout)


def _wait_gone(cluster: Cluster, batch: Sequence[Removal], deadline: float, timeout: float) -> None:
    left = {removal.change.ref.key: removal for removal in batch}
    pause = _PAUSE
    while left:
        remaining = list(left.values())
        found = each(lambda removal: cluster.find(removal.change.ref), remaining)
        blocked: list[tuple[ObjectRef, list[str]]] = []
        for removal, obj in zip(remaining, found, strict=True):
            if isinstance(obj, GitOpsError):
                raise obj
            if obj is None or uid_of(obj) != removal.uid:
                del left[removal.change.ref.key]
            else:
                blocked.append((removal.change.ref, obj["metadata"].get("finalizers") or []))
        if not left:
            return
        if time.monotonic() >= deadline:
            raise _blocked(blocked, timeout)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _blocked(blocked: Sequence[tuple[ObjectRef, list[str]]], timeout: float) -> RemovalBlockedError:
    lines = [
        f"- {ref}: " + (f"waits for finalizers {', '.join(finalizers)}" if finalizers else "still being removed")
        for ref, finalizers in blocked[:20]
    ]
    return RemovalBlockedError(
        f"{len(blocked)} objects are still there after {timeout:g} s:\n" + "\n".join(lines),
        hint="A finalizer is removed by the controller that set it: check that it runs. Then run again.",
        details={"objects": [{"object": str(ref), "finalizers": finalizers} for ref, finalizers in blocked]},
    )
