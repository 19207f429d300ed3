# SPDX-License-Identifier: Apache-2.0
"""A registry of OCI artifacts, for reading: as much of the distribution specification as Flux uses."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from .serving import HttpServer

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
# Media types of the configuration and of the layer: of Flux's artifacts, and of charts.
_CONTENT = ("application/vnd.cncf.flux.config.v1+json", "application/vnd.cncf.flux.content.v1.tar+gzip")
_CHART = ("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip")

_REFUSALS = {
    HTTPStatus.NOT_FOUND: b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}',
    HTTPStatus.UNAUTHORIZED: b'{"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]}',
}


class Registry(HttpServer):
    """Serves artifacts on 127.0.0.1 while it is entered, to everybody without a user name.

    Attributes:
        address: ``127.0.0.1:PORT``. Clients take HTTP for an address of the machine itself.
    """

    def __init__(self, username: str = "", password: str = "") -> None:
        login = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._login = login if username else None
        self._blobs: dict[str, bytes] = {}
        self._tags: dict[str, dict[str, str]] = {}
        super().__init__(self._handler())

    def push(self, repository: str, tag: str, files: Mapping[str, str]) -> str:
        """Make a tag hold files, as ``flux push artifact`` would; return the digest of its manifest."""
        return self._push(repository, tag, files, _CONTENT)

    def push_chart(self, repository: str, version: str, templates: Mapping[str, str]) -> str:
        """Make a tag hold a chart of the repository's last name, as ``helm push`` would; return the digest."""
        name = repository.rpartition("/")[2]
        about = json.dumps({"apiVersion": "v2", "name": name, "version": version})
        files = {f"{name}/templates/{path}": text for path, text in templates.items()}
        return self._push(repository, version.replace("+", "_"), {f"{name}/Chart.yaml": about, **files}, _CHART, about)

    def _push(
        self, repository: str, tag: str, files: Mapping[str, str], kinds: tuple[str, str], config: str = "{}"
    ) -> str:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                archive.addfile(entry, io.BytesIO(text.encode()))
        layer = self._described(kinds[1], gzip.compress(packed.getvalue(), mtime=0))
        head = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._described(kinds[0], config.encode()),
            "layers": [layer],
        }
        digest = self._kept(json.dumps(head).encode())
        self._tags.setdefault(repository, {})[tag] = digest
        return digest

    def _described(self, kind: str, content: bytes) -> dict[str, Any]:
        return {"mediaType": kind, "digest": self._kept(content), "size": len(content)}

    def _kept(self, content: bytes) -> str:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._blobs[digest] = content
        return digest

    def _found(self, path: str) -> tuple[str, bytes] | None:
        """Return media type and content behind a path of the API."""
        if path == "/v2/":
            return "application/json", b"{}"
        repository, _, wanted = path.removeprefix("/v2/").rpartition("/")
        repository, _, what = repository.rpartition("/")
        tags = self._tags.get(repository, {})
        if not tags:
            return None
        if (what, wanted) == ("tags", "list"):
            return "application/json", json.dumps({"name": repository, "tags": sorted(tags)}).encode()
        content = self._blobs.get(tags.get(wanted, wanted))
        if content is None:
            return None
        return (_MANIFEST if what == "manifests" else "application/octet-stream"), content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._answer(with_content=True)

            def do_HEAD(self) -> None:
                self._answer(with_content=False)

            def _answer(self, *, with_content: bool) -> None:
                allowed = registry._login in (None, self.headers.get("Authorization"))
                found = registry._found(self.path.partition("?")[0]) if allowed else None
                status = HTTPStatus.OK if found else HTTPStatus.NOT_FOUND if allowed else HTTPStatus.UNAUTHORIZED
                kind, content = found or ("application/json", _REFUSALS[status])
                self.send_response(status)
                if not allowed:
                    self.send_header("WWW-Authenticate", 'Basic realm="registry"')
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(content).hexdigest()}")
                self.end_headers()
                if with_content:
                    self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
