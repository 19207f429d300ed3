# SPDX-License-Identifier: Apache-2.0
"""Run the tools that a user would run: ansible-playbook and the Pulumi CLI."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ProcessError, SandboxError
from ..core.process import run
from ..core.redact import redact

Say = Callable[[str], None]
_GRACE_SECONDS = 20.0
_UNATTENDED = ("--yes", "--skip-preview", "--non-interactive", "--color", "never")
# What users export for their own projects: it would lead the faces to other clusters, stacks and settings.
_NOT_FOR_US = ("ANSIBLE_", "K8S_AUTH_", "PULUMI_")
# Where a clone keeps the stand-in for pulumi-resource-kubernetes; an installed wheel has none.
_STAND_IN = Path(__file__).resolve().parents[2] / "tests" / "standins" / "pulumi_resource_kubernetes"


def stream(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, say: Say, stdin: str = "") -> None:
    """Run a program and pass its output on line by line. After Ctrl-C it gets some time to end its own work.

    Raises:
        ProcessError: It can not be started, or it failed; what it said has been passed on.
    """
    name = Path(argv[0]).name
    try:
        # In a session of its own: it gets one interrupt, from us. The second one, which a terminal would add, makes
        # the Pulumi CLI end at once and leave the programs behind that it has started.
        process = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as e:
        raise ProcessError(f"{name} can not be started: {e.strerror or e}") from e
    with process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # it has ended before it read anything; its exit code tells why
                process.stdin.write(stdin)
                process.stdin.close()
            for line in process.stdout:
                if line.strip():
                    say(redact(line.rstrip()))
            process.wait()
        except BaseException:
            _interrupt(process, name, say)
            raise
    if process.returncode != 0:
        raise ProcessError(f"{name} failed with exit code {process.returncode}", hint="What it said is above.")


def _interrupt(process: subprocess.Popen[str], name: str, say: Say) -> None:
    """Interrupt a program, which ends what it has started; kill what of its group has not ended after a while."""
    process.stdin = None
    try:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.send_signal(signal.SIGINT)
            say(f"interrupted; waiting for {name} to end ...")
            # Nobody wants to see its tracebacks, but they have to be read: a full pipe would keep it from ending.
            process.communicate(timeout=_GRACE_SECONDS)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


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
        if self.program.exists():
            self._pulumi("destroy", *_UNATTENDED, say=say)

    def pulumi_up(self, config: Mapping[str, str], secrets: Mapping[str, str], *, say: Say) -> dict[str, Any]:
        """Run ``pulumi up`` on the demo's program and return the stack's outputs."""
        if not self.program.exists():
            shutil.copytree(Path(__file__).parent / "program", self.program)
            self._pulumi("stack", "select", "--create", "demo", say=lambda _: None)
            for package in ("gitops", "kubernetes") if self.context else ():
                self._pulumi("config", "set", f"{package}:context", self.context, say=say)
        for key, value in config.items():
            self._pulumi("config", "set", key, value, say=say)
        for key, value in secrets.items():
            # By standard input: argv can be read by everybody on the machine.
            self._pulumi("config", "set", "--secret", key, say=say, stdin=value)
        self._pulumi("up", *_UNATTENDED, say=say)
        shown = run([self._cli(), "stack", "output", "--json"], timeout=60, env=self._pulumi_env(), cwd=self.program)
        outputs: dict[str, Any] = json.loads(shown.stdout)
        return outputs

    @property
    def program(self) -> Path:
        """Folder of the Pulumi program; it is made by the first update."""
        return self.folder / "program"

    def _pulumi(self, *arguments: str, say: Say, stdin: str = "") -> None:
        stream([self._cli(), *arguments], env=self._pulumi_env(), cwd=self.program, say=say, stdin=stdin)

    def _cli(self) -> str:
        pulumi = shutil.which("pulumi", path=self.env["PATH"])
        if pulumi is None:
            raise SandboxError("the Pulumi CLI is not on PATH", hint="Run: pulumi-gitops sandbox build pulumi")
        return pulumi

    def _pulumi_env(self) -> dict[str, str]:
        env = {
            **self.env,
            **self._own_stack(),
            "PULUMI_HOME": str(self.folder / "pulumi-home"),
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        }
        if self.uses_stand_in:
            if not _STAND_IN.is_dir():
                raise SandboxError(
                    "the demo needs pulumi-resource-kubernetes for its wiring components",
                    hint="Install the plugin (pulumi plugin install resource kubernetes) and put it on PATH, or run "
                    "the demo from a clone, which brings a stand-in for it.",
                )
            env["PATH"] = f"{_STAND_IN}{os.pathsep}{env['PATH']}"
        return env

    def _own_stack(self) -> dict[str, str]:
        state = self.folder / "pulumi-state"
        state.mkdir(mode=0o700, exist_ok=True)
        return {"PULUMI_BACKEND_URL": state.as_uri(), "PULUMI_CONFIG_PASSPHRASE": "demo"}

    @property
    def assignments(self) -> str:
        """The variables that lead a shell's ``pulumi`` to the demo's stack, as one writes them before a command."""
        path = [*([str(_STAND_IN)] if self.uses_stand_in else []), str(Path(sys.executable).parent)]
        path.append(str(Path(self._cli()).parent))
        given = {**self._own_stack(), "PATH": os.pathsep.join(path)}
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items()) + f"{os.pathsep}$PATH"

    @property
    def uses_stand_in(self) -> bool:
        """Whether the stand-in takes the place of pulumi-resource-kubernetes."""
        return shutil.which("pulumi-resource-kubernetes", path=self.env["PATH"]) is None


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment for the faces, without the user's own settings for them, plus `extra`."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PULUMI_GITOPS_") or not name.startswith(_NOT_FOR_US)
    }
    return ours | dict(extra)


def _beside_python(name: str) -> str:
    """Return a script of the running environment, else whatever PATH has."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name
