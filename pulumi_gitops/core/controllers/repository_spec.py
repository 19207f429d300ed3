# SPDX-License-Identifier: Apache-2.0
"""A repository that a controller may read, and how it authenticates there."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from .. import redact
from ..errors import InputError
from ..git.credentials import Credentials, check_url
from . import catalog
from .names import check_duration, check_name, check_namespace, check_texts
from .options import refuse, refuse_others

# user@host:path, as git reads it.
_SCP = re.compile(r"([A-Za-z0-9._-]+@)?[A-Za-z0-9.-]+:(?!//)[^\s]+")
_ARGOCD_ONLY = ("template", "project", "no_proxy")
_FLUX_ONLY = ("branch", "tag", "semver", "commit", "interval", "ignore", "include", "verify", "layer_selector",
              "known_hosts", "ca_cert")  # fmt: skip
_GIT_ONLY = ("branch", "include", "bearer_token", "ssh_private_key", "known_hosts", "github_app_id",
             "github_app_installation_id", "github_app_private_key", "github_app_url")  # fmt: skip
# Sources of Flux are of different kinds, with different fields.
_NOT_OF = {
    "git": ("layer_selector",),
    "helm": (*_GIT_ONLY, "commit", "tag", "semver", "ignore", "verify", "layer_selector", "proxy"),
    "oci": _GIT_ONLY,
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_LAYER_OPERATIONS = ("extract", "copy")


class RepositoryType(enum.StrEnum):
    """What is behind the URL: a Git repository, a Helm repository, or OCI artifacts."""

    GIT = "git"
    HELM = "helm"
    OCI = "oci"


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySpec:
    """A repository that a controller may read.

    One kind of credentials: none; `password` (and `username`); `bearer_token`; `ssh_private_key`; a GitHub App. A
    client certificate (`client_cert`, `client_key`) may come on top.

    Attributes:
        controller: ``argocd`` or ``flux``.
        name: Name of the connection; with Flux also that of its source object.
        url: URL of the repository, without credentials: ``https://``, ``ssh://``, ``git@host:path``, ``oci://``.
        type: ``git``, ``helm`` or ``oci``.
        username: User name; "git" is used when there is a password only.
        password: Password or token.
        bearer_token: Token that is sent as ``Authorization: Bearer``.
        ssh_private_key: Private key in PEM or OpenSSH format.
        known_hosts: Host keys to accept, as in a known_hosts file. Flux, whose SSH needs them; for Argo CD an option of
            the controller.
        github_app_id: GitHub App.
        github_app_installation_id: Its installation.
        github_app_private_key: Its private key, PEM.
        github_app_url: API of a GitHub Enterprise server.
        ca_cert: Certificates to trust, PEM. Flux; for Argo CD an option of the controller.
        client_cert: Client certificate, PEM. Argo CD shows it to a Git server only along with another login.
        client_key: Its private key, PEM.
        proxy: URL of a proxy. Argo CD: for SSH ``socks5://host:port``, for a GitHub App with a port.
        no_proxy: Hosts that need no proxy. Argo CD.
        template: The credentials are for every repository whose URL begins with `url`. Argo CD.
        project: Only this project may use it. Argo CD.
        branch: Branch that the source follows. Flux; default ``main``, unless one of the next three is given.
        tag: Tag that it follows instead.
        semver: Range of versions that it follows instead: ``>=1.2.0 <2``.
        commit: Commit that it stays at instead; of OCI artifacts the digest, ``sha256:...``.
        interval: How often the source is looked at. Flux.
        ignore: Paths to leave out, as in a .gitignore file. Flux.
        include: Other repositories to copy in: name -> folder. Flux.
        verify: Accept only what is signed: ``{"mode": "HEAD", "secret": NAME}``, or for OCI
            ``{"provider": "cosign", "secret": NAME}``. Flux. For Git the entries of the Secret end with ``.asc`` (PGP)
            or ``.sshpub`` (SSH).
        layer_selector: Which layer of OCI artifacts is taken, and how: ``{"media_type": ..., "operation": "extract"
            or "copy"}``; the first one, extracted, when empty. Flux. A chart is taken as it was pushed by
            ``application/vnd.cncf.helm.chart.content.v1.tar+gzip`` and ``copy``.
        namespace: Namespace of the controller; its usual one when None.
    """

    controller: str = "argocd"
    name: str
    url: str
    type: str = "git"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    bearer_token: str | None = field(default=None, repr=False)
    ssh_private_key: str | None = field(default=None, repr=False)
    known_hosts: str | None = None
    github_app_id: str | None = None
    github_app_installation_id: str | None = None
    github_app_private_key: str | None = field(default=None, repr=False)
    github_app_url: str | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    template: bool = False
    project: str | None = None
    branch: str | None = None
    tag: str | None = None
    semver: str | None = None
    commit: str | None = None
    interval: str = "1m"
    ignore: str | None = None
    include: Mapping[str, str] = field(default_factory=dict)
    verify: Mapping[str, str] = field(default_factory=dict)
    layer_selector: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None

    def __post_init__(self) -> None:
        catalog.wiring_controller(self.controller)
        check_name("name", self.name)
        check_namespace(self.namespace)
        if self.type not in tuple(RepositoryType):
            raise InputError(f"type {self.type!r} is none of {', '.join(RepositoryType)}")
        redact.register(
            self.bearer_token, self.ssh_private_key, self.github_app_private_key, self.client_key, self._proxy_password
        )
        check_repository_url(self.url, self.type)
        self._check_credentials()
        self._check_proxy()
        check_duration("interval", self.interval)
        check_texts(f"repository {self.name}: include", self.include)
        self._check_controller()
        given = [name for name in ("branch", "tag", "semver", "commit") if getattr(self, name) is not None]
        if len(given) > 1:
            raise InputError(f"repository {self.name}: {' and '.join(given)} exclude each other")

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace

    @property
    def _has_login(self) -> bool:
        return any((self.password, self.bearer_token, self.github_app_id))

    @property
    def _proxy_password(self) -> str | None:
        return urlsplit(self.proxy).password if self.proxy else None

    def _check_credentials(self) -> None:
        Credentials(username=self.username, password=self.password)
        kinds = {
            "password": self.password,
            "bearer_token": self.bearer_token,
            "ssh_private_key": self.ssh_private_key,
            "github_app_id": self.github_app_id,
        }
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) > 1:
            raise InputError(f"repository {self.name}: {' and '.join(given)} exclude each other")
        app = (self.github_app_id, self.github_app_installation_id, self.github_app_private_key)
        if any(app) and not all(app):
            raise InputError(
                f"repository {self.name}: a GitHub App needs github_app_id, github_app_installation_id and "
                "github_app_private_key"
            )
        if (self.client_cert is None) != (self.client_key is None):
            raise InputError(f"repository {self.name}: client_cert and client_key belong together")
        if self.ssh_private_key is not None and "PRIVATE KEY" not in self.ssh_private_key:
            raise InputError(
                f"repository {self.name}: ssh_private_key is not a private key",
                hint="The content of the file, not its path, and not the .pub file.",
            )
        if (self.ssh_private_key is not None) != is_ssh(self.url):
            what = "an SSH URL needs ssh_private_key" if is_ssh(self.url) else "ssh_private_key needs an SSH URL"
            raise InputError(f"repository {self.name}: {what}", hint="ssh://git@host/path or git@host:path")

    def _check_proxy(self) -> None:
        if self.proxy is None:
            return
        scheme, slashes, rest = self.proxy.partition("://")
        if not (scheme and slashes and rest.strip("/")):
            raise InputError(f"repository {self.name}: proxy is not a URL", hint="http://proxy.example.com:3128")
        if self.controller != "argocd":
            return
        # What Argo CD does not take as a proxy it leaves out, and says nothing.
        if is_ssh(self.url) and scheme not in ("socks5", "socks5h"):
            raise InputError(
                f"repository {self.name}: Argo CD reaches SSH servers through SOCKS proxies only",
                hint="socks5://proxy.example.com:1080, or the repository by HTTPS.",
            )
        if (is_ssh(self.url) or self.github_app_id) and not re.search(r":[0-9]{1,5}/?$", rest):
            raise InputError(
                f"repository {self.name}: the proxy needs a port, without which Argo CD does not use it",
                hint=f"{scheme}://proxy.example.com:3128",
            )

    def _check_controller(self) -> None:
        hint = "Leave it out."
        if self.controller == "argocd" and (self.known_hosts is not None or self.ca_cert is not None):
            hint = (
                "Argo CD keeps them for all repositories: options known_hosts and tls_certificates of the controller."
            )
        refuse_others(self, self.controller, hint=hint, argocd=_ARGOCD_ONLY, flux=_FLUX_ONLY)
        if self.controller == "flux":
            refuse(self, _NOT_OF[self.type], f"a repository of type {self.type}, for Flux,")
            self._check_layer()
            if self.type == "oci" and self.commit is not None and not _DIGEST.fullmatch(self.commit):
                raise InputError(
                    f"repository {self.name}: commit {self.commit!r} is not the digest of an OCI artifact",
                    hint="sha256: and 64 hexadecimal digits. For a tag there is tag.",
                    details={"property": "commit"},
                )
            if self.ssh_private_key is not None and not self.known_hosts:
                raise InputError(
                    f"repository {self.name}: known_hosts is missing, without which Flux uses no SSH",
                    hint="The host key as a line of a known_hosts file: `ssh-keyscan HOST`, compared with what its "
                    "owner publishes.",
                )
        elif self.client_cert is not None and self.type == "git" and not self._has_login:
            # Argo CD would leave it out, and say nothing.
            raise InputError(
                f"repository {self.name}: Argo CD sends a client certificate only along with a login",
                hint="Give a password, a bearer_token or a GitHub App too; a server that asks for none ignores it.",
            )

    def _check_layer(self) -> None:
        unknown = sorted(set(self.layer_selector) - {"media_type", "operation"})
        if unknown:
            raise InputError(
                f"repository {self.name}: layer_selector has no option {', '.join(unknown)}",
                hint="Options: media_type, operation.",
            )
        operation = self.layer_selector.get("operation", "extract")
        if operation not in _LAYER_OPERATIONS:
            raise InputError(f"layer_selector operation {operation!r} is none of {', '.join(_LAYER_OPERATIONS)}")


def is_ssh(url: str) -> bool:
    """Tell whether git would use SSH for a URL."""
    return url.startswith("ssh://") or ("://" not in url and _SCP.fullmatch(url) is not None)


def check_repository_url(url: str, kind: str = "git") -> None:
    """Raise InputError unless `url` is one of a repository, without credentials in it."""
    if kind == RepositoryType.OCI or url.startswith("oci://"):
        if kind == RepositoryType.GIT or not re.fullmatch(r"oci://[^\s@]+", url):
            raise InputError(f"{redact.redact(url)!r} is not the address of OCI artifacts", hint="oci://registry/path")
        return
    if not is_ssh(url):
        # Whether a password may go over plain HTTP inside the cluster is for the cluster's owner to say.
        check_url(url, Credentials())
        return
    if urlsplit(url).password if "://" in url else False:
        raise InputError("the URL holds a password", hint="Give the key as ssh_private_key.")
