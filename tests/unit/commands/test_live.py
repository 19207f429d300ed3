# SPDX-License-Identifier: Apache-2.0
"""The table on a real (pseudo) terminal: redrawn in place, within its height, and nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import threading

import pytest

from pulumi_gitops.commands.live import LiveTable
from pulumi_gitops.core.deploy import Progress
from pulumi_gitops.core.objects import ObjectRef

WIDTH, HEIGHT = 60, 8
_PART = re.compile(r"\x1b\[(\d*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


class Screen:
    """Shows what a terminal would: it knows line feeds, going up, and clearing what is below the cursor."""

    def __init__(self, before=()):
        self.lines = [*before, ""]
        self.row = len(self.lines) - 1
        self.highest = 0
        self.sequences = set()

    def show(self, text):
        column = 0
        for part in _PART.finditer(text):
            if part[2]:
                self.sequences.add(part[2])
            if part[2] == "A":
                self.row -= int(part[1] or 1)
            elif part[2] == "J":
                self.lines[self.row :] = [self.lines[self.row][:column]]
            elif part[0] == "\r":
                column = 0
            elif part[0] == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            else:
                line = self.lines[self.row]
                self.lines[self.row] = line[:column] + part[0] + line[column + len(part[0]) :]
                column += len(part[0])
            assert self.row >= 0, "it went up into what stood there before"
            self.highest = max(self.highest, len(self.lines))


class Pty:
    """A pseudo terminal, and everything that was written to it."""

    def __init__(self):
        self.master, slave = os.openpty()
        self.resize(WIDTH, HEIGHT, slave)
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self._text = b""
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def resize(self, width, height, handle):
        fcntl.ioctl(handle, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def _read(self):
        with contextlib.suppress(OSError):  # the end of a terminal is an error
            while data := os.read(self.master, 4096):
                with self._news:
                    self._text += data
                    self._news.notify_all()

    def wait_for(self, pattern):
        with self._news:
            seen = self._news.wait_for(lambda: re.search(pattern, self._text.decode(errors="replace")), timeout=30)
            assert seen, self._text

    def end(self):
        """Close the terminal's side of programs; returns what was written."""
        with contextlib.suppress(OSError):
            self.stream.close()
        self._thread.join(30)
        os.close(self.master)
        return self._text.decode()


@pytest.fixture
def pty():
    return Pty()


def told(number, state, phase="wait"):
    ref = ObjectRef("", "v1", "Pod", "shop", f"pod-{number}")
    return Progress(phase, f"{ref}: {state}", 0, 0, ref)


def test_the_table_is_redrawn_in_place_and_wiped_when_all_went_well(pty):
    with LiveTable(pty.stream, "deploy shop/shop") as table:
        table(told(1, "Pending"))
        pty.wait_for("Pending")
        table(told(1, "ready"))
        pty.wait_for("ready")
    screen = Screen(before=["$ pulumi-gitops deploy shop"])
    screen.show(pty.end())
    assert screen.lines == ["$ pulumi-gitops deploy shop", ""]


def test_a_table_of_many_objects_stays_within_the_terminal(pty):
    with LiveTable(pty.stream, "deploy shop/shop") as table:
        for number in range(50):
            table(told(number, "Pending: " + "x" * 100))
        table(told(50, "CrashLoopBackOff"))
        pty.wait_for("CrashLoopBackOff")
    screen = Screen()
    screen.show(pty.end())
    assert screen.highest <= HEIGHT
    assert screen.sequences == {"A", "J"}, "modes of the terminal were changed, which a kill would leave so"


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError])
def test_what_ends_early_leaves_the_last_state_of_things_and_the_cursor_on_a_line_of_its_own(pty, end):
    with contextlib.suppress(end), LiveTable(pty.stream, "deploy shop/shop") as table:
        table(told(1, "Pending"))
        pty.wait_for("Pending")
        table(told(1, "CrashLoopBackOff: exit code 1"))
        raise end
    screen = Screen()
    screen.show(pty.end())
    title, row, cursor = screen.lines
    assert title.startswith("deploy shop/shop  wait")
    assert row.startswith("! Pod shop/pod-1  CrashLoopBackOff: exit code 1")
    assert cursor == ""


def test_seconds_count_up_while_nothing_happens(pty):
    with LiveTable(pty.stream, "deploy shop/shop") as table:
        table(told(1, "Pending"))
        pty.wait_for(r"Pending  [1-9]\d* s")
    pty.end()


def test_a_window_that_gets_smaller_is_noticed(pty):
    with LiveTable(pty.stream, "deploy shop/shop") as table:
        table(told(1, "Pending: abc"))
        pty.wait_for("Pending: abc")
        pty.resize(30, HEIGHT, pty.master)
        table(told(1, "ImagePullBackOff: " + "x" * 40))
        pty.wait_for(r"! Pod shop/pod-1  Im\w+\.\.\.  \d+ s\r")
    pty.end()


def test_a_terminal_that_has_gone_does_not_stop_the_work(pty):
    os.close(pty.master)
    with LiveTable(pty.stream, "deploy shop/shop") as table:
        for number in range(3):
            table(told(number, "Pending"))
    with contextlib.suppress(OSError):
        pty.stream.close()


def test_a_terminal_that_does_not_know_its_size_gets_a_table(pty):
    pty.resize(0, 0, pty.master)
    with LiveTable(pty.stream, "deploy shop/shop") as table:
        table(told(1, "Pending"))
        pty.wait_for("Pod shop/pod-1  Pending")
    pty.end()


_PROGRAM = """
import signal, sys
from pulumi_gitops.commands.working import working
from pulumi_gitops.core.deploy import Progress
from pulumi_gitops.core.objects import ObjectRef
ref = ObjectRef("", "v1", "Pod", "shop", "pod-1")
with working("deploy shop/shop") as progress:
    progress(Progress("wait", f"{ref}: Pending", 0, 1, ref))
    signal.pause()
"""


def test_a_job_that_is_cancelled_ends_with_143_and_leaves_the_terminal_as_it_was(pty):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    before = termios.tcgetattr(pty.stream.fileno())
    with subprocess.Popen([sys.executable, "-c", _PROGRAM], env=env, stderr=pty.stream) as process:
        pty.wait_for("Pending")
        process.terminate()
        assert process.wait(30) == 143
    assert termios.tcgetattr(pty.stream.fileno()) == before
    screen = Screen()
    screen.show(pty.end())
    assert screen.lines[1].startswith(". Pod shop/pod-1  Pending")
    assert screen.lines[-1] == ""
    assert "Traceback" not in "".join(screen.lines)
