# SPDX-License-Identifier: Apache-2.0
"""Turn connection options into an endpoint: server URL, TLS settings and authentication headers."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .. import redact
from ..errors import ClusterConfigError
from ..proxies import in_networks, is_proxy, login_of, proxy_of_environment
from . import kubeconfig
from .settings import ConnectionOptions, Endpoint

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The kubelet rotates a projected token well before it expires; a read per minute is enough (client-go does the same).
_TOKEN_FILE_SECONDS = 60.0

# What urllib3 speaks.
_ALPN_PROTOCOLS = ["http/1.1"]

Headers = Callable[[], dict[str, str]]


def resolve(options: ConnectionOptions) -> Endpoint:
    """Work out how to connect. Sends no request.

    Raises:
        ClusterConfigError: Something in the options or the kubeconfig is missing, unknown or unreadable.
    """
    redact.register(options.api_key, options.password)
    if options.host:
        return _from_host(options)
    document, origin = kubeconfig.load(options.kubeconfig)
    if document:
        return _from_context(options, kubeconfig.pick(document, origin, options.context))
    if options.context:
        raise ClusterConfigError(
            f"context {options.context!r} can not be used: there is no kubeconfig",
            hint="Set the option kubeconfig or the variable KUBECONFIG.",
        )
    if os.environ.get("KUBERNETES_SERVICE_HOST") and (_SERVICE_ACCOUNT / "token").exists():
        return _in_cluster(options)
    searched = ", ".join(str(path) for path in kubeconfig.default_paths())
    raise ClusterConfigError(
        f"no cluster to connect to: no kubeconfig at {searched}, and this is not a pod",
        hint="Set kubeconfig (or KUBECONFIG), or host and api_key.",
    )


def _from_host(options: ConnectionOptions) -> Endpoint:
    host = options.host or ""
    server = (host if "://" in host else f"https://{host}").rstrip("/")
    return _endpoint(
        options,
        server=server,
        context=_tls(
            server,
            verify=options.validate_certs is not False,
            ca_file=options.ca_cert,
            ca_data=None,
            cert=_file_pair(options.client_cert, options.client_key),
        ),
        headers=_static_auth(options.api_key, options.username, options.password),
        origin=f"host {server}",
    )


def _in_cluster(options: ConnectionOptions) -> Endpoint:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    namespace_file = _SERVICE_ACCOUNT / "namespace"
    return _endpoint(
        options,
        server=server,
        context=_tls(server, verify=True, ca_file=str(_SERVICE_ACCOUNT / "ca.crt"), ca_data=None, cert=None),
        headers=_token_file(_SERVICE_ACCOUNT / "token"),
        namespace=namespace_file.read_text().strip() if namespace_file.exists() else "default",
        origin="the pod's service account",
    )


def _from_context(options: ConnectionOptions, context: kubeconfig.Context) -> Endpoint:
    cluster, user = context.cluster, context.user
    server = str(cluster["server"]).rstrip("/")
    verify = not cluster.get("insecure-skip-tls-verify")
    tls_name = options.tls_server_name or str(cluster.get("tls-server-name") or "")
    if options.validate_certs is not None:
        verify = options.validate_certs
    cert = _file_pair(options.client_cert, options.client_key) or _user_certificate(user, context.origin)
    headers = _override_auth(options)
    if headers is None:
        headers = _plugin_auth(context) if context.needs_plugin else _user_auth(user, context.origin)
    return _endpoint(
        options,
        server=server,
        context=_tls(
            server,
            verify=verify,
            ca_file=options.ca_cert or cluster.get("certificate-authority"),
            ca_data=None if options.ca_cert else _decoded(cluster, "certificate-authority-data", context.origin),
            cert=cert,
        ),
        headers=headers,
        tls_server_name=tls_name,
        proxy=str(cluster.get("proxy-url") or ""),
        namespace=context.namespace,
        origin=context.origin,
    )


def _endpoint(
    options: ConnectionOptions,
    *,
    server: str,
    context: ssl.SSLContext | None,
    headers: Headers,
    origin: str,
    tls_server_name: str = "",
    proxy: str = "",
    namespace: str = "default",
) -> Endpoint:
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ClusterConfigError(f"{origin}: {server!r} is not an http or https URL")
    if options.impersonate_user or options.impersonate_groups:
        headers = _impersonating(headers, options)
    proxy = _proxy_for(options, server, proxy)
    if proxy and not is_proxy(proxy):
        # It is not shown: there may be a password in it.
        raise ClusterConfigError(
            f"{origin}: the proxy for {server} has no http or https URL",
            hint="http://proxy.example.com:3128. It is the option proxy, else proxy-url of the kubeconfig, else "
            "HTTPS_PROXY or HTTP_PROXY of the environment.",
        )
    return Endpoint(
        server=server,
        ssl_context=context,
        headers=headers,
        tls_server_name=options.tls_server_name or tls_server_name,
        proxy=proxy,
        proxy_headers=_proxy_headers(options.proxy_headers, proxy),
        impersonate_groups=options.impersonate_groups,
        namespace=namespace,
        request_timeout=options.request_timeout,
        origin=origin,
    )


# --- authentication --------------------------------------------------------------------------------------------------


def _static_auth(token: str | None, username: str | None, password: str | None) -> Headers:
    if token:
        redact.register(token)
        value = f"Bearer {token.strip()}"
        return lambda: {"Authorization": value}
    if username:
        redact.register(password)
        encoded = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
        redact.register(encoded)
        return lambda: {"Authorization": f"Basic {encoded}"}
    return dict


def _override_auth(options: ConnectionOptions) -> Headers | None:
    if options.api_key or options.username:
        return _static_auth(options.api_key, options.username, options.password)
    return None


def _user_auth(user: Mapping[str, Any], origin: str) -> Headers:
    if user.get("token"):
        return _static_auth(str(user["token"]), None, None)
    if user.get("tokenFile"):
        path = Path(str(user["tokenFile"]))
        if not path.is_file():
            raise ClusterConfigError(f"{origin}: token file {path} does not exist")
        return _token_file(path)
    return _static_auth(None, user.get("username"), user.get("password"))


def _token_file(path: Path) -> Headers:
    cached: dict[str, Any] = {"until": 0.0, "value": ""}

    def headers() -> dict[str, str]:
        if time.monotonic() >= cached["until"]:
            try:
                token = path.read_text().strip()
            except OSError as error:
                raise ClusterConfigError(f"token file {path} can not be read: {error}") from error
            redact.register(token)
            cached.update(until=time.monotonic() + _TOKEN_FILE_SECONDS, value=f"Bearer {token}")
        return {"Authorization": cached["value"]}

    return headers


def _plugin_auth(context: kubeconfig.Context) -> Headers:
    """Authenticate through the ``kubernetes`` package: exec plugins, auth providers, OIDC refresh."""
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise ClusterConfigError(
            f"{context.origin} authenticates through a plugin, which needs the Python package kubernetes",
            hint="pip install 'kubernetes>=24.2'",
        ) from error
    configuration = client.Configuration()
    try:
        load: Callable[..., None] = config.load_kube_config_from_dict
        load(dict(context.document), context=context.name, client_configuration=configuration, persist_config=False)
    except Exception as error:  # the package raises its own, subprocess and OS errors alike
        raise ClusterConfigError(
            f"{context.origin}: the authentication plugin failed: {error}",
            hint="Run the plugin by hand with the same environment, or log in again.",
        ) from error
    if configuration.cert_file:
        raise ClusterConfigError(
            f"{context.origin}: an exec plugin that returns a client certificate is not supported",
            hint="Use a plugin that returns a token, or put the certificate into the kubeconfig.",
        )

    def headers() -> dict[str, str]:
        settings = dict(configuration.auth_settings().get("BearerToken") or {})
        value = str(settings.get("value") or "")
        redact.register(value.removeprefix("Bearer "))
        return {"Authorization": value} if value else {}

    return headers


def _impersonating(headers: Headers, options: ConnectionOptions) -> Headers:
    if not options.impersonate_user:
        raise ClusterConfigError("impersonate_groups needs impersonate_user")
    user = options.impersonate_user
    return lambda: {**headers(), "Impersonate-User": user}


# --- TLS and proxy ---------------------------------------------------------------------------------------------------


def _file_pair(cert: str | None, key: str | None) -> tuple[str | bytes, str | bytes] | None:
    return (cert, key or cert) if cert else None


def _user_certificate(user: Mapping[str, Any], origin: str) -> tuple[str | bytes, str | bytes] | None:
    cert = _decoded(user, "client-certificate-data", origin) or user.get("client-certificate")
    key = _decoded(user, "client-key-data", origin) or user.get("client-key")
    if cert and not key:
        raise ClusterConfigError(f"{origin}: the user has a client certificate but no key")
    return (cert, key) if cert and key else None


def _decoded(section: Mapping[str, Any], name: str, origin: str) -> bytes | None:
    value = section.get(name)
    if not value:
        return None
    try:
        return base64.b64decode(str(value), validate=False)
    except (binascii.Error, ValueError) as error:
        raise ClusterConfigError(f"{origin}: {name} is not base64") from error


def _tls(
    server: str,
    *,
    verify: bool,
    ca_file: str | None,
    ca_data: bytes | None,
    cert: tuple[str | bytes, str | bytes] | None,
) -> ssl.SSLContext | None:
    if server.startswith("http://"):
        return None
    try:
        context = ssl.create_default_context(
            cafile=ca_file if verify else None, cadata=ca_data.decode() if ca_data and verify else None
        )
        # Clusters made before 2020 have CAs without the key-usage extension; client-go accepts them.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if cert:
            _load_certificate(context, cert)
    except (OSError, ssl.SSLError, ValueError) as error:
        what = f"CA file {ca_file}" if ca_file else "the certificates"
        raise ClusterConfigError(f"{server}: {what} can not be used: {error}") from error
    return _shared(context)


def _shared(context: ssl.SSLContext) -> ssl.SSLContext:
    """Return a context from which several threads may open connections at the same time.

    urllib3 sets the same ALPN protocols anew for each connection. OpenSSL frees the old ones while another thread,
    which holds no interpreter lock then, may copy them into its greeting: the server refuses that with "decode error".
    """
    context.set_alpn_protocols(_ALPN_PROTOCOLS)
    setattr(context, "set_alpn_protocols", _keep_protocols)  # noqa: B010 - mypy takes no assignment to a method
    return context


def _keep_protocols(protocols: Iterable[str]) -> None:
    if list(protocols) != _ALPN_PROTOCOLS:
        raise ValueError(f"the connection speaks {_ALPN_PROTOCOLS}, not {protocols}")


def _load_certificate(context: ssl.SSLContext, cert: tuple[str | bytes, str | bytes]) -> None:
    # The ssl module only loads from files, so inline data passes through private ones that are gone right after.
    with contextlib.ExitStack() as stack:
        paths: list[str] = []
        for part in cert:
            if isinstance(part, str):
                paths.append(part)
                continue
            handle = stack.enter_context(tempfile.NamedTemporaryFile(prefix="pulumi-gitops-", suffix=".pem"))
            handle.write(part)
            handle.flush()
            paths.append(handle.name)
        context.load_cert_chain(paths[0], paths[1])


def _proxy_for(options: ConnectionOptions, server: str, from_kubeconfig: str) -> str:
    host = urlsplit(server).hostname or ""
    if options.no_proxy is not None:
        entries = [part.strip().lstrip(".") for part in options.no_proxy.split(",")]
        named = any(entry and (entry in ("*", host) or host.endswith("." + entry)) for entry in entries)
        if named or in_networks(host, entries):
            return ""
    return options.proxy or from_kubeconfig or proxy_of_environment(server)


def _proxy_headers(given: Mapping[str, Any] | None, proxy: str) -> dict[str, str]:
    headers = given or {}
    of_url = login_of(proxy)
    login = headers.get("proxy_basic_auth") or of_url
    if not login and not headers:
        return {}
    from urllib3.util import make_headers

    redact.register(headers.get("proxy_basic_auth"), headers.get("basic_auth"))
    return make_headers(
        proxy_basic_auth=login or None,
        basic_auth=headers.get("basic_auth"),
        user_agent=headers.get("user_agent"),
    )
