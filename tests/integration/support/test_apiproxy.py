# SPDX-License-Identifier: Apache-2.0
"""The proxy that stands in front of the API server in tests: it changes nothing, unless it was told to."""

from __future__ import annotations

import http.client
import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import ReleaseSpec, deploy
from pulumi_gitops.core.errors import ForbiddenError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import tool_path
from tests.support.apiproxy import (
    Answer,
    ApiProxy,
    CutWatch,
    GoneInWatch,
    HalfBody,
    Kill,
    Meanwhile,
    Reset,
    Slow,
    Stale,
)
from tests.support.faults import classify

CONFIGS = "/api/v1/namespaces/a/configmaps"
WATCH = f"{CONFIGS}?watch=1"


class Upstream:
    """A small server behind the proxy: it notes what arrives, and its watches send what a test puts into `events`."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.peers: set[tuple[str, int]] = set()
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.watch_ended = threading.Event()
        self.hang_up = False
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.seen.append(f"{self.command} {self.path} {body.decode()}".rstrip())
                upstream.peers.add(self.client_address)
                if "watch=1" in self.path:
                    self.watch()
                elif self.path == "/chunked":
                    self.send_response(200)
                    self.send_header("Transfer-Encoding", "chunked")
                    self.end_headers()
                    self.wfile.write(b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: 1\r\n\r\n")
                else:
                    data = json.dumps({"answer": len(upstream.seen)}).encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                self.close_connection |= upstream.hang_up

            def watch(self) -> None:
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                while True:
                    try:
                        event = upstream.events.get(timeout=0.05)
                    except queue.Empty:
                        self.connection.setblocking(False)
                        try:
                            if not self.connection.recv(1):
                                upstream.watch_ended.set()
                                self.close_connection = True
                                return
                        except BlockingIOError:
                            continue
                        finally:
                            self.connection.setblocking(True)
                    if event is None:
                        self.wfile.write(b"0\r\n\r\n")
                        return
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.server.handle_error = lambda *_: None  # a watch that was cut is no surprise
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def kubeconfig(self, folder: Path) -> Path:
        path = folder / "upstream"
        path.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "c", "cluster": {"server": self.url}}],
                    "users": [{"name": "u", "user": {"token": "canary"}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        return path


@pytest.fixture
def upstream():
    made = Upstream()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture(params=["plain", "tls"])
def proxy(upstream, tmp_path, request):
    (tmp_path / "proxy").mkdir()
    with ApiProxy(upstream.kubeconfig(tmp_path), tmp_path / "proxy", tls=request.param == "tls") as started:
        yield started


@pytest.fixture
def client(proxy, tmp_path):
    """Open a connection to the proxy."""
    opened = []

    def client():
        url = urlsplit(proxy.url)
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=tmp_path / "proxy" / "ca.crt")
            opened.append(http.client.HTTPSConnection(url.netloc, context=context, timeout=20))
        else:
            opened.append(http.client.HTTPConnection(url.netloc, timeout=20))
        return opened[-1]

    yield client
    for connection in opened:
        connection.close()


def ask(connection, method="GET", path=CONFIGS, body=None, **headers):
    """Send a request; returns status and body."""
    connection.request(method, path, body=body, headers=headers)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def fails(connection, *arguments):
    """Send a request that gets no whole answer; returns why."""
    with pytest.raises((http.client.HTTPException, OSError)) as caught:
        ask(connection, *arguments)
    connection.close()
    return caught.type


@pytest.mark.parametrize(
    ("method", "target", "verb", "resource"),
    [
        ("GET", "/apis", "get", "/apis"),
        ("GET", "/apis/apps/v1", "get", "/apis/apps/v1"),
        ("GET", "/version?timeout=1s", "get", "/version"),
        ("GET", "/api/v1/namespaces/a", "get", "namespaces"),
        ("PUT", "/api/v1/namespaces/a/finalize", "update", "namespaces/finalize"),
        ("GET", "/api/v1/namespaces", "list", "namespaces"),
        ("GET", "/api/v1/configmaps?labelSelector=watch", "list", "configmaps"),
        ("GET", "/apis/apps/v1/namespaces/a/deployments?watch=true", "watch", "deployments"),
        ("POST", "/api/v1/namespaces/a/configmaps", "create", "configmaps"),
        ("PATCH", "/apis/apps/v1/namespaces/a/deployments/web/scale?force=true", "patch", "deployments/scale"),
        ("DELETE", "/api/v1/namespaces/a/configmaps/x", "delete", "configmaps"),
        ("DELETE", "/api/v1/namespaces/a/configmaps", "deletecollection", "configmaps"),
    ],
)
def test_a_request_is_counted_by_verb_and_resource_as_rights_are_given(method, target, verb, resource):
    assert classify(method, target) == (verb, resource)


def test_requests_pass_unchanged_and_each_client_connection_has_one_of_its_own(proxy, upstream, client):
    first, second = client(), client()
    assert ask(first, "PATCH", f"{CONFIGS}/x?dryRun=All", '{"b": "ä"}'.encode())[0] == 200
    assert ask(first, "DELETE", f"{CONFIGS}/x") == (200, '{"answer": 2}')
    assert ask(second, "GET", "/chunked") == (200, "hello world")
    assert ask(second) == (200, '{"answer": 4}')
    assert upstream.seen == [
        f'PATCH {CONFIGS}/x?dryRun=All {{"b": "ä"}}',
        f"DELETE {CONFIGS}/x",
        "GET /chunked",
        f"GET {CONFIGS}",
    ]
    assert len(upstream.peers) == 2
    assert [(r.number, r.verb, r.resource, r.dry_run, r.status) for r in proxy.requests] == [
        (1, "patch", "configmaps", True, 200),
        (2, "delete", "configmaps", False, 200),
        (3, "get", "/chunked", False, 200),
        (4, "list", "configmaps", False, 200),
    ]
    assert proxy.requests[0].connection == proxy.requests[1].connection != proxy.requests[2].connection
    proxy.forget()
    assert proxy.total == 0


def test_chunks_of_a_request_and_of_an_answer_arrive_as_they_were_sent(client, upstream):
    connection = client()
    connection.request("GET", "/chunked")
    raw = b""
    while not raw.endswith(b"\r\n\r\n") or b"Trailer" not in raw:
        raw += connection.sock.recv(4096)
    assert raw.endswith(b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nTrailer: 1\r\n\r\n")


def test_an_event_of_a_watch_is_passed_on_at_once_and_a_client_that_hangs_up_ends_it(client, upstream):
    connection = client()
    connection.request("GET", WATCH)
    answer = connection.getresponse()  # there are no events yet, but the watch is known to stand
    for number in (1, 2):
        event = b'{"n": %d}\n' % number
        upstream.events.put(event)
        assert answer.readline() == event
    answer.close()
    connection.close()
    assert upstream.watch_ended.wait(20)


def test_a_connection_that_the_server_closes_is_closed_for_the_client_too(client, upstream):
    connection = client()
    upstream.hang_up = True
    assert ask(connection)[0] == 200
    assert connection.sock.recv(1) == b""


def test_round_trips_take_the_time_that_they_were_given(proxy, client):
    proxy.delay = 0.05
    connection = client()
    started = time.monotonic()
    for _ in range(3):
        ask(connection)
    handshakes = 2 if proxy.url.startswith("https") else 1
    assert time.monotonic() - started >= 0.05 * (3 + handshakes)


def test_a_status_can_take_the_place_of_the_servers_answer(proxy, upstream, client):
    rule = proxy.inject(Answer(429, retry_after=7), verb="patch", path="configmaps/b$", nth=2, times=2)
    connection = client()
    statuses = [ask(connection, "PATCH", f"{CONFIGS}/{name}")[0] for name in "abababab"]
    assert statuses == [200, 200, 200, 429, 200, 429, 200, 200]
    assert (rule.seen, rule.hits) == (4, 2)
    assert len(upstream.seen) == 6
    proxy.inject(Answer(410), times=0)
    connection.request("GET", WATCH)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["reason"]) == (410, "Expired")
    proxy.heal()
    assert ask(connection)[0] == 200


def test_an_answer_can_carry_retry_after(proxy, client):
    proxy.inject(Answer(503, retry_after=3))
    connection = client()
    connection.request("GET", CONFIGS)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Retry-After"], json.loads(answer.read())["code"]) == (503, "3", 503)


@pytest.mark.parametrize("forwarded", [False, True])
def test_a_connection_can_be_reset_before_or_after_the_server_has_done_it(proxy, upstream, client, forwarded):
    proxy.inject(Reset(forwarded=forwarded), nth=2)
    connection = client()
    ask(connection)
    assert issubclass(fails(connection, "PATCH", f"{CONFIGS}/x"), ConnectionResetError)
    assert (f"PATCH {CONFIGS}/x" in upstream.seen) is forwarded
    assert ask(connection)[0] == 200, "the next connection works"


def test_an_answer_can_end_in_the_middle(proxy, upstream, client):
    proxy.inject(HalfBody())
    assert issubclass(fails(client(), "PATCH", f"{CONFIGS}/x"), (http.client.IncompleteRead, ssl.SSLError))
    assert upstream.seen == [f"PATCH {CONFIGS}/x"]


def test_an_answer_can_be_slow(proxy, client):
    proxy.inject(Slow(0.2))
    started = time.monotonic()
    assert ask(client()) == (200, '{"answer": 1}')
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (CutWatch(), []),
        (CutWatch(after=2), [b'{"n": 0}\n', b'{"n": 1}\n']),
        (CutWatch(after=1, inside=True), [b'{"n": 0}\n', b'{"n"']),
    ],
)
def test_a_watch_can_be_cut(proxy, upstream, client, fault, seen):
    rule = proxy.inject(fault)
    for number in range(3):
        upstream.events.put(b'{"n": %d}\n' % number)
    connection = client()
    assert ask(connection)[0] == 200, "other requests are not touched"
    proxy.heal()
    proxy.inject(fault, verb="watch")
    connection.request("GET", WATCH)
    answer = connection.getresponse()
    lines = []
    with pytest.raises((http.client.IncompleteRead, OSError)):  # noqa: PT012  # any of the reads
        while True:
            lines.append(answer.readline())
            if not lines[-1]:
                raise ConnectionError
    assert [line for line in lines if line] == seen
    assert rule.hits == 1


def test_a_watch_can_be_told_that_its_version_is_gone(proxy, upstream, client):
    proxy.inject(GoneInWatch(after=1), verb="watch")
    upstream.events.put(b'{"n": 0}\n')
    status, text = ask(client(), "GET", WATCH)
    first, error = map(json.loads, text.splitlines())
    assert (status, first, error["type"], error["object"]["code"]) == (200, {"n": 0}, "ERROR", 410)


def test_discovery_can_be_stale(proxy, upstream, client):
    connection = client()
    old = ask(connection, "GET", "/apis", Accept="application/json")
    proxy.inject(Stale(), path="^/apis")
    assert ask(connection, "GET", "/apis", Accept="application/json") == old
    new = ask(connection, "GET", "/apis", Accept="application/json")
    assert (new[0], old[1], new[1]) == (200, '{"answer": 1}', '{"answer": 2}')


@pytest.mark.parametrize("forwarded", [False, True])
def test_a_killed_client_sends_nothing_any_more(proxy, upstream, client, forwarded):
    others = [client() for _ in range(4)]
    for other in others:
        ask(other, "GET", "/before")
    seen = []
    proxy.inject(Kill(seen.append, forwarded=forwarded), path="/x$")
    assert issubclass(fails(client(), "PATCH", f"{CONFIGS}/x"), (http.client.HTTPException, OSError))
    assert [(request.verb, request.number) for request in seen] == [("patch", 5)]
    for other in others:
        fails(other, "GET", "/after")
    assert ("/after" in "".join(upstream.seen), f"PATCH {CONFIGS}/x" in upstream.seen) == (False, forwarded)
    assert ask(client())[0] == 200, "the next client is a new one"


@pytest.mark.parametrize("forwarded", [False, True])
def test_something_can_happen_in_the_middle_of_a_request(proxy, upstream, client, forwarded):
    seen = []
    proxy.inject(Meanwhile(lambda _: seen.extend(upstream.seen), forwarded=forwarded), path="/x$")
    assert ask(client(), "PATCH", f"{CONFIGS}/x")[0] == 200
    assert seen == ([f"PATCH {CONFIGS}/x"] if forwarded else [])


def test_an_end_of_the_proxy_ends_all_connections(upstream, tmp_path):
    before = threading.active_count()
    with ApiProxy(upstream.kubeconfig(tmp_path), tmp_path) as proxy:
        context = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        watching = http.client.HTTPSConnection(urlsplit(proxy.url).netloc, context=context)
        watching.request("GET", WATCH)
        answer = watching.getresponse()
        silent = http.client.HTTPConnection(urlsplit(proxy.url).netloc)
        silent.connect()  # and never says hello
    with pytest.raises(http.client.IncompleteRead):
        answer.read1()
    for connection in (watching, silent):
        connection.close()
    assert upstream.watch_ended.wait(20)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("apiproxy")]
    assert threading.active_count() <= before + 2, "the upstream's own threads may still be there"


# --- in front of a real API server -----------------------------------------------------------------------------------


@pytest.fixture
def real(sandbox, tmp_path):
    with ApiProxy(sandbox.kubeconfig, tmp_path) as started:
        yield started


def configs(count, **data):
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}, "data": {"key": str(i), **data}}
        for i in range(count)
    ]


@pytest.mark.sandbox
def test_kubectl_works_through_it(real, sandbox, cluster, namespace, tmp_path):
    def kubectl(*arguments, kubeconfig=real.kubeconfig, expect=0):
        done = subprocess.run(
            [str(tool_path("kubectl")), "--kubeconfig", str(kubeconfig), *arguments],
            env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == expect, done.stderr
        return done.stdout + done.stderr

    kubectl("create", "namespace", namespace)
    manifest = tmp_path / "objects.json"
    manifest.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": configs(3)}))
    assert kubectl("apply", "--server-side", "-n", namespace, "-f", str(manifest)).count("serverside-applied") == 3
    assert real.counts()["patch", "configmaps"] == 3
    waited = kubectl("wait", "-n", namespace, "configmap/c1", "--for=jsonpath={.data.key}=1", "--timeout=30s")
    assert "condition met" in waited
    viewer = real.lead_here(sandbox.kubeconfig_for("viewer"))
    assert "forbidden" in kubectl("delete", "-n", namespace, "configmap/c1", kubeconfig=viewer, expect=1)


@pytest.mark.sandbox
def test_a_deployment_through_it_gives_the_same_and_every_request_is_counted(real, cluster, namespace):
    with connect(ConnectionOptions(kubeconfig=str(real.kubeconfig))) as own:
        result = deploy(own, ReleaseSpec(name="shop", namespace=namespace, objects=configs(40)))
        assert real.total == own.transport.requests
    assert (result.revision, len(result.inventory)) == (1, 40)
    assert real.counts()["patch", "configmaps"] >= 40
    assert all(request.status in (200, 201, 404) for request in real.requests)
    left = {obj["metadata"]["name"] for obj in cluster.list("v1", "ConfigMap", namespace=namespace)}
    assert left >= {f"c{i}" for i in range(40)}


@pytest.mark.sandbox
def test_the_rights_of_another_user_are_kept(real, sandbox):
    nobody = real.lead_here(sandbox.kubeconfig_for("nobody"))
    with connect(ConnectionOptions(kubeconfig=str(nobody))) as own, pytest.raises(ForbiddenError):
        own.list("v1", "Secret", namespace="default")


@pytest.mark.sandbox
def test_sixteen_connections_at_once_get_all_their_answers(real, cluster, namespace):
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    with connect(ConnectionOptions(kubeconfig=str(real.kubeconfig))) as own, ThreadPoolExecutor(16) as pool:
        objects = [{**obj, "metadata": {**obj["metadata"], "namespace": namespace}} for obj in configs(200)]
        answers = list(pool.map(own.apply, objects))
    assert [obj["data"] for obj in answers] == [obj["data"] for obj in objects]
    assert len({request.connection for request in real.requests}) <= 16


CLIENT = """
import sys
from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import ReleaseSpec, deploy
objects = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{i}"}} for i in range(20)]
with connect(ConnectionOptions(kubeconfig=sys.argv[1])) as cluster:
    deploy(cluster, ReleaseSpec(name="shop", namespace=sys.argv[2], objects=objects))
