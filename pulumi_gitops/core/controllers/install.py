# SPDX-License-Identifier: Apache-2.0
"""Install and remove a controller."""

from __future__ import annotations

import dataclasses
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
    detect_origin,
    read_release,
    remove,
    shown,
)
from ..deploy.model import ignore_progress
from ..errors import (
    AlreadyExistsError,
    ControllerMissingError,
    RemovalRefusedError,
)
from ..objects import ObjectRef
from . import catalog, manifests
from .argocd import self_managed
from .flux import operator
from .lifecycle import lifecycle
from .lockfile import Lock
from .patches import apply_patches
from .presence import DIGEST_FACT, OPERATOR_FACT, VERSION_FACT, InstallState, installed, list_kind
from .refusals import (
    refuse_applications,
    refuse_dependents,
    refuse_other_content,
    refuse_other_method,
    refuse_second,
    require_needs,
)
from .self_manage import SelfManage, logged_in
from .specs import ControllerResult, ControllerSpec
from .traits import traits
from .transform import set_namespace, set_pull_secret, set_registry


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
    if spec.method == "manifests":  # otherwise they go to who makes the objects: Flux, or its operator
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
        facts={VERSION_FACT: loaded.version, DIGEST_FACT: loaded.digest, OPERATOR_FACT: _operator_of(spec)},
    )
    return _Prepared(release, loaded.version, loaded.learned)


def _operator_of(spec: ControllerSpec) -> str:
    return operator.version_of(spec) if spec.method == "operator" else ""


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
    particular = lifecycle(cluster, spec, release.namespace, check=check, progress=progress)
    try:
        require_needs(cluster, spec.name, title)
    except ControllerMissingError as missing:
        if not check:
            raise
        # A bootstrap that comes first in the same run would have installed it.
        planned = tuple(Change(Action.CREATE, ObjectRef.of(obj), reason=missing.message) for obj in release.objects)
        return ControllerResult(version=version, namespace=release.namespace, changes=planned)
    refuse_second(cluster, spec, release, title)
    refuse_other_method(cluster, spec, release, title)
    refuse_other_content(cluster, release, title)

    def ensure_defaults() -> tuple[Change, ...]:
        return _ensure_defaults(cluster, spec.name, release.namespace, check=check)

    admin, release = particular.log_in(release)
    if spec.self_manage is not None:
        with logged_in(SelfManage.of(spec.self_manage), spec.tls_certificates) as place:
            itself = self_managed.SelfManaged(cluster, release, place, spec.wait_timeout, progress or ignore_progress)
            done = itself.run(version, ensure_defaults, check=check)
        return dataclasses.replace(done, changes=_merged(done.changes, admin))
    left = particular.leave()
    result = particular.deploy(release)
    changes, defaults = [_taken(change, left) for change in result.changes], ensure_defaults()
    return ControllerResult(
        version=version,
        namespace=release.namespace,
        changes=_merged((*left.changes, *changes, *defaults), admin),
        revision=result.revision,
        digest=result.digest,
        inventory=result.inventory,
    )


def _merged(changes: Sequence[Change], admin: Sequence[Change]) -> tuple[Change, ...]:
    """Return all changes, one per object: what was done to a Secret for the password tells more."""
    told = {change.ref for change in admin}
    return (*(change for change in changes if change.ref not in told), *admin)


def _taken(change: Change, left: self_managed.Left) -> Change:
    """Return a change of an object that is, or would be, taken back before it is deployed."""
    if change.ref not in left.refs or change.action not in (Action.HANDED_OVER, Action.UNCHANGED):
        return change
    return dataclasses.replace(change, action=Action.CONFIGURE, reason="taken back from Argo CD")


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
    particular = lifecycle(cluster, spec, namespace, check=check, progress=progress)
    refuse_applications(cluster, title, known.applications, namespace)
    refuse_dependents(cluster, spec.name, title)
    left = particular.leave()
    release = read_release(cluster, entry.release, namespace, drift=False)
    keeps_namespace = release is None or not release.created_namespace
    first = [ObjectRef.of(obj) for kind in known.first for obj in list_kind(cluster, kind)]
    secrets = [ObjectRef("", "v1", "Secret", namespace, secret) for secret in known.secrets if keeps_namespace]
    first += [*secrets, *particular.own_secrets()]
    gone = delete_objects(cluster, first, check=check, wait_timeout=spec.wait_timeout, progress=progress)
    gone += particular.remove_first()
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
