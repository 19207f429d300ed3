# SPDX-License-Identifier: Apache-2.0
"""A real Git server on loopback: ``git http-backend`` behind Basic authentication, with a log of requests."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import ipaddress
import os
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pulumi_gitops.core.git import Credentials

PASSWORD = "canary-Tr0ub4dor&3"  # has a character that is encoded in URLs


def git(*args: str, cwd: Path, stdin: str | bytes = b"") -> str:
    """Run git as an independent witness; returns its output without the final newline."""
    return git_bytes(*args, cwd=cwd, stdin=stdin).decode().strip()


def git_bytes(*args: str, cwd: Path, stdin: str | bytes = b"") -> bytes:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Test"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "test@example.com"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    data = stdin.encode() if isinstance(stdin, str) else stdin
    return subprocess.run(["git", *args], cwd=cwd, env=env, input=data, capture_output=True, check=True).stdout


@dataclass
class Repository:
    """One repository of the server, with the server's own folder as a second way in."""

    url: str
    path: Path
    credentials: Credentials | None
    requests: list[str] = field(default_factory=list)

    def commit(self, files: dict[str, bytes], *, branch: str = "main", executable: tuple[str, ...] = ()) -> str:
        """Commit on the server, past our code."""
        lines = []
        for name, content in files.items():
            blob = git("hash-object", "-w", "--stdin", cwd=self.path, stdin=content)
            lines.append(f"{'100755' if name in executable else '100644'} {blob}\t{name}\n")
        return self.commit_index("".join(lines), branch=branch)

    def commit_index(self, listing: str, *, branch: str = "main") -> str:
        tip = self.tip(branch)
        index = self.path / "test-index"
        index.unlink(missing_ok=True)
        environment = ["-c", f"alias.with=!GIT_INDEX_FILE='{index}' git", "with"]
        if tip:
            git(*environment, "read-tree", tip, cwd=self.path)
        git(*environment, "update-index", "--add", "--index-info", cwd=self.path, stdin=listing)
        tree = git(*environment, "write-tree", cwd=self.path)
        commit = git("commit-tree", *(["-p", tip] if tip else []), "-m", "by the test", tree, cwd=self.path)
        git("update-ref", f"refs/heads/{branch}", commit, cwd=self.path)
        return commit

    def tip(self, branch: str = "main") -> str:
        return git("for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}", cwd=self.path)

    def read(self, path: str, *, branch: str = "main") -> bytes:
        return git_bytes("cat-file", "blob", f"{branch}:{path}", cwd=self.path)

    def modes(self, branch: str = "main") -> dict[str, str]:
        lines = git("ls-tree", "-r", branch, cwd=self.path).splitlines()
        return {line.partition("\t")[2]: line[:6] for line in lines}

    def log(self, form: str, *, branch: str = "main") -> list[str]:
        return git("log", f"--format={form}", branch, cwd=self.path).splitlines()

    def hook(self, script: str) -> None:
        """Set the pre-receive hook."""
        path = self.path / "hooks" / "pre-receive"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)


class Server:
    """The HTTP server, with TLS when it gets a certificate.

    `refuse` maps a service (``git-receive-pack``) to a status that it answers with; `cut` holds services whose answer
    is lost: the request is carried out, then the connection is closed.
    """

    def __init__(self, root: Path, *, certificate: Path | None = None) -> None:
        self.root = root
        self.repositories: dict[str, Repository] = {}
        self.refuse: dict[str, int] = {}
        self.cut: set[str] = set()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            do_POST = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *args):
                """Say nothing."""

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def port(self) -> int:
        return self._http.server_address[1]

    def create(self, name: str, *, password: str | None = PASSWORD) -> Repository:
        path = self.root / f"{name}.git"
        git("init", "--quiet", "--bare", "--initial-branch=main", str(path), cwd=self.root)
        git("config", "http.receivepack", "true", cwd=path)
        git("config", "uploadpack.allowFilter", "true", cwd=path)
        credentials = Credentials(username="ci", password=password) if password else None
        repository = Repository(f"{self._scheme}://127.0.0.1:{self.port}/{name}.git", path, credentials)
        self.repositories[name] = repository
        return repository

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        body = self._body(request)
        repository = self.repositories.get(path.split("/")[1].removesuffix(".git"))
        if repository is None:
            return self._reply(request, 404, [], b"not found")
        repository.requests.append(f"{request.command} {request.path}")
        status = self.refuse.get(query.removeprefix("service=") or path.rpartition("/")[2])
        if status:
            return self._reply(request, status, [], b"refused")
        login = repository.credentials
        if login is not None:
            expected = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
            if request.headers.get("Authorization") != f"Basic {expected}":
                return self._reply(request, 401, [("WWW-Authenticate", 'Basic realm="git"')], b"who are you?")
        env = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": request.command,
            "REMOTE_USER": "ci",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=env, capture_output=True, check=False)
        if request.command == "POST" and path.rpartition("/")[2] in self.cut:
            request.close_connection = True
            return None
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        answered = int(dict(headers).get("Status", "200").split()[0])
        return self._reply(request, answered, [header for header in headers if header[0] != "Status"], content)

    def _body(self, request: http.server.BaseHTTPRequestHandler) -> bytes:
        if request.headers.get("Transfer-Encoding") != "chunked":
            return request.rfile.read(int(request.headers.get("Content-Length") or 0))
        body = b""
        while size := int(request.rfile.readline(), 16):
            body += request.rfile.read(size)
            request.rfile.readline()
        request.rfile.readline()
        return body

    def _reply(self, request, status, headers, content):
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


@pytest.fixture
def server(tmp_path):
    root = tmp_path / "served"
    root.mkdir()
    server = Server(root)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def repository(server):
    """A repository with one commit on main: a text, a script, and a file in a folder."""
    repository = server.create("config")
    files = {"readme.md": b"hello\n", "run.sh": b"#!/bin/sh\n", "apps/shop/web.yaml": b"replicas: 1\n"}
    repository.commit(files, executable=("run.sh",))
    return repository


@pytest.fixture
def tls_server(tmp_path):
    """A server with a certificate of its own for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "git.example.com")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "ca.pem").write_bytes(certificate)
    (tmp_path / "server.pem").write_bytes(certificate + secret)
    root = tmp_path / "served"
    root.mkdir()
    server = Server(root, certificate=tmp_path / "server.pem")
    server.start()
    yield server
    server.stop()
