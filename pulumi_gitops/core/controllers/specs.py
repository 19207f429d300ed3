# SPDX-License-Identifier: Apache-2.0
"""What users ask of a controller, and what they get back. Every spec is checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..deploy import Change, InventoryItem
from ..errors import InputError
from . import catalog
from .names import check_name, check_namespace, check_revision, check_timeout
from .openpgp import check_keys
from .options import refuse_others
from .self_manage import SelfManage

# "[host[:port]/]path" as it stands before an image's name.
_REGISTRY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*")


_ARGOCD_ONLY = ("profile", "config", "known_hosts", "tls_certificates", "gpg_keys", "self_manage", "admin_secret")
_SYNCED = ("application", "application_set")
_FLUX_ONLY = (
    "components",
    "network_policies",
    "multitenant",
    "log_level",
    "concurrency",
    "method",
    "operator_version",
)
_WEAVE_GITOPS_ONLY = ("admin_secret", "method", "values")
_OWN_SECRETS = {
    "argocd": ("argocd-secret", "argocd-initial-admin-secret"),
    "weave_gitops": ("cluster-user-auth",),
}
_METHODS = {"flux": ("manifests", "operator"), "weave_gitops": ("manifests", "helm_release")}
# What admin_secret decides.
_USER_VALUES = ("create", "createSecret", "username", "passwordHash")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSpec:
    """A controller as it should be installed.

    Attributes:
        name: ``argocd``, ``flux`` or ``weave_gitops``.
        version: Version without a leading v; that of the catalog when None. With `manifests` it says what they hold.
        namespace: Where to install it; the controller's usual namespace when None.
        manifests: URL, file or folder to install instead of the released manifest; of Weave GitOps its Helm chart:
            folder, archive, URL of an archive, or ``oci://`` reference.
        checksum: sha256 of the manifest file, with or without ``sha256:`` before it.
        patches: Changes to the manifests, as in a kustomization: ``{"target": {"kind": ...}, "patch": ...}``.
        registry: Pull all images from here: host, optionally with port and path.
        image_pull_secret: Name of the Secret that all pods pull with.
        method: ``manifests``: we render and apply them. Flux: ``operator``: Flux Operator installs it, from a
            FluxInstance. Weave GitOps: ``helm_release``: Flux installs the chart, from a HelmRelease.
        operator_version: Flux by its operator: version of the operator, whose manifests those of the other options are.
        wait: Wait until the controller is ready.
        wait_timeout: Seconds.
        mirror: Base URL that takes the place of the one of the official releases.
        lock_file: File that remembers the sha256 of manifests which the catalog does not know: the first use records
            it, later ones compare.
        profile: Argo CD: ``standard``, ``ha``, ``core``, ``namespaced`` or ``ha-namespaced``.
        config: Argo CD: ConfigMap -> key -> value, for example ``argocd-cm`` and ``argocd-rbac-cm``.
        known_hosts: Argo CD: host keys to accept beside the usual ones, as in a known_hosts file.
        tls_certificates: Argo CD: host -> certificates to trust, PEM.
        gpg_keys: Argo CD: id (16 digits in capitals) -> armoured public key that commits may be signed with.
        self_manage: Argo CD: keep its manifests in a config repository, from which it applies them itself:
            ``{url, branch, path, username, password, application}``, see :class:`.self_manage.SelfManage`.
        admin_secret: Argo CD, Weave GitOps: name of a Secret in its namespace whose key ``password`` is the password of
            ``admin``. Weave GitOps also takes a bcrypt hash, and another user under ``username``.
        values: Weave GitOps: values for its Helm chart.
        components: Flux: controllers to install; all of the manifests when empty.
        network_policies: Flux: keep the NetworkPolicies of the manifests.
        multitenant: Flux: lock tenants into their namespaces.
        log_level: Flux: ``debug``, ``info`` or ``error``.
        concurrency: Flux: how many objects each controller works on at a time.
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
    lock_file: str | None = None
    profile: str = "standard"
    config: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    known_hosts: str | None = None
    tls_certificates: Mapping[str, str] = field(default_factory=dict)
    gpg_keys: Mapping[str, str] = field(default_factory=dict)
    self_manage: Mapping[str, Any] | None = field(default=None, repr=False)
    admin_secret: str | None = None
    method: str = "manifests"
    operator_version: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    components: Sequence[str] = ()
    network_policies: bool = True
    multitenant: bool = False
    log_level: str | None = None
    concurrency: int | None = None
    source: str = ""

    def __post_init__(self) -> None:
        catalog.controller(self.name)
        check_namespace(self.namespace)
        check_timeout(self.wait_timeout)
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
        refuse_others(self, self.name, argocd=_ARGOCD_ONLY, flux=_FLUX_ONLY, weave_gitops=_WEAVE_GITOPS_ONLY)
        check_keys("gpg_keys", self.gpg_keys)
        self._check_method()
        if self.self_manage is not None:
            self._check_self_manage()
        if self.admin_secret is not None:
            self._check_admin_secret(self.admin_secret)

    def _check_self_manage(self) -> None:
        SelfManage.of(self.self_manage or {})
        if not self.wait:
            raise InputError(
                "self_manage needs wait", hint="Argo CD has its objects when it has applied them: that is waited for."
            )
        if self.profile.endswith("namespaced"):
            raise InputError(
                f"self_manage is not for the profile {self.profile}",
                hint="Argo CD has no rights over its own roles and CRDs then. Use another profile, or leave it out.",
            )
        if self.config.get("argocd-cm", {}).get("application.resourceTrackingMethod") == "label":
            raise InputError(
                "self_manage needs the tracking method annotation, not label",
                hint="Set application.resourceTrackingMethod of argocd-cm to annotation, or leave it out.",
            )

    def _check_method(self) -> None:
        known = _METHODS.get(self.name, (self.method,))
        if self.method not in known:
            raise InputError(
                f"method {self.method!r} of {catalog.controller(self.name).title} is none of {', '.join(known)}",
                details={"property": "method"},
            )
        if self.operator_version is not None and (self.method != "operator" or self.manifests is not None):
            raise InputError(
                "operator_version is for method operator, and not along with manifests",
                hint="Leave it out, or set method to operator.",
                details={"property": "operator_version"},
            )
        if self.method == "helm_release" and (self.checksum or self.lock_file):
            raise InputError(
                "checksum and lock_file are not for method helm_release: it is Flux that fetches the chart",
                hint="Leave them out.",
            )

    def _check_admin_secret(self, name: str) -> None:
        check_name("admin_secret", name)
        if name in _OWN_SECRETS[self.name]:
            raise InputError(
                f"admin_secret can not be {name}, which is {catalog.controller(self.name).title}'s own",
                hint="Make a Secret with the key password.",
            )
        user = self.values.get("adminUser")
        decided = [key for key in _USER_VALUES if isinstance(user, Mapping) and key in user]
        if decided:
            raise InputError(
                f"values: adminUser.{decided[0]} is decided by admin_secret",
                hint="Leave it out, or leave admin_secret out and make the Secret cluster-user-auth yourself.",
                details={"property": "values"},
            )
        if self.profile == "core" or self.config.get("argocd-cm", {}).get("admin.enabled") == "false":
            raise InputError(
                "admin_secret needs the user admin, which this Argo CD does not have",
                hint="Leave it out, or take another profile than core, and admin.enabled out of argocd-cm.",
            )

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
        commit: With self_manage: the commit that Argo CD has applied its own manifests of.
    """

    version: str
    namespace: str
    changes: tuple[Change, ...]
    revision: int = 0
    digest: str = ""
    inventory: tuple[InventoryItem, ...] = ()
    commit: str = ""

    @property
    def changed(self) -> bool:
        """Whether the cluster was (would be) changed."""
        return any(change.changed for change in self.changes)


@dataclass(frozen=True, slots=True)
class AppState:
    """Where an application stands.

    Attributes:
        revision: Commit id that the cluster is at, "" when unknown.
        sync: ``Synced``, ``OutOfSync``, ``Unknown``, or "".
        health: ``Healthy``, ``Progressing``, ``Degraded``, ``Suspended``, ``Missing``, ``Unknown``, or "".
    """

    revision: str
    sync: str
    health: str


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
        controller: ``argocd`` or ``flux``.
        kind: ``application``, or of Argo CD ``application_set``: the set makes its applications anew.
        name: Name of the application or set.
        revision: Commit id (at least seven digits), branch or tag; None for the newest commit of what the application
            follows.
        namespace: Namespace of the controller; its usual one when None.
        wait_timeout: Seconds.
    """

    controller: str = "argocd"
    kind: str = "application"
    name: str
    revision: str | None = None
    namespace: str | None = None
    wait_timeout: float = 300.0

    def __post_init__(self) -> None:
        catalog.wiring_controller(self.controller)
        check_name("name", self.name)
        check_namespace(self.namespace)
        check_timeout(self.wait_timeout)
        if self.kind not in _SYNCED:
            raise InputError(f"kind {self.kind!r} is none of {', '.join(_SYNCED)}", details={"property": "kind"})
        if self.kind == "application_set" and (self.controller != "argocd" or self.revision is not None):
            raise InputError(
                "an application set is of Argo CD, and has no revision", hint="Leave controller and revision out."
            )
        if self.revision is not None:
            check_revision(self.revision)

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace


@dataclass(frozen=True, slots=True)
class ApplicationSetResult:
    """An ApplicationSet after it was declared.

    Attributes:
        applications: Names of the applications that it has made.
        changes: What was changed.
    """

    applications: tuple[str, ...]
    changes: tuple[Change, ...]

    @property
    def changed(self) -> bool:
        """Whether the set's declaration was (would be) changed."""
        return any(change.changed for change in self.changes)


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
