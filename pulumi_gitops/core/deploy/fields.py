# SPDX-License-Identifier: Apache-2.0
"""Field ownership: read ``managedFields`` to tell what we set, and whether applying again would change anything.

The format is that of structured-merge-diff's ``fieldpath.Set`` (``FieldsV1``): ``f:name`` is a field of a map,
``k:{"name":"x"}`` an item of an associative list, ``v:value`` an item of a set, ``.`` the node itself, and an empty
object ends the path: the value there is owned as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..objects import KubeObject, copied

FieldSet = Mapping[str, Any]

# Not in FieldsV1: identity, and what the server alone decides.
_IDENTITY = frozenset({"name", "namespace", "uid"})


def entry_of(live: KubeObject, manager: str) -> Mapping[str, Any] | None:
    """Return the managedFields entry of `manager`'s own applies, or None unless there is exactly one."""
    entries = [
        entry
        for entry in (live.get("metadata") or {}).get("managedFields") or []
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    ]
    return entries[0] if len(entries) == 1 else None


def surely_unchanged(payload: KubeObject, live: KubeObject, manager: str) -> bool:
    """Tell whether applying `payload` would surely leave `live` as it is, without asking the server.

    False means "ask", not "changed". The rule is strict on purpose: only what the server stored in the very form in
    which we would send it counts. Admission webhooks installed after the last apply are out of its sight.

    Args:
        payload: What would be applied.
        live: The object as the server has it, with managedFields, at the payload's apiVersion.
        manager: Field manager.
    """
    metadata = live.get("metadata") or {}
    entry = entry_of(live, manager)
    if entry is None or metadata.get("deletionTimestamp") or entry.get("apiVersion") != payload.get("apiVersion"):
        return False
    fields = entry.get("fieldsV1") or {}
    mine = {k: v for k, v in payload.items() if k not in ("apiVersion", "kind")}
    mine["metadata"] = {k: v for k, v in (payload.get("metadata") or {}).items() if k not in _IDENTITY}
    if not mine["metadata"]:
        del mine["metadata"]
    return _same_map(mine, live, fields)


def _same(payload: Any, live: Any, fields: FieldSet) -> bool:
    if not fields:
        return _equal(payload, live)
    if isinstance(payload, dict):
        return bool(payload) and isinstance(live, dict) and _same_map(payload, live, fields)
    if isinstance(payload, list):
        return bool(payload) and isinstance(live, list) and _same_list(payload, live, fields)
    return False


def _same_map(payload: Mapping[str, Any], live: Mapping[str, Any], fields: FieldSet) -> bool:
    owned = {key for key in fields if key != "."}
    if owned != {f"f:{key}" for key in payload}:
        return False
    return all(
        value is not None and key in live and _same(value, live[key], fields[f"f:{key}"])
        for key, value in payload.items()
    )


def _same_list(payload: list[Any], live: list[Any], fields: FieldSet) -> bool:
    owned = {key: value for key, value in fields.items() if key != "."}
    if len(owned) != len(payload):
        return False
    position = -1
    for item in payload:
        found = owned_item(item, owned)
        if found is None:
            return False
        identity, below = found
        index = _position(live, identity, item)
        # Items keep their relative order, or the server would move them.
        if index <= position:
            return False
        position = index
        if not _same(item, live[index], below):
            return False
    return True


def owned_item(item: Any, owned: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, FieldSet] | None:
    """Return the identity (None for an item of a set) and the fields of the entry that stands for a list item.

    None when no entry of `owned` stands for it.
    """
    for key, below in owned.items():
        if key.startswith("k:") and isinstance(item, dict):
            identity = json.loads(key[2:])
            if all(name in item and _equal(item[name], value) for name, value in identity.items()):
                return identity, below
        elif key.startswith("v:") and _equal(json.loads(key[2:]), item):
            return None, {}
    return None


