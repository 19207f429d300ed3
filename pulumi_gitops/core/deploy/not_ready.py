# SPDX-License-Identifier: Apache-2.0
"""The error that ends a wait: each object that is not ready, why, and what was found out about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..cluster import Cluster
from ..errors import GitOpsError, NotReadyError
from ..objects import ObjectRef
from ..redact import redact
from .diagnosis import Diagnosis, examine
from .parallel import each
from .states import Readiness, State

# Objects that are examined; the rest is counted.
_REPORTED = 20
_LONGEST_MESSAGE = 1000


@dataclass(frozen=True, slots=True)
class Unready:
    """An object that is not ready, with its state."""

    ref: ObjectRef
    state: Readiness


def not_ready(cluster: Cluster, unready: Sequence[Unready], *, what: str, total: int) -> NotReadyError:
    """Return the error about objects that are not ready; failed ones come first.

    Args:
        cluster: Where, to find out more about them.
        unready: The objects.
        what: What is wrong with them: ``failed``, ``not ready after 60 s``.
        total: How many objects were waited for.
    """
    ordered = sorted(unready, key=lambda entry: entry.state.state is not State.FAILED)
    reported = ordered[:_REPORTED]
    diagnoses = each(lambda entry: examine(cluster, None, entry.ref), reported)
    lines: list[str] = []
    details: list[dict[str, Any]] = []
    for entry, answer in zip(reported, diagnoses, strict=True):
        diagnosis = Diagnosis() if isinstance(answer, GitOpsError) else answer
        state = redact(str(entry.state))[:_LONGEST_MESSAGE]
        lines += [f"- {entry.ref}: {state}", *(f"    {finding}" for finding in diagnosis.findings)]
        details.append(
            {
                "object": str(entry.ref),
                "kind": entry.ref.kind,
                "namespace": entry.ref.namespace,
                "name": entry.ref.name,
                "state": str(entry.state.state),
                "reason": entry.state.reason,
                "message": redact(entry.state.message)[:_LONGEST_MESSAGE],
                **diagnosis.as_dict(),
            }
        )
    if len(ordered) > len(reported):
        lines.append(f"- and {len(ordered) - len(reported)} more")
    return NotReadyError(
        f"{len(ordered)} of {total} objects {what}:\n" + "\n".join(lines),
        hint="Correct the cause and run again; what was applied stays in place until then.",
        details={"objects": details},
    )
