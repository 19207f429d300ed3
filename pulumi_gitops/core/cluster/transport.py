# SPDX-License-Identifier: Apache-2.0
"""HTTP to one API server: a pool of kept-alive connections, timeouts, retries, typed errors."""

from __future__ import annotations

import email.utils
import json
import random
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import HTTPError, InsecureRequestWarning, MaxRetryError, NewConnectionError, SSLError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from ..errors import ApiError, ClusterUnreachableError, GoneError
from ..redact import redact
from .settings import Endpoint
from .statuses import ILL_TYPED, error_for

# Parallel requests of one run; the pool keeps as many connections.
POOL_SIZE = 24
_CONNECT_SECONDS = 10.0
_ATTEMPTS = 6
# A server that answered before and is away now is being restarted or replaced: about a minute is worth waiting.
_ATTEMPTS_WHEN_KNOWN = 13
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0
# PATCH is safe to repeat: server-side apply is idempotent, and our JSON patches test what they change.
_REPEATABLE = frozenset({"GET", "PATCH", "PUT", "DELETE"})
# Answers with 5xx that will not change.
_FINAL = (b"admission webhook", ILL_TYPED.encode())
_RETRY_STATUS = frozenset({429, 500, 502, 503, 504})


class Transport:
    """Sends requests to one endpoint. Thread-safe."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.requests = 0
        self._answered = False
        self._warned: set[str] = set()
        self._lock = threading.Lock()
        options: dict[str, Any] = {"maxsize": POOL_SIZE, "block": False, "retries": False}
        if endpoint.ssl_context is not None:
            options["ssl_context"] = endpoint.ssl_context
            if not endpoint.ssl_context.check_hostname:
                options["assert_hostname"] = False
                # The user asked for it (validate_certs, insecure-skip-tls-verify): no warning per request.
                urllib3.disable_warnings(InsecureRequestWarning)
            elif endpoint.tls_server_name:
                options["server_hostname"] = endpoint.tls_server_name
                options["assert_hostname"] = endpoint.tls_server_name
        if endpoint.proxy:
            self._pool: urllib3.PoolManager = urllib3.ProxyManager(
                endpoint.proxy, proxy_headers=endpoint.proxy_headers, **options
            )
        else:
            self._pool = urllib3.PoolManager(**options)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings that the API server sent with its answers (deprecated versions and the like), each once."""
        with self._lock:
            return tuple(sorted(self._warned))

    def json(
        self,
        method: str,
        path: str,
        *,
        doing: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        retry_server_errors: bool = True,
    ) -> Any:
        """Send a request and return the decoded JSON answer.

        429, 5xx and broken connections are retried with growing pauses (``Retry-After`` is obeyed). POST is repeated
        only when the server said that it did nothing (429, 503).

        Args:
            method: HTTP method.
            path: Absolute path.
            doing: What this is for, in error messages: ``apply Deployment shop/web``.
            query: Query parameters; empty values are left out.
            body: JSON value.
            content_type: Content type of the body.
            accept: Accept header.
            retry_server_errors: Retry on 5xx. A dry run behind a broken webhook is answered with 500 for good.

        Raises:
            ApiError: The API server refused.
            ClusterUnreachableError: No answer in spite of retries.
        """
        data = None if body is None else json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
        for attempt in range(1, _ATTEMPTS_WHEN_KNOWN + 1):
            last = attempt >= _ATTEMPTS
            try:
                response = self._send(method, path, query, data, content_type, accept)
                answer = response.data
            except HTTPError as error:
                given_up = attempt == _ATTEMPTS_WHEN_KNOWN if self._answered else last
                if given_up or not _may_repeat(method, error):
                    raise self._unreachable(doing, error) from error
                time.sleep(_pause(attempt))
                continue
            self._answered = True
            status = response.status
            self._note_warnings(response)
            if status < 400:
                return _decoded(answer, doing)
            retry = status in (429, 503) or (status in _RETRY_STATUS and retry_server_errors and method in _REPEATABLE)
            if last or not retry or any(marker in answer for marker in _FINAL):
                raise error_for(status, answer, doing=doing, origin=self.endpoint.origin)
            time.sleep(_retry_after(response.headers.get("Retry-After")) or _pause(attempt))
        raise AssertionError("unreachable: the loop returns or raises")

    def stream(
        self, path: str, *, doing: str, query: Mapping[str, str], read_timeout: float
    ) -> urllib3.BaseHTTPResponse:
        """Open a watch and return the response; the caller reads lines and releases it.

        Raises:
            ApiError: The API server refused (GoneError for an expired resourceVersion).
            ClusterUnreachableError: No connection.
        """
        try:
            response = self._send("GET", path, query, None, "application/json", "application/json", read_timeout)
            if response.status >= 400:
                raise error_for(response.status, response.data, doing=doing, origin=self.endpoint.origin)
        except HTTPError as error:
            raise self._unreachable(doing, error) from error
        return response

    def text(self, path: str, *, doing: str, query: Mapping[str, str], read_timeout: float, limit: int) -> str:
        """Return the start of a text answer (a pod's log). Tried once: what it is for has to do without as well.

        Args:
            path: Absolute path.
            doing: What this is for, in error messages.
            query: Query parameters; empty values are left out.
            read_timeout: Seconds to wait for the server.
            limit: Bytes to read at most.

        Raises:
            ApiError: The API server refused.
            ClusterUnreachableError: No answer.
        """
        try:
            response = self._send("GET", path, query, None, "", "*/*", read_timeout)
            try:
                data = response.read(limit)
            finally:
                response.close()
        except HTTPError as error:
            raise self._unreachable(doing, error) from error
        if response.status >= 400:
            raise error_for(response.status, data, doing=doing, origin=self.endpoint.origin)
        return data.decode("utf-8", "replace")

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        data: bytes | None,
        content_type: str,
        accept: str,
        read_timeout: float | None = None,
    ) -> urllib3.BaseHTTPResponse:
        headers = urllib3.HTTPHeaderDict(self.endpoint.headers())
        headers["Accept"] = accept
        headers["User-Agent"] = "pulumi-gitops"
        for group in self.endpoint.impersonate_groups:
            headers.add("Impersonate-Group", group)
        if data is not None:
            headers["Content-Type"] = content_type
        parameters = urlencode({k: v for k, v in (query or {}).items() if v})
        with self._lock:
            self.requests += 1
        return self._pool.request(
            method,
            f"{self.endpoint.server}{path}{'?' if parameters else ''}{parameters}",
            body=data,
            headers=headers,
            preload_content=read_timeout is None,
            redirect=False,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_timeout or self.endpoint.request_timeout),
        )

    def _note_warnings(self, response: urllib3.BaseHTTPResponse) -> None:
        for header in response.headers.getlist("Warning"):
            # RFC 7234: 299 - "text"
            text = header.split('"')[1] if '"' in header else header
            with self._lock:
                self._warned.add(redact(text))

    def _unreachable(self, doing: str, error: Exception) -> ClusterUnreachableError:
        server, origin = self.endpoint.server, self.endpoint.origin
        where = f"{server} ({origin})" if origin and not origin.endswith(server) else server
        cause: BaseException = error
        if isinstance(error, MaxRetryError) and error.reason is not None:
            cause = error.reason
        if isinstance(cause, SSLError) and not _hung_up(cause):
            hint = "Check ca_cert, tls_server_name and the clock; the certificate must be valid for the host."
        elif isinstance(cause, Urllib3TimeoutError):
            hint = "The host does not answer in time: check address, VPN, firewall and proxy."
        else:
            hint = "Check that the cluster runs, and the address, VPN and proxy."
        # urllib3 puts "<urllib3...object at 0x...>: " before the reason.
        reason = str(cause).rpartition(">: ")[2] or type(cause).__name__
        return ClusterUnreachableError(
            f"{doing}: the API server at {where} can not be reached: {reason}", hint=hint, details={"server": server}
        )


