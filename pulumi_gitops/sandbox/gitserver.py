# SPDX-License-Identifier: Apache-2.0
"""A Git server on loopback: smart HTTP by ``git http-backend``, a login per repository if wanted.

``python -m pulumi_gitops.sandbox.gitserver --root FOLDER --port PORT`` runs it as a process of its own. Repositories
can be created by any process while it runs: everything about one is in its folder.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hmac
import json
import re
import secrets
import shutil
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, Self

from ..core import redact
from ..core.errors import InputError
from ..core.process import allowed_env, run
from .state import write_private

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATH = re.compile(rf"/({_NAME.pattern})\.git/(info/refs|git-upload-pack|git-receive-pack)")
_LOGIN = "sandbox-login.json"
_CHUNK = 64 * 1024
_CONFIG = """
[http]
	receivepack = true
	getanyfile = false
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[receive]
	autogc = false
"""
# What the user's own configuration of git says must not change what the server does.
_GIT_ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def create_repository(
    root: Path, name: str, username: str | None = None, password: str | None = None, *, branch: str = "main"
) -> None:
    """Make an empty bare repository ``NAME.git``.

    Args:
        root: Folder of the repositories.
        name: Name, without ``.git``.
        username: With `password`: everybody has to log in so, for reading too. Without: nobody has to.
        password: See `username`.
        branch: Default branch.

    Raises:
        InputError: The name is not valid or taken, or a user name comes without a password or the reverse.
        ProcessError: git is missing or fails.
    """
    if not _NAME.fullmatch(name) or name.endswith(".git"):
        raise InputError(
            f"{name!r} can not be the name of a repository", hint="Letters, digits, dot, dash, underscore; no `.git`."
        )
    if (username is None) != (password is None):
        raise InputError("a repository with a login needs both a user name and a password")
    redact.register(password)
    target = root / f"{name}.git"
    staging = root / f".{name}.{secrets.token_hex(4)}"
    init = ("git", "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", str(staging))
    try:
        run(init, timeout=30, env=allowed_env(_GIT_ENV))
        with (staging / "config").open("a", encoding="utf-8") as config:
            config.write(_CONFIG)
        if username is not None:
            write_private(staging / _LOGIN, json.dumps({"username": username, "password": password}).encode())
        try:
            staging.rename(target)
        except OSError as e:
            raise InputError(f"there is a repository {name!r} already") from e
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class GitServer:
    """A Git server in this process.

    Args:
        root: Folder of the repositories; made when missing.
        host: Address to listen on.
        port: Port; a free one when 0.
        tls: Serve HTTPS with this context.
        log: Write a line per request to standard error.
    """

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        log: bool = False,
    ) -> None:
        self.root = root.absolute()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = _Server((host, port), self.root, log=log)
        if tls is not None:
            # The handshake is made by the thread of the connection: a silent client holds up nobody else.
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"{'https' if tls else 'http'}://{host}:{self._server.server_port}"
        self._thread: threading.Thread | None = None

    def start(self) -> Self:
        """Serve in a thread; return self."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
            self._thread.start()
        return self

    def serve(self) -> None:
        """Serve in this thread until the process is stopped."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Stop serving and let go of the port."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()

    def __enter__(self) -> Self:
        """Start serving."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.stop()

    def create_repository(
        self, name: str, username: str | None = None, password: str | None = None, *, branch: str = "main"
    ) -> str:
        """Make an empty repository, see :func:`create_repository`; return its URL, without credentials."""
        create_repository(self.root, name, username, password, branch=branch)
        return f"{self.url}/{name}.git"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], root: Path, *, log: bool) -> None:
        self.root = root
        self.log = log
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks the host up in DNS, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        if not isinstance(sys.exception(), (OSError, ssl.SSLError)):  # a client that went away is no error of ours
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server gives it
        if self.server.log:
            super().log_message(format, *args)

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        found = _PATH.fullmatch(path)
        repository = self.server.root / f"{found[1]}.git" if found else None
        if repository is None or not repository.is_dir():
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not self._may(repository):
            self._refuse(HTTPStatus.UNAUTHORIZED)
        else:
            self._backend(path, query)

    def _may(self, repository: Path) -> bool:
        try:
            login = json.loads((repository / _LOGIN).read_bytes())
        except FileNotFoundError:
            return True
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(value, validate=True) if kind.lower() == "basic" else b""
        except binascii.Error:
            return False
        return hmac.compare_digest(given, f"{login['username']}:{login['password']}".encode())

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # the body has not been read
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="pulumi-gitops sandbox"')
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _backend(self, path: str, query: str) -> None:
        with subprocess.Popen(
            ("git", "http-backend"), env=self._cgi(path, query), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            # Both directions at once: git answers before it has read everything.
            feeder = threading.Thread(target=self._feed, args=(process.stdin,), daemon=True)
            feeder.start()
            try:
                self._answer(process.stdout)
            finally:
                process.stdout.close()
                feeder.join()

    def _cgi(self, path: str, query: str) -> dict[str, str]:
        headers = {
            "CONTENT_TYPE": "Content-Type",
            "CONTENT_LENGTH": "Content-Length",  # without one git reads to the end
            "HTTP_CONTENT_ENCODING": "Content-Encoding",
            "GIT_PROTOCOL": "Git-Protocol",
        }
        given = {variable: self.headers[header] for variable, header in headers.items() if header in self.headers}
        return allowed_env(
            _GIT_ENV
            | given
            | {
                "GIT_PROJECT_ROOT": str(self.server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "REMOTE_ADDR": self.client_address[0],
            }
        )

    def _feed(self, sink: IO[bytes]) -> None:
        try:
            with sink:
                for block in self._body():
                    sink.write(block)
        except (OSError, ValueError):
            # git has ended early, or the client went away or sent nonsense: the rest of the body is of no use
            self.close_connection = True

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                yield from self._read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():  # trailers
                pass
        else:
            yield from self._read(int(self.headers.get("Content-Length") or 0))

    def _read(self, size: int) -> Iterator[bytes]:
        while size:
            block = self.rfile.read(min(size, _CHUNK))
            if not block:
                raise ConnectionResetError
            size -= len(block)
            yield block

    def _answer(self, source: IO[bytes]) -> None:
        status = HTTPStatus.OK
        headers: list[tuple[str, str]] = []
        while line := source.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            if name.lower() == "status":
                status = HTTPStatus(int(value.split()[0]))
            else:
                headers.append((name, value.strip()))
        if not headers:
            status = HTTPStatus.INTERNAL_SERVER_ERROR  # git ended without an answer
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while block := source.read1(_CHUNK):  # type: ignore[attr-defined]  # a pipe of Popen is a BufferedReader
            self.wfile.write(b"%x\r\n%b\r\n" % (len(block), block))
        self.wfile.write(b"0\r\n\r\n")


def main() -> None:
    """Run the server as a process of its own."""
    parser = argparse.ArgumentParser(prog="gitserver")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    GitServer(options.root, port=options.port, log=True).serve()


if __name__ == "__main__":
    main()
