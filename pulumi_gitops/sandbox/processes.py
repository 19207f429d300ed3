# SPDX-License-Identifier: Apache-2.0
"""Starts processes that outlive their starter, finds them again, and stops them without ever hitting another one.

A process is known by its number and its start time, since numbers are used again. Besides, every process of a sandbox
carries the sandbox's folder in its environment, as do all its children: so none is lost when a record is.
Linux only: it reads ``/proc``.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..core.errors import SandboxError
from ..core.process import allowed_env

MARK = "PULUMI_GITOPS_SANDBOX"
"""Environment variable that holds the folder of the sandbox that a process belongs to."""

_PROC = Path("/proc")
_TAIL_LINES = 20
_STARTED_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for good.

    Attributes:
        pid: Its number.
        started: Clock ticks between the boot of the machine and its start (field 22 of ``/proc/PID/stat``).
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """Return the process that has this number now; None when there is none, or it has ended (a zombie)."""
        state, started = _stat(pid)
        return cls(pid, started) if state not in ("", "Z", "X") else None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return ProcessId.of(self.pid) == self


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start: its name in logs and messages, arguments (no secrets) and variables to add."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]


def spawn(command: Command, *, folder: Path, log: Path) -> ProcessId:
    """Start a program in a session of its own, its output appended to a log.

    Args:
        command: What to start.
        folder: The sandbox that it belongs to.
        log: Created with mode 0600 when missing.

    Raises:
        SandboxError: It can not be started.
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # Not subprocess: nobody waits for these processes, and a Popen object insists on it.
        pid = os.posix_spawn(
            command.argv[0],
            list(command.argv),
            allowed_env(direct() | dict(command.env) | {MARK: str(folder)}),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,  # a Ctrl-C for us is not for it
            setsigdef=[signal.SIGPIPE],  # Python ignores it, a program expects it
        )
    except OSError as e:
        raise SandboxError(f"{command.name} can not be started: {e.strerror}: {command.argv[0]}") from e
    finally:
        os.close(output)
    # It is our child and has not been waited for, so the number is its own even if it has ended already.
    return ProcessId(pid, _stat(pid)[1])


def kill(processes: Iterable[ProcessId], *, timeout: float = 10.0) -> None:
    """Kill processes and wait until they are gone. Those that have ended are fine.

    Raises:
        SandboxError: One did not end within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as stack:
        handles: dict[int, ProcessId] = {}
        for process in processes:
            try:
                handle = os.pidfd_open(process.pid)
            except ProcessLookupError:
                continue
            stack.callback(os.close, handle)
            # Looked at after the handle was taken: from here on the number can not change hands.
            if process.alive:
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                handles[handle] = process
            elif _stat(process.pid) == ("Z", process.started):
                reap(process.pid)
        poll = select.poll()
        for handle in handles:
            poll.register(handle, select.POLLIN)
        while handles:
            ended = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
            if not ended:
                pids = ", ".join(str(process.pid) for process in handles.values())
                raise SandboxError(f"processes can not be killed: {pids}")
            for handle, _ in ended:
                poll.unregister(handle)
                reap(handles.pop(handle).pid)


def reap(pid: int) -> None:
    """Let go of a child that has ended, so that its number can be used again; no-op when it is not our child."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def kill_all(folder: Path) -> None:
    """Kill every process that carries the mark of this sandbox, this process excepted.

    Raises:
        SandboxError: One did not end.
    """
    # A process may start a child while the list is made: repeated until none is found.
    while found := marked(folder):
        kill(found)


def marked(folder: Path) -> list[ProcessId]:
    """Return all live processes that carry the mark of this sandbox, this process excepted."""
    variable = f"{MARK}={folder}".encode()
    entries = [entry for entry in _PROC.iterdir() if entry.name.isdecimal() and int(entry.name) != os.getpid()]
    environments = {entry: _environment(entry) for entry in entries}
    # A program that is being started has none for a moment. Kernel threads never have one, and no executable either.
    starting = [entry for entry, found in environments.items() if not found and _has_executable(entry)]
    if starting:
        time.sleep(_STARTED_SECONDS)
        environments |= {entry: _environment(entry) for entry in starting}
    found = [entry for entry, environment in environments.items() if variable in environment.split(b"\0")]
    return [process for entry in found if (process := ProcessId.of(int(entry.name)))]


def _environment(entry: Path) -> bytes:
    try:
        return (entry / "environ").read_bytes()
    except OSError:  # another user's, or gone
        return b""


def _has_executable(entry: Path) -> bool:
    try:
        (entry / "exe").readlink()
    except OSError:
        return False
    return True


def memory_bytes(processes: Iterable[ProcessId]) -> int:
    """Return the memory that processes take: each one's proportional share (PSS) of what is in RAM."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):
            for line in (_PROC / str(process.pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def tail(log: Path, lines: int = _TAIL_LINES) -> str:
    """Return the last lines of a log; empty when there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _stat(pid: int) -> tuple[str, int]:
    """Return the state (one letter) and the start time of a process; ("", 0) when there is none."""
    try:
        # Bytes, since the name of the program, in parentheses, may hold any of them.
        fields = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return "", 0
    return fields[0].decode(), int(fields[19])


def direct() -> dict[str, str]:
    """Return variables that keep a proxy out of what stays on this machine (Go knows by itself, git does not)."""
    users = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    value = ",".join(filter(None, (users, "127.0.0.1", "localhost")))
    return {"NO_PROXY": value, "no_proxy": value}
