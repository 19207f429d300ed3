# SPDX-License-Identifier: Apache-2.0
"""Start, find and stop sandboxes."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..core import redact
from ..core.errors import InputError, SandboxError
from . import control_plane, gitserver, hosting, startup, state
from .argocd_host import ARGOCD, SERVER, check_folder
from .builder import bin_dir, find_or_build, seed_manifests, tool_path
from .flux_host import FLUX, RECEIVERS
from .flux_manifests import flux_manifest
from .flux_operator_host import FLUX_OPERATOR
from .follower import CONTROLLERS
from .processes import ProcessId, direct, kill, kill_all, marked, memory_bytes, spawn
from .progress import BuildProgress
from .state import State
from .weave_host import API, WEAVE_GITOPS

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_MOST_NODES = 100


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """A process of a sandbox: its name, its number, and whether it runs."""

    name: str
    pid: int
    alive: bool


class Sandbox:
    """A running control plane with a Git server, all on 127.0.0.1.

    Made by :meth:`start` or :meth:`find`. As a context manager it is stopped at the end, and nothing of it is left.
    """

    def __init__(self, record: State) -> None:
        self._state = record
        redact.register(*record.tokens.values())

    @classmethod
    def start(
        cls,
        name: str | None = None,
        *,
        nodes: int = 1,
        argocd: bool = False,
        flux: bool = False,
        weave_gitops: bool = False,
        flux_operator: bool = False,
        detach: bool = False,
        progress: BuildProgress | None = None,
    ) -> Self:
        """Start a sandbox and wait until it can be used: nodes ready, service accounts made.

        Sandboxes whose owner was killed are cleaned away first.

        Args:
            name: Lower-case letters, digits and dashes; a random one when None.
            nodes: Number of simulated nodes.
            argocd: Start Argo CD's processes when its manifests are installed, in any namespace; stop them when they
                are removed. Installs nothing itself.
            flux: The same for Flux: its source-, kustomize-, helm- and notification-controller.
            weave_gitops: The same for the server of Weave GitOps.
            flux_operator: The same for Flux Operator; `flux` is needed for the Flux that it installs.
            detach: Go on after this process has ended, until :meth:`stop`. Otherwise the sandbox belongs to this
                process: should it be killed, the next start or stop of any sandbox cleans up.
            progress: Display for building tools that are not in the cache yet; on standard error when None.

        Raises:
            InputError: `name` or `nodes` is not valid.
            SandboxError: It is up already, or something can not be built or started.
        """
        name = name or f"tmp-{secrets.token_hex(4)}"
        if not _NAME.fullmatch(name):
            raise InputError(
                f"{name!r} can not be the name of a sandbox", hint="Lower-case letters, digits and dashes, at most 40."
            )
        if not 1 <= nodes <= _MOST_NODES:
            raise InputError(f"a sandbox has 1 to {_MOST_NODES} nodes, not {nodes}")
        if argocd:
            check_folder(state.root() / name)
        asked = {
            ARGOCD.name: argocd,
            FLUX.name: flux,
            WEAVE_GITOPS.name: weave_gitops,
            FLUX_OPERATOR.name: flux_operator,
        }
        binaries = find_or_build(_binaries(name for name, wanted in asked.items() if wanted), progress=progress)
        seed_manifests()
        if flux:
            flux_manifest(progress=progress)
        record = _claim(name, nodes, asked)
        sandbox = cls(record)
        try:
            startup.run(record, binaries)
            if detach:
                sandbox.detach()
        except BaseException:
            sandbox.stop()
            raise
        return sandbox

    @classmethod
    def find(cls, name: str) -> Self | None:
        """Return a sandbox that is up (or was, and lost its processes); None when there is none of this name."""
        record = state.load(state.root() / name) if _NAME.fullmatch(name) else None
        return cls(record) if record else None

    @classmethod
    def all(cls) -> list[Self]:
        """Return all sandboxes of this user, by name."""
        return [cls(record) for folder in state.folders() if (record := state.load(folder))]

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the sandbox."""
        self.stop()

    @property
    def name(self) -> str:
        """Name of the sandbox."""
        return self._state.name

    @property
    def folder(self) -> Path:
        """Private folder with everything that belongs to it."""
        return self._state.folder

    @property
    def argocd(self) -> bool:
        """Whether Argo CD's processes follow its installation."""
        return self._state.argocd

    @property
    def flux(self) -> bool:
        """Whether Flux's processes follow its installation."""
        return self._state.flux

    @property
    def weave_gitops(self) -> bool:
        """Whether the server of Weave GitOps follows its installation."""
        return self._state.weave_gitops

    @property
    def flux_operator(self) -> bool:
        """Whether Flux Operator follows its installation."""
        return self._state.flux_operator

    @property
    def argocd_server_url(self) -> str:
        """URL of Argo CD's API, plain HTTP; a moment after its installation it answers.

        Raises:
            SandboxError: Argo CD is not installed, or without API server.
        """
        if SERVER not in hosting.processes(self.folder):
            raise SandboxError(
                f"there is no API of Argo CD in the sandbox {self.name!r}",
                hint="It needs `argocd` at its start, and Argo CD's manifests, other than of profile core, installed.",
            )
        return f"http://127.0.0.1:{hosting.ports(self.folder)[SERVER]}"

    @property
    def flux_receivers_url(self) -> str:
        """URL below which Flux takes webhooks; ``status.webhookPath`` of a Receiver is added to it.

        Raises:
            SandboxError: Flux is not installed, so nothing listens.
        """
        port = hosting.ports(self.folder).get(RECEIVERS)
        if port is None:
            raise SandboxError(
                f"nothing takes webhooks in the sandbox {self.name!r}",
                hint="It needs `flux` at its start, and Flux's manifests installed.",
            )
        return f"http://127.0.0.1:{port}"

    @property
    def weave_gitops_url(self) -> str:
        """URL of the API of Weave GitOps, plain HTTP; a moment after its installation it answers.

        Raises:
            SandboxError: Weave GitOps is not installed.
        """
        port = hosting.ports(self.folder).get(API)
        if port is None:
            raise SandboxError(
                f"there is no API of Weave GitOps in the sandbox {self.name!r}",
                hint="It needs `weave_gitops` at its start, and Weave GitOps installed.",
            )
        return f"http://127.0.0.1:{port}"

    @property
    def detached(self) -> bool:
        """Whether it stays until it is stopped, instead of ending with the process that started it."""
        return self._state.owner is None

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig with all rights; needs no other file."""
        return control_plane.kubeconfig(self.folder)

    @property
    def server(self) -> str:
        """URL of the API server."""
        return control_plane.server_url(self._state)

    @property
    def token(self) -> str:
        """Bearer token with all rights."""
        return self._state.tokens["admin"]

    @property
    def git_url(self) -> str:
        """URL below which the repositories are."""
        return control_plane.git_url(self._state)

    def kubeconfig_for(self, user: str) -> Path:
        """Return the kubeconfig of a user: ``admin``, ``viewer`` (cluster role ``view``) or ``nobody`` (no rights)."""
        if user not in control_plane.USERS:
            raise InputError(f"the sandbox has no user {user!r}; known: {', '.join(control_plane.USERS)}")
        return control_plane.kubeconfig(self.folder, user)

    def create_repository(self, name: str, username: str | None = None, password: str | None = None) -> str:
        """Make an empty bare repository and return its URL.

        Args:
            name: Name, without ``.git``.
            username: With `password`: everybody has to log in so, for reading too.
            password: See `username`.

        Raises:
            InputError: The name is not valid or taken.
        """
        gitserver.create_repository(self.folder / "git", name, username, password)
        return f"{self.git_url}/{name}.git"

    def env(self) -> dict[str, str]:
        """Return the variables that lead other programs here: KUBECONFIG, GIT_URL, PATH (with the tools first).

        And NO_PROXY, since a proxy does not lead to this machine.
        """
        tools = str(bin_dir(self._binaries()))
        rest = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != tools]
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "GIT_URL": self.git_url,
            "PATH": os.pathsep.join((tools, *rest)),
            **direct(),
        }

    def tool(self, name: str) -> Path:
        """Return a tool, as :func:`~pulumi_gitops.sandbox.tool_path` does."""
        return tool_path(name)

    def processes(self) -> list[ProcessStatus]:
        """Return the processes of the sandbox, those of Argo CD and Flux included while they are installed."""
        known = self._processes()
        return [ProcessStatus(name, process.pid, process.alive) for name, process in known.items()]

    def follow(self, controller: str) -> None:
        """Let a controller's processes follow its installation from now on, as with the option of :meth:`start`.

        Args:
            controller: ``argocd``, ``flux``, ``weave_gitops``, ``flux_operator``; one that is followed already is fine.

        Raises:
            SandboxError: Its tools can not be built.
        """
        if controller in self._state.controllers:
            return
        binaries = find_or_build(_binaries([*self._state.controllers, controller]))
        setattr(self._state, controller, True)
        name = f"{controller}-follower"
        command = startup.commands(self._state, binaries)[name]
        self._state.processes[name] = spawn(command, folder=self.folder, log=self._log(name))
        self._state.save()

    def stop_process(self, name: str) -> None:
        """Kill one process as a crash would, and wait until it is gone.

        Raises:
            InputError: There is none of this name.
        """
        kill([self._known(name)])

    def restart_process(self, name: str) -> None:
        """Kill one process of the control plane if it runs, and start it again with the same data and ports.

        Raises:
            InputError: There is none of this name. Those of Argo CD and Flux are restarted by their supervisor.
        """
        kill([self._known(name)])
        commands = startup.commands(self._state, find_or_build(self._binaries()))
        if name not in commands:
            raise InputError(f"{name} is restarted by its supervisor when it has stopped")
        self._state.processes[name] = spawn(commands[name], folder=self.folder, log=self._log(name))
        self._state.save()

    def wait_ready(self) -> None:
        """Wait until the API server answers and the nodes are ready.

        Raises:
            SandboxError: A process has died, or it takes too long.
        """
        startup.wait(self._state)

    def logs(self, tool: str) -> str:
        """Return what a process has printed so far.

        Raises:
            InputError: There is no log of this name.
        """
        try:
            return redact.redact(self._log(tool).read_text(errors="replace"))
        except FileNotFoundError:
            known = ", ".join(sorted(path.stem for path in (self.folder / "logs").glob("*.log")))
            raise InputError(f"the sandbox {self.name!r} has no log of {tool!r}; known: {known}") from None

    def memory_bytes(self) -> int:
        """Return the memory that all its processes take together (shared pages counted once)."""
        return memory_bytes(marked(self.folder))

    def detach(self) -> None:
        """Let it go on after this process has ended, until :meth:`stop`."""
        self._state.owner = None
        self._state.save()

    def stop(self) -> None:
        """End all processes and remove the folder. A sandbox that has been stopped is fine.

        Raises:
            SandboxError: A process can not be ended.
        """
        with state.locked():
            _remove(self.folder)
            _clean()

    def _binaries(self) -> tuple[str, ...]:
        return _binaries(self._state.controllers)

    def _processes(self) -> Mapping[str, ProcessId]:
        return self._state.processes | hosting.processes(self.folder)

    def _known(self, name: str) -> ProcessId:
        known = self._processes()
        if name not in known:
            raise InputError(f"the sandbox {self.name!r} has no process {name!r}; known: {', '.join(known)}")
        return known[name]

    def _log(self, name: str) -> Path:
        return self.folder / "logs" / f"{Path(name).name}.log"


def _binaries(controllers: Iterable[str]) -> tuple[str, ...]:
    hosted = (binary for name in controllers for binary in CONTROLLERS[name].binaries)
    return tuple(dict.fromkeys(("kubectl", *control_plane.BINARIES, *hosted)))


def _claim(name: str, nodes: int, asked: Mapping[str, bool]) -> State:
    """Make the folder of a new sandbox, owned by this process."""
    folder = state.root() / name
    with state.locked():
        _clean()
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError:
            raise SandboxError(
                f"the sandbox {name!r} is up already",
                hint=f"pulumi-gitops sandbox env --name {name} leads to it, sandbox down --name {name} ends it.",
            ) from None
        owner = ProcessId.of(os.getpid())
        record = State(folder=folder, nodes=nodes, argocd=asked[ARGOCD.name], owner=owner)
        for controller, wanted in asked.items():
            setattr(record, controller, wanted)
        record.tokens = {user: secrets.token_urlsafe(32) for user in control_plane.USERS}
        record.save()
    return record


def _clean() -> None:
    """Remove sandboxes that nobody can be using any more."""
    for folder in state.folders():
        record = state.load(folder)
        if record is None or record.abandoned:
            _remove(folder)


def _remove(folder: Path) -> None:
    record = state.load(folder)
    if record:
        kill(record.processes.values())
    kill(hosting.processes(folder).values())
    kill_all(folder)
    state.remove_tree(folder)
