# SPDX-License-Identifier: Apache-2.0
"""Show what a deployment, a rollback or a removal did."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..core.errors import GitOpsError
from .output import clean, say, say_json

if TYPE_CHECKING:
    from ..core.deploy import Change, DeployResult

_WORDS = {
    "create": ("+", "created"),
    "configure": ("~", "configured"),
    "recreate": ("±", "recreated"),
    "prune": ("-", "pruned"),
    "delete": ("-", "removed"),
    "handed_over": (">", "handed over"),
    "unchanged": ("=", "unchanged"),
}
_FENCE = "~~~~~"
# GitHub takes a megabyte per step; an error with the log lines of twenty objects is far below that.
_LONGEST = 60_000


def show_result(
    args: argparse.Namespace, result: DeployResult, *, headline: str, seconds: float, warnings: Sequence[str] = ()
) -> None:
    """Print a result in the form that the options ask for; warnings go to standard error in text form.

    Args:
        args: Has ``output``, ``namespace`` and ``name``.
        result: What was done.
        headline: First line of the text, without counts.
        seconds: How long it took.
        warnings: More than the result's own.
    """
    everything = [*warnings, *result.warnings]
    if args.output == "json":
        say_json(
            {
                "release": args.name,
                "namespace": args.namespace,
                **result.as_dict(),
                "changed": result.changed,
                "rolled_back_to": result.rolled_back_to,
                "objects": len(result.inventory),
                "seconds": round(seconds, 1),
                "warnings": everything,
            }
        )
        return
    lines = [f"{headline}: {counted(result.changes)} ({seconds:.1f} s)"]
    for change in _told(result.changes):
        sign, word, reason = _cells(change)
        lines.append(f"  {sign} {change.ref}: {word}" + (f" ({reason})" if reason else ""))
    say("\n".join(lines))


def counted(changes: Iterable[Change]) -> str:
    """Return ``2 created, 5 unchanged``."""
    actions = [str(change.action) for change in changes]
    found = [f"{actions.count(action)} {word}" for action, (_, word) in _WORDS.items() if action in actions]
    return ", ".join(found) or "no objects"


def _told(changes: Iterable[Change]) -> list[Change]:
    return [change for change in changes if change.changed or change.reason]


def _cells(change: Change) -> tuple[str, str, str]:
    """Return sign, word and reason; that something is "created first" says nothing any more."""
    action = str(change.action)
    return (*_WORDS.get(action, ("!", action)), "" if action == "create" else change.reason)


def result_as_markdown(headline: str, result: DeployResult, *, seconds: float) -> str:
    """Return a result for the summary of a CI job."""
    from ..core.deploy.report import fitting

    lines = [f"### {headline}", "", f"**{counted(result.changes)}** in {seconds:.1f} s", ""]
    rows = []
    for change in _told(result.changes):
        sign, word, reason = _cells(change)
        rows.append(f"| {sign} | {_escaped(str(change.ref))} | {word} | {_escaped(reason)} |")
    if rows:
        lines += ["| | object | | |", "| --- | --- | --- | --- |", *fitting(rows, _LONGEST, "objects")]
    return "\n".join(lines) + "\n"


def failure_as_markdown(title: str, error: GitOpsError) -> str:
    """Return an error for the summary of a CI job."""
    text = clean("\n".join(part for part in (error.message, error.hint) if part)).replace(_FENCE, "~~~~")
    return f"### {title}: failed\n\n{_FENCE}text\n{text[:_LONGEST]}\n{_FENCE}\n"


def _escaped(text: str) -> str:
    flat = " ".join(clean(text).split())
    for character in ("\\", "|", "`", "*", "<", ">", "[", "]"):
        flat = flat.replace(character, "\\" + character)
    return flat
