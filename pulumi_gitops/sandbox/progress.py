# SPDX-License-Identifier: Apache-2.0
"""Shows how a build that takes minutes gets on."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_PLAIN_SECONDS = 30.0
"""A CI system takes a log without new lines for a hanging job."""


class BuildProgress:
    """Progress of building tools: a line that is refreshed on a terminal, plain lines elsewhere.

    Nothing is written before the first :meth:`begin`.

    Args:
        stream: Where to write; standard error by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._what = self._doing = ""
        self._began = self._written = 0.0

    def begin(self, title: str, index: int, total: int) -> None:
        """Say that a tool is now being built: the `index`-th (from 1) of `total`."""
        if index == 1:
            self._line("The tools of the sandbox are built once; all of them take about 20 minutes on two cores.")
        self._what = f"{title} ({index} of {total})"
        self._began = time.monotonic()
        self._show("building")

    def tick(self, doing: str = "building") -> None:
        """Refresh the display; to be called about every second. `doing` says what goes on, at once when it changes."""
        if self._terminal or doing != self._doing or time.monotonic() - self._written >= _PLAIN_SECONDS:
            self._show(doing)

    def end(self, outcome: str) -> None:
        """Say how it came out: ``built``, ``found`` ..."""
        self._line(f"{outcome} {self._what}, {self._elapsed()}")

    def _show(self, doing: str) -> None:
        self._doing = doing
        text = f"{doing} {self._what}, {self._elapsed()}"
        if not self._terminal:
            self._line(text)
            return
        self._stream.write(f"\r\x1b[2K{text}")
        self._stream.flush()

    def _line(self, text: str) -> None:
        self._stream.write(f"\r\x1b[2K{text}\n" if self._terminal else f"{text}\n")
        self._stream.flush()
        self._written = time.monotonic()

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
