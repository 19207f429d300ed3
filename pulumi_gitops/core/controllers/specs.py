# SPDX-License-Identifier: Apache-2.0
"""What users ask of a controller, and what they get back. Every spec is checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..deploy import Change, InventoryItem
from ..errors import InputError
from ..git.credentials import Credentials, check_url
from . import catalog

# RFC 1123, as Kubernetes applies it to names (k8s.io/apimachinery/pkg/util/validation).
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
# "[host[:port]/]path" as it stands before an image's name.
_REGISTRY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSpec:
    """A controller as it should be installed.

    Attributes:
        name: ``argocd``.
        version: Version without a leading v; that of the catalog when None. With `manifests` it says what they hold.
        namespace: Where to install it; the controller's usual namespace when None.
        manifests: URL, file or folder to install instead of the released manifest.
        checksum: sha256 of the manifest file, with or without ``sha256:`` before it.
        patches: Changes to the manifests, as in a kustomization: ``{"target": {"kind": ...}, "patch": ...}``.
        registry: Pull all images from here: host, optionally with port and path.
        image_pull_secret: Name of the Secret that all pods pull with.
        wait: Wait until the controller is ready.
        wait_timeout: Seconds.
        mirror: Base URL that takes the place of the one of the official releases.
        source: Which face asks; goes into the release's record.
    """

    name: str = "argocd"
    version: str | None = None
    namespace: str | None = None
    manifests: str | None = None
    checksum: str | None = None
    patches: Sequence[Mapping[str, Any]] = ()
    registry: str | None = None
    image_pull_secret: str | None = None
    wait: bool = True
    wait_timeout: float = 300.0
    mirror: str | None = None
    source: str = ""

    def __post_init__(self) -> None:
        catalog.controller(self.name)
        _check_namespace(self.namespace)
        _check_timeout(self.wait_timeout)
        if self.checksum is not None and not re.fullmatch(r"(sha256:)?[0-9a-fA-F]{64}", self.checksum):
            raise InputError("checksum is not a sha256", hint="64 hexadecimal digits, as `sha256sum FILE` prints them.")
        if self.registry is not None and not _REGISTRY.fullmatch(self.registry):
            raise InputError(
                f"registry {self.registry!r} is not the place of images",
                hint="A host, optionally with port and path, and no scheme: registry.example.com/mirror",
            )
        if self.image_pull_secret is not None:
            check_name("image_pull_secret", self.image_pull_secret)
        if self.manifests is not None and self.mirror is not None:
            raise InputError("manifests and mirror exclude each other", hint="Give the mirrored URL as manifests.")

    @property
    def target_namespace(self) -> str:
        """The namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.name).default_namespace

    @property
    def sha256(self) -> str | None:
        """The checksum as lower-case hexadecimal digits."""
        return self.checksum.lower().removeprefix("sha256:") if self.checksum else None


