# SPDX-License-Identifier: Apache-2.0
"""Make the development environment ``.venv`` (what ``make setup`` runs).

Picks an interpreter, creates the venv, installs the pinned and hashed packages of ``requirements/dev.txt`` and then
this project in editable mode. A second run that has nothing to do ends at once. Uses the standard library only, and
syntax that a ``python3`` too old for the project understands: it can still find a newer one.

Environment: ``PYTHON`` names the interpreter to use instead of the search.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "setup-stamp.json"
REQUIREMENTS = ROOT / "requirements" / "dev.txt"

OLDEST, NEWEST = (3, 11), (3, 14)
# 3.13 and 3.12 run all of Ansible's checks; on 3.11 only an older ansible-core installs, so it comes last.
NAMES = ("python3.13", "python3.12", "python3.14", "python3.11", "python3")
# Fails where venv or ensurepip is missing (Debian packages them apart).
PROBE = "import ensurepip, os, sys, venv; print(*sys.version_info[:2], os.path.realpath(sys.executable))"


class SetupError(Exception):
    """The environment cannot be made; the message says why and what to do."""


def probe(command: str) -> tuple[tuple[int, int], str] | None:
    """Version and real path of an interpreter; None when it cannot make a venv, or is a shim that leads nowhere."""
    try:
        done = subprocess.run([command, "-I", "-c", PROBE], check=False, capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode != 0:
        return None
    major, minor, executable = done.stdout.split(maxsplit=2)
    return (int(major), int(minor)), executable.strip()


def candidates() -> Iterator[str]:
    """Interpreters that exist, the preferred version first; of one version those on PATH come before pyenv's own."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    folders = [*os.get_exec_path(), *(str(folder) for folder in pyenv.glob("*/bin"))]
    for name in NAMES:
        for folder in folders:
            found = shutil.which(name, path=folder)
            if found:
                yield found


def choose_interpreter() -> str:
    """Real path of the interpreter to use: ``$PYTHON``, else the first candidate that works."""
    span = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    wanted = os.environ.get("PYTHON")
    for command in [wanted] if wanted else candidates():
        found = probe(command)
        if found and OLDEST <= found[0] <= NEWEST:
            return found[1]
    problem = f"PYTHON={wanted} is not a working" if wanted else "found no working"
    raise SetupError(
        f"{problem} Python {span} with the venv module.\n"
        "Install one (on Debian and Ubuntu python3-venv belongs to it), or name one: make setup PYTHON=/path/to/python3"
    )


def content_digest() -> str:
    """What the installation depends on, as one digest."""
    digest = hashlib.sha256()
    for path in (REQUIREMENTS, ROOT / "pyproject.toml", Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """What the last complete installation recorded; empty when there was none, or when its Python is gone."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stamp if VENV_PYTHON.exists() else {}


def up_to_date() -> bool:
    """Whether the last installation still is what this run would make."""
    stamp = read_stamp()
    if stamp.get("content") != content_digest():
        return False
    return not os.environ.get("PYTHON") or stamp.get("python") == choose_interpreter()


def run(step: str, *arguments: str) -> None:
    """Run a Python command, showing its last line on a terminal and all of its output when it fails."""
    print(f"setup: {step} ...", flush=True)
    started = time.monotonic()
    terminal = sys.stdout.isatty()
    output = []
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        for line in process.stdout or ():
            output.append(line)
            if terminal:
                print(f"\r\033[K  {time.monotonic() - started:4.0f} s  {line.strip()[:64]}", end="", flush=True)
    if terminal:
        print("\r\033[K", end="")
    if process.returncode != 0:
        sys.stdout.writelines(output[-30:])
        raise SetupError(f"{step}: failed with exit code {process.returncode}, see the output above")


def install() -> None:
    """Create or update the environment; the stamp is written last, so an interrupted run is repeated."""
    stamp = read_stamp()
    python = stamp["python"] if stamp and not os.environ.get("PYTHON") else choose_interpreter()
    if stamp.get("python") != python:
        run(f"creating .venv with {python} (a minute or two, once)", python, "-I", "-m", "venv", "--clear", str(VENV))
    # Wheels only: building a source distribution would fetch its build dependencies without a hash.
    pip = [str(VENV_PYTHON), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
    run(
        "installing the pinned packages",
        *pip, "--require-hashes", "--only-binary=:all:", "--no-compile", "-r", str(REQUIREMENTS),
    )  # fmt: skip
    run("installing the project", *pip, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    STAMP.write_text(json.dumps({"content": content_digest(), "python": python}), encoding="utf-8")


def main() -> int:
    """Exit code 0: ``.venv`` is ready."""
    started = time.monotonic()
    try:
        if up_to_date():
            return 0
        with Path(__file__).open(encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two `make` at once: the second waits, then finds nothing to do
            if not up_to_date():
                install()
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nsetup: interrupted; the next run starts over", file=sys.stderr)
        return 130
    print(f"setup: .venv is ready ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
