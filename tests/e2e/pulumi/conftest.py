# SPDX-License-Identifier: Apache-2.0
"""Run Pulumi programs by the real CLI, engine and language host against the sandbox."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STAND_IN = Path(__file__).resolve().parents[2] / "standins" / "pulumi_resource_kubernetes"


@dataclass
class Stack:
    """A program and its stack in a folder of their own."""

    folder: Path
    env: dict[str, str]

    def program(self, source: str) -> None:
        """Write the program (the imports are there already)."""
        head = "import pulumi\nimport pulumi_gitops as gitops\n"
        (self.folder / "__main__.py").write_text(head + textwrap.dedent(source))

    def pulumi(self, *arguments: str, check: bool = True, stdin: str = "") -> str:
        """Run the CLI and return all of its output."""
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        output = done.stdout + done.stderr
        assert not check or done.returncode == 0, output
        assert check or done.returncode != 0, output
        return output

    def up(self, *, check: bool = True) -> str:
        """Run ``pulumi up`` without the preview that comes before it."""
        return self.pulumi("up", "--yes", "--skip-preview", check=check)

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs."""
        return json.loads(self.pulumi("stack", "output", "--json"))

    def state(self) -> str:
        """Return the state as it is stored."""
        return self.pulumi("stack", "export")


@pytest.fixture
def stack(sandbox, tmp_path: Path) -> Iterator[Stack]:
    """A new stack; what it still holds at the end is destroyed, but for releases, which go with their namespace."""
    from pulumi_gitops.sandbox import bin_dir

    tools = bin_dir(["pulumi", "pulumi-language-python"])
    env = {**os.environ, **sandbox.env()}
    path = [str(Path(sys.executable).parent), str(tools), env["PATH"]]
    if shutil.which("pulumi-resource-kubernetes", path=os.pathsep.join(path)) is None:
        path.insert(0, str(STAND_IN))
    state = tmp_path / "state"
    state.mkdir()
    env |= {
        "PATH": os.pathsep.join(path),
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
    }
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: face\nruntime: python\n")
    made = Stack(folder, env)
    made.pulumi("stack", "init", "test")
    yield made
    held = {entry["type"] for file in state.rglob("stacks/**/*.json") for entry in _resources(file)}
    if held - {"pulumi:pulumi:Stack", "pulumi:providers:gitops", "gitops:index:Release"}:
        destroy = ["pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive"]
        subprocess.run(destroy, cwd=folder, env=env, capture_output=True, timeout=300, check=False)


def _resources(file: Path) -> list[dict[str, Any]]:
    return json.loads(file.read_text())["checkpoint"]["latest"].get("resources") or []
