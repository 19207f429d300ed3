# SPDX-License-Identifier: Apache-2.0
"""Install, look at and remove a controller."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..cluster import Cluster
from ..deploy import (
    Action,
    Change,
    Ownership,
    ProgressCallback,
    ReleaseSpec,
    delete_objects,
    deploy,
    detect_origin,
    read_release,
    remove,
    shown,
)
from ..errors import AlreadyExistsError, OwnershipError, RemovalRefusedError
from ..objects import KubeObject, ObjectRef
from . import catalog, manifests
from .argocd import wiring
from .patches import apply_patches
from .specs import ControllerResult, ControllerSpec
from .transform import set_namespace, set_pull_secret, set_registry

VERSION_FACT = "controller-version"
# Labels of Argo CD's application controller in every flavour of its manifests, Helm's included.
_SELECTOR = "app.kubernetes.io/part-of=argocd,app.kubernetes.io/component=application-controller"
# Secrets that Argo CD makes for itself when it starts; in a namespace that stays they would outlive it.
_GENERATED_SECRETS = ("argocd-initial-admin-secret", "argocd-redis")
_BLOCKING_KINDS = ("Application", "ApplicationSet")


class InstallState(enum.StrEnum):
    """Who looks after an installed controller."""

    MANAGED = "managed"
    """A release of ours."""
    UNMANAGED = "unmanaged"
    """Somebody else: installing takes it over."""


@dataclass(frozen=True, slots=True)
class InstalledController:
    """A controller that is in the cluster.

    Attributes:
        version: Its version, "" when it can not be told.
        namespace: Its namespace.
        state: Who looks after it.
    """

    version: str
    namespace: str
    state: InstallState


def controller_release(spec: ControllerSpec) -> tuple[ReleaseSpec, str]:
    """Render a controller's manifests; needs no cluster.

    Args:
        spec: What to install.

    Returns:
        The release to deploy, and the version ("" when unknown).

    Raises:
        InputError: Unknown version, a URL without checksum, a patch that matches nothing.
        ChecksumMismatchError: The manifests are not what was asked for.
        SourceUnavailableError: They can not be read or downloaded.
    """
    loaded = manifests.load(spec)
    objects = apply_patches(set_namespace(loaded.objects, spec.target_namespace), spec.patches)
    if spec.registry:
        objects = set_registry(objects, spec.registry)
    if spec.image_pull_secret:
        objects = set_pull_secret(objects, spec.image_pull_secret)
    release = ReleaseSpec(
        name=spec.name,
        namespace=spec.target_namespace,
        objects=objects,
        wait=spec.wait,
        wait_timeout=spec.wait_timeout,
        ownership=Ownership.ADOPT,
        origin=detect_origin(spec.source),
        facts={VERSION_FACT: loaded.version},
    )
    return release, loaded.version


def install(
    cluster: Cluster, spec: ControllerSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ControllerResult:
    """Install a controller, upgrade it, or take over one that was installed by other means.

    Args:
        cluster: Where.
        spec: What to install.
        check: Change nothing, return what would be.
        progress: Called for each step.

    Raises:
        OwnershipError: It is installed in another namespace.
        GitOpsError: As :func:`controller_release` and :func:`..deploy.deploy`.
    """
    release, version = controller_release(spec)
    _refuse_second(cluster, release, catalog.controller(spec.name).title)
    result = deploy(cluster, release, check=check, progress=progress)
    project = _ensure_default_project(cluster, release.namespace, check=check)
    return ControllerResult(
        version=version,
        namespace=release.namespace,
        changes=(*result.changes, *project),
        revision=result.revision,
        digest=result.digest,
        inventory=result.inventory,
    )


def _refuse_second(cluster: Cluster, release: ReleaseSpec, title: str) -> None:
    """Two installations would fight over the ClusterRoleBindings, which name the ServiceAccounts of one namespace."""
    for obj in release.objects:
        if obj.get("kind") != "ClusterRoleBinding":
            continue
        live = cluster.find(ObjectRef.of(obj))
        there = {s.get("namespace") for s in (live or {}).get("subjects") or [] if s.get("kind") == "ServiceAccount"}
        if there and release.namespace not in there:
            other = ", ".join(sorted(str(namespace) for namespace in there))
            raise OwnershipError(
                f"{title} is installed in namespace {other} already, so it can not be installed in {release.namespace}",
                hint=f"Use namespace: {other}, or remove that installation first.",
                details={"namespace": other},
            )


def _ensure_default_project(cluster: Cluster, namespace: str, *, check: bool) -> tuple[Change, ...]:
    """Create the AppProject ``default`` unless it is there; argocd-server would make it, core installs have none."""
    ref = wiring.project_ref("default", namespace)
    if cluster.find(ref) is not None:
        return ()
    project = wiring.default_project(namespace)
    if not check:
        try:
            cluster.create(project)
        except AlreadyExistsError:
            return ()  # argocd-server was faster
    return (Change(Action.CREATE, ref, None, shown(project)),)


def installed(cluster: Cluster, name: str = "argocd", namespace: str | None = None) -> InstalledController | None:
    """Return the controller that is installed, None if there is none.

    Args:
        cluster: Where.
        name: ``argocd``.
        namespace: Look only here; in all namespaces when None.

    Raises:
        ForbiddenError: The rights to list StatefulSets, or to read the release's record, are missing.
    """
    default = catalog.controller(name).default_namespace
    workloads = cluster.list("apps/v1", "StatefulSet", namespace=namespace or "", label_selector=_SELECTOR)
    found = {str(obj["metadata"]["namespace"]): obj for obj in workloads}
    # The record counts too: what it names is ours to repair or remove, even with the StatefulSet gone.
    candidates = [namespace] if namespace else [*sorted(found), default]
    for place in candidates:
        release = read_release(cluster, name, place, drift=False)
        if release is not None:
            return InstalledController(release.facts.get(VERSION_FACT, ""), place, InstallState.MANAGED)
    for place, workload in sorted(found.items()):
        return InstalledController(manifests.version_of([workload], name), place, InstallState.UNMANAGED)
    return None


def uninstall(
    cluster: Cluster, spec: ControllerSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ControllerResult:
    """Remove a controller with its CRDs, and its namespace if we created it. None installed is no change.

    The controller goes last of what it looks after: projects go first, while it still runs, so that no finalizer waits
    for a controller that is gone.

    Args:
        cluster: Where.
        spec: Which controller; without a namespace it is removed wherever it is.
        check: Change nothing, return what would be.
        progress: Called for each step.

    Raises:
        RemovalRefusedError: There are applications, which would go, or lose their controller; or somebody else
            installed it.
        RemovalBlockedError: Objects do not go away in time; names the finalizers.
    """
    title = catalog.controller(spec.name).title
    there = installed(cluster, spec.name, spec.namespace)
    if there is None:
        return ControllerResult(version="", namespace=spec.target_namespace, changes=())
    namespace = there.namespace
    if there.state is InstallState.UNMANAGED:
        raise RemovalRefusedError(
            f"{title} in namespace {namespace} was not installed by pulumi-gitops",
            hint="Install it with pulumi-gitops first (that takes it over), or remove it with the tool that made it.",
        )
    _refuse_applications(cluster, title)
    release = read_release(cluster, spec.name, namespace, drift=False)
    keeps_namespace = release is None or not release.created_namespace
    first = [ObjectRef.of(project) for project in _list(cluster, "AppProject")]
    if keeps_namespace:
        first += [ObjectRef("", "v1", "Secret", namespace, secret) for secret in _GENERATED_SECRETS]
    projects = delete_objects(cluster, first, check=check, wait_timeout=spec.wait_timeout, progress=progress)
    result = remove(
        cluster,
        spec.name,
        namespace,
        check=check,
        wait=spec.wait,
        wait_timeout=spec.wait_timeout,
        delete_namespace=True,
        progress=progress,
    )
    return ControllerResult(version=there.version, namespace=namespace, changes=(*projects, *result.changes))


def _refuse_applications(cluster: Cluster, title: str) -> None:
    remaining = [ObjectRef.of(obj) for kind in _BLOCKING_KINDS for obj in _list(cluster, kind)]
    if not remaining:
        return
    listed = ", ".join(str(ref) for ref in remaining[:5])
    more = f" and {len(remaining) - 5} more" if len(remaining) > 5 else ""
    raise RemovalRefusedError(
        f"{title} is not removed: it still looks after {listed}{more}",
        hint="Remove the applications first. With the controller and its CRDs gone they would be orphaned or stuck.",
        details={"applications": [str(ref) for ref in remaining]},
    )


def _list(cluster: Cluster, kind: str) -> list[KubeObject]:
    if not cluster.serves(wiring.API_VERSION, kind):
        return []
    return cluster.list(wiring.API_VERSION, kind, metadata_only=True)
