# SPDX-License-Identifier: Apache-2.0
"""Leave fields to others, and take over fields that tools which ran once left behind."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..cluster import FIELD_MANAGER, Cluster
from ..objects import KubeObject, ObjectRef
from .fields import FieldSet, owned_item
from .ownership import is_one_shot
from .spec import IgnoredField

# --- fields of others ------------------------------------------------------------------------------------------------


def leave_ignored(payload: KubeObject, live: KubeObject | None, ignored: Iterable[IgnoredField]) -> KubeObject:
    """Return the payload with ignored fields left as they are in the cluster.

    A field that another manager owns is not sent at all. One that only we own is sent as it is: to leave it out would
    remove it. An object that does not exist yet is created with what the set says.

    Args:
        payload: What would be sent.
        live: The object as it is.
        ignored: Which fields to leave.
    """
    ref = ObjectRef.of(payload)
    rules = [rule for rule in ignored if rule.applies_to(ref.kind, ref.name)]
    if live is None or not rules:
        return payload
    result = copy.deepcopy(payload)
    for rule in rules:
        found, value = _lookup(live, rule.steps)
        if found and not _has_other_owner(live, rule.steps):
            _put(result, rule.steps, value)
        else:
            _remove(result, rule.steps)
    return result


def _lookup(obj: Any, steps: Sequence[str]) -> tuple[bool, Any]:
    for step in steps:
        if isinstance(obj, dict) and step in obj:
            obj = obj[step]
        elif isinstance(obj, list) and step.isdigit() and int(step) < len(obj):
            obj = obj[int(step)]
        else:
            return False, None
    return True, obj


def _put(obj: KubeObject, steps: Sequence[str], value: Any) -> None:
    """Set a field that the payload has; one that it lacks is somebody's default and stays out."""
    found, _ = _lookup(obj, steps)
    if found:
        _, parent = _lookup(obj, steps[:-1])
        parent[int(steps[-1]) if isinstance(parent, list) else steps[-1]] = copy.deepcopy(value)


def _remove(obj: KubeObject, steps: Sequence[str]) -> None:
    found, parent = _lookup(obj, steps[:-1])
    if found and isinstance(parent, dict):
        parent.pop(steps[-1], None)


def _has_other_owner(live: KubeObject, steps: Sequence[str]) -> bool:
    others = [entry for entry in _entries(live) if entry["manager"] != FIELD_MANAGER or not _is_apply(entry)]
    return any(_owns(entry.get("fieldsV1") or {}, live, steps) for entry in others)


def _owns(fields: FieldSet, obj: Any, steps: Sequence[str]) -> bool:
    """Tell whether a field set covers a field or something below it."""
    for step in steps:
        if isinstance(obj, list):
            found = owned_item(obj[int(step)], fields) if step.isdigit() and int(step) < len(obj) else None
            if found is None:
                return False
            obj, fields = obj[int(step)], found[1]
        else:
            if f"f:{step}" not in fields:
                return False
            obj, fields = (obj or {}).get(step), fields[f"f:{step}"]
        if not fields:
            return True  # owned as a whole, with everything below
    return True


# --- fields that were left behind ------------------------------------------------------------------------------------


def left_behind(live: KubeObject) -> tuple[str, ...]:
    """Return the managers whose fields an adoption takes over: kubectl, Helm, kubernetes.core and their like."""
    return tuple(sorted({str(entry["manager"]) for entry in _entries(live) if _is_left(entry)}))


def take_over(cluster: Cluster, live: KubeObject) -> None:
    """Make fields of tools that ran once ours, so that what the set does not name goes with the next apply.

    Without it such a field stays for ever: its manager never applies again, and ours does not own it. As client-go's
    csaupgrade: the entries become one of ours, if the object did not change meanwhile.

    Raises:
        ConflictError: The object changed meanwhile.
    """
    entries = _entries(live)
    taken = [entry for entry in entries if _is_left(entry)]
    if not taken:
        return
    own = [entry for entry in entries if entry["manager"] == FIELD_MANAGER and _is_apply(entry)]
    fields: dict[str, Any] = {}
    for entry in (*own, *taken):
        _merge(fields, entry.get("fieldsV1") or {})
    ours = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": own[0]["apiVersion"] if own else live["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **{name: (own or taken)[0][name] for name in ("time",) if name in (own or taken)[0]},
    }
    rest = [entry for entry in entries if entry not in taken and entry not in own]
    cluster.patch(
        ObjectRef.of(live),
        [
            {"op": "replace", "path": "/metadata/managedFields", "value": [ours, *rest]},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        ],
        content_type="application/json-patch+json",
    )


def _entries(live: KubeObject) -> list[dict[str, Any]]:
    return list((live.get("metadata") or {}).get("managedFields") or [])


def _is_apply(entry: Mapping[str, Any]) -> bool:
    return entry.get("operation") == "Apply" and not entry.get("subresource")


def _is_left(entry: Mapping[str, Any]) -> bool:
    return entry["manager"] != FIELD_MANAGER and not entry.get("subresource") and is_one_shot(str(entry["manager"]))


def _merge(into: dict[str, Any], fields: FieldSet) -> None:
    """Add a field set to another; an empty one means the field itself, which beside others is written as ``.``."""
    for key, below in fields.items():
        mine = into.get(key)
        if mine is None:
            into[key] = copy.deepcopy(below)
        elif mine and below:
            _merge(mine, below)
        elif mine or below:
            into[key] = {".": {}, **(mine or copy.deepcopy(below))}
