# SPDX-License-Identifier: Apache-2.0
"""Run Ansible's own programs on the collection as its users and Galaxy do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLLECTION = ROOT / "ansible_collections/iac/gitops"


@pytest.fixture(scope="session")
def clean_path() -> str:
    """A PATH without the shims of Python version managers, which Ansible's programs trip over."""
    git = shutil.which("git")
    assert git
    folders = [Path(sys.executable).parent, Path(sys.base_prefix) / "bin", Path(git).parent, "/usr/bin", "/bin"]
    return os.pathsep.join(dict.fromkeys(map(str, folders)))


@pytest.fixture
def run(clean_path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program with `environment` (None takes a variable away); its output is in ``stdout``."""

    def run(*command, cwd=COLLECTION, expect=0, **environment):
        settings = os.environ | {"PATH": clean_path, "NO_COLOR": "1"} | environment
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd,
            env={name: str(value) for name, value in settings.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=540,
        )
        assert done.returncode == expect, done.stdout
        return done

    return run


@pytest.fixture(scope="session")
def programs() -> Path:
    """Folder of ansible-test, ansible-lint and the like."""
    return Path(sys.executable).parent
