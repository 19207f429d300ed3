# SPDX-License-Identifier: Apache-2.0
"""Retries, timeouts and errors of the client, against a small server that misbehaves on purpose."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect, transport
from pulumi_gitops.core.cluster.connection import resolve
from pulumi_gitops.core.errors import (
    ClusterConfigError,
    ClusterUnreachableError,
    ForbiddenError,
    NotFoundError,
    ServerBusyError,
    UnauthorizedError,
    UnknownKindError,
)
from pulumi_gitops.core.objects import ObjectRef

KINDS = {
    "kind": "APIGroupDiscoveryList",
    "items": [
        {
            "metadata": {"name": ""},
            "versions": [
                {
                    "version": "v1",
                    "resources": [
                        {"resource": "configmaps", "scope": "Namespaced", "responseKind": {"kind": "ConfigMap"}}
                    ],
                }
            ],
        }
    ],
}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "a", "uid": "u"}}
REF = ObjectRef.of(CONFIG)


def status(code: int, reason: str, message: str) -> dict:
    return {"kind": "Status", "code": code, "reason": reason, "message": message}


class Api:
    """Answers requests for objects with the next prepared answer: (status, headers, body), or None to hang up."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict, object] | None] = []
        self.seen: list[str] = []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(length)
                if self.path in ("/api", "/apis"):
                    self.reply(200, {}, KINDS if self.path == "/api" else {**KINDS, "items": []})
                    return
                api.seen.append(f"{self.command} {self.path.partition('?')[0]}")
                answer = api.answers.pop(0)
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                self.reply(*answer)

            def reply(self, code: int, headers: dict, body: object) -> None:
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def cluster(api: Api) -> Iterator[Cluster]:
    with connect(ConnectionOptions(host=api.url, api_key="canary-4715-token")) as connected:
        yield connected


BUSY = (429, {"Retry-After": "0"}, status(429, "TooManyRequests", "slow down"))
DOWN = (503, {}, status(503, "ServiceUnavailable", "not now"))
BROKEN = (500, {}, status(500, "InternalError", "etcd is away"))
OK = (200, {}, CONFIG)


@pytest.mark.parametrize("trouble", [BUSY, DOWN, BROKEN, None], ids=["429", "503", "500", "hang-up"])
def test_a_passing_fault_is_retried(api, cluster, trouble):
    api.answers = [trouble, OK]
    assert cluster.get(REF)["metadata"]["uid"] == "u"
    assert len(api.seen) == 2


def test_a_lasting_fault_is_an_error_with_the_servers_words(api, cluster):
    api.answers = [BUSY] * 20
    with pytest.raises(ServerBusyError, match="slow down"):
        cluster.get(REF)


def test_a_creation_that_may_have_happened_is_not_repeated(api, cluster):
    api.answers = [BROKEN, OK]
    with pytest.raises(ServerBusyError):
        cluster.create(CONFIG)
    assert api.seen == ["POST /api/v1/namespaces/a/configmaps"]


@pytest.mark.parametrize(
    ("code", "reason", "kind", "said"),
    [
        (401, "Unauthorized", UnauthorizedError, "does not accept the credentials"),
        (403, "Forbidden", ForbiddenError, "cannot get configmaps"),
        (404, "NotFound", NotFoundError, "read ConfigMap a/x"),
    ],
)
def test_a_refusal_has_its_own_error_that_names_the_object(api, cluster, code, reason, kind, said):
    api.answers = [(code, {}, status(code, reason, "user u cannot get configmaps in a"))]
    with pytest.raises(kind) as caught:
        cluster.get(REF)
    assert said in str(caught.value)
    assert "canary-4715-token" not in str(caught.value)


def test_an_answer_that_is_no_status_is_cut_short(api, cluster):
    api.answers = [(404, {}, b"<html>" + b"x" * 5000)]
    with pytest.raises(NotFoundError) as caught:
        cluster.get(REF)
    assert len(str(caught.value)) < 400


def test_an_unknown_kind_is_looked_for_twice_and_named(cluster):
    with pytest.raises(UnknownKindError, match=r"Widget in example\.com/v1"):
        cluster.get(ObjectRef("example.com", "v1", "Widget", "a", "x"))