def _may_repeat(method: str, error: HTTPError) -> bool:
    if isinstance(error, SSLError):
        if _hung_up(error):
            return method in _REPEATABLE
        # Of a certificate, for good; but a greeting that arrived damaged is sent anew. Nothing else was sent yet.
        return "decode error" in str(error)
    if isinstance(error, NewConnectionError):
        # Refused or no such host: nothing was sent. A server that restarts is back within the pauses.
        return "Name or service not known" not in str(error)
    if isinstance(error, Urllib3TimeoutError):
        return False
    return method in _REPEATABLE


def _hung_up(error: SSLError) -> bool:
    """Tell whether a TLS connection ended without a word, as those to a server that is being stopped do."""
    return any(isinstance(cause, ssl.SSLEOFError) for cause in error.args)


def _decoded(data: bytes, doing: str) -> Any:
    try:
        return json.loads(data) if data else {}
    except ValueError as error:
        raise ApiError(f"{doing}: the API server sent something that is not JSON: {data[:80]!r}") from error


def _pause(attempt: int) -> float:
    # Full jitter on the upper half, so that the workers do not all come back at once.
    longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreading load, not security


def _retry_after(header: str | None) -> float:
    if not header:
        return 0.0
    try:
        return min(float(header), 60.0)
    except ValueError:
        pass
    try:
        when = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    return max(0.0, min(when.timestamp() - time.time(), 60.0))


def watch_error(body: Mapping[str, Any], *, doing: str) -> ApiError:
    """Return the error for an ERROR event of a watch, whose object is a Status."""
    status = int(body.get("code") or 500)
    error = error_for(status, json.dumps(body).encode(), doing=doing)
    if status == 410 and not isinstance(error, GoneError):
        return GoneError(error.message, status=status)
    return error
