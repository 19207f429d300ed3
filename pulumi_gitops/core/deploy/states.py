# SPDX-License-Identifier: Apache-2.0
"""What an object can be in, and the parts of it that the rules look at."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..objects import KubeObject


class State(enum.StrEnum):
    """kstatus: ``InProgress``, ``Failed``, ``Current`` (= ready), ``Terminating``, ``NotFound``."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What something is stuck in. It has failed when this lasts, but may pass by itself before that.

    Attributes:
        topic: The same topic is the same trouble, though the words may change meanwhile.
        grace: Seconds that it may last without a break.
        reason: A word.
        message: For people.
    """

    topic: str
    grace: float
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of one object, with a short reason (a word) and a message for people.

    Attributes:
        state: The state.
        reason: A word, "" where the state says it all.
        message: For people.
        trouble: Why it will not get any further by itself, as it looks now. The rules know no clock: whoever waits
            lets the grace pass.
    """

    state: State
    reason: str = ""
    message: str = ""
    trouble: Trouble | None = None

    @property
    def ready(self) -> bool:
        """Whether the object is as its spec wants it."""
        return self.state is State.CURRENT

    def __str__(self) -> str:
        return ": ".join(part for part in (self.reason or str(self.state), self.message) if part)


READY = Readiness(State.CURRENT)


def progressing(reason: str, message: str = "", trouble: Trouble | None = None) -> Readiness:
    """Return not ready yet."""
    return Readiness(State.IN_PROGRESS, reason, message, trouble)


def failed(reason: str, message: str = "") -> Readiness:
    """Return failed."""
    return Readiness(State.FAILED, reason, message)


def first_gap(*gaps: tuple[bool, str, str], trouble: Trouble | None = None) -> Readiness:
    """Return the first gap (holds, reason, message) that holds as not ready yet, else ready."""
    for holds, reason, message in gaps:
        if holds:
            return progressing(reason, message, trouble)
    return READY


@dataclass(frozen=True, slots=True)
class View:
    """An object as the rules see it: whatever is missing or of a wrong type is empty.

    Attributes:
        obj: The object itself.
        metadata: Its metadata.
        spec: Its spec.
        status: Its status.
        conditions: ``status.conditions`` by type.
        strict_lb: What gets an address from a load balancer is ready only with it.
        late_binding: A volume claim whose volume comes with the first pod that uses it.
    """

    obj: KubeObject
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    status: Mapping[str, Any]
    conditions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    strict_lb: bool = False
    late_binding: bool = False

    @classmethod
    def of(cls, obj: KubeObject, *, strict_lb: bool = False, late_binding: bool = False) -> View:
        """Return the view of an object."""
        status = mapping(obj.get("status"))
        conditions = {str(c.get("type")): c for c in dicts(status.get("conditions"))}
        metadata, spec = mapping(obj.get("metadata")), mapping(obj.get("spec"))
        return cls(obj, metadata, spec, status, conditions, strict_lb, late_binding)

    @property
    def generation(self) -> int:
        """``metadata.generation``, 0 when there is none."""
        return number(self.metadata, "generation")

    @property
    def observed(self) -> bool:
        """Whether the status is of the newest spec, as far as it tells."""
        value = self.status.get("observedGeneration")
        return value is None or not self.generation or integer(value, self.generation) == self.generation

    def condition(self, name: str) -> Mapping[str, Any]:
        """Return a condition, an empty mapping when there is none."""
        return self.conditions.get(name) or {}

    def says(self, name: str, status: str = "True") -> bool:
        """Tell whether a condition has this status, and is not of an older generation."""
        condition = self.condition(name)
        return condition.get("status") == status and self.is_fresh(condition)

    def is_fresh(self, condition: Mapping[str, Any]) -> bool:
        """Tell whether a condition is of the newest generation, as far as it tells."""
        value = condition.get("observedGeneration")
        return value is None or not self.generation or integer(value, self.generation) >= self.generation


def why(condition: Mapping[str, Any], default: str) -> tuple[str, str]:
    """Return reason and message of a condition."""
    return str(condition.get("reason") or default), str(condition.get("message") or "")


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a dict as it is, anything else as an empty one."""
    return value if isinstance(value, dict) else {}


def dicts(value: Any) -> list[Mapping[str, Any]]:
    """Return the dicts of a list, none for anything else."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def integer(value: Any, default: int = 0) -> int:
    """Return a whole number, also from text (Argo Rollouts writes its observedGeneration so)."""
    if isinstance(value, bool):
        return default
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else default


def number(values: Mapping[str, Any], name: str, default: int = 0) -> int:
    """Return a whole number from a mapping."""
    return integer(values.get(name), default)


def time_of(value: Any) -> dt.datetime | None:
    """Return a timestamp of the API, None when it is none."""
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else None


def written_at(obj: KubeObject, manager: str) -> dt.datetime | None:
    """Return when this manager last changed the object by apply, or when it was created; None when neither is known.

    Both times are the API server's, so they compare with what controllers write, not with this machine's clock.
    """
    metadata = mapping(obj.get("metadata"))
    times = [
        time_of(entry.get("time"))
        for entry in dicts(metadata.get("managedFields"))
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource")
    ]
    known = [found for found in times if found is not None]
    return max(known) if known else time_of(metadata.get("creationTimestamp"))
