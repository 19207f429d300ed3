# SPDX-License-Identifier: Apache-2.0
"""A small, strict part of JSONPath, as kubectl writes it: ``{.status.conditions[?(@.type=="Ready")].status}``.

Known are ``.name``, ``['any key']``, ``[0]``, ``[*]`` and ``[?(@.a.b=="text")]`` (a text, a whole number, true or
false). Everything else is an error: a path that is misread would wait for the wrong thing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from ..errors import InputError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_INDEX = re.compile(r"[0-9]{1,6}")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_FILTER = re.compile(
    r"\[\?(?P<open>\()?@(?P<path>(?:\.[A-Za-z_][A-Za-z0-9_-]*)+)\s*==\s*"
    r"(?P<value>'[^']*'|\"[^\"]*\"|-?[0-9]{1,18}|true|false)(?(open)\))\]"
)
_HINT = "Known are .name, ['any key'], [0], [*] and [?(@.type==\"Ready\")]."


class _Missing:
    """Stands for a value that is not there."""


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Key:
    """``.name`` or ``['any key']``."""

    name: str

    def __str__(self) -> str:
        return f".{self.name}" if _NAME.fullmatch(self.name) else f"[{_quote(self.name)}]"


@dataclass(frozen=True, slots=True)
class Index:
    """``[0]``."""

    position: int

    def __str__(self) -> str:
        return f"[{self.position}]"


@dataclass(frozen=True, slots=True)
class Every:
    """``[*]``."""

    def __str__(self) -> str:
        return "[*]"


@dataclass(frozen=True, slots=True)
class Where:
    """``[?(@.type=="Ready")]``: the items of a list for which it holds."""

    path: tuple[str, ...]
    value: str | int | bool

    def __str__(self) -> str:
        if isinstance(self.value, bool):
            value = "true" if self.value else "false"
        else:
            value = _quote(self.value) if isinstance(self.value, str) else str(self.value)
        return f"[?(@.{'.'.join(self.path)}=={value})]"

    def holds(self, item: Any) -> bool:
        """Tell whether it holds for an item; 1 is not true."""
        for name in self.path:
            item = item.get(name) if isinstance(item, dict) else None
        return type(item) is type(self.value) and item == self.value


Step = Key | Index | Every | Where


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path into an object; ``str()`` gives its canonical text, braces included."""

    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "{" + "".join(str(step) for step in self.steps) + "}"

    def find(self, obj: Any) -> list[Any]:
        """Return the values at the path; :data:`MISSING` for each place where it ends early."""
        values = [obj]
        for step in self.steps:
            values = [found for value in values for found in _follow(step, value)]
        return values


def _follow(step: Step, value: Any) -> Iterator[Any]:
    if isinstance(step, Key):
        yield value.get(step.name, MISSING) if isinstance(value, dict) else MISSING
    elif isinstance(step, Index):
        yield value[step.position] if isinstance(value, list) and step.position < len(value) else MISSING
    elif not isinstance(value, list | dict):
        yield MISSING
    else:
        items = value if isinstance(value, list) else list(value.values())
        yield from (item for item in items if isinstance(step, Every) or step.holds(item))


def parse(text: str) -> tuple[JsonPath, str]:
    """Read a path in braces from the start of a text.

    Returns:
        The path, and what follows the closing brace.

    Raises:
        InputError: It is none; says where reading stopped.
    """
    if not text.startswith("{"):
        raise InputError(f"the JSONPath {text!r} is not in braces", hint="Write it like {.status.phase}.")
    position, steps = 1, []
    while not text.startswith("}", position):
        step, position = _step(text, position)
        steps.append(step)
    if not steps:
        raise InputError(f"the JSONPath {text!r} is empty", hint=_HINT)
    return JsonPath(tuple(steps)), text[position + 1 :]


def _step(text: str, start: int) -> tuple[Step, int]:
    if text.startswith(".", start):
        name = _NAME.match(text, start + 1)
        if name:
            return Key(name[0]), name.end()
    elif text.startswith("[", start):
        condition = _FILTER.match(text, start)
        if condition:
            return Where(tuple(condition["path"][1:].split(".")), _literal(condition["value"])), condition.end()
        if text.startswith("[*]", start):
            return Every(), start + 3
        for pattern in (_QUOTED, _INDEX):
            found = pattern.match(text, start + 1)
            if found and text.startswith("]", found.end()):
                inside = found[0]
                return (Index(int(inside)) if pattern is _INDEX else Key(inside[1:-1])), found.end() + 1
    where = f"at {text[start : start + 20]!r}" if start < len(text) else "at its end: a closing brace is missing"
    raise InputError(f"the JSONPath {text!r} can not be read {where}", hint=_HINT)


def _literal(text: str) -> str | int | bool:
    if text in ("true", "false"):
        return text == "true"
    return text[1:-1] if text[0] in "'\"" else int(text)


def _quote(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'
