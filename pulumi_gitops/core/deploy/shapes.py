# SPDX-License-Identifier: Apache-2.0
"""Tell objects of the same shape, so that one dry run speaks for all of them.

What a dry run of a new object finds are, nearly always, fields that do not exist, values of the wrong type and
policies about a kind. It finds them in every object of the same shape alike: same kind, namespace and fields, values of
the same types. What hangs on single values (an invalid name, a quota) shows when the object is applied.
"""

from __future__ import annotations

from typing import Any

from ..objects import KubeObject, ObjectRef

# Maps with keys of the user's own choosing.
_FREE = frozenset({"annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector"})


def shape_of(obj: KubeObject) -> str:
    """Return a text that objects of the same kind, namespace, fields and types of values have in common."""
    ref = ObjectRef.of(obj)
    return f"{ref.api_version} {ref.kind} {ref.namespace} {_shape(obj)}"


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        # Quoted: a key may hold what separates keys from each other.
        inner = (f"{key!r}:{_free(below) if key in _FREE else _shape(below)}" for key, below in sorted(value.items()))
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted({_shape(item) for item in value})) + "]"
    return type(value).__name__


def _free(value: Any) -> str:
    if not isinstance(value, dict):
        return _shape(value)
    return "{*:" + ",".join(sorted({_shape(below) for below in value.values()})) + "}"
