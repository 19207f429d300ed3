# SPDX-License-Identifier: Apache-2.0
"""As much of ``ssh`` as git needs, for machines that have none: Argo CD fetches with git, and git with ``ssh``.

``python ssh_client.py -i KEY -o UserKnownHostsFile=FILE [-p PORT] USER@HOST COMMAND``
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import asyncssh


def install(folder: Path) -> None:
    """Put a program ``ssh`` into a folder."""
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{Path(__file__).resolve()}" "$@"\n')
    program.chmod(0o755)


async def run(arguments: list[str]) -> int:
    """Carry out what the command line says; return the exit status."""
    values = {"-p": "22"}
    known_hosts = ""
    while arguments[0].startswith("-"):
        name, value = arguments[0], arguments[1]
        known_hosts = value.partition("=")[2] if value.startswith("UserKnownHostsFile=") else known_hosts
        values[name] = value
        arguments = arguments[2:]
    user, _, host = arguments[0].rpartition("@")
    connection = await asyncssh.connect(
        host, int(values["-p"]), username=user, client_keys=[values["-i"]], known_hosts=known_hosts, config=None
    )
    async with connection:
        streams = {"stdin": sys.stdin.buffer, "stdout": sys.stdout.buffer, "stderr": sys.stderr.buffer}
        done = await connection.run(" ".join(arguments[1:]), encoding=None, **streams)
    return 255 if done.exit_status is None else done.exit_status


def main() -> None:
    """Run as ``ssh``."""
    try:
        code = asyncio.run(run(sys.argv[1:]))
    except asyncssh.HostKeyNotVerifiable:
        sys.exit("Host key verification failed.")
    except asyncssh.PermissionDenied:
        sys.exit("Permission denied (publickey).")
    sys.exit(code)


if __name__ == "__main__":
    main()
