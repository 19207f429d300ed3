# SPDX-License-Identifier: Apache-2.0
"""A proxy in front of an API server that counts requests, adds round-trip time, and makes things go wrong on demand.

It passes on bytes: heads, keep-alive, chunks and streams are those of the client and of the API server. Each connection
of a client has one of its own to the API server, so that both see what they would see without it. Only HTTP/1.1 is
spoken (clients that prefer HTTP/2 agree to that in the TLS handshake), and no protocol upgrades (exec, port-forward).
"""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import re
import socket
import ssl
import threading
from collections import Counter
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from pulumi_gitops.sandbox.certificates import write_keys
from pulumi_gitops.sandbox.state import write_private

from .faults import (
    Answer,
    CutWatch,
    Fault,
    GoneInWatch,
    HalfBody,
    Kill,
    Meanwhile,
    Request,
    Reset,
    Rule,
    Slow,
    Stale,
    classify,
    status_object,
)
from .wire import ClosedError, Head, Wire

__all__ = [
    "Answer",
    "ApiProxy",
    "CutWatch",
    "GoneInWatch",
    "HalfBody",
    "Kill",
    "Meanwhile",
    "Request",
    "Reset",
    "Rule",
    "Slow",
    "Stale",
]

_DISCOVERY = re.compile(r"/api(/[^/]+)?|/apis(/[^/]+/[^/]+)?")
_HOST = "127.0.0.1"


