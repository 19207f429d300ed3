# SPDX-License-Identifier: Apache-2.0
"""Remove objects: who may go, in which order, and waiting until they are gone."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from ..cluster import Cluster
from ..errors import ConflictError, ForbiddenError, GitOpsError, PruneRefusedError, RemovalBlockedError
from ..objects import KubeObject, ObjectRef, uid_of
from .lookup import LIST_FROM
from .masking import shown
from .model import Action, Change, InventoryItem, Progress, ProgressCallback
from .order import removal_order
from .ownership import foreign_owner, has_owner_reference, is_kept, release_of
from .parallel import each, each_or_raise
from .spec import GUARDED_KINDS

_PAUSE = 0.05
_LONGEST_PAUSE = 1.0


@dataclass(frozen=True, slots=True)
class Removal:
    """An object that is to go, or that stays for a reason.

    Attributes:
        change: ``prune`` or ``delete``; ``unchanged`` or ``handed_over`` with the reason why it stays.
        uid: Delete this very object only.
        order: Lower ones go first; equal ones go together.
    """

    change: Change
    uid: str
    order: tuple[int, int, int] = (0, 0, 0)

    @property
    def goes(self) -> bool:
        """Whether the object is deleted."""
        return self.change.changed

    def spared(self, reason: str) -> Removal:
        """Return the same with the object staying, for this reason."""
        return Removal(Change(Action.UNCHANGED, self.change.ref, reason=reason), self.uid, self.order)


def removals(
    candidates: Collection[KubeObject],
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

    Returns:
        One per candidate, in the order in which they go.
    """
    known = {item.ref.key for item in inventory}
    order = removal_order(list(candidates))
    result = []
    for obj in candidates:
        ref = ObjectRef.of(obj)
        foreign = foreign_owner(obj)
        if foreign:
            change = Change(Action.HANDED_OVER, ref, reason=f"owned by {foreign}")
        elif release_of(obj) not in ("", part_of):
            change = Change(Action.HANDED_OVER, ref, reason=f"belongs to another release ({release_of(obj)})")
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
        result.append(Removal(change, uid_of(obj), order[ref.key]))
    return sorted(result, key=lambda removal: (removal.order, removal.change.ref.key))


def check_limit(going: Sequence[Removal], limit: int | None) -> None:
    """Refuse to prune more objects than allowed.

    Raises:
        PruneRefusedError: More than `limit` would go; ``details["objects"]`` names them.
    """
    pruned = [str(removal.change.ref) for removal in going if removal.goes]
    if limit is None or len(pruned) <= limit:
        return
    shown_first = ", ".join(pruned[:5]) + (f" and {len(pruned) - 5} more" if len(pruned) > 5 else "")
    raise PruneRefusedError(
        f"{len(pruned)} objects would be removed, {limit} are allowed: {shown_first}",
        hint="If that is meant, raise prune_limit; otherwise check that the set is complete.",
        details={"objects": pruned, "limit": limit},
    )


def remove_all(
    cluster: Cluster, going: Sequence[Removal], *, wait: bool, timeout: float, progress: ProgressCallback
) -> None:
    """Delete objects in their order and wait until they are gone.

    Args:
        cluster: Where.
        going: What to delete.
        wait: Wait until those of one place in the order are gone before the next.
        timeout: Seconds for all of it.
        progress: Called for each object.

    Raises:
        RemovalBlockedError: Objects are still there; names the finalizers that block.
        ApiError: A deletion was refused.
    """
    deadline = time.monotonic() + timeout
    ordered = sorted(going, key=lambda removal: removal.order)
    done = 0
    for _, group in groupby(ordered, key=lambda removal: removal.order):
        batch = list(group)

        def delete(removal: Removal) -> bool:
            try:
                return cluster.delete(removal.change.ref, uid=removal.uid)
            except ConflictError:
                return True  # another object of that name by now: the one we meant is gone

        results = each_or_raise(
            delete, batch, what="remove", ref=lambda removal: removal.change.ref, total=len(ordered)
        )
        done += len(batch)
        progress(Progress("remove", f"{done} of {len(ordered)} objects removed", done, len(ordered)))
        if wait:
            wait_gone(cluster, [r for r, gone in zip(batch, results, strict=True) if not gone], deadline, timeout)


def wait_gone(cluster: Cluster, batch: Sequence[Removal], deadline: float, timeout: float) -> None:
    """Wait until objects that were deleted are gone.

    Args:
        cluster: Where.
        batch: The objects.
        deadline: ``time.monotonic()`` value at which to give up.
        timeout: Seconds, for the message.

    Raises:
        RemovalBlockedError: They are still there; names the finalizers that block.
    """
    left = {removal.change.ref.key: removal for removal in batch}
    pause = _PAUSE
    while left:
        still = _still_there(cluster, list(left.values()))
        left = {key: removal for key, removal in left.items() if key in still}
        if not left:
            return
        if time.monotonic() >= deadline:
            raise _blocked([(left[key].change.ref, still[key]) for key in left], timeout)
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _still_there(cluster: Cluster, batch: Sequence[Removal]) -> dict[str, list[str]]:
    """Return key -> finalizers of those that are still there; one LIST for many of a kind."""
    groups: dict[tuple[str, str, str], list[Removal]] = defaultdict(list)
    for removal in batch:
        ref = removal.change.ref
        groups[ref.api_version, ref.kind, ref.namespace].append(removal)
    found: dict[str, KubeObject] = {}
    single: list[ObjectRef] = []
    for (api_version, kind, namespace), members in groups.items():
        refs = [removal.change.ref for removal in members]
        if len(members) < LIST_FROM or not cluster.serves(api_version, kind):
            single += refs
            continue
        try:
            listed = cluster.list(api_version, kind, namespace=namespace, metadata_only=True)
        except ForbiddenError:
            single += refs
            continue
        found.update((ObjectRef.of(obj).key, obj) for obj in listed)
    for ref, answer in zip(single, each(partial(cluster.find, metadata_only=True), single), strict=True):
        if isinstance(answer, GitOpsError):
            raise answer
        if answer is not None:
            found[ref.key] = answer
    uids = {removal.change.ref.key: removal.uid for removal in batch}
    return {
        key: found[key]["metadata"].get("finalizers") or []
        for key, uid in uids.items()
        if key in found and uid_of(found[key]) == uid
    }


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