"""


@pytest.mark.sandbox
@pytest.mark.parametrize("forwarded", [False, True])
def test_a_client_is_killed_exactly_before_or_after_a_request(real, cluster, namespace, forwarded):
    process = subprocess.Popen([sys.executable, "-c", CLIENT, str(real.kubeconfig), namespace])
    killed = []

    def kill(request):
        killed.append(request.number)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(30)

    real.inject(Kill(kill, forwarded=forwarded), verb="create", path="^/api/v1/namespaces\\?")
    assert process.wait(60) == -signal.SIGKILL
    assert len(killed) == 1
    found = cluster.find(ObjectRef("", "v1", "Namespace", "", namespace))
    assert (found is not None) is forwarded
    assert {request.number for request in real.requests if request.number > killed[0]} == set()


@pytest.mark.sandbox
def test_a_watch_of_ours_survives_a_cut_and_a_gone_version(real, cluster, namespace):
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    cut = real.inject(CutWatch(after=1), verb="watch")
    gone = real.inject(GoneInWatch(after=1), verb="watch", nth=2)
    reset = real.inject(Answer(410), verb="watch", nth=3)
    seen = []
    with connect(ConnectionOptions(kubeconfig=str(real.kubeconfig))) as own:
        following = own.watch("v1", "ConfigMap", namespace=namespace, timeout=60, label_selector="x=y")
        for number in range(5):
            metadata = {"name": f"c{number}", "namespace": namespace, "labels": {"x": "y"}}
            cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
            seen.append(next(following).object["metadata"]["name"])
        following.close()
    assert seen == [f"c{number}" for number in range(5)]
    assert [rule.hits for rule in (cut, gone, reset)] == [1, 1, 1]
