# SPDX-License-Identifier: Apache-2.0
"""A Git server over SSH that takes public keys only; no sshd is needed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from pathlib import Path
from typing import Self

import asyncssh

_COMMAND = re.compile(r"git[ -](upload-pack|receive-pack) '/?([A-Za-z0-9._-]+\.git)'")
_ALGORITHM = "ssh-ed25519"


def new_key() -> tuple[str, str]:
    """Return a private key, and its public key as a line of an authorized_keys file."""
    key = asyncssh.generate_private_key(_ALGORITHM)
    return key.export_private_key().decode(), key.export_public_key().decode().strip()


class SshGitServer:
    """Serves the bare repositories of a folder on 127.0.0.1 while it is entered.

    Args:
        root: Holds the repositories.

    Attributes:
        accepted: Public keys that may log in, as lines; a test changes them while the server runs.
        used: Public keys that have logged in, in that order.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.accepted: set[str] = set()
        self.used: list[str] = []
        self._host_key = asyncssh.generate_private_key(_ALGORITHM)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncssh.SSHAcceptor | None = None
        self._port = 0

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def known_hosts(self) -> str:
        """The host key as a line of a known_hosts file."""
        return f"[127.0.0.1]:{self._port} {self._host_key.export_public_key().decode().strip()}\n"

    def url(self, name: str) -> str:
        """Return the URL of a repository."""
        return f"ssh://git@127.0.0.1:{self._port}/{name}.git"

    def change_host_key(self) -> None:
        """Go on with another host key, at the same address."""
        self._call(self._close())
        self._host_key = asyncssh.generate_private_key(_ALGORITHM)
        self._call(self._listen())

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=10)

    async def _listen(self) -> None:
        self._server = await asyncssh.create_server(
            lambda: _Login(self),
            "127.0.0.1",
            self._port,
            server_host_keys=[self._host_key],
            process_factory=self._serve,
            encoding=None,
            allow_scp=False,
            agent_forwarding=False,
            reuse_address=True,
        )
        self._port = self._server.get_port()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        found = _COMMAND.fullmatch(process.command or "")
        if found is None:
            process.exit(127)
            return
        pipe = asyncio.subprocess.PIPE
        git = await asyncio.create_subprocess_exec(
            "git", found[1], str(self.root / found[2]), stdin=pipe, stdout=pipe, stderr=pipe
        )
        said = asyncio.create_task(_pump(process.stdin, git.stdin))
        await asyncio.gather(_pump(git.stdout, process.stdout), _pump(git.stderr, process.stderr))
        said.cancel()
        process.exit(await git.wait())


async def _pump(source, target) -> None:
    with contextlib.suppress(ConnectionError):  # git may end before it has read all
        while block := await source.read(64 * 1024):
            target.write(block)
            await target.drain()
        if isinstance(target, asyncio.StreamWriter):
            target.close()


class _Login(asyncssh.SSHServer):
    def __init__(self, server: SshGitServer) -> None:
        self._server = server
        self._line = ""

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        # Asked for what is offered, and again for what has signed: only then the login is complete.
        self._line = key.export_public_key().decode().strip()
        return username == "git" and self._line in self._server.accepted

    def auth_completed(self) -> None:
        self._server.used.append(self._line)
