# SPDX-License-Identifier: Apache-2.0
"""Run playbooks as users do: ansible-playbook as a process of its own, on the sandbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.e2e.ansible.playbooks import Played

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@pytest.fixture
def ansible(sandbox, tmp_path) -> Callable[..., Played]:
    """Run a playbook: a list of tasks, or the full name of one that the collection brings.

    Keyword arguments: `expect` is the exit code, `play` adds to the play, `environment` to the environment (None takes
    away), all others are extra variables. Connections go to the sandbox.
    """
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_", "ANSIBLE_", "GIT_"))}
    settings |= {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callbacks"),
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connections"),
        "ANSIBLE_CALLBACKS_ENABLED": "results",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "KUBECONFIG": str(sandbox.kubeconfig),
        "RESULTS": str(tmp_path / "results"),
    }

    (tmp_path / "ansible.cfg").touch()

    def run(playbook, *arguments, expect=0, play=None, environment=None, **variables):
        (tmp_path / "results").write_text("")
        if not isinstance(playbook, str):
            content = {"hosts": "localhost", "gather_facts": False, **(play or {}), "tasks": playbook}
            (tmp_path / "playbook.yml").write_text(yaml.safe_dump([content], sort_keys=False))
            playbook = "playbook.yml"
        (tmp_path / "variables.json").write_text(json.dumps(variables))
        done = subprocess.run(
            [sys.executable, "-m", "ansible.cli.playbook", playbook, "-e", "@variables.json", *arguments],
            cwd=tmp_path,
            env={name: value for name, value in (settings | (environment or {})).items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=400,
        )
        assert done.returncode == expect, done.stdout
        lines = map(json.loads, (tmp_path / "results").read_text().splitlines())
        return Played(done.stdout, tuple((line["task"], line["result"]) for line in lines))

    return run
