# SPDX-License-Identifier: Apache-2.0
"""Bring objects into the form in which they may be shown: without server noise, without secrets.

Masked are the values of Secrets, and in every object texts whose name says that they are secret: environment variables
and fields called ``password``, ``DB_TOKEN``, ``apiKey`` and the like. Credentials that are known, or have the shape of
one, are replaced inside any text; long unbroken texts are shown by their length and digest.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from .. import redact
from ..objects import KubeObject
from .diff import item_identity, item_keys
from .prepare import PART_OF_LABEL, is_secret

_BEFORE, _AFTER = " (before)", " (after)"
# What the server adds; of no interest to a reader and different at every write.
_NOISE = ("managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink")
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_SENSITIVE = re.compile(
    r"(?i)(pass(word|wd|phrase)|pwd|token|secret|(api|access|private)[-_.]?key|secret[-_.]key|credentials)\Z"
)
# What has no break for so long is read by nobody, and would keep the search for credentials busy for minutes.
_BLOB = 2000
_RUN = re.compile(r"[a-zA-Z0-9+.-]+")
_ABSENT: Any = object()


class _Hide(enum.Enum):
    """What is masked in a part of an object."""

    NAMED = enum.auto()
    """Texts whose name says that they are secret."""
    TEXTS = enum.auto()
    """The text, or each text of the list, that stands here: its name says so."""
    ALL = enum.auto()
    KNOWN = enum.auto()
    """Nothing but known credentials."""


def shown(obj: KubeObject | None) -> KubeObject | None:
    """Return a copy without server noise and with secrets masked."""
    return shown_pair(obj, None)[0]


def shown_pair(before: KubeObject | None, after: KubeObject | None) -> tuple[KubeObject | None, KubeObject | None]:
    """Return both without server noise; secrets become ``***``, changed ones ``*** (before)`` and ``*** (after)``."""
    old = _ABSENT if before is None else _clean(before)
    new = _ABSENT if after is None else _clean(after)
    # Most objects hold nothing known: then one look at all of their texts spares a look at each.
    texts = "\0".join([*_texts(old), *_texts(new)])
    masker = _Masker(redact.redact if redact.redact(texts) != texts else str)
    one, two = masker.pair(old, new, _Hide.NAMED)
    return (None if before is None else one), (None if after is None else two)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str) and not _is_blob(value):
        yield value
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _texts(below)


class _Masker:
    """Walks two versions of an object side by side, items of lists matched by what identifies them.

    Args:
        redacted: Replaces known credentials in a text.
    """

    def __init__(self, redacted: Callable[[str], str]) -> None:
        self._redacted = redacted

    def pair(self, old: Any, new: Any, hide: _Hide) -> tuple[Any, Any]:
        """Return masked copies of both; a side that does not exist is _ABSENT and stays so."""
        if old is not _ABSENT and new is not _ABSENT and _shape(old) is not _shape(new):
            return self.pair(old, _ABSENT, hide)[0], self.pair(_ABSENT, new, hide)[1]
        shape = _shape(new if old is _ABSENT else old)
        if shape is dict:
            return self._maps(old, new, _Hide.NAMED if hide is _Hide.TEXTS else hide)
        return self._lists(old, new, hide) if shape is list else self._values(old, new, hide)

    def _maps(self, old: Any, new: Any, hide: _Hide) -> tuple[Any, Any]:
        sides = [side for side in (old, new) if side is not _ABSENT]
        results: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        for key in {**sides[0], **sides[-1]}:
            found = [_ABSENT if side is _ABSENT else side.get(key, _ABSENT) for side in (old, new)]
            masked = self.pair(found[0], found[1], _inside(key, sides, hide))
            for result, value in zip(results, masked, strict=True):
                if value is not _ABSENT:
                    result[key] = value
        return _where_present(old, results[0]), _where_present(new, results[1])

    def _lists(self, old: Any, new: Any, hide: _Hide) -> tuple[Any, Any]:
        sides = [side for side in (old, new) if side is not _ABSENT]
        keys = item_keys(*sides)

        def places(items: list[Any]) -> list[str | int]:
            return [item_identity(item, keys) for item in items] if keys else list(range(len(items)))

        olds, news = (dict(zip(places(side), side, strict=True)) if side is not _ABSENT else {} for side in (old, new))
        masked = {
            place: self.pair(olds.get(place, _ABSENT), news.get(place, _ABSENT), hide) for place in {**olds, **news}
        }
        return (
            _where_present(old, [masked[place][0] for place in olds]),
            _where_present(new, [masked[place][1] for place in news]),
        )

    def _values(self, old: Any, new: Any, hide: _Hide) -> tuple[Any, Any]:
        one, two = self._value(old, hide), self._value(new, hide)
        if isinstance(one, str) and isinstance(two, str) and one == two and (type(old) is not type(new) or old != new):
            return one + _BEFORE, two + _AFTER
        return one, two

    def _value(self, value: Any, hide: _Hide) -> Any:
        if value is _ABSENT:
            return value
        if hide is _Hide.ALL or (hide is _Hide.TEXTS and value and type(value) in (str, int, float)):
            return redact.MASK
        if not isinstance(value, str):
            return value
        if _is_blob(value):
            digest = hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()
            return f"{redact.MASK} ({len(value)} characters, sha256 {digest[:12]})"
        return self._redacted(value)


def _is_blob(text: str) -> bool:
    return len(text) > _BLOB and any(len(run[0]) > _BLOB for run in _RUN.finditer(text))


def _shape(value: Any) -> type[Any]:
    return type(value) if isinstance(value, dict | list) else str


def _where_present(side: Any, result: Any) -> Any:
    return _ABSENT if side is _ABSENT else result


def _inside(key: str, holders: list[KubeObject], hide: _Hide) -> _Hide:
    """Return what is masked at a key of a map that is given in one or two versions."""
    if hide is not _Hide.NAMED:
        return hide
    if key in ("labels", "annotations"):
        return _Hide.KNOWN
    if key in ("data", "stringData") and any(is_secret(holder) for holder in holders):
        return _Hide.ALL
    names = [str(holder.get("name")) for holder in holders] if key == "value" else []
    return _Hide.TEXTS if any(map(_says_secret, [str(key), *names])) else _Hide.NAMED


@lru_cache(maxsize=4096)
def _says_secret(name: str) -> bool:
    return _SENSITIVE.search(name) is not None


def _clean(obj: KubeObject) -> KubeObject:
    """Return the object without server noise; what is left is shared with the original."""
    metadata = obj.get("metadata")
    if not isinstance(metadata, dict):
        return {k: v for k, v in obj.items() if k != "status"}
    kept = {k: v for k, v in metadata.items() if k not in _NOISE}
    for part, noisy in (("annotations", _LAST_APPLIED), ("labels", PART_OF_LABEL)):
        if isinstance(kept.get(part), dict):
            kept[part] = {k: v for k, v in kept[part].items() if k != noisy}
            if not kept[part]:
                del kept[part]
    return {k: kept if k == "metadata" else v for k, v in obj.items() if k != "status"}
