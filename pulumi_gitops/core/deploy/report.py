# SPDX-License-Identifier: Apache-2.0
"""Show a plan: as text for a terminal, Markdown for a pull request's comment, JSON for machines. Secrets are masked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..redact import redact
from .model import Action, Change, Plan

_SIGNS = {
    Action.CREATE: "+",
    Action.CONFIGURE: "~",
    Action.RECREATE: "±",
    Action.PRUNE: "-",
    Action.DELETE: "-",
    Action.HANDED_OVER: ">",
    Action.CONFLICT: "!",
    Action.BLOCKED: "!",
    Action.UNCHANGED: "=",
}
_FIELDS, _CONFLICTS = 20, 10
# A comment of GitHub has at most 65,536 characters, one of GitLab a million; leave room for what stands around it.
_LONGEST_COMMENT = 60_000


def as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON: every object that is not unchanged, with what changes in it, and counts."""
    return {
        "release": plan.release,
        "namespace": plan.namespace,
        "revision": plan.revision,
        "digest": plan.digest,
        "set_digest": plan.set_digest,
        "changed": plan.changed,
        "refused": len(plan.refused),
        "counts": plan.counts(),
        "changes": [_entry(change) for change in _told(plan.changes)],
        "warnings": list(plan.warnings),
    }


def _told(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.action is not Action.UNCHANGED or change.reason]


def _entry(change: Change) -> dict[str, Any]:
    entry = change.as_dict()
    fields = change.fields
    if fields:
        entry["fields"] = [field.as_dict() for field in fields]
    if change.error is not None:
        entry["error"] = {"code": change.error.code, "message": change.error.message, "hint": change.error.hint}
    return entry


# --- text ------------------------------------------------------------------------------------------------------------


def summary(plan: Plan) -> str:
    """Return one line: ``2 to create, 1 to configure, 5 unchanged``."""
    words = {
        Action.CREATE: "to create",
        Action.CONFIGURE: "to configure",
        Action.RECREATE: "to recreate",
        Action.PRUNE: "to prune",
        Action.DELETE: "to delete",
        Action.CONFLICT: "in conflict",
        Action.BLOCKED: "blocked",
        Action.HANDED_OVER: "handed over",
        Action.UNCHANGED: "unchanged",
    }
    found = plan.counts()
    return ", ".join(f"{found[action]} {word}" for action, word in words.items() if found.get(action)) or "no objects"


def as_text(plan: Plan, *, fields: bool = True) -> str:
    """Return a plan as lines for a terminal.

    Args:
        plan: The plan.
        fields: Show what changes in each object, field by field.
    """
    lines = [f"release {plan.namespace}/{plan.release}: {summary(plan)}"]
    for change in _told(plan.changes):
        reason = f" ({change.reason})" if change.reason and not change.conflicts else ""
        lines.append(f"  {_SIGNS[change.action]} {change.ref}: {_word(change.action)}{reason}")
        if fields:
            lines += [f"      {line}" for line in _details(change)]
    lines += [f"warning: {warning}" for warning in plan.warnings]
    if plan.changed:
        lines.append(f"plan digest {plan.digest}")
    return redact("\n".join(lines))


def _word(action: Action) -> str:
    return str(action).replace("_", " ")


def _details(change: Change) -> list[str]:
    lines = [f"{c.field} is owned by {c.manager}" for c in change.conflicts[:_CONFLICTS]]
    if change.error is None:
        shown = change.fields
        lines += [str(field) for field in shown[:_FIELDS]]
        if len(shown) > _FIELDS:
            lines.append(f"and {len(shown) - _FIELDS} more fields")
    elif change.error.hint:
        lines.append(change.error.hint)
    return lines


# --- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(plan: Plan) -> str:
    """Return a plan as Markdown that fits into the comment of a pull request.

    When it gets too long the fields of the last objects are left out, then objects; it says so.
    """
    head = [f"### Plan for release `{plan.namespace}/{plan.release}`", "", f"**{summary(plan)}**", ""]
    foot = [f"> warning: {_inline(warning)}" for warning in plan.warnings]
    if plan.changed:
        foot += ["", f"Plan digest: `{plan.digest}`"]
    told = _told(plan.changes)
    rows = ["| | object | action | |", "| --- | --- | --- | --- |", *map(_row, told)]
    blocks = [block for block in map(_block, told) if block]
    room = _LONGEST_COMMENT - sum(len(line) + 1 for line in (*head, *foot))
    body = _fitting(rows, room, "objects") if told else ["Nothing changes."]
    room -= sum(len(line) + 1 for line in body)
    body += ["", *_fitting(blocks, room, "objects with details")] if blocks else []
    return redact("\n".join([*head, *body, "", *foot]).rstrip() + "\n")


def _fitting(parts: Sequence[str], room: int, what: str) -> list[str]:
    room -= 100
    kept: list[str] = []
    for part in parts:
        room -= len(part) + 1
        if room < 0:
            return [*kept, "", f"*and {len(parts) - len(kept)} more {what}*"]
        kept.append(part)
    return kept


def _row(change: Change) -> str:
    reason = f"{len(change.conflicts)} fields of other managers" if change.conflicts else change.reason
    return f"| {_SIGNS[change.action]} | {_inline(str(change.ref))} | {_word(change.action)} | {_inline(reason)} |"


def _block(change: Change) -> str:
    details = _details(change)
    if not details:
        return ""
    # A fence longer than any that the text may hold.
    summary_line = f"<details><summary>{_inline(str(change.ref))}</summary>"
    return "\n".join([summary_line, "", "~~~~~text", *details, "~~~~~", "</details>", ""])


def _inline(text: str) -> str:
    """Keep a text in its cell: no line breaks, no markup."""
    flat = " ".join(text.split())
    for character in ("\\", "|", "`", "*", "<", ">", "[", "]"):
        flat = flat.replace(character, "\\" + character)
    return flat


def as_diffs(changes: Iterable[Change]) -> list[dict[str, str]]:
    """Return one entry per changed object, as Ansible shows differences."""
    return [change.diff() for change in changes if change.changed or change.error is not None]
