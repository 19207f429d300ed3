# SPDX-License-Identifier: Apache-2.0
"""Reading the last lines of a container, from a small server in place of the API server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect
from pulumi_gitops.core.errors import ApiError, ClusterUnreachableError

PODS = {"resource": "pods", "scope": "Namespaced", "responseKind": {"kind": "Pod"}}
KINDS = {
    "kind": "APIGroupDiscoveryList",
    "items": [{"metadata": {"name": ""}, "versions": [{"version": "v1", "resources": [PODS]}]}],
}
NONE = {"kind": "APIGroupDiscoveryList", "items": []}
NO_NODE = {"kind": "Status", "code": 500, "message": "no preferred addresses found; known addresses: []"}


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict, str]]
    answer: tuple[int, bytes] | None

    def do_GET(self) -> None:
        path = urlsplit(self.path)
        if path.path in ("/api", "/apis"):
            self.reply(200, json.dumps(KINDS if path.path == "/api" else NONE).encode())
            return
        self.seen.append((path.path, parse_qs(path.query), self.headers["Accept"]))
        if self.answer is None:
            self.close_connection = True
            self.connection.close()
        else:
            self.reply(*self.answer)

    def reply(self, code: int, data: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def api() -> Iterator[type[Api]]:
    class Own(Api):
        seen: list = []  # noqa: RUF012  # a class of its own for each test
        answer = (200, b"one\ntwo \xff\n")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    Own.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Own
    server.shutdown()
    server.server_close()


@pytest.fixture
def cluster(api) -> Iterator[Cluster]:
    with connect(ConnectionOptions(host=api.url)) as connected:
        yield connected


def test_the_last_lines_of_the_container_before_are_asked_for(api, cluster):
    assert cluster.logs("shop", "web-1", "app", previous=True, tail_lines=5) == "one\ntwo \ufffd\n"
    path, query, accept = api.seen[0]
    assert path == "/api/v1/namespaces/shop/pods/web-1/log"
    assert (query["container"], query["previous"], query["tailLines"], accept) == (["app"], ["true"], ["5"], "*/*")
    assert int(query["limitBytes"][0]) < 100_000


def test_of_a_server_that_sends_more_than_it_was_asked_for_only_the_start_is_read(api, cluster):
    api.answer = (200, b"x" * 10_000_000)
    assert len(cluster.logs("shop", "web-1", "app")) < 100_000
    assert "previous" not in api.seen[0][1]


def test_a_node_that_can_not_be_reached_is_asked_once(api, cluster):
    api.answer = (500, json.dumps(NO_NODE).encode())
    with pytest.raises(ApiError, match="read the log of pod shop/web-1: no preferred addresses"):
        cluster.logs("shop", "web-1", "app")
    assert len(api.seen) == 1


def test_a_connection_that_breaks_is_an_error_of_ours(api, cluster):
    api.answer = None
    with pytest.raises(ClusterUnreachableError, match="read the log of pod shop/web-1"):
        cluster.logs("shop", "web-1", "app")
    assert len(api.seen) == 1
