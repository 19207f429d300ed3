# SPDX-License-Identifier: Apache-2.0
"""A Git server on loopback: smart HTTP by ``git http-backend``, a login per repository if wanted.

``python -m pulumi_gitops.sandbox.gitserver --root FOLDER --port PORT`` runs it as a process of its own. Repositories
can be created by any process while it runs: everything about one is in its folder.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import errno
import hmac
import json
import re
import secrets
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from ..core import redact
from ..core.errors import InputError
from ..core.process import allowed_env, run
from .state import write_private

if TYPE_CHECKING:
    from ssl import SSLContext

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_PATH = re.compile(rf"/({_NAME.pattern})\.git/(info/refs|git-upload-pack|git-receive-pack)")
_DIGITS = re.compile(r"[0-9A-Fa-f]+")
_LOGIN = "sandbox-login.json"
_CHUNK = 64 * 1024
_LONGEST_LINE = 4096  # of what frames a chunked body
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
        InputError: The name is not valid or taken, a user name comes without a password or the reverse, or it holds a
            colon (RFC 7617 has no way to send one).
        ProcessError: git is missing or fails.
    """
    if not _NAME.fullmatch(name) or name.endswith(".git"):
        raise InputError(
            f"{name!r} can not be the name of a repository", hint="Letters, digits, dot, dash, underscore; no `.git`."
        )
    if (username is None) != (password is None):
        raise InputError("a repository with a login needs both a user name and a password")
    if username is not None and ":" in username:
        raise InputError(f"{username!r} can not be a user name: it holds a colon")
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
            if e.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            raise InputError(f"there is a repository {name!r} already") from e
    finally:
        shutil.rmtree(staging, ignore_errors=True)


class GitServer:
    """A Git server in this process.

    Args:
        root: Folder of the repositories; made when missing.
        host: Address to listen on.
        port: Port; a free one when 0.
        log: Write a line per request to standard error.
        context: Serve HTTPS with it.
        allows: Tells who may use a repository, from its name and the value of the header Authorization; by default
            it is the login that the repository was made with.

    Raises:
        OSError: The port is taken.
    """

    def __init__(
        self,
        root: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        log: bool = False,
        context: SSLContext | None = None,
        allows: Callable[[str, str], bool] | None = None,
    ) -> None:
        self.root = root.absolute()
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = _Server((host, port), self.root, log=log, context=context, allows=allows)
        self.url = f"{'https' if context else 'http'}://{host}:{self._server.server_port}"
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
        """Let go of the port and cut all connections."""
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
    request_queue_size = 128
    allow_reuse_port = False  # a port that is taken has to be an error

    def __init__(
        self,
        address: tuple[str, int],
        root: Path,
        *,
        log: bool,
        context: SSLContext | None,
        allows: Callable[[str, str], bool] | None,
    ) -> None:
        self.root = root
        self.log = log
        self.allows = allows or self._has_login
        self._context = context
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own looks the host up in DNS, which can take seconds.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[0], self.server_address[1]  # type: ignore[assignment]

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._context is not None:
            # The handshake comes with the first read, in the connection's own thread.
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):  # closed by the other side meanwhile
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that went away is no error of ours, nor is one that does not trust us or has no certificate.
        broken: tuple[type[BaseException], ...] = (ConnectionError,)
        if self._context is not None:
            import ssl

            broken += (ssl.SSLError,)
        if not isinstance(sys.exception(), broken):
            super().handle_error(request, client_address)

    def _has_login(self, name: str, authorization: str) -> bool:
        try:
            login = json.loads((self.root / f"{name}.git" / _LOGIN).read_bytes())
        except FileNotFoundError:
            return True
        kind, _, value = authorization.partition(" ")
        try:
            given = base64.b64decode(value, validate=True) if kind.lower() == "basic" else b""
        except ValueError:
            return False
        return hmac.compare_digest(given, f"{login['username']}:{login['password']}".encode())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out apart: the body would wait 40 ms for a delayed ACK
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
        if found is None or not (self.server.root / f"{found[1]}.git").is_dir():
            self._refuse(HTTPStatus.NOT_FOUND)
        elif not self.server.allows(found[1], self.headers.get("Authorization", "")):
            self._refuse(HTTPStatus.UNAUTHORIZED)
        else:
            # On disk before git starts: a request is always read to its end, so that git may end early and answer,
            # and memory stays small whatever is pushed.
            with tempfile.TemporaryFile(dir=self.server.root) as body:
                try:
                    for block in self._body():
                        body.write(block)
                except ValueError:
                    self._refuse(HTTPStatus.BAD_REQUEST)
                else:
                    self._backend(path, query, body)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        if status is HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", 'Basic realm="pulumi-gitops sandbox"')
        self.send_header("Content-Length", "0")
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.send_header("Connection", "close")  # the body has not been read; http.server closes by this header
        self.end_headers()

    def _backend(self, path: str, query: str, body: IO[bytes]) -> None:
        environment = self._cgi(path, query) | {"CONTENT_LENGTH": str(body.tell())}
        body.seek(0)
        with subprocess.Popen(("git", "http-backend"), env=environment, stdin=body, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            self._answer(process.stdout)

    def _cgi(self, path: str, query: str) -> dict[str, str]:
        headers = {
            "CONTENT_TYPE": "Content-Type",
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

    def _body(self) -> Iterator[bytes]:
        """Yield the body of the request, its transfer coding undone.

        Raises:
            ValueError: Its framing is not valid.
            ConnectionError: It ends early.
        """
        coding = self.headers.get("Transfer-Encoding", "").lower()
        if coding not in ("", "chunked"):
            raise ValueError(coding)
        if not coding:
            yield from self._read(_size(self.headers.get("Content-Length", "0"), 10))
            return
        while size := _size(self._line().partition(b";")[0].strip().decode("latin-1"), 16):
            yield from self._read(size)
            self._line()
        while self._line().strip():  # trailers
            pass

    def _line(self) -> bytes:
        line = self.rfile.readline(_LONGEST_LINE)
        if not line:
            raise ConnectionResetError
        return line

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


def _size(text: str, base: int) -> int:
    if not _DIGITS.fullmatch(text):  # int() also takes signs, spaces, underscores and prefixes
        raise ValueError(text)
    return int(text, base)


def main() -> None:
    """Run the server as a process of its own."""
    parser = argparse.ArgumentParser(prog="gitserver")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    GitServer(options.root, port=options.port, log=True).serve()


if __name__ == "__main__":
    main()
