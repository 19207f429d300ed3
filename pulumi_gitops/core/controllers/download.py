# SPDX-License-Identifier: Apache-2.0
"""Get a file over HTTP(S), and keep downloads by their digest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from .. import redact
from ..cache import cache_dir
from ..errors import InputError, SourceUnavailableError
from ..proxies import login_of, proxy_of_environment

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager
    from urllib3.exceptions import HTTPError

MAX_BYTES = 32 * 1024 * 1024
"""Largest file that is accepted; Argo CD's manifests have 2 MB."""

_CONNECT_SECONDS = 10.0
_READ_SECONDS = 30.0
_TOTAL_SECONDS = 180.0
_REDIRECTS = 5
_HINT = (
    "Without access to it give a local file or a mirror. A proxy is taken from HTTPS_PROXY and NO_PROXY, a private CA "
    "from SSL_CERT_FILE."
)


def sha256(content: bytes) -> str:
    """Return the sha256 of `content` in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def read_cache(digest: str) -> bytes | None:
    """Return the cached file with this sha256, None when there is none, or when it was damaged."""
    try:
        content = _cache_path(digest).read_bytes()
    except OSError:
        return None
    return content if sha256(content) == digest else None


def write_cache(content: bytes) -> None:
    """Keep a file in the cache. A cache that can not be written is no error: the next run downloads again."""
    path = _cache_path(sha256(content))
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written aside and renamed, so that a reader never sees half a file, even with two writers or a kill.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".download-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def _cache_path(digest: str) -> Path:
    return cache_dir() / "manifests" / "sha256" / digest


def download(url: str) -> bytes:
    """Return the file at a URL.

    Args:
        url: ``https`` or ``http``. A user name and password in it are sent as Basic authentication and shown nowhere.

    Raises:
        InputError: It is not such a URL.
        SourceUnavailableError: The server can not be reached, refuses, or sends more than `MAX_BYTES`.
    """
    import urllib3
    from urllib3.exceptions import HTTPError

    parts = _split(url)
    shown = shown_url(url)
    host = parts.netloc.rpartition("@")[2]
    target = parts._replace(netloc=host, fragment="").geturl()
    headers = {"User-Agent": "pulumi-gitops", "Accept": "*/*"}
    if parts.password is not None:
        login = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
        redact.register(parts.password, unquote(parts.password), login)
        headers |= urllib3.make_headers(basic_auth=login)
    # Credentials are not sent on to another host: urllib3 drops the header on such a redirect.
    retries = urllib3.Retry(total=2 + _REDIRECTS, connect=2, read=2, redirect=_REDIRECTS, status=0, backoff_factor=0.3)
    deadline = time.monotonic() + _TOTAL_SECONDS
    try:
        with _pool(target) as pool:
            response = pool.request(
                "GET",
                target,
                headers=headers,
                retries=retries,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
                preload_content=False,
            )
            with contextlib.closing(response):
                if response.status != 200:
                    raise SourceUnavailableError(
                        f"{shown} can not be downloaded: HTTP {response.status} {response.reason or ''}".rstrip(),
                        hint="Check the URL, and that the version exists there." if response.status == 404 else _HINT,
                    )
                return _body(response, shown, deadline)
    except HTTPError as e:
        raise SourceUnavailableError(f"{shown} can not be downloaded: {_reason(e)}", hint=_HINT) from e


def shown_url(url: str) -> str:
    """Return a URL as it may be printed: without credentials and query (a signed URL has its secret there)."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as e:
        raise InputError(f"{redact.redact(url)!r} is not a valid URL") from e
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise InputError(
            f"{shown_url(url)!r} is not an HTTP(S) URL", hint="Manifests are a URL, a file or a folder; nothing else."
        )
    return parts


def _pool(url: str) -> PoolManager:
    import urllib3

    # The default context reads SSL_CERT_FILE and SSL_CERT_DIR; PoolManager's own would not.
    context = ssl.create_default_context()
    proxy = proxy_of_environment(url)
    if not proxy:
        return urllib3.PoolManager(ssl_context=context)
    login = login_of(proxy)
    headers = urllib3.make_headers(proxy_basic_auth=login) if login else None
    return urllib3.ProxyManager(proxy, ssl_context=context, proxy_headers=headers)


def _body(response: BaseHTTPResponse, shown: str, deadline: float) -> bytes:
    content = bytearray()
    for chunk in response.stream(256 * 1024, decode_content=True):
        content += chunk
        if len(content) > MAX_BYTES:
            raise SourceUnavailableError(
                f"{shown} has more than {MAX_BYTES // 2**20} MiB", hint="That is not an install manifest."
            )
        if time.monotonic() > deadline:
            raise SourceUnavailableError(f"{shown} did not arrive within {_TOTAL_SECONDS:.0f} s", hint=_HINT)
    return bytes(content)


def _reason(error: HTTPError) -> str:
    cause = getattr(error, "reason", None) or error
    # urllib3 puts "<urllib3...object at 0x...>: " before the reason.
    return str(cause).rpartition(">: ")[2] or type(cause).__name__
