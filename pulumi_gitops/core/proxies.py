# SPDX-License-Identifier: Apache-2.0
"""The way to a server through a proxy, as kubectl and other programs in Go go it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from . import redact

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address


def proxy_of_environment(url: str) -> str:
    """Return the URL of the proxy that the environment names for a URL, "" for none.

    ``HTTPS_PROXY`` or ``HTTP_PROXY``, but for what ``NO_PROXY`` names: hosts, domains, addresses, networks. Loopback
    never goes through a proxy (golang.org/x/net/http/httpproxy): a local cluster is reached whatever a company's
    machines have set.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""  # without the import that the rest needs
    from urllib.request import getproxies_environment, proxy_bypass

    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = getproxies_environment()
    proxy = proxies.get(parts.scheme, "")
    exempt = [entry.strip() for entry in proxies.get("no", "").split(",")]
    named = proxy_bypass(parts.netloc.rpartition("@")[2]) or in_networks(host, exempt)
    return "" if named or _is_loopback(host) else proxy


def in_networks(host: str, entries: Iterable[str]) -> bool:
    """Tell whether a host is an address in one of the networks, as ``10.0.0.0/8``, among the entries."""
    from ipaddress import ip_network

    address = _address(host)
    if address is None:
        return False
    for entry in entries:
        try:
            if "/" in entry and address in ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def is_proxy(url: str) -> bool:
    """Tell whether a URL can be that of a proxy: http or https, with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def login_of(proxy: str) -> str:
    """Return "user:password" when the URL of a proxy holds them, "" otherwise. They are kept out of all output."""
    parts = urlsplit(proxy)
    if parts.password is None:
        return ""
    login = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
    redact.register(parts.password, unquote(parts.password), login)
    return login


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    from ipaddress import ip_address

    try:
        return ip_address(host)
    except ValueError:
        return None
