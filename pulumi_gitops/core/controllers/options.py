# SPDX-License-Identifier: Apache-2.0
"""Options that only one controller has."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..errors import InputError
from . import catalog


def refuse_others(spec: Any, controller: str, *, hint: str = "Leave it out.", **only: tuple[str, ...]) -> None:
    """Refuse what is given of the options that only other controllers have.

    Args:
        spec: A dataclass with the options.
        controller: The controller that it is for.
        hint: What to do.
        only: Controller -> options that only it has.

    Raises:
        InputError: Names the options.
    """
    foreign = {name for other, names in only.items() if other != controller for name in names}
    given = [
        item.name
        for item in dataclasses.fields(spec)
        if item.name in foreign and getattr(spec, item.name) != _default(item)
    ]
    if given:
        title = catalog.controller(controller).title
        raise InputError(f"{title} has no option {', '.join(given)}", hint=hint, details={"property": given[0]})


def _default(item: dataclasses.Field[Any]) -> Any:
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
