# SPDX-License-Identifier: Apache-2.0
"""What can go wrong between a client and an API server, and which request it happens to."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

_REASONS = {
    403: "Forbidden",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(slots=True)
class Request:
    """One request that a proxy has seen.

    Attributes:
        number: 1, 2, ... in the order in which they arrived.
        connection: Number of the client's connection.
        verb: As in RBAC rules: get, list, watch, create, update, patch, delete, deletecollection.
        resource: ``configmaps``, ``deployments/status``; the path for what is no resource (``/apis``).
        target: Path and query.
        status: Status of the answer; 0 as long as there is none.
    """

    number: int
    connection: int
    verb: str
    resource: str
    target: str
    status: int = 0

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]

    @property
    def dry_run(self) -> bool:
        """Whether it asks the server to change nothing."""
        return "dryRun=All" in self.target

    def __str__(self) -> str:
        """For messages of tests."""
        return f"{self.number}: {self.verb} {self.target} -> {self.status or 'no answer'}"


def classify(method: str, target: str) -> tuple[str, str]:
    """Return verb and resource of a request by its method, path and query."""
    url = urlsplit(target)
    parts = url.path.strip("/").split("/")
    rest = parts[2:] if parts[0] == "api" else parts[3:] if parts[0] == "apis" else []
    if not rest:
        return ("get" if method == "GET" else method.lower()), url.path
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status", "finalize"):
        rest = rest[2:]
    named = len(rest) > 1
    resource = "/".join((rest[0], *rest[2:]))
    if method == "GET":
        watching = parse_qs(url.query).get("watch", [""])[0] in ("1", "true")
        return ("watch" if watching else "get" if named else "list"), resource
    if method == "DELETE":
        return ("delete" if named else "deletecollection"), resource
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower()), resource


# --- faults ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """The API server does not get the request; the client gets this status.

    Attributes:
        status: 429, 500, 503, 410, ...
        retry_after: Value of the header of this name, in seconds; None for no header.
        message: Message of the Status object.
    """

    status: int
    retry_after: int | None = None
    message: str = "injected by a test"

    def render(self) -> bytes:
        """Return the whole answer."""
        body = status_object(self.status, self.message)
        after = "" if self.retry_after is None else f"Retry-After: {self.retry_after}\r\n"
        head = f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Injected')}\r\n{after}"
        return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset. `forwarded`: only after the API server has done what was asked for."""

    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class HalfBody:
    """The API server does what was asked for; its answer ends in the middle of the body, and so does the connection."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer is held back for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class CutWatch:
    """A watch ends without a word after some events. `inside`: in the middle of the next one."""

    after: int = 0
    inside: bool = False


@dataclass(frozen=True, slots=True)
class GoneInWatch:
    """A watch sends the error event "410 Expired" after some events, and ends, as after a compaction of etcd."""

    after: int = 0


@dataclass(frozen=True, slots=True)
class Stale:
    """The answer that the proxy passed on first for the same path: discovery from a cache that is behind.

    Only for discovery (``/api``, ``/apis`` and what is right below); an answer that there is none of yet is a real one.
    """


@dataclass(frozen=True, slots=True)
class Kill:
    """Call something that ends the client, then drop every connection that was open at that moment.

    Nothing that a client had sent but the proxy had not passed on reaches the API server: from its point of view the
    client died right before (`forwarded`: right after) this request.
    """

    callback: Callable[[Request], object]
    forwarded: bool = False


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """Call something while all requests are held, then go on as if nothing had happened.

    `forwarded`: the API server has done what was asked for, the client does not know yet.
    """

    callback: Callable[[Request], object]
    forwarded: bool = False


Fault = Answer | Reset | HalfBody | Slow | CutWatch | GoneInWatch | Stale | Kill | Meanwhile


@dataclass(slots=True)
class Rule:
    """A fault, and which requests it happens to.

    Attributes:
        fault: What goes wrong.
        verb: Only requests of this verb; "" for all.
        path: Only requests whose path and query this expression is found in; "" for all.
        nth: The first of them that is hit, counted from 1.
        times: How many in a row are hit; 0 for all that follow.
        seen: How many have fitted so far.
        hits: How many have been hit so far.
    """

    fault: Fault
    verb: str = ""
    path: str = ""
    nth: int = 1
    times: int = 1
    seen: int = field(default=0, init=False)
    hits: int = field(default=0, init=False)

    def due(self, request: Request) -> bool:
        """Count a request if it fits, and tell whether it is one to be hit."""
        if (self.verb and request.verb != self.verb) or not re.search(self.path, request.target):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times == 0 or self.seen < self.nth + self.times)


def status_object(code: int, message: str) -> bytes:
    """Return a Status object as the API server sends it with an error."""
    return json.dumps(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": _REASONS.get(code, "Unknown"),
            "code": code,
        }
    ).encode()
