# SPDX-License-Identifier: Apache-2.0
"""Leave fields to others, and take over fields that tools which ran once left behind."""

from __future__ import annotations

import copy
import enum
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import ConflictError
from ..objects import KubeObject, ObjectRef, uid_of
from .diff import item_identity, item_keys
from .fields import FieldSet, owned_item, owned_values, without
from .ownership import is_one_shot
from .spec import IgnoredField

Place = Sequence[str | int]
"""Keys and indexes from an object down to a field."""

_ATTEMPTS = 5

# --- fields of others ------------------------------------------------------------------------------------------------


class _Owned(enum.IntEnum):
    """How a manager owns a field."""

    NOT = 0
    WITHIN = 1
    """As a part of something that is owned only as a whole."""
    ITSELF = 2
    """Itself, or something below it."""


def leave_ignored(payload: KubeObject, live: KubeObject | None, ignored: Iterable[IgnoredField]) -> KubeObject:
    """Return the payload with ignored fields left as they are in the cluster.

    A field that another manager owns is not sent at all. One that only we own, or a tool that ran once, is sent as it
    is, even if the set no longer names it: to leave it out would remove it. Where others own a part of what is
    ignored, our part is sent. An object, or an item of a list, that does not exist yet is created with what the set
    says.

    Args:
        payload: What would be sent.
        live: The object as it is.
        ignored: Which fields to leave; items of a list are counted in the payload.
    """
    ref = ObjectRef.of(payload)
    rules = [rule.steps for rule in ignored if rule.applies_to(ref.kind, ref.name)]
    if live is None or not rules:
        return payload
    result = copy.deepcopy(payload)
    after = taken_over(live)
    ours = owned_values(after, FIELD_MANAGER) or {}
    others = [entry["fieldsV1"] for entry in _entries(after) if not _is_ours(entry) and entry.get("fieldsV1")]
    # From the end: an item that goes must not move those that are still to be found.
    for steps in sorted(rules, key=_from_the_end, reverse=True):
        try:
            place = _place(live, result, steps)
        except IndexError:
            continue  # an item that only the set has, or only the cluster
        owner = max((_owner(fields, live, place) for fields in others), default=_Owned.NOT)
        mine = _our_value(ours, result, steps)
        if mine and (owner is not _Owned.ITSELF or (mine[0] and isinstance(mine[0], dict | list))):
            _put(result, steps, mine[0])
        elif place is not None and owner is _Owned.WITHIN:
            if _place(result, result, steps) is not None:
                _put(result, steps, _at(live, place))
        else:
            _remove(result, steps)
    return result


def _from_the_end(steps: Sequence[str]) -> list[tuple[int, str]]:
    return [(int(step) if step.isdecimal() else -1, step) for step in steps]


def _place(obj: Any, payload: Any, steps: Sequence[str]) -> Place | None:
    """Return where `obj` has the field that `steps` lead to in the payload; None when it lacks the field.

    Raises:
        IndexError: One of the two lacks the item of a list on the way.
    """
    place: list[str | int] = []
    found = True
    for step in steps:
        if isinstance(obj, list) or isinstance(payload, list):
            index = _same_item(obj, payload, step)
            place.append(index)
            obj, payload = obj[index], payload[int(step)]
        else:
            place.append(step)
            found = found and isinstance(obj, dict) and step in obj
            obj, payload = (node.get(step) if isinstance(node, dict) else None for node in (obj, payload))
    return place if found else None


def _same_item(items: Any, payload: Any, step: str) -> int:
    if not isinstance(items, list) or not isinstance(payload, list) or not step.isdecimal():
        raise IndexError(step)
    wanted = payload[int(step)]
    keys = item_keys(items, payload)
    if not keys:
        return range(len(items))[int(step)]
    identity = item_identity(wanted, keys)
    found = [index for index, item in enumerate(items) if item_identity(item, keys) == identity]
    return found[0]


def _our_value(ours: Any, payload: KubeObject, steps: Sequence[str]) -> tuple[Any] | None:
    try:
        place = _place(ours, payload, steps)
    except IndexError:
        return None
    return None if place is None else (_at(ours, place),)


def _at(obj: Any, place: Place) -> Any:
    for step in place:
        obj = obj[step]
    return obj


