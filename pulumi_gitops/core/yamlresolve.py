# SPDX-License-Identifier: Apache-2.0
"""What a YAML scalar without quotes means to Kubernetes.

The API machinery and kubectl read YAML with ``sigs.k8s.io/yaml``, whose parser is Go's yaml.v2: neither YAML 1.1 nor
1.2. The rules here follow ``resolve.go`` of that parser, then the JSON decoding of unstructured objects that comes
after it; ``tests/contract/test_yamlio_kubectl.py`` compares them with the real kubectl.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

import yaml

Scalar = str | int | float | bool | None

_INT64 = range(-(2**63), 2**63)
_UINT64_END = 2**64

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_WORD_STARTS = frozenset(word[:1] for word in _WORDS) - {"", "+", "-", "."}
_NUMBER_STARTS = frozenset("+-.0123456789")

_PREFIXED = re.compile(r"([-+]?)0(?:([xX])([0-9a-fA-F]+)|([oO]?)([0-7]+)|([bB])([01]+))")
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_POINT_FLOAT = re.compile(r"\.[0-9][0-9_]*(?:[eE][-+]?[0-9][0-9_]*)?")

_yaml11: Any = yaml.resolver.Resolver()


def resolve_plain(text: str) -> Scalar:
    """Return the value of a scalar that is written without quotes and without a tag.

    Args:
        text: The scalar as it stands in the file.

    Returns:
        None, a bool, an int, a float or `text` itself. NaN and the infinities are returned as such; JSON has no form
        for them, so it is up to the caller to refuse them. Integers are exact whatever their size (Kubernetes rounds
        those beyond 64 bits to a float when it decodes them).
    """
    first = text[:1]
    if first in _NUMBER_STARTS:
        return _WORDS[text] if text in _WORDS else _number(text, first)
    if not first or first in _WORD_STARTS:
        return _WORDS.get(text, text)
    return text


def _number(text: str, first: str) -> Scalar:
    try:
        if first == ".":
            return _finite(text, text) if _POINT_FLOAT.fullmatch(text) else text
        # yaml.v2 drops every underscore before it looks at digits.
        plain = text.replace("_", "")
        if _DECIMAL.fullmatch(plain):
            # A decimal that is too large even for a float stays text in Go.
            return text if isinstance(_finite(plain, text), str) else int(plain)
        integer = _prefixed_integer(plain)
        if integer is not None:
            return integer
        return _finite(plain, text) if _FLOAT.fullmatch(plain) else text
    except ValueError:  # misplaced underscores, or more digits than Python converts
        return text


def _prefixed_integer(plain: str) -> int | None:
    match = _PREFIXED.fullmatch(plain)
    if match is None:
        return None
    sign, hexadecimal, hexadecimal_digits, _, octal_digits, _, binary_digits = match.groups()
    if hexadecimal:
        value = int(hexadecimal_digits, 16)
    elif octal_digits:
        value = int(octal_digits, 8)
    else:
        value = int(binary_digits, 2)
    if sign == "-":
        value = -value
    # Go keeps what fits int64, or without a sign uint64; larger ones are text or a decimal.
    if value in _INT64 or (not sign and 0 <= value < _UINT64_END):
        return value
    return None


def _finite(digits: str, text: str) -> int | float | str:
    value = float(digits)
    return text if value in (float("inf"), float("-inf")) else _whole(value)


def _whole(value: float) -> int | float:
    """Turn a whole number of at most 64 bits into an int, by its shortest digits, as Go does on the way over JSON."""
    if not value.is_integer():
        return value
    integer = int(Decimal(repr(value)))
    return integer if integer in _INT64 else value


@lru_cache(maxsize=4096)
def is_ambiguous(text: str) -> bool:
    """Say whether `text` without quotes could be read as something else than this string.

    True when Kubernetes, or a YAML 1.1 parser (the resolver of PyYAML), or a YAML 1.2 parser would make it a number,
    a boolean, a null, a date or a merge key. The numbers of YAML 1.2 are a subset of those of Kubernetes.
    """
    if not isinstance(resolve_plain(text), str):
        return True
    tag = _yaml11.resolve(yaml.ScalarNode, text, (True, False))
    return bool(tag != yaml.resolver.Resolver.DEFAULT_SCALAR_TAG)
