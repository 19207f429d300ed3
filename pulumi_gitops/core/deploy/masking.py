# SPDX-License-Identifier: Apache-2.0
"""Bring objects into the form in which they may be shown: without server noise, without secrets.

Masked are the values of Secrets, and in every object texts whose name says that they are secret: environment variables
and fields called ``password``, ``DB_TOKEN``, ``apiKey`` and the like.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from .. import redact
from ..objects import KubeObject
from .prepare import PART_OF_LABEL, is_secret

_BEFORE, _AFTER = f"{redact.MASK} (before)", f"{redact.MASK} (after)"
# What the server adds; of no interest to a reader and different at every write.
_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SENSITIVE = re.compile(r"(?i)(pass(word|wd|phrase)|token|secret|api_?key|access_?key|private_?key|credentials)\Z")

Place = tuple[str | int, ...]
"""Keys and indexes from the object down to a value."""


def shown(obj: KubeObject | None) -> KubeObject | None:
    """Return a copy without server noise and with secrets masked."""
    return shown_pair(obj, None)[0]


def shown_pair(before: KubeObject | None, after: KubeObject | None) -> tuple[KubeObject | None, KubeObject | None]:
    """Return both without server noise; secrets become ``***``, changed ones ``*** (before)`` and ``*** (after)``."""
    old, new = _clean(before), _clean(after)
    olds, news = _values(old), _values(new)
    for place in {**olds, **news}:
        changed = place in olds and place in news and olds[place] != news[place]
        if old is not None and place in olds:
            _put(old, place, _BEFORE if changed else redact.MASK)
        if new is not None and place in news:
            _put(new, place, _AFTER if changed else redact.MASK)
    return old, new


def _values(obj: KubeObject | None) -> dict[Place, Any]:
    """Return place -> value of what has to be masked."""
    if obj is None:
        return {}
    found = dict(_sensitive(obj, ()))
    if is_secret(obj):
        for part in ("data", "stringData"):
            if isinstance(obj.get(part), dict):
                found.update({(part, key): value for key, value in obj[part].items()})
    return found


def _sensitive(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, dict):
        name, text = value.get("name"), value.get("value")
        if isinstance(name, str) and isinstance(text, str) and text and _SENSITIVE.search(name):
            yield (*place, "value"), text
        for key, below in value.items():
            if isinstance(below, str) and below and place != ("metadata",) and _SENSITIVE.search(str(key)):
                yield (*place, key), below
            elif key not in ("labels", "annotations"):
                yield from _sensitive(below, (*place, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _sensitive(below, (*place, index))


def _put(obj: Any, place: Place, text: str) -> None:
    for step in place[:-1]:
        obj = obj[step]
    obj[place[-1]] = text


def _clean(obj: KubeObject | None) -> KubeObject | None:
    if obj is None:
        return None
    result = copy.deepcopy({k: v for k, v in obj.items() if k != "status"})
    metadata = result.get("metadata")
    if isinstance(metadata, dict):
        for name in _NOISE:
            metadata.pop(name, None)
        for part, noisy in (("annotations", _LAST_APPLIED), ("labels", PART_OF_LABEL)):
            values = metadata.get(part)
            if isinstance(values, dict):
                values.pop(noisy, None)
                if not values:
                    del metadata[part]
    return result
