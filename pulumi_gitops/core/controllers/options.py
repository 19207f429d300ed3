# SPDX-License-Identifier: Apache-2.0
"""Options that not every controller has, or not every kind of what is wired."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from ..errors import InputError
from . import catalog


def refuse_others(spec: Any, controller: str, *, hint: str = "Leave it out.", **only: tuple[str, ...]) -> None:
    """Refuse what is given of the options that only other controllers have.

    Args:
        spec: A dataclass with the options.
        controller: The controller that it is for.
        hint: What to do.
        only: Controller -> options that it has, and not all others.

    Raises:
        InputError: Names the options.
    """
    foreign = {name for names in only.values() for name in names} - set(only.get(controller, ()))
    refuse(spec, foreign, catalog.controller(controller).title, hint=hint)


def refuse(spec: Any, names: Collection[str], what: str, *, hint: str = "Leave it out.") -> None:
    """Refuse options that are given.

    Args:
        spec: A dataclass with the options.
        names: The options that it must not have.
        what: What has no such options.
        hint: What to do.

    Raises:
        InputError: Names the options.
    """
    given = [
        item.name
        for item in dataclasses.fields(spec)
        if item.name in names and not _is_default(getattr(spec, item.name), item)
    ]
    if given:
        raise InputError(f"{what} has no option {', '.join(given)}", hint=hint, details={"property": given[0]})


def _is_default(value: Any, item: dataclasses.Field[Any]) -> bool:
    """Tell whether an option is as if it was left out; an empty list is, where the default is an empty tuple."""
    default = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    if isinstance(default, Collection) and isinstance(value, Collection) and not default:
        return not value
    return bool(value == default)
