# SPDX-License-Identifier: Apache-2.0
"""Show a plan: as text for a terminal, Markdown for a pull request's comment, JSON for machines. Secrets are masked."""

from __future__ import annotations

import html
import re
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
_LONGEST_COMMENT, _LONGEST_WARNINGS = 60_000, 10_000
_LONGEST_CELL, _LONGEST_LINE = 300, 1000
_FENCE = 5


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
        "warnings": [redact(warning) for warning in plan.warnings],
    }


def _told(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.action is not Action.UNCHANGED or change.reason]


def _entry(change: Change) -> dict[str, Any]:
    entry = change.as_dict()
    if change.reason:
        entry["reason"] = redact(change.reason)
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
        reason = f" ({_line(redact(change.reason))})" if change.reason and not change.conflicts else ""
        lines.append(f"  {_SIGNS[change.action]} {_line(str(change.ref))}: {_word(change.action)}{reason}")
        if fields:
            lines += [f"      {line}" for line in _details(change)]
    lines += [f"warning: {_line(redact(warning))}" for warning in plan.warnings]
    if plan.changed:
        lines.append(f"plan digest {plan.digest}")
    return "\n".join(lines)


def _word(action: Action) -> str:
    return str(action).replace("_", " ")


def _line(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return a text as one line of printable characters: it may come from a manifest or a webhook."""
    flat = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
    return flat if len(flat) <= longest else flat[: longest - 3] + "..."


def _details(change: Change) -> list[str]:
    # Values of fields were masked when they were read; a second look at whole lines would take
    # ".token: + ..." for a credential.
    if change.error is None:
        lines = _some([str(field) for field in change.fields[:_FIELDS]], len(change.fields), "fields")
    else:
        owners = [f"{c.field} is owned by {redact(c.manager)}" for c in change.conflicts[:_CONFLICTS]]
        lines = _some(owners, len(change.conflicts), "conflicts")
        lines += [change.error.hint] if change.error.hint else []
    return [_line(line) for line in lines]


def _some(lines: list[str], total: int, what: str) -> list[str]:
    return [*lines, f"and {total - len(lines)} more {what}"] if total > len(lines) else lines


# --- Markdown --------------------------------------------------------------------------------------------------------


def as_markdown(plan: Plan) -> str:
    """Return a plan as Markdown that fits into the comment of a pull request.

    When it gets too long the fields of the last objects are left out, then objects; it says so.
    """
    head = [f"### Plan for release `{plan.namespace}/{plan.release}`", "", f"**{summary(plan)}**", ""]
    warnings = [f"> warning: {_inline(redact(warning))}" for warning in plan.warnings]
    foot = fitting(warnings, _LONGEST_WARNINGS, "warnings")
    if plan.changed:
        foot += ["", f"Plan digest: `{plan.digest}`"]
    told = _told(plan.changes)
    rows = ["| | object | action | |", "| --- | --- | --- | --- |", *map(_row, told)]
    blocks = [block for block in map(_block, told) if block]
    room = _LONGEST_COMMENT - sum(len(line) + 1 for line in (*head, *foot))
    body = fitting(rows, room, "objects") if told else ["Nothing changes."]
    room -= sum(len(line) + 1 for line in body)
    body += ["", *fitting(blocks, room, "objects with details")] if blocks else []
    return "\n".join([*head, *body, "", *foot]).rstrip() + "\n"


def fitting(parts: Sequence[str], room: int, what: str) -> list[str]:
    """Return as many parts as there is room for, and how many more there are.

    Args:
        parts: Lines or blocks.
        room: Characters.
        what: What they are called.
    """
    room -= 100
    kept: list[str] = []
    for part in parts:
        room -= len(part) + 1
        if room < 0:
            return [*kept, "", f"*and {len(parts) - len(kept)} more {what}*"]
        kept.append(part)
    return kept


def _row(change: Change) -> str:
    count = len(change.conflicts)
    owners = "a field of another manager" if count == 1 else f"{count} fields of other managers"
    reason = owners if count else redact(change.reason)
    return f"| {_SIGNS[change.action]} | {_inline(str(change.ref))} | {_word(change.action)} | {_inline(reason)} |"


def _block(change: Change) -> str:
    details = _details(change)
    if not details:
        return ""
    # A fence longer than any in the text, and HTML where Markdown's own escapes do not count.
    fence = "~" * max(_FENCE, *(len(run) + 1 for line in details for run in re.findall("~+", line) or [""]))
    summary_line = f"<details><summary>{html.escape(_line(str(change.ref), _LONGEST_CELL))}</summary>"
    return "\n".join([summary_line, "", f"{fence}text", *details, fence, "</details>", ""])


def _inline(text: str) -> str:
    """Keep a text in its cell: no line breaks, no markup."""
    flat = _line(text, _LONGEST_CELL)
    for character in "\\|`*_~&<>[]":
        flat = flat.replace(character, "\\" + character)
    return flat
