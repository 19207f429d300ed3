# SPDX-License-Identifier: Apache-2.0
"""What a custom resource has to do, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from ...core.cluster import Cluster
from ...core.deploy import Progress
from ...core.errors import GitOpsError
from ..values import Path, has_unknown

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What the servicer hands to a resource.

    Attributes:
        name: Name of the resource in the program.
        connect: Opens a connection to the configured cluster; the caller closes it.
        progress: Shows a step in the engine's Info column.
        warn: Shows a warning under the resource.
        info: Shows a message under the resource.
    """

    name: str
    connect: Callable[[], Cluster]
    progress: Callable[[Progress], None]
    warn: Callable[[str], None]
    info: Callable[[str], None]


class PartialFailureError(Exception):
    """Something is there, but not as it should be: the state is kept, and the next update tries again.

    Args:
        outputs: What is known of it.
        cause: Why it failed.
        inputs: With :meth:`Resource.read`: the inputs as they are in the world.
    """

    def __init__(self, outputs: Values, cause: GitOpsError, inputs: Values | None = None) -> None:
        super().__init__(str(cause))
        self.outputs, self.cause, self.inputs = outputs, cause, inputs


class Resource(Protocol):
    """One kind of custom resource. Values are plain, with the names of the schema.

    Attributes:
        outputs: Properties that only creating or updating can tell.
        replaces: Inputs whose change means another resource.
        keyed: Inputs that are maps and are compared entry by entry.
        ignored: Inputs that make no difference by themselves: settings of how to work, credentials, and what another
            input (``objects``) tells in more detail.
        resumable: Whether an interrupted creation left something behind that the next update continues.
    """

    outputs: ClassVar[tuple[str, ...]]
    replaces: ClassVar[frozenset[str]]
    keyed: ClassVar[frozenset[str]]
    ignored: ClassVar[frozenset[str]]
    resumable: ClassVar[bool]

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Return where in the inputs secrets stand, whatever the program says."""
        ...

    def check(self, inputs: Values, context: Context) -> Values:
        """Return the inputs, valid by the schema, with defaults and derived values (InputError: not valid).

        Inputs may hold unknowns; what derives from them is unknown.
        """
        ...

    def compared(self, old: Values, new: Values) -> tuple[Values, Values]:
        """Return what :func:`differences` compares.

        Args:
            old: Inputs of the last update (or as read since), with ``objects`` as they are deployed.
            new: Checked inputs of now.
        """
        ...

    def preview(self, inputs: Values, context: Context) -> Values:
        """Return the outputs that are known before it is created or updated; warn of what would fail."""
        ...

    def identity(self, inputs: Values) -> str:
        """Return its id."""
        ...

    def create(self, inputs: Values, context: Context) -> Values:
        """Create it and return its outputs (PartialFailureError: begun, but not completed)."""
        ...

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Bring it to the inputs and return the outputs (PartialFailureError: begun, but not completed)."""
        ...

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Return inputs and outputs as they are in the world, None when it is gone. An import gives the id only.

        PartialFailureError: It is there, but its last creation or update failed.
        """
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
    names = {*old, *new} - resource.ignored
    for name in sorted(names & resource.keyed):
        before, after = old.get(name, {}), new.get(name, {})
        if isinstance(before, dict) and isinstance(after, dict):
            found.update({f'{name}["{key}"]': kind for key, kind in _changes(before, after).items()})
            names.remove(name)
    rest = [{name: values[name] for name in names & set(values)} for values in (old, new)]
    return found | _changes(*rest)


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
