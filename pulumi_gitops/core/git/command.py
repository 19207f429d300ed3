# SPDX-License-Identifier: Apache-2.0
"""Run the git binary in one private bare repository, out of reach of the user's settings.

GitPython starts the processes. It passes the environment of this process on, and variables can be overwritten but not
removed there, so everything that could send a command elsewhere gets a value of ours.
"""

from __future__ import annotations

import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import GitError, GitMissingError, GitUnreachableError
from .credentials import Credentials, check_url

if TYPE_CHECKING:
    import git

_OLDEST = (2, 32)  # GIT_CONFIG_GLOBAL; GIT_CONFIG_COUNT came with 2.31
_EMPTIED = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ASKPASS",  # empty: neither this nor SSH_ASKPASS is started
    "GIT_CONFIG_PARAMETERS",
    "GIT_NAMESPACE",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
)
_MISSING = "Install git 2.32 or newer and put it on PATH."


@dataclass(frozen=True, slots=True)
class Output:
    """What one git command left behind."""

    stdout: bytes
    stderr: str
    returncode: int

    @property
    def text(self) -> str:
        """Standard output as text, without the final newline."""
        return self.stdout.decode(errors="replace").rstrip("\n")


class GitCommand:
    """Git commands against one bare repository and one remote called ``origin``.

    Args:
        directory: Empty private folder that becomes the repository.
        url: HTTP(S) URL of the remote.
        credentials: How to authenticate there.
        timeout: Seconds that all commands together may take.
    """

    def __init__(self, directory: Path, url: str, credentials: Credentials, timeout: float) -> None:
        scheme = check_url(url, credentials)
        self.url = url
        self._timeout = timeout
        self._deadline = time.monotonic() + timeout
        self._git = _git_at(directory)
        self._environment = _environment(directory, scheme, url, credentials)
        _make_repository(directory)

    def run(
        self, *args: str, stdin: bytes | None = None, env: Mapping[str, str] | None = None, check: bool = True
    ) -> Output:
        """Run one git command.

        Args:
            args: Subcommand, options and operands. Seen by every user of the machine: no secrets. Text from outside
                goes in only after validation, and never where git expects an option.
            stdin: Bytes for its standard input.
            env: More variables for this command.
            check: Raise GitError when git fails.

        Raises:
            GitUnreachableError: The time is up.
            GitError: git failed, and `check` is set.
        """
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise self._timed_out()
        with tempfile.TemporaryFile() as source:
            source.write(stdin or b"")
            source.seek(0)
            try:
                status, stdout, stderr = self._git.execute(
                    ["git", *args],
                    istream=source,
                    env={**self._environment, **(env or {})},
                    with_extended_output=True,
                    with_exceptions=False,
                    stdout_as_string=False,
                    strip_newline_in_stdout=False,
                    kill_after_timeout=remaining,
                    shell=False,
                )
            except BaseException:
                _cancel_watchdog(remaining)
                raise
        if status != 0 and time.monotonic() >= self._deadline:
            raise self._timed_out()
        if check and status != 0:
            raise GitError(f"git {args[0]} failed: {_last_line(stderr)}", details={"returncode": status})
        return Output(stdout, stderr, status)

    def _timed_out(self) -> GitUnreachableError:
        return GitUnreachableError(
            f"{self.url}: not done within {self._timeout:g} s",
            hint="Is the Git server reachable and healthy? A slow one may need a longer timeout.",
        )


def _cancel_watchdog(seconds: float) -> None:
    """Do what GitPython does not when a command is interrupted: let go of the thread that would kill it in the end.

    It would keep this process from ending after Ctrl-C until the whole timeout is over.
    """
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer) and thread.interval == seconds:
            thread.cancel()


def _git_at(directory: Path) -> git.Git:
    try:
        import git
    except ModuleNotFoundError as e:
        raise GitMissingError("the Python package GitPython is not installed", hint="pip install GitPython") from e
    except ImportError as e:  # GitPython's way to say that there is no git binary
        raise GitMissingError("the git program is not installed", hint=_MISSING) from e
    try:
        version = _git_version(os.environ.get("PATH", ""))
    except git.exc.GitCommandNotFound as e:
        raise GitMissingError("the git program is not installed", hint=_MISSING) from e
    if version < _OLDEST:
        raise GitMissingError(f"git {'.'.join(map(str, version))} is too old", hint=_MISSING)
    return git.Git(str(directory))


@lru_cache(maxsize=4)
def _git_version(path: str) -> tuple[int, ...]:  # noqa: ARG001 - another PATH may lead to another git
    import git

    answer = str(git.Git().execute(["git", "version"], shell=False))
    match = re.search(r"(\d+)\.(\d+)", answer)
    return tuple(int(part) for part in match.groups()) if match else (0, 0)


def _make_repository(directory: Path) -> None:
    """Make a bare repository; ``git init`` would follow the user's templates and refuse an inherited GIT_WORK_TREE."""
    (directory / "objects").mkdir()
    (directory / "refs").mkdir()
    (directory / "HEAD").write_text("ref: refs/heads/none\n")
    (directory / "config").write_text("[core]\n\trepositoryformatversion = 0\n\tbare = true\n")


def _environment(directory: Path, scheme: str, url: str, credentials: Credentials) -> dict[str, str]:
    if scheme == "https" and "GIT_SSL_NO_VERIFY" in os.environ:
        raise GitError(
            "GIT_SSL_NO_VERIFY is set: git would not check who it sends credentials to",
            hint="Unset it; give the server's certificate as ca_cert when its CA is a private one.",
        )
    settings = {
        "core.hooksPath": os.devnull,
        "core.attributesFile": os.devnull,
        "credential.helper": "",
        "gc.auto": "0",
        "maintenance.auto": "false",
        "remote.origin.url": url,
    }
    header = credentials.header()
    if header:
        settings[f"http.{url}.extraHeader"] = header
    environment = {
        **{name: "0" for name in os.environ if name.startswith("GIT_TRACE")},
        **dict.fromkeys(_EMPTIED, ""),
        "GIT_DIR": str(directory),
        "GIT_COMMON_DIR": str(directory),
        "GIT_OBJECT_DIRECTORY": str(directory / "objects"),
        "GIT_INDEX_FILE": str(directory / "index"),
        "GIT_WORK_TREE": str(directory),  # nothing is ever checked out
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_TRACE_REDACT": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        # The scheme of the URL alone, so that a redirect can not lead from https to http.
        "GIT_ALLOW_PROTOCOL": scheme,
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    if credentials.ca_cert is not None:
        environment["GIT_SSL_CAINFO"] = credentials.ca_cert  # the variable wins over http.sslCAInfo
    return environment


def _last_line(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith(("fatal:", "error:"))]
    return lines[-1] if lines else "no message"
