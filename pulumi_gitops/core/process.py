# SPDX-License-Identifier: Apache-2.0
"""Run another program: no shell, an environment that is known, an end to waiting."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import ProcessError
from .redact import redact

_ALLOWED = (
    *("PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP"),
    *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("http_proxy", "https_proxy", "no_proxy", "all_proxy"),
)
_TAIL_LINES = 20


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind: its output as text (undecodable bytes replaced) and its exit code."""

    stdout: str
    stderr: str
    returncode: int


def allowed_env(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build an environment from the variables that every program may see.

    Args:
        extra: Variables to add; they win.

    Returns:
        Search path, home, locale, temporary and XDG folders, certificates and proxies of this process, plus `extra`.
        Nothing else is passed on: neither tokens of a CI job nor settings that change what a tool does.
    """
    return {name: os.environ[name] for name in _ALLOWED if name in os.environ} | dict(extra or {})


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str],
    cwd: Path | str | None = None,
    input: bytes | None = None,  # noqa: A002 - the name that subprocess.run gives it
    check: bool = True,
    mask: Callable[[str], str] = redact,
) -> Completed:
    """Run a program to its end and return its output.

    Args:
        argv: Program and arguments. They show up in errors and in the process list: no secrets.
        timeout: Seconds until the program and all its children are killed.
        env: The whole environment, see :func:`allowed_env`.
        cwd: Working folder; that of this process when None.
        input: Bytes for its standard input; empty when None.
        check: Raise when the exit code is not 0.
        mask: Hides secrets in the output that an error shows, where more is secret than what is registered.

    Raises:
        ProcessError: The program can not be started, did not end in time, or failed and `check` is set. ``details``
            has ``program``, ``returncode`` (None without one) and ``output`` (the last lines, masked).
    """
    try:
        # A session of its own makes a process group, so that a timeout reaches grandchildren as well.
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as e:
        raise ProcessError(
            f"{argv[0]} can not be started: {e.strerror}",
            hint="Is it installed and on PATH?" if isinstance(e, FileNotFoundError) else "",
            details={"program": argv[0], "returncode": None, "output": ""},
        ) from e
    with process:
        try:
            stdout, stderr = process.communicate(input or b"", timeout=timeout)
        except subprocess.TimeoutExpired as e:
            _kill_group(process)
            stdout, stderr = process.communicate()
            what = f"did not end within {timeout:g} s and was killed"
            raise _failure(argv, what, None, mask(_output(stdout, stderr))) from e
        except BaseException:  # Ctrl-C: leave no program behind
            _kill_group(process)
            raise
    if check and process.returncode != 0:
        what = f"failed with {_exit(process.returncode)}"
        raise _failure(argv, what, process.returncode, mask(_output(stdout, stderr)))
    return Completed(_text(stdout), _text(stderr), process.returncode)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    # The program has not been waited for, so its id, and with it the group's, can not belong to anyone else yet.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _output(stdout: bytes, stderr: bytes) -> str:
    lines = (_text(stderr).strip() or _text(stdout).strip()).splitlines()[-_TAIL_LINES:]
    return "\n".join(lines)


def _failure(argv: Sequence[str], what: str, returncode: int | None, output: str) -> ProcessError:
    message = f"{argv[0]} {what}: {shlex.join(argv)}"
    return ProcessError(
        f"{message}\n{output}" if output else message,
        details={"program": argv[0], "returncode": returncode, "output": output},
    )


def _exit(returncode: int) -> str:
    return f"exit code {returncode}" if returncode >= 0 else f"signal {-returncode}"


def _text(output: bytes) -> str:
    return output.decode(errors="replace")
