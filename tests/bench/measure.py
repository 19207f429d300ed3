# SPDX-License-Identifier: Apache-2.0
"""Run a command and tell what it took: wall and CPU seconds, peak memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_LAUNCH = Path(__file__).with_name("launch.py")
_TAIL_LINES = 15
LONGEST_SECONDS = 1800.0


class ToolFailedError(Exception):
    """A tool ended with an exit code that means failure, or did not do what it was told to."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program with its arguments, environment and folder, and the exit codes that mean success."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(repr=False)
    folder: Path
    success: Sequence[int] = (0,)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process, its children included, took.

    Attributes:
        wall: Seconds from its start to its end.
        cpu: Seconds of CPU, of all processes together.
        memory: Peak of bytes in RAM, of the largest of the processes.
        ended: ``time.monotonic()`` at its end.
        output: What it printed.
    """

    wall: float
    cpu: float
    memory: int
    ended: float
    output: str = field(repr=False, default="")


def measure(command: Command) -> Usage:
    """Run a command to its end.

    Raises:
        ToolFailedError: It failed, or took longer than `LONGEST_SECONDS`; with the last lines of its output.
    """
    log = command.folder / "output.log"
    launched = subprocess.run(
        [sys.executable, "-I", "-S", str(_LAUNCH), str(log), str(LONGEST_SECONDS), *command.argv],
        env=dict(command.env), cwd=command.folder, stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    taken = json.loads(launched.stdout)
    output = log.read_text(errors="replace")
    if taken["returncode"] not in command.success:
        tail = "\n".join(output.splitlines()[-_TAIL_LINES:])
        raise ToolFailedError(f"{Path(command.argv[0]).name} ended with {taken['returncode']}:\n{tail}")
    return Usage(taken["wall"], taken["cpu"], taken["memory"], taken["ended"], output)
