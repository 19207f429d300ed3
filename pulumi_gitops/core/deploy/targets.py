# SPDX-License-Identifier: Apache-2.0
"""What to wait for, and what a wait returns: values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..objects import CRD_GROUP, KubeObject, ObjectRef, uid_of
from .readiness import State, may_change_by_itself, readiness
from .wait_for import WaitFor, annotated, skips_await


@dataclass(frozen=True, slots=True)
class Target:
    """An object to wait for.

    Attributes:
        ref: Which.
        generation: At least this generation counts.
        uid: Only the object of this UID counts; "" for whatever has the name.
        wait_for: What has to hold, in place of the rule of its kind.
        skip: It counts as ready at once.
    """

    ref: ObjectRef
    generation: int = 0
    uid: str = ""
    wait_for: tuple[WaitFor, ...] = ()
    skip: bool = False

    @classmethod
    def of(cls, obj: KubeObject) -> Target:
        """Return the target for an object as applied, with what its annotations ask for.

        Raises:
            InputError: The annotation ``pulumi.com/waitFor`` can not be read.
        """
        generation = int((obj.get("metadata") or {}).get("generation") or 0)
        return cls(ObjectRef.of(obj), generation, uid_of(obj), annotated(obj), skips_await(obj))


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """What a wait found out about one object.

    Attributes:
        ref: Which.
        state: Its state.
        reason: A word, where the state does not say it all.
        message: For people.
        seconds: From the start of the wait until it was ready for the last time.
    """

    ref: ObjectRef
    state: State
    reason: str = ""
    message: str = ""
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "object": str(self.ref),
            "state": str(self.state),
            "reason": self.reason,
            "message": self.message,
            "seconds": round(self.seconds, 1),
        }


def all_ready(objects: Iterable[KubeObject], *, wait_for: Sequence[WaitFor] = (), strict_lb: bool = False) -> bool:
    """Tell whether objects that were read right now are all ready.

    Args:
        objects: The objects.
        wait_for: See :func:`.waiting.wait_ready`.
        strict_lb: See :func:`.waiting.wait_ready`.

    Raises:
        InputError: An expression can not be read, or it is not clear what it is about.
    """
    listed = list(objects)
    targets = with_expressions([Target.of(obj) for obj in listed], wait_for)
    return all(
        target.skip or readiness(obj, wait_for=target.wait_for, strict_lb=strict_lb).ready
        for target, obj in zip(targets, listed, strict=True)
    )


def expressions_for(wait_for: Sequence[WaitFor], refs: Sequence[ObjectRef]) -> dict[str, tuple[WaitFor, ...]]:
    """Return which expressions apply to which objects (by key).

    One that names no kind applies to all objects that can change by themselves, CRDs and Namespaces aside, and
    Services and Ingresses only where nothing else can; they have to be of one kind.

    Raises:
        InputError: An expression applies to no object, or it is not clear to which.
    """
    found: dict[str, tuple[WaitFor, ...]] = {}
    for expression in wait_for:
        meant = [ref for ref in refs if expression.applies_to(ref)]
        if not expression.kind:
            meant = [ref for ref in meant if may_change_by_itself(ref, strict_lb=True) and not _is_definition(ref)]
            # Beside a workload a Service is rarely what is meant, alone it is.
            meant = [ref for ref in meant if may_change_by_itself(ref)] or meant
        kinds = sorted({ref.kind for ref in meant})
        if not meant:
            some = ", ".join(str(ref) for ref in refs[:5]) or "nothing"
            raise InputError(
                f"wait_for {expression.as_input()}: no object of the set is meant",
                hint=f"Check kind, name and namespace; the set has {some}{', ...' if len(refs) > 5 else ''}.",
            )
        if not expression.kind and len(kinds) > 1:
            raise InputError(
                f"wait_for {expression}: it could be about {', '.join(kinds)}",
                hint=f"Say which: {{kind: {kinds[0]}, name: ..., {str(expression).replace('=', ': ', 1)}}}.",
            )
        for ref in meant:
            found[ref.key] = (*found.get(ref.key, ()), expression)
    return found


def _is_definition(ref: ObjectRef) -> bool:
    return ref.group_kind in ("Namespace", f"{CRD_GROUP}/CustomResourceDefinition")


def with_expressions(targets: Sequence[Target], wait_for: Sequence[WaitFor]) -> list[Target]:
    """Return the targets with the expressions that apply to them; these are awaited whatever their annotations say.

    Raises:
        InputError: See :func:`expressions_for`.
    """
    asked = expressions_for(wait_for, [target.ref for target in targets])
    return [
        dataclasses.replace(target, wait_for=(*target.wait_for, *asked[target.ref.key]), skip=False)
        if target.ref.key in asked
        else target
        for target in targets
    ]
