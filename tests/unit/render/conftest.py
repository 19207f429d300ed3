# SPDX-License-Identifier: Apache-2.0
"""Trees of files, and programs that record how they were started."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

_PROGRAM = """#!{python} -I
import json, os, sys, time
arguments = sys.argv[1:]
if "version" in arguments:
    print({version!r})
    raise SystemExit
with open({record!r}, "w") as record:
    json.dump({{"argv": sys.argv, "env": dict(os.environ), "stdin": sys.stdin.read()}}, record)
sys.stdout.write({stdout!r})
sys.stderr.write({stderr!r})
sys.stdout.flush()
sys.stderr.flush()
time.sleep({seconds!r})
raise SystemExit({returncode!r})
"""


@dataclass(frozen=True)
class Program:
    """A stand-in for helm, kustomize or kubectl."""

    path: Path
    record: Path

    @property
    def was_started(self) -> bool:
        return self.record.exists()

    def run(self) -> dict:
        return json.loads(self.record.read_text())


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Program]:
    """Make a program with a name, a version, an output and an exit code."""

    def make(
        name: str,
        version: str,
        stdout: str = "",
        *,
        stderr: str = "",
        returncode: int = 0,
        seconds: float = 0,
        folder: Path | None = None,
    ) -> Program:
        path = (folder or tmp_path / "bin") / name
        path.parent.mkdir(exist_ok=True)
        record = path.with_suffix(".json")
        values = {"version": version, "stdout": stdout, "stderr": stderr, "returncode": returncode, "seconds": seconds}
        path.write_text(_PROGRAM.format(python=sys.executable, record=str(record), **values))
        path.chmod(0o755)
        return Program(path, record)

    return make
