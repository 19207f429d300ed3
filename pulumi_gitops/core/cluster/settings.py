# SPDX-License-Identifier: Apache-2.0
"""How to reach a cluster: what the user says, and what it resolves to."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """Connection settings by the names that users of kubernetes.core know. None means "not given".

    Attributes:
        kubeconfig: Path (several separated by ``os.pathsep``), the text of a kubeconfig (contains a line break), or
            a kubeconfig as a dict. Default: ``$KUBECONFIG``, then ``~/.kube/config``, then the pod's service account.
        context: Context of the kubeconfig; default its ``current-context``.
        host: URL of the API server. With `api_key`, basic auth or a client certificate no kubeconfig is read.
        api_key: Bearer token.
        username: User for basic auth.
        password: Password for basic auth.
        validate_certs: Verify the server's certificate; default true.
        ca_cert: Path of a CA bundle in PEM.
        client_cert: Path of a client certificate in PEM.
        client_key: Path of its key.
        tls_server_name: Name to verify instead of the host's.
        proxy: URL of an HTTP proxy.
        no_proxy: Comma-separated hosts that are reached without the proxy.
        proxy_headers: Headers for the proxy: ``proxy_basic_auth`` or ``basic_auth`` ("user:password"), ``user_agent``.
        impersonate_user: User to act as.
        impersonate_groups: Groups to act as.
        request_timeout: Seconds that one request may take.
    """

    kubeconfig: str | Mapping[str, Any] | None = field(default=None, repr=False)
    context: str | None = None
    host: str | None = None
    api_key: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    validate_certs: bool | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    tls_server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    proxy_headers: Mapping[str, Any] | None = field(default=None, repr=False)
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    request_timeout: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A resolved connection.

    Attributes:
        server: Base URL without a trailing slash.
        ssl_context: TLS settings; None for plain HTTP.
        headers: Called for each request, since tokens of exec plugins and OIDC expire.
        tls_server_name: Name to verify instead of the host's.
        proxy: Proxy URL, "" for none.
        proxy_headers: Headers for the proxy.
        impersonate_groups: Groups to act as; a header each, so they do not fit into `headers`.
        namespace: Default namespace of the context.
        request_timeout: Seconds that one request may take.
        origin: Where the settings came from, for error messages (``context staging of ~/.kube/config``).
    """

    server: str
    ssl_context: ssl.SSLContext | None
    headers: Callable[[], dict[str, str]] = field(repr=False)
    tls_server_name: str = ""
    proxy: str = field(default="", repr=False)
    proxy_headers: dict[str, str] = field(default_factory=dict, repr=False)
    impersonate_groups: tuple[str, ...] = ()
    namespace: str = "default"
    request_timeout: float = 30.0
    origin: str = ""
