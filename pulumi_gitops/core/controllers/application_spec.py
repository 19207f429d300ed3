# SPDX-License-Identifier: Apache-2.0
"""A folder or chart of a repository that a controller keeps in sync with a namespace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from . import catalog
from .names import check_duration, check_name, check_namespace, check_revision, check_texts, check_timeout
from .options import refuse, refuse_others
from .repository_spec import check_repository_url, is_ssh

_ARGOCD_ONLY = ("project", "kustomize", "sources", "ignore_differences", "retry", "sync_options", "sync_wave")
_FLUX_ONLY = ("repository", "repository_type", "interval", "retry_interval", "timeout", "depends_on", "health_checks",
              "substitute", "substitute_from", "decryption", "service_account", "remediation",
              "drift_detection")  # fmt: skip
_HELM_KEYS = frozenset({"chart", "version", "values", "release_name"})
_MORE_HELM_KEYS = {"argocd": frozenset({"value_files", "parameters"}), "flux": frozenset({"values_from"})}
# A Kustomization and a HelmRelease of Flux have different fields.
_FOLDER_ONLY = (
    "retry_interval",
    "health_checks",
    "substitute",
    "substitute_from",
    "decryption",
    "prune",
)
_CHART_ONLY = ("remediation", "drift_detection")
_SOURCES = ("git", "oci")
_DRIFT_MODES = ("enabled", "warn", "disabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSpec:
    """What a controller keeps in sync: a folder of a repository, or a Helm chart.

    Attributes:
        controller: ``argocd`` or ``flux``.
        name: Name of the application.
        url: URL of the repository. With Flux and `repository` it is not needed.
        path: Folder in it.
        revision: Branch, tag or commit id. With Flux ``HEAD`` is the branch ``main``, a tag is written ``tag:v1``, and
            a range of versions ``semver:1.x``; of OCI artifacts it is a tag (``HEAD`` is ``latest``) or a digest. With
            `repository` that one says it, and of charts ``helm.version``.
        destination_namespace: Namespace of the objects that name none.
        project: Argo CD project.
        auto_sync: The controller syncs by itself; nothing is awaited otherwise (Flux: suspended).
        prune: Syncs remove objects that left the repository.
        self_heal: Changes made by hand are undone (Flux always does that, at every `interval`).
        create_namespace: Create the destination namespace. With Flux it goes with the application.
        helm: A chart in place of `path`: ``chart``, ``version``, ``values``, ``release_name``; Argo CD also
            ``value_files`` and ``parameters``, Flux ``values_from``. With Flux and ``oci://`` the version may be a
            digest, and without ``chart`` the URL, or `repository`, is that of the chart itself.
        kustomize: Argo CD: ``images``, ``namePrefix``, ``nameSuffix``, ``namespace``, ``replicas`` and so on.
        sources: Argo CD: several sources in place of `url`, `path` and `revision`, as in an Application's spec.
        ignore_differences: Argo CD: as in an Application's spec.
        retry: Argo CD: as ``syncPolicy.retry``.
        sync_options: Argo CD: more ``syncOptions``.
        sync_wave: Argo CD: wave of this application within an app of apps.
        repository: Flux: name of a connected repository to read from. Without it the application has a source of its
            own, for `url` and `revision`.
        repository_type: Flux: what that repository is: ``git`` or ``oci``, of OCI artifacts, each a chart or with
            folders. With ``helm.chart`` it is a Helm repository.
        interval: Flux: how often the cluster is compared with the source.
        retry_interval: Flux, folders: how soon a failure is tried again; `interval` when None.
        timeout: Flux: how long one attempt may take.
        depends_on: Flux: applications that have to be ready before.
        health_checks: Flux, folders: objects to check, ``{"apiVersion", "kind", "name", "namespace"}``; all when empty.
        substitute: Flux, folders: variables for the manifests.
        substitute_from: Flux, folders: ``{"kind": "ConfigMap" or "Secret", "name": ...}`` that hold variables.
        decryption: Flux, folders: ``{"provider": "sops", "secret": NAME}``.
        service_account: Flux: who applies the objects.
        remediation: Flux, charts: how often an installation or upgrade is retried before it is rolled back.
        drift_detection: Flux, charts: ``enabled``, ``warn`` or ``disabled``.
        labels: Labels of the application object.
        namespace: Namespace of the controller; its usual one when None.
        wait: Wait until the newest commit is synced and healthy.
        wait_timeout: Seconds.
    """

    controller: str = "argocd"
    name: str
    url: str = ""
    path: str = ""
    revision: str = "HEAD"
    destination_namespace: str
    project: str = "default"
    auto_sync: bool = True
    prune: bool = True
    self_heal: bool = False
    create_namespace: bool = False
    helm: Mapping[str, Any] = field(default_factory=dict)
    kustomize: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[Mapping[str, Any]] = ()
    ignore_differences: Sequence[Mapping[str, Any]] = ()
    retry: Mapping[str, Any] = field(default_factory=dict)
    sync_options: Sequence[str] = ()
    sync_wave: int | None = None
    repository: str | None = None
    repository_type: str = "git"
    interval: str = "10m"
    retry_interval: str | None = None
    timeout: str | None = None
    depends_on: Sequence[str] = ()
    health_checks: Sequence[Mapping[str, Any]] = ()
    substitute: Mapping[str, str] = field(default_factory=dict)
    substitute_from: Sequence[Mapping[str, Any]] = ()
    decryption: Mapping[str, str] = field(default_factory=dict)
    service_account: str | None = None
    remediation: int | None = None
    drift_detection: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str | None = None
    wait: bool = True
    wait_timeout: float = 300.0

    def __post_init__(self) -> None:
        catalog.wiring_controller(self.controller)
        check_name("name", self.name)
        check_name("project", self.project)
        check_namespace(self.namespace)
        check_namespace(self.destination_namespace, "destination_namespace")
        check_timeout(self.wait_timeout)
        check_revision(self.revision)
        for name in ("interval", "retry_interval", "timeout"):
            if getattr(self, name) is not None:
                check_duration(name, getattr(self, name))
        for name in ("substitute", "labels"):
            check_texts(f"application {self.name}: {name}", getattr(self, name))
        refuse_others(self, self.controller, argocd=_ARGOCD_ONLY, flux=_FLUX_ONLY)
        if self.controller == "flux":
            self._check_kind()
        self._check_source()
        known = _HELM_KEYS | _MORE_HELM_KEYS[self.controller]
        unknown = sorted(set(self.helm) - known)
        if unknown:
            raise InputError(
                f"application {self.name}: helm has no option {', '.join(unknown)}",
                hint=f"Options: {', '.join(sorted(known))}.",
            )

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace

    @property
    def is_chart(self) -> bool:
        """Whether it is a chart of a Helm repository or of a registry, and not a folder."""
        return "chart" in self.helm or (self.controller == "flux" and self.is_oci and bool(self.helm))

    @property
    def is_oci(self) -> bool:
        """Whether it comes from OCI artifacts, for Flux: a folder in one, or a chart that is one."""
        return self.repository_type == "oci" if self.repository else self.url.startswith("oci://")

    def _check_kind(self) -> None:
        if self.helm and not self.is_chart:
            raise InputError(
                f"application {self.name}: helm has no chart",
                hint="Flux installs charts of Helm repositories and registries, not those of folders: give helm.chart, "
                "without path. A repository that is one chart in a registry has repository_type: oci.",
            )
        if self.repository and self.is_oci and self.is_chart:
            self._check_artifact()
        if self.drift_detection is not None and self.drift_detection not in _DRIFT_MODES:
            raise InputError(f"drift_detection {self.drift_detection!r} is none of {', '.join(_DRIFT_MODES)}")
        if self.is_chart and is_ssh(self.url) and not self.repository:
            raise InputError(
                f"application {self.name}: charts do not come over SSH", hint="https://charts.example.com, or oci://..."
            )
        if self.repository_type not in _SOURCES:
            raise InputError(f"repository_type {self.repository_type!r} is none of {', '.join(_SOURCES)}")
        if self.revision != "HEAD" and (self.is_chart or self.repository):
            what = "a chart" if self.is_chart else "a folder of a connected repository"
            elsewhere = "Leave it out: what is followed is said by branch, tag, semver or commit of the repository."
            raise InputError(
                f"application {self.name}: revision is not for {what}",
                hint="Give the version of the chart as helm.version." if self.is_chart else elsewhere,
                details={"property": "revision"},
            )
        what = "chart" if self.is_chart else "folder"
        refuse(self, _FOLDER_ONLY if self.is_chart else _CHART_ONLY, f"a {what}, for Flux,")

    def _check_artifact(self) -> None:
        """Refuse what a connected repository says that is a chart in a registry."""
        hints = {
            "chart": "Leave it out: the URL of the repository is that of the chart. A registry with many charts is a "
            "repository of type helm, without repository_type here.",
            "version": "Leave it out: which version is taken is said by tag, semver or commit of the repository.",
        }
        for name, hint in hints.items():
            if name in self.helm:
                raise InputError(
                    f"application {self.name}: helm.{name} is not for a repository of type oci",
                    hint=hint,
                    details={"property": f"helm.{name}"},
                )

    def _check_source(self) -> None:
        if self.sources:
            if self.url or self.path or self.helm:
                raise InputError(f"application {self.name}: sources take the place of url, path and helm")
            return
        if not (self.controller == "flux" and self.repository):
            if not self.url:
                raise InputError(f"application {self.name}: url is missing")
            check_repository_url(self.url, "oci" if self.url.startswith("oci://") else "git")
        if self.is_chart:
            if self.path:
                raise InputError(
                    f"application {self.name}: path and {'helm.chart' if 'chart' in self.helm else 'helm'} exclude "
                    "each other",
                    hint="With path it is a folder, without it a chart.",
                )
            return
        parts = self.path.split("/")
        if not self.path or self.path.startswith("/") or ".." in parts:
            raise InputError(
                f"path {self.path!r} is not a folder in the repository",
                hint='Relative to the root of the repository, without "..": apps/shop. A chart has helm in its place.',
            )
