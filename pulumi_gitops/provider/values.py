# SPDX-License-Identifier: Apache-2.0
"""Between the engine's property values and Python: plain values, with unknowns and secrets kept apart."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import json_format, struct_pb2
from pulumi.runtime import rpc

from ..core.errors import InputError

# The marks of special values, as the SDK's own (de)serialization has them (sdk/python/lib/pulumi/runtime/rpc.py).
_SIGNATURE: Final = rpc._special_sig_key  # noqa: SLF001  # the SDK has no public name for them
_SECRET: Final = rpc._special_secret_sig  # noqa: SLF001
_OUTPUT: Final = rpc._special_output_value_sig  # noqa: SLF001

Path = tuple[str | int, ...]
"""Where a value stands: names of properties, keys of maps, indexes of lists."""


class Unknown:
    """Stands for a value that a preview does not know yet."""

    def __repr__(self) -> str:
        return "<unknown>"


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Properties:
    """The properties of a resource.

    Attributes:
        values: Names as in the schema (camelCase); :data:`UNKNOWN` may stand anywhere.
        secrets: Where secrets stand.
    """

    values: dict[str, Any] = field(repr=False)
    secrets: frozenset[Path] = frozenset()


def decode(struct: struct_pb2.Struct) -> Properties:
    """Turn what the engine sent into plain values. Whole numbers become int (the wire has floats only).

    Raises:
        InputError: An asset, an archive or a resource stands where a value is expected.
    """
    secrets: set[Path] = set()
    given = json_format.MessageToDict(struct)
    values = {name: _decoded(value, (name,), secrets) for name, value in given.items() if value is not None}
    return Properties(values, frozenset(secrets))


def _decoded(value: Any, path: Path, secrets: set[Path]) -> Any:
    if isinstance(value, dict):
        signature = value.get(_SIGNATURE)
        if signature is None:
            return {key: _decoded(item, (*path, key), secrets) for key, item in value.items()}
        if signature not in (_SECRET, _OUTPUT):
            raise InputError(
                f"{'.'.join(map(str, path))} is an asset, an archive or a resource, but has to be a plain value",
                details={"property": str(path[0])},
            )
        if signature == _SECRET or value.get("secret"):
            secrets.add(path)
        return _decoded(value["value"], path, secrets) if "value" in value else UNKNOWN
    if isinstance(value, list):
        return [_decoded(item, (*path, index), secrets) for index, item in enumerate(value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return UNKNOWN if value == rpc.UNKNOWN else value


def encode(values: Mapping[str, Any], secrets: Collection[Path] = ()) -> struct_pb2.Struct:
    """Turn plain values into what the engine reads; those that stand at `secrets` are marked secret."""
    struct = struct_pb2.Struct()
    struct.update({name: _encoded(value, (name,), secrets) for name, value in values.items() if value is not None})
    return struct


def _encoded(value: Any, path: Path, secrets: Collection[Path]) -> Any:
    if isinstance(value, Unknown):
        made: Any = rpc.UNKNOWN
    elif isinstance(value, Mapping):
        made = {str(key): _encoded(item, (*path, key), secrets) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        made = [_encoded(item, (*path, index), secrets) for index, item in enumerate(value)]
    else:
        made = value
    return {_SIGNATURE: _SECRET, "value": made} if path in secrets else made


def has_unknown(value: Any) -> bool:
    """Tell whether a value is unknown, or holds something unknown."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)


def secret_texts(properties: Properties) -> Iterable[str]:
    """Yield the texts that are marked secret one by one.

    Not a whole map, list or document: a manifest has words that are in every message.
    """
    for path in properties.secrets:
        value: Any = properties.values
        for step in path:
            value = value[step]
        if isinstance(value, str) and "\n" not in value.strip():
            yield value
