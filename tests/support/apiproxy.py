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

from .connection import Connection
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
        self._connections: set[Connection] = set()
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
                connection = Connection(self, self._accepted, accepted)
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

    def admit(self, connection: Connection, head: Head) -> tuple[Request, Fault | None]:
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

    def call(self, connection: Connection, fault: Kill | Meanwhile, request: Request) -> None:
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

    def check(self, connection: Connection) -> None:
        """Raise ClosedError when the connection was dropped meanwhile."""
        if connection.dropped:
            raise ClosedError

    def forward(self, connection: Connection, data: bytes, to: Wire) -> None:
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

    def left(self, connection: Connection) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._connections.discard(connection)


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
