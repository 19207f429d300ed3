# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps as a person uses it, through its HTTP API; and its chart, in a Helm repository over HTTP."""

from __future__ import annotations

import functools
import hashlib
import http.cookiejar
import io
import json
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .serving import HttpServer

if TYPE_CHECKING:
    from pulumi_gitops.sandbox import Sandbox

CHART, VERSION = "weave-gitops", "4.0.36"


class Dashboard:
    """A session with the server of a sandbox, which has to be installed.

    Attributes:
        url: Where it answers.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        ).open
        self.url = _answering(sandbox, self._open)

    def login(self, username: str, password: str) -> bool:
        """Log in; return whether the server lets this user in."""
        try:
            self._call("/oauth2/sign_in", {"username": username, "password": password})
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise
            return False
        return True

    def names(self, kind: str) -> list[str]:
        """Return the objects of a kind of Flux that the server lists: namespace/name."""
        listed = self._listed(kind)
        assert not listed.get("errors"), listed["errors"]
        found = [json.loads(entry["payload"])["metadata"] for entry in listed["objects"]]
        return sorted(f"{metadata['namespace']}/{metadata['name']}" for metadata in found)

    def problems(self, kind: str) -> set[str]:
        """Return why the server can not list a kind."""
        return {problem["message"] for problem in self._listed(kind).get("errors") or ()}

    def _listed(self, kind: str) -> Any:
        return self._call("/v1/objects", {"kind": kind, "namespace": ""})

    def _call(self, path: str, content: dict[str, Any]) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, json.dumps(content).encode(), headers)
        with self._open(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")


def _answering(sandbox: Sandbox, open_url: Any) -> str:
    """Wait until the server answers; the sandbox starts it when it sees the Deployment."""
    from pulumi_gitops.core.errors import SandboxError

    deadline = time.monotonic() + 60
    while True:
        try:
            url = sandbox.weave_gitops_url
            open_url(f"{url}/health/", timeout=5).close()
        except (SandboxError, OSError):
            assert time.monotonic() < deadline, "the server of Weave GitOps does not answer"
            time.sleep(0.1)
        else:
            return url


def chart() -> Path:
    """Return the folder of the chart, building the tool that it comes with when it is not there."""
    from pulumi_gitops.sandbox import tool_path

    return tool_path("gitops-server").parent / "chart"


def chart_url() -> str:
    """Return where upstream has the chart of the version that is installed by default."""
    from pulumi_gitops.core.controllers.weave_gitops import chart

    return chart.chart_url("0.38.0", None)


def packed() -> bytes:
    """Return the chart as an archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(chart(), CHART)
    return content.getvalue()


@contextmanager
def helm_repository(folder: Path) -> Iterator[str]:
    """Serve a Helm repository with the chart from an empty folder, on 127.0.0.1; yield its URL."""
    archive = packed()
    name = f"{CHART}-{VERSION}.tgz"
    entry = {"apiVersion": "v2", "name": CHART, "version": VERSION, "appVersion": "v0.38.0", "urls": [name]}
    entry["digest"] = hashlib.sha256(archive).hexdigest()
    (folder / name).write_bytes(archive)
    (folder / "index.yaml").write_text(json.dumps({"apiVersion": "v1", "entries": {CHART: [entry]}}))
    handler = functools.partial(_Quiet, directory=str(folder))
    with HttpServer(handler) as server:
        yield f"http://{server.address}"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
