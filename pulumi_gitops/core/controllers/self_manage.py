# SPDX-License-Identifier: Apache-2.0
"""Where the manifests of a controller that manages itself are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

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
    """

    url: str
    branch: str = "main"
    path: str = "argocd"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    application: str = "argocd"

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
        known = [item.name for item in dataclasses.fields(cls)]
        unknown = sorted(values.keys() - set(known))
        if unknown:
            raise InputError(f"self_manage has no option {', '.join(unknown)}", hint=f"Options: {', '.join(known)}.")
        if not values.get("url"):
            raise InputError("self_manage: url is missing", hint="The config repository that keeps the manifests.")
        return cls(**values)

    @property
    def credentials(self) -> Credentials:
        """How we log in to the repository."""
        return Credentials(self.username, self.password)
