# SPDX-License-Identifier: Apache-2.0
"""A proxy with a password that leads to servers of the test under names that only it knows."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from .serving import HttpServer

_BLOCK = 64 * 1024


class HttpProxy(HttpServer):
    """Serves CONNECT on 127.0.0.1 while it is entered.

    Args:
        targets: ``host:port`` as clients ask for it -> address that it leads to; all else is refused.
        username: User name that it takes.
        password: And password.

    Attributes:
        url: URL with user name and password.
        passed: What was asked for and passed on, in that order.
    """

    def __init__(self, targets: Mapping[str, tuple[str, int]], username: str, password: str) -> None:
        self.targets = dict(targets)
        self.passed: list[str] = []
        self._login = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        super().__init__(self._handler())
        self.url = f"http://{username}:{password}@{self.address}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # git asks once without the password, and again on the same connection

            def do_CONNECT(self) -> None:
                if self.headers.get("Proxy-Authorization") != proxy._login:
                    self.send_response(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)
                    self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif self.path not in proxy.targets:
                    self.send_error(HTTPStatus.BAD_GATEWAY)
                else:
                    proxy.passed.append(self.path)
                    self.close_connection = True
                    with socket.create_connection(proxy.targets[self.path]) as server:
                        self.send_response(HTTPStatus.OK)
                        self.end_headers()
                        with contextlib.suppress(ConnectionError):
                            _join(self.connection, server)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _join(one: Any, other: Any) -> None:
    """Pass on what comes, in both directions, until one side ends."""
    while True:
        for readable in select.select([one, other], [], [])[0]:
            block = readable.recv(_BLOCK)
            if not block:
                return
            (other if readable is one else one).sendall(block)
