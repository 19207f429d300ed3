# SPDX-License-Identifier: Apache-2.0
"""Install, look at and remove a controller."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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
from ..deploy.model import ignore_progress
from ..errors import (
    AlreadyExistsError,
    ChecksumMismatchError,
    ControllerMissingError,
    OwnershipError,
    RemovalRefusedError,
)
from ..objects import KubeObject, ObjectRef
from . import catalog, manifests
from .argocd import self_managed
from .argocd.admin import ensure_password
from .backends import backend
from .lockfile import Lock
from .patches import apply_patches
from .self_manage import SelfManage, logged_in
from .specs import ControllerResult, ControllerSpec
from .traits import Kind, dependents, traits
from .transform import set_namespace, set_pull_secret, set_registry
from .weave_gitops.admin import ensure_login, own_secrets
from .weave_gitops.chart import for_user

VERSION_FACT = "controller-version"
# sha256 of the manifests of the installed version: CI workspaces vanish, and lock files with them.
DIGEST_FACT = "controller-manifests"


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
    """Render a controller's manifests; needs no cluster, and leaves the lock file as it is.

    Args:
        spec: What to install.

    Returns:
        The release to deploy, and the version ("" when unknown).

    Raises:
        InputError: Unknown version, a URL without checksum, a patch that matches nothing.
        ChecksumMismatchError: The manifests are not what was asked for.
        SourceUnavailableError: They can not be read or downloaded.
    """
    prepared = _prepared(spec)
    return prepared.release, prepared.version


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is installed: the release, its version, and the sha256 by URL that the lock file has to learn."""

    release: ReleaseSpec
    version: str
    learned: Mapping[str, str]


def _prepared(spec: ControllerSpec) -> _Prepared:
    loaded = manifests.load(spec)
    adjusted = traits(spec.name).adjust(loaded.objects, spec)
    objects = set_namespace(adjusted, spec.target_namespace)
    if spec.method != "helm_release":  # those go to Flux, for the objects of the chart
        objects = apply_patches(objects, spec.patches)
    if spec.registry:
        objects = set_registry(objects, spec.registry)
    if spec.image_pull_secret:
        objects = set_pull_secret(objects, spec.image_pull_secret)
    release = ReleaseSpec(
        name=catalog.controller(spec.name).release,
        namespace=spec.target_namespace,
        objects=objects,
        wait=spec.wait,
        wait_timeout=spec.wait_timeout,
        ownership=Ownership.ADOPT,
        origin=detect_origin(spec.source),
        facts={VERSION_FACT: loaded.version, DIGEST_FACT: loaded.digest},
    )
    return _Prepared(release, loaded.version, loaded.learned)