@dataclass(frozen=True, slots=True)
class ControllerResult:
    """What installing or removing a controller did, or would do in check mode.

    Attributes:
        version: Version that is installed (was, after a removal); "" when unknown.
        namespace: Its namespace.
        changes: One entry per object.
        revision: Revision of the release; 0 after a removal.
        digest: Digest of the set of objects.
        inventory: The objects.
    """

    version: str
    namespace: str
    changes: tuple[Change, ...]
    revision: int = 0
    digest: str = ""
    inventory: tuple[InventoryItem, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the cluster was (would be) changed."""
        return any(change.changed for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySpec:
    """A Git repository that a controller may read.

    Attributes:
        controller: ``argocd``.
        name: Name of the connection.
        url: HTTP(S) URL of the repository, without credentials.
        username: User name; "git" is used when there is a password only.
        password: Password or token.
        namespace: Namespace of the controller; its usual one when None.
    """

    controller: str = "argocd"
    name: str
    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    namespace: str | None = None

    def __post_init__(self) -> None:
        catalog.controller(self.controller)
        check_name("name", self.name)
        _check_namespace(self.namespace)
        Credentials(username=self.username, password=self.password)
        # Whether a password may go over plain HTTP inside the cluster is for the cluster's owner to say.
        check_url(self.url, Credentials())

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """A folder of a repository that a controller keeps in sync with a namespace.

    Attributes:
        controller: ``argocd``.
        name: Name of the application.
        url: HTTP(S) URL of the repository.
        path: Folder in it.
        revision: Branch, tag or commit id.
        destination_namespace: Namespace of the objects that name none.
        project: Argo CD project.
        auto_sync: The controller syncs by itself; nothing is awaited otherwise.
        prune: Syncs remove objects that left the repository.
        self_heal: Changes made by hand are undone.
        create_namespace: Create the destination namespace.
        namespace: Namespace of the controller; its usual one when None.
        wait: Wait until the newest commit is synced and healthy.
        wait_timeout: Seconds.
    """

    controller: str = "argocd"
    name: str
    url: str
    path: str
    revision: str = "HEAD"
    destination_namespace: str
    project: str = "default"
    auto_sync: bool = True
    prune: bool = True
    self_heal: bool = False
    create_namespace: bool = False
    namespace: str | None = None
    wait: bool = True
    wait_timeout: float = 300.0

    def __post_init__(self) -> None:
        catalog.controller(self.controller)
        check_name("name", self.name)
        check_name("project", self.project)
        _check_namespace(self.namespace)
        _check_namespace(self.destination_namespace, "destination_namespace")
        _check_timeout(self.wait_timeout)
        _check_revision(self.revision)
        check_url(self.url, Credentials())
        parts = self.path.split("/")
        if not self.path or self.path.startswith("/") or ".." in parts:
            raise InputError(
                f"path {self.path!r} is not a folder in the repository",
                hint='Relative to the root of the repository, without "..": apps/shop',
            )

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace


@dataclass(frozen=True, slots=True)
class ApplicationResult:
    """An application after it was declared or removed.

    Attributes:
        revision: Commit id that the controller compares the cluster with; "" when it has not looked yet.
        sync: ``Synced``, ``OutOfSync``, ``Unknown``, or "".
        health: ``Healthy``, ``Progressing``, ``Degraded``, ``Suspended``, ``Missing``, ``Unknown``, or "".
        changes: What was changed.
    """

    revision: str
    sync: str
    health: str
    changes: tuple[Change, ...]

    @property
    def changed(self) -> bool:
        """Whether the application's declaration was (would be) changed."""
        return any(change.changed for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSpec:
    """A sync to wait for.

    Attributes:
        controller: ``argocd``.
        name: Name of the application.
        revision: Commit id (at least seven digits), branch or tag; None for the newest commit of what the application
            follows.
        namespace: Namespace of the controller; its usual one when None.
        wait_timeout: Seconds.
    """

    controller: str = "argocd"
    name: str
    revision: str | None = None
    namespace: str | None = None
    wait_timeout: float = 300.0

    def __post_init__(self) -> None:
        catalog.controller(self.controller)
        check_name("name", self.name)
        _check_namespace(self.namespace)
        _check_timeout(self.wait_timeout)
        if self.revision is not None:
            _check_revision(self.revision)

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace


@dataclass(frozen=True, slots=True)
class SyncResult:
    """An application after a sync.

    Attributes:
        revision: Commit id that the cluster is at.
        sync: As in :class:`ApplicationResult`.
        health: As in :class:`ApplicationResult`.
        changed: Whether the sync brought (would bring) another revision, or repaired something.
    """

    revision: str
    sync: str
    health: str
    changed: bool


def is_commit(revision: str) -> bool:
    """Tell whether `revision` can be a (short) commit id."""
    return _COMMIT.fullmatch(revision) is not None


def check_name(option: str, value: str) -> None:
    """Raise InputError unless `value` can be the name of an object."""
    if len(value) > 253 or not _SUBDOMAIN.fullmatch(value):
        raise InputError(
            f"{option} {value!r} can not be the name of a Kubernetes object",
            hint="Lower-case letters, digits, '-' and '.', starting and ending with a letter or digit.",
        )


def _check_namespace(value: str | None, option: str = "namespace") -> None:
    if value is not None and (len(value) > 63 or not _LABEL.fullmatch(value)):
        raise InputError(
            f"{option} {value!r} can not be the name of a namespace",
            hint="At most 63 lower-case letters, digits and '-', starting and ending with a letter or digit.",
        )


def _check_revision(value: str) -> None:
    if not value or value.startswith("-") or any(c.isspace() or ord(c) < 32 for c in value):
        raise InputError(f"revision {value!r} is not a branch, tag or commit id")


def _check_timeout(value: float) -> None:
    if not value > 0:
        raise InputError(f"wait_timeout is {value}, it has to be more than 0 seconds")
