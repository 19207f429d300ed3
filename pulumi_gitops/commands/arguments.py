# SPDX-License-Identifier: Apache-2.0
"""Kinds of arguments: how a text of the command line becomes a value, or a complaint that names it."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Any

_EXPRESSIONS = ("condition=", "jsonpath=")


class _AddPair(argparse.Action):
    """Collects pairs in a dict; a key that is given twice is an error."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse says what an action is given
        namespace: argparse.Namespace,
        values: Any,
        option: str | None = None,  # noqa: ARG002
    ) -> None:
        key, value = values
        pairs = dict(getattr(namespace, self.dest, None) or {})
        if key in pairs:
            raise argparse.ArgumentError(self, f"{key} is given twice")
        setattr(namespace, self.dest, {**pairs, key: value})


def add_pairs(
    group: argparse._ActionsContainer,
    option: str,
    dest: str,
    metavar: str,
    text: str,
    value_of: Callable[[str], Any] = str,
) -> None:
    """Add an option that may be repeated, with a key and a value each time."""

    def pair(given: str) -> tuple[str, Any]:
        key, equals, value = given.partition("=")
        if not key or not equals:
            raise argparse.ArgumentTypeError(f"{given!r} is not of the form {metavar}")
        return key, value_of(value)

    group.add_argument(option, dest=dest, metavar=metavar, type=pair, action=_AddPair, help=f"{text} (repeatable)")


def add_flag(group: argparse._ActionsContainer, option: str, text: str) -> None:
    """Add an option that is true when it is given."""
    group.add_argument(option, action="store_true", default=argparse.SUPPRESS, help=text)


def add_switch(group: argparse._ActionsContainer, option: str, text: str) -> None:
    """Add an option and its opposite, ``--wait`` and ``--no-wait``."""
    group.add_argument(option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)


def path(given: str) -> str:
    """Read a path; the content of a kubeconfig, which the engine would take too, must not be an argument."""
    if "\n" in given:
        raise argparse.ArgumentTypeError("a path is expected; the process list shows what stands here to everybody")
    return given


def number(given: str) -> int:
    """Read a whole number."""
    try:
        return int(given)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number") from error


def count(given: str) -> int:
    """Read a whole number from 0."""
    value = number(given)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{given} is less than 0")
    return value


def revision(given: str) -> int:
    """Read the number of a revision."""
    value = number(given)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{given} is not the number of a revision")
    return value


def seconds(given: str) -> float:
    """Read a number of seconds."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{given!r} is not a number of seconds")
    return value


def expression(given: str) -> str | dict[str, str]:
    """Turn ``Kind:EXPR``, ``Kind/name:EXPR``, ``Kind/namespace/name:EXPR`` into the mapping that the engine knows."""
    target, colon, condition = given.partition(":")
    if given.startswith(_EXPRESSIONS) or not colon or not condition.startswith(_EXPRESSIONS):
        return given  # whatever else it is, the engine says what is wrong with it
    form, _, rest = condition.partition("=")
    kind, *place = target.split("/")
    if len(place) > 2 or not all((kind, *place)):
        raise argparse.ArgumentTypeError(f"{target!r} is none of Kind, Kind/name and Kind/namespace/name")
    return {"kind": kind, **dict(zip(("name", "namespace"), reversed(place), strict=False)), form: rest}
