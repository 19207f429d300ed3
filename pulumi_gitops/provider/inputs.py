# SPDX-License-Identifier: Apache-2.0
"""Compare what a program gives with the schema: names, types, what has to be there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .values import Unknown

_PLAIN = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
_CALLED = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a map",
}

# Made by Check itself; it comes back as an input when a program ignores its changes.
DERIVED = "objects"


_TYPE = "#/types/"


def problems(
    given: Mapping[str, Any], schema: Mapping[str, Any], types: Mapping[str, Any] | None = None
) -> list[tuple[str, str]]:
    """Return what is wrong with the inputs of a resource, as pairs of property path and reason.

    Args:
        given: Inputs with the names of the schema. What a preview does not know yet is taken for right.
        schema: The resource's part of the schema: ``inputProperties`` and ``requiredInputs``.
        types: The schema's types, which properties refer to.
    """
    inputs = {name: value for name, value in given.items() if name != DERIVED}
    return list(_in_object("", inputs, schema["inputProperties"], schema["requiredInputs"], types or {}))


def _in_object(
    path: str, given: Mapping[str, Any], known: Mapping[str, Any], required: Iterable[str], types: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for name in required:
        if given.get(name) in (None, ""):
            yield path + name, "is required"
    for name, value in given.items():
        if name in known:
            if value is None:
                continue  # an output without a value
            yield from _mismatches(path + name, value, known[name], types)
        else:
            close = difflib.get_close_matches(name, known, n=1)
            yield path + name, f"is unknown; did you mean {close[0]}?" if close else "is unknown"


def _mismatches(
    path: str, value: Any, schema: Mapping[str, Any], types: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    if isinstance(value, Unknown):
        return
    reference = schema.get("$ref", "")
    if reference.startswith(_TYPE):
        named = types[reference.removeprefix(_TYPE)]
        if isinstance(value, dict):
            yield from _in_object(f"{path}.", value, named["properties"], named.get("required", ()), types)
        else:
            yield path, "has to be a map"
        return
    if reference:
        return
    choices = schema.get("oneOf", [schema])
    fitting = [choice for choice in choices if _is(value, choice["type"])]
    if not fitting:
        yield path, f"has to be {' or '.join(_CALLED[choice['type']] for choice in choices)}"
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mismatches(f"{path}[{index}]", item, fitting[0]["items"], types)
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _mismatches(f'{path}["{key}"]', item, fitting[0]["additionalProperties"], types)


def _is(value: Any, kind: str) -> bool:
    # bool is an int to Python, but not to a schema.
    return isinstance(value, _PLAIN[kind]) and not (kind == "integer" and isinstance(value, bool))
