# SPDX-License-Identifier: Apache-2.0
"""Where a repository is and how we prove who we are."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from .. import redact
from ..errors import InputError

_SCHEMES = ("https", "http")


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to authenticate to a Git server over HTTP(S).

    Args:
        username: User name. Servers that take a token as password mostly ignore it; "git" is sent when None.
        password: Password or token. None means anonymous.
        ca_cert: Path of a PEM file with the certificates to trust, instead of those of the system.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_cert: str | None = None

    def __post_init__(self) -> None:
        """Register the password for redaction and check what can be checked without a server."""
        redact.register(self.password, self._basic())
        if self.ca_cert is not None and not Path(self.ca_cert).is_file():
            raise InputError(f"the CA certificate file {self.ca_cert} does not exist")
        if ":" in (self.username or ""):
            raise InputError("a user name for HTTP authentication can not contain a colon")
        if any(ord(c) < 32 for c in f"{self.username or ''}{self.password or ''}"):
            raise InputError(
                "user name or password contains a control character",
                hint="Often a line break at the end of a file that the password was read from.",
            )

    def header(self) -> str | None:
        """Return the HTTP header that authenticates, None for anonymous access. It is a secret."""
        token = self._basic()
        return f"Authorization: Basic {token}" if token else None

    def _basic(self) -> str | None:
        if self.password is None:
            return None
        return base64.b64encode(f"{self.username or 'git'}:{self.password}".encode()).decode()


def check_url(url: str, credentials: Credentials) -> str:
    """Return the scheme of a repository's URL.

    Raises:
        InputError: Not an http(s) URL with a host, or it carries a user name, password, query or fragment, or a
            password would go over the network unencrypted.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as e:
        raise InputError(f"{redact.redact(url)!r} is not a valid URL: {e}") from e
    if "@" in parts.netloc:
        redact.register(parts.password)
        raise InputError(
            f"the repository URL {_without_user(parts)} carries credentials",
            hint="Give them as username and password: a URL ends up in logs, states and process lists.",
        )
    if parts.scheme not in _SCHEMES or not parts.hostname or any(ord(c) <= 32 or ord(c) == 127 for c in url):
        raise InputError(
            f"{redact.redact(url)!r} is not an HTTP(S) URL of a repository",
            hint="Expected something like https://git.example.com/team/config.git.",
        )
    if parts.hostname.startswith("-") or parts.query or parts.fragment:
        raise InputError(f"the repository URL {_without_user(parts)} has a host, query or fragment that is not allowed")
    if parts.scheme == "http" and credentials.password is not None and not _is_loopback(parts.hostname):
        raise InputError(
            f"refusing to send a password to {_without_user(parts)} unencrypted",
            hint="Use the https:// URL of the repository.",
        )
    return parts.scheme


def _without_user(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
