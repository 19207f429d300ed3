# SPDX-License-Identifier: Apache-2.0
"""HTTP/1.1 as bytes: read heads and bodies from a socket without changing them, so that they can be passed on as is."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_READ = 65536


class ClosedError(Exception):
    """The connection has ended: at a good place or in the middle of something."""


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request or an answer: as bytes, its first line in three parts, and its headers (lower-case)."""

    raw: bytes
    line: tuple[str, str, str]
    headers: dict[str, str]

    @property
    def status(self) -> int:
        """Status code of an answer."""
        return int(self.line[1])

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in self.headers.get("transfer-encoding", "").lower()


class Wire:
    """One end of a connection, with what was read ahead of its turn.

    Attributes:
        peer: While set, waiting for data ends with :class:`ClosedError` when this other end hangs up.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.peer: Wire | None = None
        self._ahead = bytearray()

    @property
    def encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return isinstance(self.socket, ssl.SSLSocket)

    def handshake(self) -> None:
        """Do the TLS handshake, if there is to be one."""
        if isinstance(self.socket, ssl.SSLSocket):
            self.socket.do_handshake()

    @property
    def ahead(self) -> bool:
        """Whether something has been read already that is still to be taken."""
        return bool(self._ahead)

    def send(self, data: bytes) -> None:
        """Send all of it."""
        try:
            self.socket.sendall(data)
        except OSError as e:
            raise ClosedError from e

    def head(self) -> Head:
        """Read one head.

        Raises:
            ClosedError: The connection ended before or inside it.
        """
        while (end := self._ahead.find(b"\r\n\r\n")) < 0:
            self._fill()
        raw = self._take(end + 4)
        first, *lines = raw.decode("latin-1").rstrip().split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        a, b, c = [*first.split(" ", 2), "", ""][:3]
        return Head(raw, (a, b, c), headers)

    def body(self, head: Head, *, answers: str = "") -> Iterator[tuple[bytes, bytes]]:
        """Read the body that belongs to a head, as it comes.

        Args:
            head: Head of a request, or of an answer.
            answers: For an answer: the method of its request.

        Yields:
            Bytes to pass on, and the payload in them.

        Raises:
            ClosedError: The connection ended inside the body.
        """
        if answers and (answers == "HEAD" or head.status in (204, 304)):
            return
        if head.chunked:
            yield from self._chunks()
        elif "content-length" in head.headers:
            left = int(head.headers["content-length"])
            while left:
                if not self._ahead:
                    self._fill()
                data = self._take(min(left, len(self._ahead)))
                left -= len(data)
                yield data, data
        elif answers:  # until the connection ends
            while True:
                if not self._ahead:
                    try:
                        self._fill()
                    except ClosedError:
                        return
                data = self._take(len(self._ahead))
                yield data, data

    def _chunks(self) -> Iterator[tuple[bytes, bytes]]:
        raw, payload = bytearray(), bytearray()
        while True:
            line = self._line()
            size = int(line.split(b";")[0], 16)
            raw += line
            if size == 0:
                while (trailer := self._line()) != b"\r\n":
                    raw += trailer
                yield bytes(raw + trailer), bytes(payload)
                return
            while len(self._ahead) < size + 2:
                self._fill()
            data = self._take(size + 2)
            raw += data
            payload += data[:-2]
            # What is here already goes out together: one write per read instead of one per chunk.
            if not self._ahead or len(raw) > _READ:
                yield bytes(raw), bytes(payload)
                raw, payload = bytearray(), bytearray()

    def _line(self) -> bytes:
        while (end := self._ahead.find(b"\n")) < 0:
            self._fill()
        return self._take(end + 1)

    def _take(self, size: int) -> bytes:
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        return data

    def _fill(self) -> None:
        if self.peer is not None:
            self._wait(self.peer)
        try:
            data = self.socket.recv(_READ)
        except OSError as e:
            raise ClosedError from e
        if not data:
            raise ClosedError
        self._ahead += data

    def _wait(self, peer: Wire) -> None:
        """Return when there is something to read here."""
        if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
            return
        poll = select.poll()
        for wire in (self, peer):
            poll.register(wire.socket, select.POLLIN)
        own = self.socket.fileno()
        while not any(handle == own for handle, _ in poll.poll()):
            peer.look()

    def look(self) -> None:
        """Take what has arrived, without waiting.

        Raises:
            ClosedError: The other side has hung up.
        """
        self.socket.setblocking(False)
        try:
            data = self.socket.recv(_READ)
            if not data:
                raise ClosedError
            self._ahead += data
        except (ssl.SSLWantReadError, BlockingIOError):
            return  # TLS had something to say (a session ticket), the other side had not
        except OSError as e:
            raise ClosedError from e
        finally:
            with contextlib.suppress(OSError):
                self.socket.setblocking(True)

    def close(self) -> None:
        """Close the connection in the usual way."""
        with contextlib.suppress(OSError):
            self.socket.close()

    def reset(self) -> None:
        """Close the connection so that the other side sees "connection reset by peer"."""
        with contextlib.suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def abort(self) -> None:
        """End the connection from another thread, whatever its own one is waiting for."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)
