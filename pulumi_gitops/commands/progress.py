# SPDX-License-Identifier: Apache-2.0
"""Show progress while a command works: a table on a terminal, a line per object that changes state elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from .ci import on_github, on_gitlab
from .live import LiveTable
from .output import abandon, one_line
from .table import Board

if TYPE_CHECKING:
    from ..core.deploy import Progress


def progress_on(
    stream: TextIO, title: str, environ: Mapping[str, str] | None = None
) -> AbstractContextManager[LiveTable | ProgressLines]:
    """Return what shows progress on a stream: a context manager and progress callback.

    Args:
        stream: Where.
        title: What is done: ``deploy shop/web``.
        environ: Environment variables; those of the process when None.
    """
    env = os.environ if environ is None else environ
    in_place = stream.isatty() and env.get("TERM", "dumb") != "dumb" and not on_github(env) and not on_gitlab(env)
    return LiveTable(stream, title) if in_place else ProgressLines(stream)


class ProgressLines:
    """A line for each object that changes state, with the seconds since the start.

    A state is told apart from the next by its reason: that three of ten pods are ready, and then four, is no line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._board = Board()
        self._told: dict[str, str] = {}
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: each line was complete."""

    def __call__(self, progress: Progress) -> None:
        """Take a step of work in; any thread may call it."""
        message = one_line(progress.message)
        with self._lock:
            now = time.monotonic()
            if progress.phase == "rollback":
                self._told.clear()
            row = self._board.take(progress, message, now)
            if row is not None:
                reason = f"{progress.phase} {row.state.partition(':')[0]}"
                if self._told.get(row.name) == reason:
                    return
                self._told[row.name] = reason
            count = f" {progress.done}/{progress.total}" if progress.total else ""
            self._write(f"[{now - self._began:6.1f} s] {progress.phase}{count}  {message}\n")

    def _write(self, line: str) -> None:
        # Nobody may be reading any more; that must not end a deployment half way.
        try:
            self._stream.write(line)
            self._stream.flush()
        except BrokenPipeError:
            abandon(self._stream)
        except (OSError, ValueError):
            return


def on_stderr(title: str) -> AbstractContextManager[LiveTable | ProgressLines]:
    """Return what shows progress on standard error."""
    return progress_on(sys.stderr, title)
