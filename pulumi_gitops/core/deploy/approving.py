# SPDX-License-Identifier: Apache-2.0
"""Approval of plans: one stage makes a plan file, a person approves it, a later stage deploys exactly that.

Fails closed: what can not be checked counts as not approved.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import ApprovalMissingError, InputError, PlanMovedError, SourceUnavailableError
from .fingerprint import ABSENT, plan_digest
from .model import Plan, PlannedObject
from .record import now
from .spec import Approval

_FORMAT = 1
_OF_OBJECT = ("key", "action", "sent", "live")
# Seconds by which the clocks of the machine that plans and of the one that deploys may differ.
_CLOCKS_APART = 300


def check_approval(approval: Approval, release: str, digest: str, objects: Iterable[PlannedObject]) -> None:
    """Check that a plan may be carried out.

    Args:
        approval: What was approved, and what is needed.
        release: ``namespace/name``.
        digest: Digest of the plan that is about to be carried out.
        objects: What the digest is made of.

    Raises:
        ApprovalMissingError: An approval is needed and missing, or too old.
        PlanMovedError: Something else was approved, or something moved since; says what.
    """
    if approval.required and not (approval.plan_digest and approval.approved_by.strip()):
        missing = "a plan (plan_file or plan_digest)" if not approval.plan_digest else "a name (approved_by)"
        raise ApprovalMissingError(
            f"release {release} is deployed only with an approval, which lacks {missing}",
            hint="Make a plan, have it approved, and deploy with plan_file and approved_by.",
            details={"plan_digest": digest},
        )
    if approval.plan_digest and approval.max_age:
        _check_age(approval, release)
    if approval.release and approval.release != release:
        raise PlanMovedError(
            f"the plan was made for release {approval.release}, not for {release}", hint="Use the plan of this release."
        )
    if not approval.plan_digest or approval.plan_digest == digest:
        return
    moved = _moved(approval, objects)
    text = "".join(f"\n- {line}" for line in moved[:20]) + (
        f"\n- and {len(moved) - 20} more" if len(moved) > 20 else ""
    )
    raise PlanMovedError(
        f"release {release}: the plan of now is not the approved one{text}",
        hint="Make a new plan and have it approved."
        + ("" if approval.objects else " Deploy with plan_file to be told what moved: a digest alone does not say."),
        details={"approved": approval.plan_digest, "plan_digest": digest, "moved": moved},
    )


def _check_age(approval: Approval, release: str) -> None:
    try:
        age = (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(approval.created)).total_seconds()
    except (ValueError, TypeError) as error:
        raise ApprovalMissingError(
            f"release {release}: the approved plan does not tell when it was made, which approval_max_age needs",
            hint="Deploy with plan_file; a digest alone has no age.",
        ) from error
    if age < -_CLOCKS_APART:
        raise ApprovalMissingError(
            f"release {release}: the approved plan was made in the future, at {approval.created}",
            hint="Check the clocks of both machines, or make a new plan and have it approved.",
            details={"age": round(age), "approval_max_age": approval.max_age},
        )
    if not age <= approval.max_age:  # so that a limit that is not a number allows nothing
        raise ApprovalMissingError(
            f"release {release}: the approved plan is {age:.0f} s old, {approval.max_age:.0f} are allowed",
            hint="Make a new plan and have it approved.",
            details={"age": round(age), "approval_max_age": approval.max_age},
        )


def _moved(approval: Approval, objects: Iterable[PlannedObject]) -> list[str]:
    """Return for each object what is not as it was when the plan was approved."""
    if not approval.objects:
        return []
    now_planned = {o.key: (o.action, o.sent, o.live) for o in objects}
    lines = []
    for key in sorted({*approval.objects, *now_planned}):
        then, today = approval.objects.get(key), now_planned.get(key)
        if then == today:
            continue
        if then is None:
            lines.append(f"{key}: was not in the plan")
        elif today is None:
            lines.append(f"{key}: was in the plan ({then[0]}) and is not any more")
        else:
            lines.append(f"{key}: {_what_moved(then, today)}")
    return lines


def _what_moved(then: tuple[str, str, str], today: tuple[str, str, str]) -> str:
    parts = []
    if then[0] != today[0]:
        parts.append(f"{then[0]} became {today[0]}")
    if then[1] != today[1] and then[1] and today[1]:
        parts.append("what would be sent differs")
    if then[2] != today[2]:
        if ABSENT in (then[2], today[2]):
            parts.append("it was created meanwhile" if then[2] == ABSENT else "it was deleted meanwhile")
        elif then[2] and today[2]:
            parts.append("it changed in the cluster meanwhile")
    return ", ".join(parts) or "differs"


# --- plan files ------------------------------------------------------------------------------------------------------


def plan_file(plan: Plan) -> dict[str, Any]:
    """Return the content of a plan file: digests and actions, no manifest and no secret."""
    return {
        "format": _FORMAT,
        "tool": f"pulumi-gitops/{__version__}",
        "created": now(),
        "release": plan.release,
        "namespace": plan.namespace,
        "revision": plan.revision,
        "digest": plan.digest,
        "set_digest": plan.set_digest,
        "objects": [{name: getattr(o, name) for name in _OF_OBJECT} for o in plan.objects],
    }


def write_plan_file(plan: Plan, path: str | Path) -> None:
    """Write a plan file, readable for its owner only.

    Raises:
        InputError: It can not be written.
    """
    try:
        file = Path(path)
        file.touch(mode=0o600)
        file.write_text(json.dumps(plan_file(plan), indent=1) + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"the plan file {path} can not be written: {reason}") from error


def read_plan_file(
    path: str | Path, *, required: bool = False, approved_by: str = "", max_age: float = 0.0
) -> Approval:
    """Return the approval that a plan file stands for.

    Args:
        path: The file.
        required: See :class:`.spec.Approval`.
        approved_by: Who approved it.
        max_age: Seconds for which it holds; 0 for ever.

    Raises:
        SourceUnavailableError: It can not be read.
        InputError: It is not a plan file, or not as it was made.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SourceUnavailableError(
            f"the plan file {path} can not be read: {reason}", hint="Hand it over from the stage that made the plan."
        ) from error
    try:
        content = json.loads(text)
        if content["format"] != _FORMAT:
            raise InputError(
                f"the plan file {path} has format {content['format']}, this version reads {_FORMAT}",
                hint="Make plan and deployment with the same version.",
            )
        objects = [PlannedObject(*(str(o[name]) for name in _OF_OBJECT)) for o in content["objects"]]
        release = f"{content['namespace']}/{content['release']}"
        digest, created = str(content["digest"]), str(content["created"])
        intact = digest == plan_digest(objects)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not a plan file", hint="It is made by the module or command plan.") from error
    if not intact:
        raise InputError(
            f"the plan file {path} is damaged, or was changed after it was made: its digest is not that of its objects",
            hint="Hand it over as the stage that made the plan wrote it, or make a new plan and have it approved.",
        )
    return Approval(
        plan_digest=digest,
        objects={o.key: (o.action, o.sent, o.live) for o in objects},
        release=release,
        created=created,
        required=required,
        approved_by=approved_by,
        max_age=max_age,
    )
