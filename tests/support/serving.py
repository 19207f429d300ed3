# SPDX-License-Identifier: Apache-2.0
"""A small HTTP server of a test, on a free port of 127.0.0.1."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class HttpServer:
    """Serves while it is entered.

    Args:
        handler: Answers the requests.

    Attributes:
        address: ``127.0.0.1:PORT``.
    """

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving."""
        self.stop()

    def stop(self) -> None:
        """Stop serving before the end; a second time is fine."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
