# SPDX-License-Identifier: Apache-2.0
"""The real programs, and servers on loopback that say what was asked of them."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pulumi_gitops.sandbox import tool_path
from pulumi_gitops.sandbox.certificates import write_keys

LOGIN = ("ci", "canary-registry-password")


@pytest.fixture(scope="session")
def helm() -> str:
    return str(tool_path("helm"))


@pytest.fixture(scope="session")
def kustomize() -> str:
    return str(tool_path("kustomize"))


@pytest.fixture(scope="session")
def kubectl() -> str:
    return str(tool_path("kubectl"))


@dataclass
class WebServer:
    """Serves what is in `content`; `requests` has the paths that were asked for."""

    address: str = ""
    content: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    login: tuple[str, str] | None = None

    def add_chart(self, repository: str, version: str, archive: bytes) -> None:
        """Put a chart into the registry that this is as well."""
        blobs = {"config": b'{"name": "shop"}', "content": archive}
        digests = {name: "sha256:" + hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()}
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "config": self._part("config.v1+json", digests["config"], blobs["config"]),
                "layers": [self._part("chart.content.v1.tar+gzip", digests["content"], archive)],
            }
        ).encode()
        kind = "application/vnd.oci.image.manifest.v1+json"
        for reference in (version, "sha256:" + hashlib.sha256(manifest).hexdigest()):
            self.content[f"/v2/{repository}/manifests/{reference}"] = (kind, manifest)
        for name, blob in blobs.items():
            self.content[f"/v2/{repository}/blobs/{digests[name]}"] = ("application/octet-stream", blob)
        tags = json.dumps({"name": repository, "tags": [version]}).encode()
        self.content[f"/v2/{repository}/tags/list"] = ("application/json", tags)

    @staticmethod
    def _part(kind: str, digest: str, blob: bytes) -> dict[str, object]:
        return {"mediaType": f"application/vnd.cncf.helm.{kind}", "digest": digest, "size": len(blob)}

    def answer(self, request: http.server.BaseHTTPRequestHandler, *, with_body: bool) -> None:
        self.requests.append(request.path)
        encoded = base64.b64encode(":".join(self.login or ()).encode()).decode()
        kind, body = self.content.get(request.path.partition("?")[0], ("", b""))
        if self.login and request.headers.get("Authorization") != f"Basic {encoded}":
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="test"')
            body = b""
        elif not kind:
            request.send_response(404)
        else:
            request.send_response(200)
            request.send_header("Content-Type", kind)
            request.send_header("Docker-Content-Digest", "sha256:" + hashlib.sha256(body).hexdigest())
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if with_body:
            request.wfile.write(body)


def _serving(certificate: Path | None) -> Iterator[WebServer]:
    web = WebServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            web.answer(self, with_body=True)

        def do_HEAD(self):
            web.answer(self, with_body=False)

        def log_message(self, *args):
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A client that does not like the certificate is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        web.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield web
        server.shutdown()
        thread.join()


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A server of files."""
    yield from _serving(None)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A registry with TLS that wants a login; Go trusts its authority."""
    keys = tmp_path / "keys"
    keys.mkdir()
    write_keys(keys, service_address="10.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(keys / "ca.crt"))
    for served in _serving(keys / "apiserver.crt"):
        served.login = LOGIN
        yield served
