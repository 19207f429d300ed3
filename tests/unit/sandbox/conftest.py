# SPDX-License-Identifier: Apache-2.0
"""A machine with nothing on it but what a test puts there, and a compiler that does what a test wants."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

PYTHON = sys.executable

FAKE_GO = """\
#!{python} -IS
import json, os, sys, time
from pathlib import Path

folder = Path({folder!r})
arguments = sys.argv[1:]
if arguments == ["version"]:
    sys.exit(print("go version go1.26.6 linux/amd64"))
with (folder / "calls").open("a") as file:
    file.write(json.dumps({{"arguments": arguments, "env": dict(os.environ), "pid": os.getpid()}}) + "\\n")
if arguments[0] == "list":
    sys.exit(print(folder / "module"))
if arguments[:2] == ["mod", "download"]:
    print("go: no modules today", file=sys.stderr)
    sys.exit(print((folder / "modules").read_text()))
output = Path(arguments[arguments.index("-o") + 1])

def wait_for(name):
    while folder.exists() and not (folder / name).exists():
        time.sleep(0.02)

{build}
"""


class FakeGo:
    """A `go` that builds what it is told, and notes how it was called.

    In the Python code that stands for a build, `output` is the wanted file, `folder` is ours, and `wait_for` waits for
    a file in it.
    """

    def __init__(self, bin_folder: Path, folder: Path) -> None:
        self.folder = folder
        self._bin = bin_folder
        self.builds("output.write_text(arguments[-1])")

    def builds(self, code):
        script = self._bin / "go"
        script.write_text(FAKE_GO.format(python=PYTHON, folder=str(self.folder), build=code))
        script.chmod(0o755)

    @property
    def calls(self):
        """All calls but those for the version."""
        file = self.folder / "calls"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def packages(self):
        """What was built, in order."""
        return [call["arguments"][-1] for call in self.calls if call["arguments"][0] == "build"]


class Machine:
    """Folders of a machine without any tools: `bin` is the search path, `python_bin` where Python itself is."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.python_bin = root / "venv" / "bin"
        self.cache = root / "cache"

    def add(self, name, version, *, folder=None, exit_code=0):
        """Put a program there that prints a version."""
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{version}'\nexit {exit_code}\n")
        path.chmod(0o755)
        return path


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine without tools, and an empty cache."""
    machine = Machine(tmp_path)
    machine.bin.mkdir()
    monkeypatch.setenv("PATH", str(machine.bin))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("PULUMI_GITOPS_CACHE", str(machine.cache))
    monkeypatch.setattr(sys, "executable", str(machine.python_bin / "python"))
    return machine


@pytest.fixture
def go(machine):
    """A `go` on the search path; a build of it that still waits at the end of the test may go on and finish."""
    folder = machine.root / "go"
    folder.mkdir()
    yield FakeGo(machine.bin, folder)
    (folder / "release").touch()
