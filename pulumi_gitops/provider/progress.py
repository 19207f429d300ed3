# SPDX-License-Identifier: Apache-2.0
"""Talk to the engine: steps in the Info column, messages in the log."""

from __future__ import annotations

import threading
import time

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc

from ..core.deploy import Progress
from ..core.redact import redact

# The Info column is for people: more than a few changes a second can not be read.
_INTERVAL = 0.2


class EngineLog:
    """Writes to the engine's log. Thread-safe; a log that can not be written never fails the work.

    Args:
        address: Address of the engine, "" for none.
    """

    def __init__(self, address: str) -> None:
        self._stub = None
        if address:
            self._stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address))
        self._lock = threading.Lock()
        self._last: dict[str, float] = {}

    def status(self, urn: str, progress: Progress) -> None:
        """Show a step of a resource in the Info column."""
        with self._lock:
            now = time.monotonic()
            if now - self._last.get(urn, -_INTERVAL) < _INTERVAL and progress.done != progress.total:
                return
            self._last[urn] = now
        count = f" {progress.done}/{progress.total}" if progress.total else ""
        self._write(engine_pb2.INFO, urn, f"{progress.phase}{count}: {progress.message}", ephemeral=True)

    def warning(self, urn: str, message: str) -> None:
        """Show a warning under a resource."""
        self._write(engine_pb2.WARNING, urn, message, ephemeral=False)

    def info(self, urn: str, message: str) -> None:
        """Show a message under a resource."""
        self._write(engine_pb2.INFO, urn, message, ephemeral=False)

    def debug(self, urn: str, message: str) -> None:
        """Write a line that only shows with ``--debug``."""
        self._write(engine_pb2.DEBUG, urn, message, ephemeral=False)

    def _write(self, severity: engine_pb2.LogSeverity.ValueType, urn: str, message: str, *, ephemeral: bool) -> None:
        if self._stub is None:
            return
        request = engine_pb2.LogRequest(severity=severity, message=redact(message), urn=urn, ephemeral=ephemeral)
        try:
            self._stub.Log(request, timeout=5)
        except grpc.RpcError:
            return
