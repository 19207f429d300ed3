# SPDX-License-Identifier: Apache-2.0
"""The live table as values and text: what is known of each object, and the lines that show it on a screen."""

from __future__ import annotations

import enum
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..core.deploy import Progress

# The words of kstatus, kubelet and controllers for what seldom gets well by itself. A wrong guess here moves a row up
# or down; what has failed is decided by the engine.
_TROUBLE = re.compile(
    r"(?i)fail|error|\berr|backoff|unschedulable|exceeded|oom|denied|rejected|invalid|degraded|stalled|lost|deleted|replaced"
)
_DONE = {"create": "created", "configure": "configured", "recreate": "recreated"}
_SIGNS = "!.+"
_LEAST_NAME = 20
_GAP = "  "


class Rank(enum.IntEnum):
    """How interesting a row is, the most interesting first."""

    FAILING = 0
    WAITING = 1
    DONE = 2


_WORDS = {Rank.FAILING: "failing", Rank.WAITING: "waiting", Rank.DONE: "done"}


@dataclass(frozen=True, slots=True)
class Row:
    """One object.

    Attributes:
        name: ``Deployment shop/web``.
        state: In words.
        rank: How interesting it is.
        since: When it was first heard of, by a monotonic clock.
        until: When it was done; None while it is not.
    """

    name: str
    state: str
    rank: Rank
    since: float
    until: float | None = None

    def seconds(self, now: float) -> float:
        """Return how long it has taken."""
        return max((now if self.until is None else self.until) - self.since, 0.0)


@dataclass(slots=True)
class Board:
    """What progress has told so far.

    Attributes:
        rows: Object -> row.
        phase: What is going on: ``apply``, ``wait``, ...
        done: Objects through it.
        total: Objects in it.
        note: The last message that was about no object.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    phase: str = ""
    done: int = 0
    total: int = 0
    note: str = ""

    def take(self, progress: Progress, message: str, now: float) -> Row | None:
        """Take one step of work in.

        Args:
            progress: The step.
            message: Its message as it may be shown: one line, without secrets.
            now: The time.

        Returns:
            The row of the object that it was about.
        """
        if progress.phase == "rollback":
            self.rows.clear()  # what is said from here on is about the objects of another revision
        self.phase, self.done, self.total = progress.phase, progress.done, progress.total
        if progress.ref is None:
            self.note = message
            return None
        name = str(progress.ref)
        state, rank = _state(progress.phase, name, message)
        known = self.rows.get(name)
        row = Row(name, state, rank, known.since if known else now, now if rank is Rank.DONE else None)
        if known and known.rank is rank is Rank.DONE:
            row = replace(row, until=known.until)
        self.rows[name] = row
        return row


def _state(phase: str, name: str, message: str) -> tuple[str, Rank]:
    if phase == "apply":
        word = message.partition(" ")[0]
        return _DONE.get(word, word), Rank.DONE
    state = message.removeprefix(f"{name}: ")
    if state == "ready":
        return state, Rank.DONE
    return state, Rank.FAILING if _TROUBLE.search(state) else Rank.WAITING


# --- lines for a screen ----------------------------------------------------------------------------------------------


def screen(rows: Iterable[Row], *, title: str, note: str = "", width: int, height: int, now: float) -> list[str]:
    """Return the lines that show rows on a screen: never wider, and one line less than it is high.

    Args:
        rows: The rows; those that fail come first, then those that are waited for longest.
        title: First line.
        note: Second line, if there is room.
        width: Columns of the screen.
        height: Lines of the screen.
        now: The time.
    """
    room = max(height - 1, 1)
    # Terminals differ in what they do at the last column: it stays empty.
    columns = max(width - 1, 1)
    lines = [title, *([f"  {note}"] if note and room > 3 else [])]
    ordered = sorted(rows, key=lambda row: (row.rank, row.since if row.until is None else -row.until, row.name))
    free = room - len(lines)
    if len(ordered) > free:
        ordered, rest = ordered[: max(free - 1, 0)], ordered[max(free - 1, 0) :]
        last = [f"  {_rest(rest, more=bool(ordered))}"] if free else []
    else:
        last = []
    lines += [*_table(ordered, columns, now), *last]
    return [_cut(line, columns) for line in lines]


def _rest(rows: Sequence[Row], *, more: bool) -> str:
    counted = Counter(row.rank for row in rows)
    listed = ", ".join(f"{counted[rank]} {word}" for rank, word in _WORDS.items() if counted[rank])
    return f"and {len(rows)} more: {listed}" if more else listed


def _table(rows: Sequence[Row], columns: int, now: float) -> list[str]:
    if not rows:
        return []
    seconds = [f"{row.seconds(now):.0f} s" for row in rows]
    last = max(map(len, seconds))
    longest = max(_cells(row.name) for row in rows)
    name = min(longest, max(_LEAST_NAME, columns * 2 // 5))
    room = max(columns - 2 - name - last - 2 * len(_GAP), 0)
    state = min(max(_cells(row.state) for row in rows), room)
    return [
        f"{_SIGNS[row.rank]} {_padded(row.name, name)}{_GAP}{_padded(row.state, state)}{_GAP}{took:>{last}}"
        for row, took in zip(rows, seconds, strict=True)
    ]


def _cells(text: str) -> int:
    """Return how many columns a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cut(text: str, columns: int) -> str:
    """Return a text that takes at most so many columns; three dots stand for what is missing."""
    if _cells(text) <= columns:
        return text
    dots = "..." if columns > 3 else ""
    used, kept = len(dots), ""
    for character in text:
        used += _width(character)
        if used > columns:
            break
        kept += character
    return kept + dots


def _padded(text: str, columns: int) -> str:
    text = _cut(text, columns)
    return text + " " * (columns - _cells(text))
