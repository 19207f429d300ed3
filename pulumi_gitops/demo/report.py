# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: steps as they happen, and a table of them at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO


@dataclass(slots=True)
class Step:
    """One step: which face did it, what came out, how long it took (seconds)."""

    title: str
    face: str
    result: str = ""
    seconds: float = 0.0


@dataclass(slots=True)
class Report:
    """Announces steps and remembers them.

    Attributes:
        out: Where to print.
        steps: The steps so far.
    """

    out: TextIO = field(default_factory=lambda: sys.stdout)
    steps: list[Step] = field(default_factory=list)

    @contextmanager
    def step(self, title: str, face: str) -> Iterator[Step]:
        """Announce a step, time it, and print its result, which the body sets. A step that fails says so."""
        self.say(f"\n[{len(self.steps) + 1}] {title}  ({face})")
        step = Step(title, face)
        started = time.monotonic()
        try:
            yield step
        except KeyboardInterrupt:
            step.result = "interrupted"
            raise
        except BaseException:
            step.result = "FAILED"
            raise
        finally:
            step.seconds = time.monotonic() - started
            self.steps.append(step)
        self.say(f"    -> {step.result}  ({step.seconds:.1f} s)")

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=self.out, flush=True)  # the demo's purpose

    def detail(self, text: str) -> None:
        """Print what belongs to the running step, indented."""
        for line in text.rstrip().splitlines():
            self.say(f"    {line}")

    def table(self) -> str:
        """Return the table of all steps."""
        rows = [("step", "face", "result", "seconds")]
        rows += [(step.title, step.face, step.result, f"{step.seconds:.1f}") for step in self.steps]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return "\n".join(
            f" {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  {row[2]:<{widths[2]}}  {row[3]:>{widths[3]}}"
            for row in rows
        )
