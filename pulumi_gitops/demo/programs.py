# SPDX-License-Identifier: Apache-2.0
"""Run the tools that a user would run: ansible-playbook and the Pulumi CLI."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import ProcessError, SandboxError
from ..core.redact import redact

Say = Callable[[str], None]
_TAIL = 25
# Where a clone keeps the stand-in for pulumi-resource-kubernetes; an installed wheel has none.
_STAND_IN = Path(__file__).resolve().parents[2] / "tests" / "standins" / "pulumi_resource_kubernetes"


def stream(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, say: Say, stdin: str = "") -> None:
    """Run a program and pass its output on line by line.

    Raises:
        ProcessError: It failed; with the last lines of its output.
    """
    with subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(stdin)
            process.stdin.close()
            tail: list[str] = []
            for line in process.stdout:
                clean = redact(line.rstrip())
                tail = [*tail[-_TAIL:], clean]
                if clean.strip():
                    say(clean)
        except KeyboardInterrupt:
            # The terminal has sent the signal to it as well; give it the time to end its own work.
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
            raise
    if process.returncode != 0:
        name = Path(argv[0]).name
        raise ProcessError(f"{name} failed with exit code {process.returncode}", hint="Its last lines are above.")


@dataclass(frozen=True, slots=True)
class Tools:
    """The environment in which both faces run.

    Attributes:
        env: Environment variables, KUBECONFIG and PATH included.
        folder: Private folder of the demo, for Pulumi's state.
        context: Context of the kubeconfig, "" for its current one.
    """

    env: dict[str, str]
    folder: Path
    context: str = ""

    def playbook(self, name: str, variables: Mapping[str, Any], *, say: Say) -> None:
        """Run a playbook of the collection with extra variables."""
        collections = Path(__file__).resolve().parents[2]
        env = {
            **self.env,
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        }
        given = {**variables, **({"context": self.context} if self.context else {})}
        stream([_beside_python("ansible-playbook"), name, "-e", json.dumps(given)], env=env, cwd=self.folder, say=say)

    def pulumi_destroy(self, *, say: Say) -> None:
        """Run ``pulumi destroy``, if there was an update."""
        program, env = self.folder / "program", self._pulumi_env()
        pulumi = shutil.which("pulumi", path=env["PATH"])
        if program.exists() and pulumi is not None:
            argv = [pulumi, "destroy", "--yes", "--skip-preview", "--non-interactive", "--color", "never"]
            stream(argv, env=env, cwd=program, say=say)

    def pulumi_up(self, config: Mapping[str, str], secrets: Mapping[str, str], *, say: Say) -> dict[str, Any]:
        """Run ``pulumi up`` on the demo's program and return the stack's outputs."""
        program = self.folder / "program"
        if not program.exists():
            shutil.copytree(Path(__file__).parent / "program", program)
        env = self._pulumi_env()
        pulumi = shutil.which("pulumi", path=env["PATH"])
        if pulumi is None:
            raise SandboxError("the Pulumi CLI is not on PATH", hint="Run: pulumi-gitops sandbox build pulumi")
        run = partial(stream, env=env, cwd=program)
        run([pulumi, "stack", "select", "--create", "demo"], say=lambda _: None)
        for key, value in config.items():
            run([pulumi, "config", "set", key, value], say=say)
        for key, value in secrets.items():
            # By standard input: argv can be read by everybody on the machine.
            run([pulumi, "config", "set", "--secret", key], say=say, stdin=value)
        run([pulumi, "up", "--yes", "--skip-preview", "--non-interactive", "--color", "never"], say=say)
        answer = subprocess.run(
            [pulumi, "stack", "output", "--json"], env=env, cwd=program, capture_output=True, text=True, check=True
        )
        outputs: dict[str, Any] = json.loads(answer.stdout)
        return outputs

    def _pulumi_env(self) -> dict[str, str]:
        state = self.folder / "pulumi-state"
        state.mkdir(mode=0o700, exist_ok=True)
        env = {
            **self.env,
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "demo",
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        }
        if shutil.which("pulumi-resource-kubernetes", path=env["PATH"]) is None:
            if not _STAND_IN.is_dir():
                raise SandboxError(
                    "the demo needs pulumi-resource-kubernetes for its wiring components",
                    hint="Install the plugin (pulumi plugin install resource kubernetes) and put it on PATH, or run "
                    "the demo from a clone, which brings a stand-in for it.",
                )
            env["PATH"] = f"{_STAND_IN}{os.pathsep}{env['PATH']}"
        return env

    @property
    def uses_stand_in(self) -> bool:
        """Whether the stand-in takes the place of pulumi-resource-kubernetes."""
        return shutil.which("pulumi-resource-kubernetes", path=self.env["PATH"]) is None


def _beside_python(name: str) -> str:
    """Return a script of the running environment, else whatever PATH has."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name
