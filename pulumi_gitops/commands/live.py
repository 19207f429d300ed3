# SPDX-License-Identifier: Apache-2.0
"""A table that is redrawn in place on a terminal.

It moves the cursor up and clears what is below, and leaves all modes of the terminal alone: whatever ends the process,
there is nothing to restore but the line that the cursor is on.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from .output import one_line
from .table import Board, screen

if TYPE_CHECKING:
    from ..core.deploy import Progress

_TICK_SECONDS = 1.0
# Between two frames, however much happens: a terminal over a slow line has to keep up.
_FRAME_SECONDS = 0.1
_CLEAR_BELOW = "\r\x1b[J"

Size = Callable[[], tuple[int, int]]
"""Returns columns and lines of the terminal; asked for each frame, since windows change."""


class LiveTable:
    """Shows what happens to each object, most interesting first, and never more than the terminal has room for.

    When all went well the table is wiped: the result follows. Otherwise the last state of things stays.

    Args:
        stream: The terminal.
        title: What is done.
        size: Size of the terminal.
    """

    def __init__(self, stream: TextIO, title: str, size: Size | None = None) -> None:
        self._stream, self._title = stream, title
        self._size = size or (lambda: _size_of(stream))
        self._board = Board()
        self._began = time.monotonic()
        self._drawn = 0
        self._lock = threading.Lock()
        self._news, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._redraw, daemon=True, name="gitops-table")

    def __enter__(self) -> Self:
        """Start to draw."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop drawing; wipe the table unless the work ended early."""
        self._stop.set()
        self._news.set()
        self._thread.join()
        self._draw(wipe=kind is None)

    def __call__(self, progress: Progress) -> None:
        """Take a step of work in; any thread may call it."""
        message = one_line(progress.message)
        with self._lock:
            self._board.take(progress, message, time.monotonic())
        self._news.set()

    def _redraw(self) -> None:
        while not self._stop.is_set():
            self._draw()
            self._stop.wait(_FRAME_SECONDS)
            self._news.wait(_TICK_SECONDS)
            self._news.clear()

    def _draw(self, *, wipe: bool = False) -> None:
        now = time.monotonic()
        with self._lock:
            board, rows = self._board, list(self._board.rows.values())
            count = f" {board.done}/{board.total}" if board.total else ""
            title = f"{self._title}  {board.phase}{count}  {now - self._began:.0f} s"
            note = board.note
        width, height = self._size()
        lines = [] if wipe else screen(rows, title=title, note=note, width=width, height=height, now=now)
        up = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._drawn = len(lines)
        # The terminal may be gone; that must not end a deployment half way.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(up + _CLEAR_BELOW + "".join(f"{line}\n" for line in lines))
            self._stream.flush()


def _size_of(stream: TextIO) -> tuple[int, int]:
    try:
        width, height = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return width or 80, height or 24  # a terminal that nobody has told its size says 0