def install(
    cluster: Cluster, spec: ControllerSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ControllerResult:
    """Install a controller, upgrade it, or take over one that was installed by other means.

    What was downloaded for the first time is put into the lock file in the end.

    With `self_manage` Argo CD does that itself from a commit of ours; without it what it had is taken back. The
    password of `admin_secret` is set first, so that there is no moment with another one.

    Args:
        cluster: Where.
        spec: What to install.
        check: Change nothing, return what would be.
        progress: Called for each step.

    Raises:
        OwnershipError: It is installed in another namespace, or by another method.
        ControllerMissingError: Another controller that it needs is not installed.
        GitOpsError: As :func:`controller_release` and :func:`..deploy.deploy`.
    """
    prepared = _prepared(spec)
    result = _install(cluster, spec, prepared, check=check, progress=progress)
    if spec.lock_file and not check:
        for url, digest in prepared.learned.items():
            Lock(Path(spec.lock_file)).put(url, digest)
    return result


def _install(
    cluster: Cluster, spec: ControllerSpec, prepared: _Prepared, *, check: bool, progress: ProgressCallback | None
) -> ControllerResult:
    release, version = prepared.release, prepared.version
    title = catalog.controller(spec.name).title
    try:
        _require_needs(cluster, spec.name, title)
    except ControllerMissingError as missing:
        if not check:
            raise
        # A bootstrap that comes first in the same run would have installed it.
        planned = tuple(Change(Action.CREATE, ObjectRef.of(obj), reason=missing.message) for obj in release.objects)
        return ControllerResult(version=version, namespace=release.namespace, changes=planned)
    _refuse_second(cluster, release, title)
    _refuse_other_method(cluster, spec, release, title)
    _refuse_other_content(cluster, release, title)

    def ensure_defaults() -> tuple[Change, ...]:
        return _ensure_defaults(cluster, spec.name, release.namespace, check=check)

    admin: tuple[Change, ...] = ()
    if spec.admin_secret is not None:
        admin, release = _with_admin(cluster, spec.admin_secret, spec.name, release, check=check)
    if spec.self_manage is not None:
        with logged_in(SelfManage.of(spec.self_manage), spec.tls_certificates) as place:
            itself = self_managed.SelfManaged(cluster, release, place, spec.wait_timeout, progress or ignore_progress)
            done = itself.run(version, ensure_defaults, check=check)
        return dataclasses.replace(done, changes=_merged(done.changes, admin))
    left = _leave(cluster, spec, release.namespace, check=check, progress=progress)
    result = deploy(cluster, release, check=check, progress=progress)
    changes, defaults = [_taken(change, left) for change in result.changes], ensure_defaults()
    return ControllerResult(
        version=version,
        namespace=release.namespace,
        changes=_merged((*left.changes, *changes, *defaults), admin),
        revision=result.revision,
        digest=result.digest,
        inventory=result.inventory,
    )


def _with_admin(
    cluster: Cluster, secret: str, name: str, release: ReleaseSpec, *, check: bool
) -> tuple[tuple[Change, ...], ReleaseSpec]:
    """Make sure of the login of the administrator; return what changed for it, and the release with rights for them."""
    if name == "argocd":
        return ensure_password(cluster, secret, release.namespace, check=check), release
    login = ensure_login(cluster, secret, release.namespace, check=check)
    return login.changes, dataclasses.replace(release, objects=for_user(release.objects, login.username))


def _merged(changes: Sequence[Change], admin: Sequence[Change]) -> tuple[Change, ...]:
    """Return all changes, one per object: what was done to a Secret for the password tells more."""
    told = {change.ref for change in admin}
    return (*(change for change in changes if change.ref not in told), *admin)


def _leave(
    cluster: Cluster, spec: ControllerSpec, namespace: str, *, check: bool, progress: ProgressCallback | None
) -> self_managed.Left:
    """End the self-management, if there is one."""
    if spec.name != "argocd":
        return self_managed.Left()
    return self_managed.leave(cluster, spec.name, namespace, check=check, timeout=spec.wait_timeout, progress=progress)


def _taken(change: Change, left: self_managed.Left) -> Change:
    """Return a change of an object that is, or would be, taken back before it is deployed."""
    if change.ref not in left.refs or change.action not in (Action.HANDED_OVER, Action.UNCHANGED):
        return change
    return dataclasses.replace(change, action=Action.CONFIGURE, reason="taken back from Argo CD")


def _require_needs(cluster: Cluster, name: str, title: str) -> None:
    """Raise ControllerMissingError unless the controllers are there that this one works with."""
    for other in traits(name).needs:
        needed = backend(other)
        # It may have come or gone since this connection read the kinds.
        cluster.discovery.refresh()
        if not cluster.serves(*needed.needs):
            raise ControllerMissingError(
                f"{title} needs {needed.title}, which is not installed: the cluster does not know its "
                f"{needed.needs[1]}s",
                hint=f"Nothing was applied. Install {needed.title} first.",
            )


def _refuse_other_method(cluster: Cluster, spec: ControllerSpec, release: ReleaseSpec, title: str) -> None:
    """Helm refuses objects that are there already, and ours would be pruned from under it."""
    found = read_release(cluster, release.name, release.namespace, drift=False) if spec.name == "weave_gitops" else None
    if found is None or not found.inventory:
        return
    there = "helm_release" if any(item.ref.kind == "HelmRelease" for item in found.inventory) else "manifests"
    if there != spec.method:
        raise OwnershipError(
            f"{title} is installed by method {there}, which can not be changed to {spec.method}",
            hint="Remove it first, and install it anew: it keeps no data.",
            details={"property": "method"},
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


def _refuse_other_content(cluster: Cluster, release: ReleaseSpec, title: str) -> None:
    """Refuse manifests of the installed version that are not those which were installed: somebody replaced them."""
    digest = release.facts[DIGEST_FACT]
    found = read_release(cluster, release.name, release.namespace, drift=False) if digest else None
    if found is None or found.facts.get(VERSION_FACT) != release.facts[VERSION_FACT]:
        return
    before = found.facts.get(DIGEST_FACT)
    if before and before != digest:
        raise ChecksumMismatchError(
            f"the manifests of {title} {release.facts[VERSION_FACT]} have sha256 {digest}, but {before} were installed",
            hint="Nothing was applied. If the new content is wanted, look at it and give its checksum.",
            details={"expected": before, "found": digest},
        )


def _ensure_defaults(cluster: Cluster, name: str, namespace: str, *, check: bool) -> tuple[Change, ...]:
    """Create what a controller can not do without and may make itself later, unless it is there."""
    changes = []
    for obj in traits(name).defaults(namespace):
        if cluster.find(ObjectRef.of(obj)) is not None:
            continue
        if not check:
            try:
                cluster.create(obj)
            except AlreadyExistsError:
                continue  # the controller was faster
        changes.append(Change(Action.CREATE, ObjectRef.of(obj), None, shown(obj)))
    return tuple(changes)


def installed(cluster: Cluster, name: str = "argocd", namespace: str | None = None) -> InstalledController | None:
    """Return the controller that is installed, None if there is none.

    Args:
        cluster: Where.
        name: ``argocd``, ``flux`` or ``weave_gitops``.
        namespace: Look only here; in all namespaces when None.

    Raises:
        ForbiddenError: The rights to list StatefulSets, or to read the release's record, are missing.
    """
    entry, known = catalog.controller(name), traits(name)
    workloads = cluster.list(*known.workload, namespace=namespace or "", label_selector=known.selector)
    found = {str(obj["metadata"]["namespace"]): obj for obj in workloads}
    # The record counts too: what it names is ours to repair or remove, even with the StatefulSet gone.
    candidates = [namespace] if namespace else [*sorted(found), entry.default_namespace]
    for place in candidates:
        release = read_release(cluster, entry.release, place, drift=False)
        if release is not None:
            return InstalledController(release.facts.get(VERSION_FACT, ""), place, InstallState.MANAGED)
    for place, workload in sorted(found.items()):
        return InstalledController(manifests.version_of([workload], known.image), place, InstallState.UNMANAGED)
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
        RemovalRefusedError: There are applications, which would go, or lose their controller; another controller needs
            it; or somebody else installed it.
        RemovalBlockedError: Objects do not go away in time; names the finalizers.
    """
    entry = catalog.controller(spec.name)
    title = entry.title
    there = installed(cluster, spec.name, spec.namespace)
    if there is None:
        return ControllerResult(version="", namespace=spec.target_namespace, changes=())
    namespace = there.namespace
    if there.state is InstallState.UNMANAGED:
        raise RemovalRefusedError(
            f"{title} in namespace {namespace} was not installed by pulumi-gitops",
            hint="Install it with pulumi-gitops first (that takes it over), or remove it with the tool that made it.",
        )
    known = traits(spec.name)
    _refuse_applications(cluster, title, known.applications, namespace)
    _refuse_dependents(cluster, spec.name, title)
    left = _leave(cluster, spec, namespace, check=check, progress=progress)
    release = read_release(cluster, entry.release, namespace, drift=False)
    keeps_namespace = release is None or not release.created_namespace
    first = [ObjectRef.of(obj) for kind in known.first for obj in _list(cluster, kind)]
    secrets = [ObjectRef("", "v1", "Secret", namespace, secret) for secret in known.secrets if keeps_namespace]
    first += secrets
    if spec.name == "weave_gitops":
        first += own_secrets(cluster, namespace)
    gone = delete_objects(cluster, first, check=check, wait_timeout=spec.wait_timeout, progress=progress)
    result = remove(
        cluster,
        entry.release,
        namespace,
        check=check,
        wait=spec.wait,
        wait_timeout=spec.wait_timeout,
        delete_namespace=True,
        progress=progress,
    )
    listed = {change.ref for change in result.changes}
    if not check:
        # A controller that was starting may have made them anew before it went.
        gone += delete_objects(cluster, secrets, wait_timeout=spec.wait_timeout, progress=progress)
    # In check mode nothing is taken back, so the release does not know them.
    more = (Change(Action.DELETE, ref) for ref in left.refs if check and ref not in listed and cluster.find(ref))
    return ControllerResult(
        version=there.version, namespace=namespace, changes=(*left.changes, *gone, *more, *result.changes)
    )


def _refuse_applications(cluster: Cluster, title: str, kinds: Sequence[Kind], namespace: str) -> None:
    itself = self_managed.find(cluster, namespace)
    remaining = [ObjectRef.of(obj) for kind in kinds for obj in _list(cluster, kind)]
    remaining = [ref for ref in remaining if itself is None or ref != ObjectRef.of(itself)]
    if not remaining:
        return
    listed = ", ".join(str(ref) for ref in remaining[:5])
    more = f" and {len(remaining) - 5} more" if len(remaining) > 5 else ""
    raise RemovalRefusedError(
        f"{title} is not removed: it still looks after {listed}{more}",
        hint="Remove the applications first. With the controller and its CRDs gone they would be orphaned or stuck.",
        details={"applications": [str(ref) for ref in remaining]},
    )


def _refuse_dependents(cluster: Cluster, name: str, title: str) -> None:
    for other in dependents(name):
        there = installed(cluster, other)
        if there is not None:
            needing = catalog.controller(other).title
            raise RemovalRefusedError(
                f"{title} is not removed: {needing} in namespace {there.namespace} needs it",
                hint=f"Remove {needing} first.",
            )


def _list(cluster: Cluster, kind: Kind) -> list[KubeObject]:
    return cluster.list(*kind, metadata_only=True) if cluster.serves(*kind) else []
