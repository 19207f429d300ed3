# SPDX-License-Identifier: Apache-2.0
"""What a custom resource has to do, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from ...core.cluster import Cluster
from ...core.deploy import Progress
from ...core.errors import GitOpsError
from ..values import has_unknown

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What the servicer hands to a resource.

    Attributes:
        name: Name of the resource in the program.
        connect: Opens a connection to the configured cluster; the caller closes it.
        progress: Shows a step in the engine's Info column.
    """

    name: str
    connect: Callable[[], Cluster]
    progress: Callable[[Progress], None]


class PartialFailureError(Exception):
    """Something was changed before it failed: the state is kept, and the next update tries again.

    Args:
        identity: Id of the resource.
        outputs: What is known of it.
        cause: Why it failed.
    """

    def __init__(self, identity: str, outputs: Values, cause: GitOpsError) -> None:
        super().__init__(str(cause))
        self.identity, self.outputs, self.cause = identity, outputs, cause


class Resource(Protocol):
    """One kind of custom resource. Values are plain, with the names of the schema.

    Attributes:
        outputs: Properties that only creating or updating can tell.
        replaces: Inputs whose change means another resource.
        represented: Inputs that need no comparison of their own: another one (``objects``) tells what they lead to.
        keyed: Inputs that are maps and are compared entry by entry.
        ignored: Inputs that never make a difference.
    """

    outputs: ClassVar[tuple[str, ...]]
    replaces: ClassVar[frozenset[str]]
    represented: ClassVar[frozenset[str]]
    keyed: ClassVar[frozenset[str]]
    ignored: ClassVar[frozenset[str]]

    def secret_inputs(self, inputs: Values) -> frozenset[str]:
        """Return the names of inputs that are secret, whatever the program says."""
        ...

    def check(self, inputs: Values, context: Context) -> Values:
        """Return the inputs with defaults and derived values; may hold unknowns (InputError: not valid)."""
        ...

    def create(self, inputs: Values, context: Context) -> tuple[str, Values]:
        """Create it and return its id and outputs (PartialFailureError: begun, but not completed)."""
        ...

    def update(self, identity: str, inputs: Values, state: Values, context: Context) -> Values:
        """Bring it to the inputs and return the outputs (PartialFailureError: begun, but not completed)."""
        ...

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Return inputs and outputs as they are in the world, None when it is gone."""
        ...

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Remove it."""
        ...


ADD, UPDATE, DELETE = "add", "update", "delete"


def differences(resource: Resource, old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    """Return property path -> ``add``, ``update`` or ``delete``.

    Args:
        resource: Which rules hold.
        old: Inputs of the last update (or as read since).
        new: Checked inputs of now; an unknown value counts as an update.
    """
    found: dict[str, str] = {}
    skipped = resource.ignored | resource.represented
    for name in sorted({*old, *new} - skipped):
        if name in resource.keyed and isinstance(old.get(name, {}), dict) and isinstance(new.get(name, {}), dict):
            before, after = old.get(name, {}), new.get(name, {})
            found.update({f'{name}["{key}"]': kind for key, kind in _changes(before, after).items()})
        else:
            found.update(
                _changes({k: v for k, v in old.items() if k == name}, {k: v for k, v in new.items() if k == name})
            )
    return found


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, str]:
    found = {}
    for key in sorted({*old, *new}):
        if key not in old:
            found[key] = ADD
        elif key not in new:
            found[key] = DELETE
        elif has_unknown(new[key]) or old[key] != new[key]:
            found[key] = UPDATE
    return found


def option(values: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return an input, or its default when it is absent."""
    value = values.get(name)
    return default if value is None else value
