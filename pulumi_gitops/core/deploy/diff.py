# SPDX-License-Identifier: Apache-2.0
"""Compare two versions of an object field by field, for people and reports.

Paths look like those of the API server's own messages: ``.spec.template.spec.containers[name="web"].image``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..objects import KubeObject

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")
# Texts that would be taken for another JSON value, and those that would hide their ends.
_NOT_PLAIN = re.compile(r'["\[{\s]|.*\s\Z|(null|true|false|-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?)?\Z', re.DOTALL)
# What identifies the items of a list of objects: the merge keys of the built-in kinds, the most telling first.
_ITEM_KEYS = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("devicePath",),
    ("type",),
    ("ip",),
    ("key",),
    ("uid",),
)
# Merge keys that the server fills in where they are missing.
_DEFAULTS = {"protocol": "TCP"}
_LONGEST, _CONTEXT = 200, 20


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs.

    Attributes:
        path: Where.
        before: JSON value before; None together with `added`.
        after: JSON value after; None together with `removed`.
        added: The field is new.
        removed: The field goes.
    """

    path: str
    before: Any = None
    after: Any = None
    added: bool = False
    removed: bool = False

    def as_dict(self) -> dict[str, Any]:
        """JSON form: ``{"path", "before", "after"}``, without the side that does not exist."""
        sides = (("before", self.before, self.added), ("after", self.after, self.removed))
        return {"path": self.path, **{name: value for name, value, absent in sides if not absent}}

    def __str__(self) -> str:
        """The path and what happens there, on one printable line; of long values what surrounds the difference."""
        if self.added:
            return f"{self.path}: + {_cut(_text(self.after))}"
        if self.removed:
            return f"{self.path}: - {_cut(_text(self.before))}"
        before, after = _text(self.before), _text(self.after)
        start = _common(before, after) - _CONTEXT
        if start > 0 and max(len(before), len(after)) > _LONGEST:
            before, after = f"...{before[start:]}", f"...{after[start:]}"
        return f"{self.path}: {_cut(before)} -> {_cut(after)}"


def _text(value: Any) -> str:
    plain = isinstance(value, str) and value.isprintable() and not _NOT_PLAIN.match(value)
    text = value if plain else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def _common(one: str, other: str) -> int:
    """Return with how many characters both texts begin alike."""
    same = (index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(same, min(len(one), len(other)))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def field_changes(before: KubeObject | None, after: KubeObject | None) -> tuple[FieldChange, ...]:
    """Return what differs between two versions of one object, in the order of the fields.

    Args:
        before: The object before; None gives an empty result, as does None for `after`.
        after: The object after.
    """
    if before is None or after is None:
        return ()
    return tuple(_differences(before, after, ""))


def _differences(before: Any, after: Any, path: str) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in (*before, *(key for key in after if key not in before)):
            yield from _side(before, after, key, path + _step(key))
    elif isinstance(before, list) and isinstance(after, list):
        keys = item_keys(before, after)
        if keys:
            yield from _items(before, after, keys, path)
        elif len(before) != len(after) or any(map(_differ, before, after)):
            yield FieldChange(path, before, after)
    elif type(before) is not type(after) or before != after:
        yield FieldChange(path, before, after)


def _differ(before: Any, after: Any) -> bool:
    return any(True for _ in _differences(before, after, ""))


def _side(before: Mapping[str, Any], after: Mapping[str, Any], key: str, path: str) -> Iterator[FieldChange]:
    if key not in after:
        yield FieldChange(path, before[key], removed=True)
    elif key not in before:
        yield FieldChange(path, None, after[key], added=True)
    else:
        yield from _differences(before[key], after[key], path)


def _step(key: str) -> str:
    return f".{key}" if _PLAIN_KEY.match(key) else f"[{json.dumps(key)}]"


def item_keys(*lists: list[Any]) -> tuple[str, ...]:
    """Return the fields that tell the items of each list apart, () when they are not lists of such objects."""
    items = [item for items in lists for item in items]
    if not items or not all(isinstance(item, dict) for item in items):
        return ()
    return next(
        (
            keys
            for keys in _ITEM_KEYS
            if all(keys[0] in item for item in items) and all(_distinct(items, keys) for items in lists)
        ),
        (),
    )


def _distinct(items: list[Any], keys: tuple[str, ...]) -> bool:
    return len({item_identity(item, keys) for item in items}) == len(items)


def item_identity(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    """Return a text that is the same for an item of a list in two versions.

    Args:
        item: The item.
        keys: What :func:`item_keys` returned for the lists.
    """
    return json.dumps([item.get(key, _DEFAULTS.get(key)) for key in keys], sort_keys=True)


def _label(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return ",".join(f"{key}={json.dumps(item[key])}" for key in keys if key in item)


def _items(before: list[Any], after: list[Any], keys: tuple[str, ...], path: str) -> Iterator[FieldChange]:
    old = {item_identity(item, keys): item for item in before}
    new = {item_identity(item, keys): item for item in after}
    for identity in (*old, *(identity for identity in new if identity not in old)):
        where = f"{path}[{_label(old[identity] if identity in old else new[identity], keys)}]"
        if identity not in new:
            yield FieldChange(where, old[identity], removed=True)
        elif identity not in old:
            yield FieldChange(where, None, new[identity], added=True)
        else:
            yield from _differences(old[identity], new[identity], where)
    stayed = [identity for identity in old if identity in new]
    order = [identity for identity in new if identity in old]
    if stayed != order:
        was, is_now = ([_label(old[identity], keys) for identity in identities] for identities in (stayed, order))
        yield FieldChange(f"{path} (order)", was, is_now)