def _owner(fields: FieldSet, obj: Any, place: Place | None) -> _Owned:
    """Tell how a field set covers a field."""
    if place is None:
        return _Owned.NOT
    for number, step in enumerate(place, 1):
        if isinstance(step, int):
            found = owned_item(obj[step], fields)
            below = found[1] if found else None
        else:
            below = fields.get(f"f:{step}")
        if below is None:
            return _Owned.NOT
        if not below and number < len(place):
            return _Owned.WITHIN
        obj, fields = obj[step], below
    return _Owned.ITSELF


def _put(obj: Any, steps: Sequence[str], value: Any) -> None:
    for step in steps[:-1]:
        obj = obj[int(step)] if isinstance(obj, list) else obj.setdefault(step, {})
        if not isinstance(obj, dict | list):
            return
    obj[int(steps[-1]) if isinstance(obj, list) else steps[-1]] = copy.deepcopy(value)


def _remove(obj: KubeObject, steps: Sequence[str]) -> None:
    place = _place(obj, obj, steps)
    if place is not None:
        del _at(obj, place[:-1])[place[-1]]


# --- fields that were left behind ------------------------------------------------------------------------------------


def left_behind(live: KubeObject) -> tuple[str, ...]:
    """Return the managers whose fields an adoption takes over: kubectl, Helm, kubernetes.core and their like."""
    return tuple(sorted({_manager(entry) for entry in _entries(live) if _is_left(entry)}))


def take_over(cluster: Cluster, live: KubeObject) -> None:
    """Make fields of tools that ran once ours, so that what the set does not name goes with the next apply.

    Without it such a field stays for ever: its manager never applies again, and ours does not own it. As client-go's
    csaupgrade: the entries become one of ours, if the object did not change meanwhile. Its status may change all the
    time, so it is read and tried again.

    Raises:
        ConflictError: The object keeps changing, or is another one by now.
    """
    ref, uid = ObjectRef.of(live), uid_of(live)
    for attempt in range(1, _ATTEMPTS + 1):
        if not left_behind(live):
            return
        body = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "replace", "path": "/metadata/managedFields", "value": _entries(taken_over(live))},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
        ]
        try:
            cluster.patch(ref, body, content_type="application/json-patch+json")
        except ConflictError:
            if attempt == _ATTEMPTS:
                raise
            live = cluster.get(ref)
        else:
            return


def taken_over(live: KubeObject) -> KubeObject:
    """Return an object as :func:`take_over` makes it; only its managedFields differ."""
    entries = _entries(live)
    taken = [entry for entry in entries if _is_left(entry)]
    if not taken:
        return live
    own = [entry for entry in entries if _is_ours(entry)]
    fields: dict[str, Any] = {}
    for entry in (*own, *taken):
        _merge(fields, entry.get("fieldsV1") or {})
    model = (own or taken)[0]
    ours = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": own[0]["apiVersion"] if own else live["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
        **({"time": model["time"]} if "time" in model else {}),
    }
    rest = [entry for entry in entries if entry not in taken and entry not in own]
    return {**live, "metadata": {**live["metadata"], "managedFields": [ours, *rest]}}


def after_takeover(live: KubeObject, after: KubeObject) -> KubeObject:
    """Return what an apply leaves once the fields that tools left behind are ours: less than a dry run before shows.

    Args:
        live: The object as it is.
        after: What a dry run of the apply returned, without the takeover.
    """
    given_up = next(entry for entry in _entries(taken_over(live)) if _is_ours(entry))["fieldsV1"]
    kept = [entry.get("fieldsV1") or {} for entry in _entries(after) if _is_ours(entry) or not _is_left(entry)]
    result: KubeObject = without(after, given_up, kept)
    return result


def _entries(live: KubeObject) -> list[dict[str, Any]]:
    return list((live.get("metadata") or {}).get("managedFields") or [])


def _manager(entry: Mapping[str, Any]) -> str:
    return str(entry.get("manager") or "")  # a client without a user agent has no name


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return _manager(entry) == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def _is_left(entry: Mapping[str, Any]) -> bool:
    return _manager(entry) != FIELD_MANAGER and not entry.get("subresource") and is_one_shot(_manager(entry))


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