class ApiProxy:
    """A running proxy on a free port of 127.0.0.1; a context manager that leaves nothing behind.

    The user of the kubeconfig has to authenticate by a token or a password: a client certificate ends at the proxy.

    Attributes:
        delay: Seconds that are added to each request and, as a handshake needs them, once (plain) or twice (TLS) to
            each new connection. May be changed at any time.
        kubeconfig: Leads clients here; the credentials are those of the original.
    """

    def __init__(self, kubeconfig: Path, folder: Path, *, delay: float = 0.0, tls: bool = True) -> None:
        """Start.

        Args:
            kubeconfig: Whose current context is to be stood in front of.
            folder: Gets keys and kubeconfigs; has to exist.
            delay: See the class.
            tls: Speak TLS, with a certificate of an authority of its own. client-go sends no credentials without.
        """
        self.delay = delay
        self._folder = folder
        self._tls = tls
        self._lock = threading.RLock()
        self._stopped = threading.Event()
        self._requests: list[Request] = []
        self._rules: list[Rule] = []
        self._first_answers: dict[tuple[str, ...], bytes] = {}
        self._connections: set[_Connection] = set()
        self._accepted = 0
        cluster = _cluster_of(_load(kubeconfig))
        self._upstream = urlsplit(cluster["server"])
        self._upstream_tls = _client_context(cluster) if self._upstream.scheme == "https" else None
        self._own_tls = self._make_keys() if tls else None
        self._listener = socket.create_server((_HOST, 0), backlog=256)
        self.kubeconfig = self.lead_here(kubeconfig)
        self._acceptor = threading.Thread(target=self._accept, name="apiproxy", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.close()

    @property
    def url(self) -> str:
        """URL of the proxy."""
        return f"{'https' if self._tls else 'http'}://{_HOST}:{self._listener.getsockname()[1]}"

    def lead_here(self, kubeconfig: Path) -> Path:
        """Write a copy of a kubeconfig for the same API server that leads to the proxy, and return its path."""
        document = copy.deepcopy(_load(kubeconfig))
        cluster = _cluster_of(document)
        cluster.clear()
        cluster["server"] = self.url
        if self._tls:
            authority = (self._folder / "ca.crt").read_bytes()
            cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
        path = self._folder / kubeconfig.name
        write_private(path, json.dumps(document, indent=1).encode())
        return path

    # --- what was asked for ------------------------------------------------------------------------------------------

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests since the start or the last :meth:`forget`, in the order of their arrival."""
        with self._lock:
            return tuple(self._requests)

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many requests there were per verb and resource."""
        return Counter((request.verb, request.resource) for request in self.requests)

    @property
    def total(self) -> int:
        """How many requests there were."""
        with self._lock:
            return len(self._requests)

    def forget(self) -> None:
        """Start counting anew. Rules, and how often they were hit, stay."""
        with self._lock:
            self._requests.clear()

    # --- what goes wrong ---------------------------------------------------------------------------------------------

    def inject(self, fault: Fault, *, verb: str = "", path: str = "", nth: int = 1, times: int = 1) -> Rule:
        """Let something go wrong; the arguments are those of :class:`Rule`.

        The first rule that is due wins. Returns the rule, whose `hits` tell whether it has happened.
        """
        rule = Rule(fault, verb, path, nth, times)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    # --- running -----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop: end all connections and wait for what serves them."""
        with self._lock:
            self._stopped.set()
            open_now = list(self._connections)
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for connection in open_now:
            connection.abort()
        for connection in open_now:
            connection.thread.join()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:  # shut down
                return
            with self._lock:
                if self._stopped.is_set():
                    accepted.close()
                    return
                self._accepted += 1
                connection = _Connection(self, self._accepted, accepted)
                self._connections.add(connection)
            connection.thread.start()

    def _make_keys(self) -> ssl.SSLContext:
        write_keys(self._folder, service_address=_HOST)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / "apiserver.crt", self._folder / "apiserver.key")
        context.set_alpn_protocols(["http/1.1"])
        return context

    # --- for the connections -----------------------------------------------------------------------------------------

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than the proxy runs."""
        if seconds:
            self._stopped.wait(seconds)

    def client_end(self, accepted: socket.socket) -> socket.socket:
        """Return the socket for a new connection of a client; its TLS handshake is still to be done."""
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._own_tls is None:
            return accepted
        return self._own_tls.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)

    def server_end(self) -> socket.socket:
        """Connect to the API server; the TLS handshake is still to be done."""
        host = self._upstream.hostname or ""
        port = self._upstream.port or (80 if self._upstream_tls is None else 443)
        connected = socket.create_connection((host, port))
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._upstream_tls is None:
            return connected
        return self._upstream_tls.wrap_socket(connected, server_hostname=host, do_handshake_on_connect=False)

    def admit(self, connection: _Connection, head: Head) -> tuple[Request, Fault | None]:
        """Number a request and find out what is to go wrong with it."""
        method, target, _ = head.line
        with self._lock:
            self.check(connection)
            request = Request(len(self._requests) + 1, connection.number, *classify(method, target), target)
            self._requests.append(request)
            due = [rule for rule in self._rules if rule.due(request)]
            if not due:
                return request, None
            due[0].hits += 1
            fault = due[0].fault
            if isinstance(fault, Kill | Meanwhile) and not fault.forwarded:
                self.call(connection, fault, request)
                return request, None
            return request, fault

    def call(self, connection: _Connection, fault: Kill | Meanwhile, request: Request) -> None:
        """Call back while everything else is held.

        Raises:
            ClosedError: After :class:`Kill`.
        """
        with self._lock:
            fault.callback(request)
            if isinstance(fault, Kill):
                for dead in self._connections:
                    dead.dropped = True
                    if dead is not connection:
                        dead.abort()
                raise ClosedError

    def check(self, connection: _Connection) -> None:
        """Raise ClosedError when the connection was dropped meanwhile."""
        if connection.dropped:
            raise ClosedError

    def forward(self, connection: _Connection, data: bytes, to: Wire) -> None:
        """Pass a request on, unless its client was killed meanwhile."""
        with self._lock:
            self.check(connection)
            to.send(data)

    def first_answer(self, head: Head) -> bytes | None:
        """Return what was answered first to the same request for discovery."""
        with self._lock:
            return self._first_answers.get(_discovery_key(head))

    def keep_answer(self, head: Head, answer: bytes) -> None:
        """Keep an answer for :meth:`first_answer`."""
        with self._lock:
            self._first_answers.setdefault(_discovery_key(head), answer)

    def left(self, connection: _Connection) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._connections.discard(connection)


class _Connection:
    """One connection of a client and the one to the API server that belongs to it."""

    def __init__(self, proxy: ApiProxy, number: int, accepted: socket.socket) -> None:
        self.number = number
        self.dropped = False
        self.thread = threading.Thread(target=self._run, name=f"apiproxy-{number}", daemon=True)
        self._proxy = proxy
        self._client = Wire(accepted)
        self._server: Wire | None = None

    def abort(self) -> None:
        """End it from another thread."""
        self._client.abort()
        if self._server is not None:
            self._server.abort()

    def _run(self) -> None:
        try:
            self._serve()
        except (ClosedError, OSError):  # OSError: no API server, a broken handshake
            self._client.close()
        except _ResetError:
            self._client.reset()
        finally:
            self._client.close()
            if self._server is not None:
                self._server.close()
            self._proxy.left(self)

    def _serve(self) -> None:
        # Known before their handshakes: those may hang, and abort() has to reach them.
        self._client = Wire(self._proxy.client_end(self._client.socket))
        self._server = Wire(self._proxy.server_end())
        self._server.handshake()
        self._proxy.pause(self._proxy.delay * (2 if self._client.encrypted else 1))
        self._client.handshake()
        while True:
            # What the API server closes while nothing is going on is closed for the client too.
            self._client.peer = self._server
            head = self._client.head()
            self._client.peer = None
            body = b"".join(raw for raw, _ in self._client.body(head))
            request, fault = self._proxy.admit(self, head)
            self._proxy.pause(self._proxy.delay)
            self._exchange(self._server, request, fault, head, body)

    def _exchange(self, server: Wire, request: Request, fault: Fault | None, head: Head, body: bytes) -> None:
        match fault:
            case Answer():
                request.status = fault.status
                self._client.send(fault.render())
                return
            case Reset(forwarded=False):
                raise _ResetError
            case Stale() if kept := self._proxy.first_answer(head):
                request.status = 200
                self._client.send(kept)
                return
        self._proxy.forward(self, head.raw + body, server)
        # A client that hangs up ends the request; not so where it is to be carried out all the same.
        server.peer = None if isinstance(fault, Reset | Kill) else self._client
        answer = server.head()
        while answer.status < 200:
            self._client.send(answer.raw)
            answer = server.head()
        request.status = answer.status
        self._pass_on(server, request, fault, head, answer)
        server.peer = None

    def _pass_on(self, server: Wire, request: Request, fault: Fault | None, head: Head, answer: Head) -> None:
        pieces = server.body(answer, answers=head.line[0])
        match fault:
            case Slow():
                self._proxy.pause(fault.seconds)
            case Reset() | HalfBody() | Kill() | Meanwhile():
                whole = b"".join(raw for raw, _ in pieces)
                if isinstance(fault, Reset):
                    raise _ResetError
                if isinstance(fault, HalfBody):
                    self._client.send(answer.raw + whole[: len(whole) // 2])
                    raise ClosedError
                self._proxy.call(self, fault, request)
                self._client.send(answer.raw + whole)
                return
            case CutWatch() | GoneInWatch() if request.verb == "watch" and answer.status == 200:
                self._cut(pieces, fault, answer)
        keep = answer.status == 200 and head.line[0] == "GET" and _DISCOVERY.fullmatch(request.path)
        kept = [answer.raw]
        first = answer.raw
        if not server.ahead:  # a watch without events: its head must not wait for the first one
            self._client.send(first)
            first = b""
        for raw, _ in pieces:
            self._client.send(first + raw)
            first = b""
            if keep:
                kept.append(raw)
        if first:
            self._client.send(first)
        if keep:
            self._proxy.keep_answer(head, b"".join(kept))

    def _cut(self, pieces: Any, fault: CutWatch | GoneInWatch, answer: Head) -> None:
        """Pass some events of a watch on, then end it. Always raises ClosedError."""
        self._client.send(answer.raw)
        inside = isinstance(fault, CutWatch) and fault.inside
        for number, event in enumerate(_events(pieces)) if fault.after or inside else ():
            if number == fault.after:
                self._client.send(_chunk(event[: len(event) // 2]))
                raise ClosedError
            self._client.send(_chunk(event))
            if number + 1 == fault.after and not inside:
                break
        if isinstance(fault, GoneInWatch):
            gone = status_object(410, "too old resource version: injected by a test")
            self._client.send(_chunk(b'{"type":"ERROR","object":' + gone + b"}\n") + b"0\r\n\r\n")
        raise ClosedError


class _ResetError(Exception):
    """The connection of the client is to be reset."""


def _events(pieces: Any) -> Any:
    text = b""
    for _, payload in pieces:
        text += payload
        *lines, text = text.split(b"\n")
        for line in lines:
            yield line + b"\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _discovery_key(head: Head) -> tuple[str, ...]:
    return (head.line[1], *(head.headers.get(name, "") for name in ("accept", "accept-encoding")))


def _load(kubeconfig: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    return document


def _cluster_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the cluster section of the current context."""
    contexts = {entry["name"]: entry["context"] for entry in document["contexts"]}
    clusters: dict[str, dict[str, Any]] = {entry["name"]: entry["cluster"] for entry in document["clusters"]}
    return clusters[contexts[document["current-context"]]["cluster"]]


def _client_context(cluster: dict[str, Any]) -> ssl.SSLContext:
    data = cluster.get("certificate-authority-data")
    context = ssl.create_default_context(
        cafile=cluster.get("certificate-authority"), cadata=base64.b64decode(data).decode() if data else None
    )
    context.set_alpn_protocols(["http/1.1"])
    return context
