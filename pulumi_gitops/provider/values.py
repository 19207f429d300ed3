# SPDX-License-Identifier: Apache-2.0
"""Between the engine's property values and Python: plain dicts, unknowns and secrets kept apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf import struct_pb2
from pulumi.provider.experimental.property_value import Computed, PropertyValue
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN_ON_THE_WIRE


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
        secrets: Names of the properties that are secret, or hold a secret.
    """

    values: dict[str, Any] = field(repr=False)
    secrets: frozenset[str] = frozenset()


def decode(struct: struct_pb2.Struct) -> Properties:
    """Turn what the engine sent into plain values. Whole numbers become int (the wire has floats only)."""
    properties = PropertyValue.unmarshal_map(struct)
    return Properties(
        {name: _plain(value) for name, value in properties.items() if value.value is not None},
        frozenset(name for name, value in properties.items() if value.contains_secret()),
    )


def _plain(value: PropertyValue) -> Any:
    inner = value.value
    if isinstance(inner, Computed) or inner == UNKNOWN_ON_THE_WIRE:
        return UNKNOWN
    if isinstance(inner, Mapping):
        return {key: _plain(item) for key, item in inner.items()}
    if isinstance(inner, Sequence) and not isinstance(inner, str):
        return [_plain(item) for item in inner]
    if isinstance(inner, float) and inner.is_integer():
        return int(inner)
    return inner


def encode(values: Mapping[str, Any], secrets: Collection[str] = ()) -> struct_pb2.Struct:
    """Turn plain values into what the engine reads; those named in `secrets` are marked secret."""
    struct: struct_pb2.Struct = PropertyValue.marshal_map(
        {name: _wrapped(value).with_secret(name in secrets) for name, value in values.items() if value is not None}
    )
    return struct


def _wrapped(value: Any) -> PropertyValue:
    if isinstance(value, Unknown):
        return PropertyValue(UNKNOWN_ON_THE_WIRE)  # the SDK's own Computed can be read, but not written
    if isinstance(value, Mapping):
        return PropertyValue({str(key): _wrapped(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return PropertyValue([_wrapped(item) for item in value])
    if isinstance(value, int) and not isinstance(value, bool):
        return PropertyValue(float(value))
    return PropertyValue(value)


def has_unknown(value: Any) -> bool:
    """Tell whether a value is unknown, or holds something unknown."""
    if isinstance(value, Mapping):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(has_unknown(item) for item in value)
    return isinstance(value, Unknown)


def strings_in(value: Any) -> list[str]:
    """Return every text inside a value (to register the secret ones)."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for item in value.values() for text in strings_in(item)]
    if isinstance(value, list | tuple):
        return [text for item in value for text in strings_in(item)]
    return []
