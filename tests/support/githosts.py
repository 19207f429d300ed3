# SPDX-License-Identifier: Apache-2.0
"""One repository behind every kind of login that controllers know, each checked by a server of its own."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path
from typing import Any, Self

from pulumi_gitops.core.git import commit_files
from pulumi_gitops.sandbox import GitServer

from .authority import Authority
from .github_standin import GitHubStandIn, new_app_key
from .gitssh import SshGitServer, new_key
from .httpproxy import HttpProxy

HIDDEN_HOST = "git.example.com"
"""Only the proxy knows where it is."""

_REPOSITORY = "config"
_CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s}\n"


class GitHosts:
    """The servers; they run while it is entered.

    Args:
        folder: Empty; repository and certificates go there.
        mark: Part of all secrets, by which a test finds them in what was printed.

    Attributes:
        root: Holds the bare repository.
        password: Password of the user ``ci``; like the token and the keys a test may change it.
        token: Bearer token.
        ssh: Server for SSH.
        github: Stand-in for GitHub's API.
        proxy: Proxy to `HIDDEN_HOST`.
        authority: Has signed all certificates.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self.mark = mark
        self.password, self.token = f"{mark}-password", f"{mark}-token"
        self.authority = Authority(folder)
        self.ssh_key, public = new_key()
        self.root = root = folder / "repositories"
        self.ssh = SshGitServer(root)
        self.ssh.accepted.add(public)
        self.app_key, app_public = new_app_key()
        self.github = GitHubStandIn(4711, 4712, app_public)
        context = self.authority.server_context("127.0.0.1", HIDDEN_HOST)
        self._https = GitServer(root, context=context, allows=self._allows)
        clients = self.authority.server_context("127.0.0.1", clients=True)
        self._clients = GitServer(root, context=clients, allows=self._allows)
        self._local = GitServer(root)
        port = int(self._https.url.rpartition(":")[2])
        self.hidden_url = f"https://{HIDDEN_HOST}:{port}/{_REPOSITORY}.git"
        self.proxy = HttpProxy({f"{HIDDEN_HOST}:{port}": ("127.0.0.1", port)}, "proxy", f"{mark}-proxy")
        self.client_cert, self.client_key = self.authority.client("ci")
        self._running = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start all servers, with a ConfigMap ``settings`` in the folder ``app`` of the repository."""
        for server in (self.ssh, self.github, self._https, self._clients, self._local, self.proxy):
            self._running.enter_context(server)
        self._local.create_repository(_REPOSITORY)
        self.commit("blue")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop them."""
        self._running.close()

    @property
    def url(self) -> str:
        """URL of the repository over HTTPS."""
        return f"{self._https.url}/{_REPOSITORY}.git"

    @property
    def secrets(self) -> list[str]:
        """What must not be seen anywhere: a line out of every key, and all that has the mark in it."""
        keys = (self.ssh_key, self.app_key, self.client_key)
        return [self.mark, *(key.splitlines()[2] for key in keys), *self.github.tokens]

    def commit(self, colour: str, **files: str) -> str:
        """Commit another colour, and other files (``__`` for ``/``, without .yaml); return the commit id."""
        content = {f"{name.replace('__', '/')}.yaml": text for name, text in files.items()}
        content["app/settings.yaml"] = _CONFIG % colour
        url = f"{self._local.url}/{_REPOSITORY}.git"
        return commit_files(url, "main", files=content, message=f"Make it {colour}").commit

    def under(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Return options with the URL of the same repository under another name, for Argo CD goes by URLs."""
        link = self.root / f"{name}.git"
        if not link.is_symlink():
            link.symlink_to(f"{_REPOSITORY}.git")
        return {**options, "url": f"{options['url'].rpartition('/')[0]}/{link.name}"}

    def rotate(self) -> None:
        """Take other passwords, tokens and keys from now on, and none of those of before."""
        self.password, self.token = f"{self.password}-next", f"{self.token}-next"
        self.ssh_key, public = new_key()
        self.ssh.accepted.clear()
        self.ssh.accepted.add(public)
        self.app_key, self.github.key = new_app_key()
        self.github.tokens.clear()

    def kinds(self, controller: str) -> dict[str, dict[str, Any]]:
        """Return the options of a repository for every kind of credentials; `controller_options` go with them.

        Each is of a URL of its own.
        """
        login = {"username": "ci", "password": self.password}
        app = {
            "github_app_id": str(self.github.app),
            "github_app_installation_id": str(self.github.installation),
            "github_app_private_key": self.app_key,
            "github_app_url": self.github.url,
        }
        certificate = {"client_cert": self.client_cert, "client_key": self.client_key}
        kinds: dict[str, dict[str, Any]] = {
            "password": {"url": self.url, **login},
            "token": {"url": self.url, "password": self.token},
            "bearer": {"url": self.url, "bearer_token": self.token},
            "app": {"url": self.url, **app},
            "certificate": {"url": f"{self._clients.url}/{_REPOSITORY}.git", **login, **certificate},
            "proxy": {"url": self.hidden_url, **login, "proxy": self.proxy.url},
        }
        if controller == "flux":
            for options in kinds.values():
                options["ca_cert"] = self.authority.certificate
        kinds["ssh"] = {"url": self.ssh.url(_REPOSITORY), "ssh_private_key": self.ssh_key}
        if controller == "flux":
            kinds["ssh"]["known_hosts"] = self.ssh.known_hosts
        return {kind: self.under(kind, options) for kind, options in kinds.items()}

    def controller_options(self, controller: str) -> dict[str, Any]:
        """Return the options of the controller itself that :meth:`kinds` need."""
        if controller == "flux":
            return {}
        hosts = dict.fromkeys(("127.0.0.1", HIDDEN_HOST), self.authority.certificate)
        return {"known_hosts": self.ssh.known_hosts, "tls_certificates": hosts}

    def _allows(self, repository: str, authorization: str) -> bool:
        logins = {("ci", self.password), ("git", self.token)}
        logins |= {("x-access-token", token) for token in self.github.tokens}
        basic = {base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in logins}
        return authorization in {f"Bearer {self.token}", *(f"Basic {login}" for login in basic)}