def _position(live: list[Any], identity: Mapping[str, Any] | None, item: Any) -> int:
    for index, candidate in enumerate(live):
        if identity is None:
            if _equal(candidate, item):
                return index
        elif isinstance(candidate, dict) and all(
            name in candidate and _equal(candidate[name], value) for name, value in identity.items()
        ):
            return index
    return -1


def _equal(a: Any, b: Any) -> bool:
    """Deep equality with JSON types: ``1``, ``1.0`` and ``true`` differ."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(value, b[key]) for key, value in a.items())
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_equal, a, b))
    return bool(a == b)


def owned_values(live: KubeObject, manager: str) -> Any:
    """Return the part of `live` that `manager` owns by its applies; None when it owns nothing.

    A field that somebody else changed is owned by them from then on, so it is missing here: comparing this value over
    time tells drift without keeping the manifest.
    """
    entry = entry_of(live, manager)
    if entry is None:
        return None
    return _project(live, entry.get("fieldsV1") or {})


def _project(live: Any, fields: FieldSet) -> Any:
    owned = {key: value for key, value in fields.items() if key != "."}
    if not owned:
        return copied(live) if "." not in fields else type(live)()
    if isinstance(live, dict):
        return {key: _project(live[key], below) for key in sorted(live) if (below := owned.get(f"f:{key}")) is not None}
    if isinstance(live, list):
        return [
            _project(item, found[1]) if found[1] else copied(item)
            for item in live
            if (found := owned_item(item, owned)) is not None
        ]
    return live


_STEP = re.compile(r"\.([^.\[\]]+)|\[(.*?)\](?=[.\[]|$)")


def has_field(obj: KubeObject, path: str) -> bool:
    """Tell whether `obj` sets the field that a conflict names.

    Args:
        obj: The object.
        path: As in a 409's causes: ``.spec.template.spec.containers[name="web"].image``. Keys that contain a dot are
            not told apart from two steps, so they count as not set.
    """
    node: Any = obj
    for name, selector in _STEP.findall(path):
        if selector:
            if not isinstance(node, list):
                return False
            wanted = dict(re.findall(r'([^=,]+)="?([^",]*)"?', selector))
            node = next(
                (i for i in node if isinstance(i, dict) and all(str(i.get(k)) == v for k, v in wanted.items())), None
            )
            if node is None:
                return False
        elif isinstance(node, dict) and name in node:
            node = node[name]
        else:
            return False
    return True


def without(obj: Any, fields: FieldSet, kept: Sequence[FieldSet]) -> Any:
    """Return an object without what a field set names and nobody keeps, as when its owner stops to own it.

    Args:
        obj: The object, or a part of it.
        fields: What is given up, as it lies in `obj`.
        kept: The field sets of everybody else.
    """
    if isinstance(obj, dict):
        found = {f"f:{key}": key for key in obj}
        going = {found[name]: below for name, below in fields.items() if name in found}
        return {
            key: _without_part(value, going[key], kept, f"f:{key}") if key in going else value
            for key, value in obj.items()
            if key not in going or _stays(f"f:{key}", going[key], kept)
        }
    if isinstance(obj, list):
        result = []
        for item in obj:
            name = next((name for name in fields if name != "." and owned_item(item, {name: {}}) is not None), None)
            if name is None:
                result.append(item)
            elif _stays(name, fields[name], kept):
                result.append(_without_part(item, fields[name], kept, name))
        return result
    return obj


def _stays(name: str, below: FieldSet, kept: Sequence[FieldSet]) -> bool:
    """Tell whether a field stays, with or without a part of what is below it."""
    # A map that is not owned as such stays, though it may become empty.
    return any(name in fields for fields in kept) or bool(below and "." not in below and name.startswith("f:"))


def _without_part(value: Any, below: FieldSet, kept: Sequence[FieldSet], name: str) -> Any:
    keepers = [fields[name] for fields in kept if name in fields]
    if any(not keeper for keeper in keepers):
        return value  # somebody owns it as a whole
    return without(value, below, keepers)
