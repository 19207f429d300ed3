# SPDX-License-Identifier: Apache-2.0
"""One connection through the proxy: requests in, answers out, and what a fault does to them."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

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
    Slow,
    Stale,
    status_object,
)
from .wire import ClosedError, Head, Wire

if TYPE_CHECKING:
    from .apiproxy import ApiProxy

_DISCOVERY = re.compile(r"/api(/[^/]+)?|/apis(/[^/]+/[^/]+)?")
_Pieces = Iterator[tuple[bytes, bytes]]  # bytes to pass on, and the payload in them


class Connection:
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

    def _cut(self, pieces: _Pieces, fault: CutWatch | GoneInWatch, answer: Head) -> None:
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


def _events(pieces: _Pieces) -> Iterator[bytes]:
    text = b""
    for _, payload in pieces:
        text += payload
        *lines, text = text.split(b"\n")
        for line in lines:
            yield line + b"\n"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
