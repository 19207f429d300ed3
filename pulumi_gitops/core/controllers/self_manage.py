# SPDX-License-Identifier: Apache-2.0
"""Where the manifests of a controller that manages itself are kept."""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import InputError
from ..git.credentials import Credentials, check_url
from ..git.paths import check_path
from .names import check_name, check_revision


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfManage:
    """A folder of the config repository from which Argo CD applies its own manifests.

    Attributes:
        url: HTTP(S) URL of the repository, for us and for Argo CD, without credentials.
        branch: Branch to commit to, and that Argo CD follows.
        path: Folder of the manifests.
        username: User name; "git" is used when there is a password only.
        password: Password or token. Without it Argo CD needs a connection of its own if reading takes one.
        application: Name of the Application over them.
        ca_cert: Path of the certificates that we verify the repository's server with; see :func:`logged_in`.
    """

    url: str
    branch: str = "main"
    path: str = "argocd"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    application: str = "argocd"
    ca_cert: str | None = None

    def __post_init__(self) -> None:
        check_url(self.url, self.credentials)
        check_path(self.path)
        check_revision(self.branch)
        check_name("self_manage.application", self.application)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> SelfManage:
        """Return what an option ``self_manage`` asks for; keys without a value count as left out.

        Raises:
            InputError: A key is unknown or missing, or a value is not valid.
        """
        values = {key: value for key, value in given.items() if value is not None}
        known = [item.name for item in dataclasses.fields(cls) if item.name != "ca_cert"]
        unknown = sorted(values.keys() - set(known))
        if unknown:
            raise InputError(f"self_manage has no option {', '.join(unknown)}", hint=f"Options: {', '.join(known)}.")
        if not values.get("url"):
            raise InputError("self_manage: url is missing", hint="The config repository that keeps the manifests.")
        return cls(**values)

    @property
    def credentials(self) -> Credentials:
        """How we log in to the repository."""
        return Credentials(self.username, self.password, self.ca_cert)


@contextlib.contextmanager
def logged_in(place: SelfManage, certificates: Mapping[str, str]) -> Generator[SelfManage]:
    """Yield a place whose server is verified with the certificates that Argo CD has for it, if it has any.

    Args:
        place: The place.
        certificates: Host -> certificates, PEM.
    """
    trusted = certificates.get(urlsplit(place.url).hostname or "")
    if not trusted:
        yield place
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem", encoding="utf-8") as file:
        file.write(trusted)
        file.flush()
        yield dataclasses.replace(place, ca_cert=file.name)