def test_a_watch_goes_on_after_a_hang_up_and_lists_anew_after_410(api, cluster):
    def line(kind: str, version: str, uid: str) -> bytes:
        metadata = {"name": uid, "namespace": "a", "uid": uid, "resourceVersion": version}
        return json.dumps({"type": kind, "object": {"metadata": metadata}}).encode() + b"\n"

    def listing(version: str, *uids: str) -> dict:
        items = [{"metadata": {"name": u, "namespace": "a", "uid": u, "resourceVersion": version}} for u in uids]
        return {"metadata": {"resourceVersion": version}, "items": items}

    gone = json.dumps({"type": "ERROR", "object": status(410, "Expired", "too old")}).encode() + b"\n"
    api.answers = [
        (200, {}, listing("1", "a", "b")),
        (200, {}, line("MODIFIED", "2", "a") + line("MODIFIED", "3", "b")[:20]),
        None,
        (200, {}, line("MODIFIED", "4", "b")),
        (200, {}, gone),
        (200, {}, listing("9", "a", "c")),
    ]
    seen = []
    for event in cluster.watch("v1", "ConfigMap", namespace="a", timeout=30):
        seen.append((event.type, event.object["metadata"]["uid"], event.object["metadata"]["resourceVersion"]))
        if len(seen) == 7:
            break
    assert seen == [
        ("ADDED", "a", "1"),
        ("ADDED", "b", "1"),
        ("MODIFIED", "a", "2"),
        ("MODIFIED", "b", "4"),
        ("DELETED", "b", "4"),
        ("MODIFIED", "a", "9"),
        ("ADDED", "c", "9"),
    ]


def test_an_unreachable_cluster_is_named(tmp_path):
    with connect(ConnectionOptions(host="http://127.0.0.1:9")) as cluster, pytest.raises(ClusterUnreachableError) as e:
        cluster.version()
    assert "127.0.0.1:9" in str(e.value)
    assert "refused" in str(e.value)


def alert(code):
    return bytes((21, 3, 3, 0, 2, 2, code))  # a fatal alert of TLS


@pytest.mark.parametrize(
    ("answer", "said", "hint", "again"),
    [
        (alert(50), "decode error", "ca_cert", True),
        (alert(42), "bad certificate", "ca_cert", False),
        (b"", "EOF", "that the cluster runs", True),
    ],
    ids=["damaged", "certificate refused", "hung up"],
)
def test_a_greeting_that_was_damaged_or_cut_off_is_sent_anew_and_a_refused_certificate_is_not(
    monkeypatch, answer, said, hint, again
):
    monkeypatch.setattr(transport, "_pause", lambda attempt: 0.0)
    greetings = []

    class Refuse(socketserver.BaseRequestHandler):
        def handle(self):
            greetings.append(self.request.recv(4096))
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        options = ConnectionOptions(host=f"https://127.0.0.1:{server.server_address[1]}")
        with connect(options) as cluster, pytest.raises(ClusterUnreachableError, match=said) as caught:
            cluster.version()
        server.shutdown()
    assert hint in caught.value.hint
    assert (len(greetings) > 1) is again


def test_no_connection_changes_what_is_shared_by_all():
    context = resolve(ConnectionOptions(host="https://127.0.0.1:9")).ssl_context
    context.set_alpn_protocols(["http/1.1"])  # as urllib3 does each time
    with pytest.raises(ValueError, match="h2"):
        context.set_alpn_protocols(["h2"])


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: one
clusters: [{name: c, cluster: {server: "https://127.0.0.1:9"}}]
users: [{name: u, user: {token: canary-4716-token}}]
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
- {name: two, context: {cluster: nothing, user: u}}
"""


def test_a_kubeconfig_gives_server_namespace_and_token(tmp_path):
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    with connect(ConnectionOptions(kubeconfig=str(path))) as cluster:
        assert (cluster.server, cluster.namespace) == ("https://127.0.0.1:9", "shop")
        assert cluster.transport.endpoint.headers() == {"Authorization": "Bearer canary-4716-token"}
        assert "canary" not in repr(cluster.transport.endpoint)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kubeconfig": KUBECONFIG, "context": "three"}, "It has: one, two."),
        ({"kubeconfig": KUBECONFIG, "context": "two"}, "names the cluster 'nothing'"),
        ({"kubeconfig": "/no/such/file"}, "does not exist"),
        ({"kubeconfig": "a: [\nb"}, "not valid YAML"),
        ({"host": "ftp://x"}, "not an http or https URL"),
        ({"host": "https://x", "ca_cert": "/no/ca.pem"}, "CA file /no/ca.pem can not be used"),
        ({"kubeconfig": KUBECONFIG, "impersonate_groups": ("g",)}, "impersonate_groups needs impersonate_user"),
    ],
)
def test_wrong_settings_say_what_is_wrong(options, said):
    with pytest.raises(ClusterConfigError) as caught:
        connect(ConnectionOptions(**options))
    assert said in str(caught.value)
