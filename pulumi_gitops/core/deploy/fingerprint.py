# SPDX-License-Identifier: Apache-2.0
"""Digests of a plan: of what would be sent, and of the live fields that it was computed against.

Not part of them: the status, the resourceVersion, and fields that neither we nor the set have to do with. They may move
between approval and deployment without making the approval void.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..cluster import FIELD_MANAGER
from ..objects import uid_of
from .adoption import taken_over
from .diff import item_identity, item_keys
from .fields import entry_of, owned_values
from .model import Action, PlannedObject
from .planning import Step
from .prepare import object_digest
from .pruning import Removal

ABSENT = "absent"


def plan_objects(steps: Iterable[Step], removals: Iterable[Removal]) -> tuple[PlannedObject, ...]:
    """Return what a plan's digest is made of, sorted by key."""
    found = [_of_step(step) for step in steps]
    found += [PlannedObject(r.change.ref.key, str(r.change.action), "", r.uid) for r in removals]
    return tuple(sorted(found, key=lambda planned: planned.key))


def plan_digest(objects: Iterable[PlannedObject]) -> str:
    """Return ``sha256:...`` over all of it."""
    return object_digest([[o.key, o.action, o.sent, o.live] for o in objects])


def _of_step(step: Step) -> PlannedObject:
    change = step.change
    if change.action in (Action.UNCHANGED, Action.HANDED_OVER):
        return PlannedObject(change.ref.key, str(change.action), "", "")
    return PlannedObject(change.ref.key, str(change.action), object_digest(step.wanted), _live(step))


def _live(step: Step) -> str:
    live = step.live
    if live is None:
        return ABSENT
    # An adoption removes what tools left behind and the set does not name: what they own counts as ours.
    ours = taken_over(live) if step.takes_over else live
    entry = entry_of(ours, FIELD_MANAGER) or {}
    owned = owned_values(ours, FIELD_MANAGER) or {}
    head = {"apiVersion": live.get("apiVersion"), "kind": live.get("kind")}
    return object_digest(
        {
            "uid": uid_of(live),
            "fields": entry.get("fieldsV1"),
            # As objects of their kind, so that the values of a Secret count by their HMAC.
            "owned": object_digest({**owned, **head}),
            "set": object_digest({**_values_at(live, step.wanted), **head}),
        }
    )


def _values_at(live: Any, payload: Any) -> Any:
    """Return the part of `live` that `payload` names; all of it where that can not be told."""
    if isinstance(live, Mapping) and isinstance(payload, Mapping) and payload:
        return {key: _values_at(live[key], below) for key, below in payload.items() if key in live}
    if isinstance(live, list) and isinstance(payload, list) and payload:
        keys = item_keys(payload, live)
        if not keys:
            return live
        wanted = {item_identity(item, keys): item for item in payload}
        found = [(item, wanted.get(item_identity(item, keys))) for item in live]
        return [_values_at(item, below) for item, below in found if below is not None]
    return live
