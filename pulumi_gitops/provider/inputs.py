# SPDX-License-Identifier: Apache-2.0
"""Compare what a program gives with the schema: names, types, what has to be there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
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


def problems(given: Mapping[str, Any], schema: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is wrong with the inputs of a resource, as pairs of property path and reason.

    Args:
        given: Inputs with the names of the schema. What a preview does not know yet is taken for right.
        schema: The resource's part of the schema: ``inputProperties`` and ``requiredInputs``.
    """
    known: Mapping[str, Any] = schema["inputProperties"]
    found = [(name, "is required") for name in schema["requiredInputs"] if given.get(name) in (None, "")]
    for name, value in given.items():
        if name in known:
            found += _mismatches(name, value, known[name])
        elif name != DERIVED:
            close = difflib.get_close_matches(name, known, n=1)
            found.append((name, f"is unknown; did you mean {close[0]}?" if close else "is unknown"))
    return found


def _mismatches(path: str, value: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Unknown) or "$ref" in schema:
        return
    choices = schema.get("oneOf", [schema])
    fitting = [choice for choice in choices if _is(value, choice["type"])]
    if not fitting:
        yield path, f"has to be {' or '.join(_CALLED[choice['type']] for choice in choices)}"
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _mismatches(f"{path}[{index}]", item, fitting[0]["items"])
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _mismatches(f'{path}["{key}"]', item, fitting[0]["additionalProperties"])


def _is(value: Any, kind: str) -> bool:
    # bool is an int to Python, but not to a schema.
    return isinstance(value, _PLAIN[kind]) and not (kind == "integer" and isinstance(value, bool))
