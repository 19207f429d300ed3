# SPDX-License-Identifier: Apache-2.0
"""Brings the processes of a sandbox up, and waits until they do their work."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ..core.cluster import Cluster, ConnectionOptions, connect
from ..core.errors import AlreadyExistsError, ClusterError, SandboxError
from ..core.objects import ObjectRef
from . import control_plane
from .processes import Command, kill_all, spawn, tail
from .state import State, remove_tree

_READY_SECONDS = 120.0
_POLL_SECONDS = 0.1
_PORT_ATTEMPTS = 3
_FIRST = ("etcd", "kube-apiserver", "git-server")


class _PortTakenError(SandboxError):
    """A port that was free a moment ago belongs to another program now."""


def run(state: State, binaries: Mapping[str, Path]) -> None:
    """Start all processes in a new folder and wait until the sandbox can be used.

    Args:
        state: Record with folder, tokens and owner; ports and processes are filled in.
        binaries: Paths of what the commands need.

    Raises:
        SandboxError: A process died, or it took too long; the message has the last lines of its log.
    """
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        try:
            _start(state, binaries)
            return
        except _PortTakenError:
            if attempt == _PORT_ATTEMPTS:
                raise
            kill_all(state.folder)
            for path in state.folder.iterdir():
                if path.is_dir():
                    remove_tree(path)


def commands(state: State, binaries: Mapping[str, Path]) -> dict[str, Command]:
    """Return the commands of all processes that the sandbox starts itself."""
    listed = control_plane.commands(state, binaries)
    for controller in state.controllers:
        name = f"{controller}-follower"
        listed[name] = control_plane.python_command(name, "follower", str(state.folder), controller)
    return listed


def wait(state: State) -> None:
    """Wait until the API server answers, the nodes are ready, and service accounts are made.

    Raises:
        SandboxError: A process died, or it takes too long.
    """
    deadline = time.monotonic() + _READY_SECONDS
    _until(lambda: _api_ready(state), state, deadline, "the API server does not become ready")
    with _cluster(state) as cluster:
        _until(lambda: _in_use(state, cluster), state, deadline, "the nodes do not become ready")


def _start(state: State, binaries: Mapping[str, Path]) -> None:
    state.ports = free_ports(control_plane.PORTS)
    state.processes = {}
    (state.folder / "logs").mkdir(mode=0o700)
    control_plane.write_files(state)
    listed = commands(state, binaries)
    _spawn(state, {name: listed.pop(name) for name in _FIRST})
    deadline = time.monotonic() + _READY_SECONDS
    _until(lambda: _api_ready(state), state, deadline, "the API server does not become ready")
    _spawn(state, listed)
    with _cluster(state) as cluster:
        for obj in control_plane.initial_objects(state):
            with contextlib.suppress(AlreadyExistsError):  # a repeated POST after a lost answer
                cluster.create(obj)
    wait(state)


def _spawn(state: State, listed: Mapping[str, Command]) -> None:
    for name, command in listed.items():
        state.processes[name] = spawn(command, folder=state.folder, log=state.folder / "logs" / f"{name}.log")
        state.save()  # after each one: whoever is killed here leaves nothing unknown behind


def _until(done: Callable[[], bool], state: State, deadline: float, failure: str) -> None:
    while True:
        _check_alive(state)  # first: an API server without etcd keeps a caller waiting for half a minute
        if done():
            return
        if time.monotonic() > deadline:
            log = tail(state.folder / "logs" / "kube-apiserver.log")
            raise SandboxError(f"{failure} within {_READY_SECONDS:.0f} s; last lines of kube-apiserver:\n{log}")
        time.sleep(_POLL_SECONDS)


def _check_alive(state: State) -> None:
    for name, process in state.processes.items():
        if not process.alive:
            log = state.folder / "logs" / f"{name}.log"
            kind = _PortTakenError if port_was_taken(log) else SandboxError
            raise kind(f"{name} has died; its last lines:\n{tail(log)}", details={"tool": name})


def _api_ready(state: State) -> bool:
    import urllib3

    authority = str(state.folder / "pki" / "ca.crt")
    headers = {"Authorization": f"Bearer {state.tokens['admin']}"}
    try:
        with urllib3.PoolManager(ca_certs=authority, retries=False, timeout=2.0) as pool:
            return pool.request("GET", f"{control_plane.server_url(state)}/readyz", headers=headers).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _in_use(state: State, cluster: Cluster) -> bool:
    try:
        nodes = cluster.list("v1", "Node")
        account = cluster.find(ObjectRef("", "v1", "ServiceAccount", "default", "default"))
    except ClusterError:
        return False
    ready = [node for node in nodes if _is_ready(node.get("status", {}).get("conditions", []))]
    return account is not None and len(ready) >= state.nodes


def _is_ready(conditions: list[dict[str, str]]) -> bool:
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _cluster(state: State) -> Cluster:
    return connect(ConnectionOptions(kubeconfig=str(control_plane.kubeconfig(state.folder)), no_proxy="*"))


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """Return a different free port on 127.0.0.1 for every name; another program may take it the next moment."""
    # All are held before the first is let go, so no number comes up twice.
    with contextlib.ExitStack() as stack:
        sockets = {name: stack.enter_context(socket.socket()) for name in names}
        for held in sockets.values():
            held.bind(("127.0.0.1", 0))
        return {name: int(held.getsockname()[1]) for name, held in sockets.items()}


def port_was_taken(log: Path) -> bool:
    """Tell whether a program ended because another one had its port."""
    return "address already in use" in tail(log).lower()
