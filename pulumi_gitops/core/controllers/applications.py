# SPDX-License-Identifier: Apache-2.0
"""Connect repositories, declare applications, sync them."""

from __future__ import annotations

from collections.abc import Sequence

from ..cluster import Cluster
from ..deploy import Action, Change, ProgressCallback, apply_objects, delete_objects
from ..deploy.model import ignore_progress
from ..errors import ControllerError, ControllerMissingError, InputError, OwnershipError, RemovalBlockedError
from ..objects import KubeObject, ObjectRef
from . import wiring
from .specs import ApplicationResult, ApplicationSpec, RepositorySpec, SyncResult, SyncSpec, is_commit
from .status import Goal, read
from .waiting import Wait, stop_operation


def apply_repository(cluster: Cluster, spec: RepositorySpec, *, check: bool = False) -> tuple[Change, ...]:
    """Give a controller access to a repository.

    Args:
        cluster: Cluster of the controller.
        spec: The repository.
        check: Change nothing. The controller need not be there yet.

    Raises:
        ControllerMissingError: The controller is not installed.
    """
    return _apply(cluster, wiring.repository_objects(spec), check=check)


def remove_repository(cluster: Cluster, spec: RepositorySpec, *, check: bool = False) -> tuple[Change, ...]:
    """Take the access away; a repository that is not connected is no change.

    Raises:
        OwnershipError: The Secret of that name was not made by us.
    """
    return _remove(cluster, wiring.repository_ref(spec.name, spec.target_namespace), check=check)


def apply_application(
    cluster: Cluster, spec: ApplicationSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ApplicationResult:
    """Declare an application, and wait until the newest commit of its revision is synced and healthy.

    Args:
        cluster: Cluster of the controller.
        spec: The application. Without `auto_sync` or `wait` nothing is awaited.
        check: Change nothing. The controller need not be there yet.
        progress: Gets messages while waiting.

    Raises:
        ControllerMissingError: The controller is not installed.
        SyncFailedError: The controller reports an error, in its own words.
        SyncTimeoutError: It took longer than `wait_timeout`.
    """
    ref = wiring.application_ref(spec.name, spec.target_namespace)
    changes = _apply(cluster, wiring.application_objects(spec), check=check)
    if check or not (spec.wait and spec.auto_sync):
        status = read(cluster.find(ref) or {})
        return ApplicationResult(status.revision, status.sync, status.health, changes)
    wait = Wait(cluster, ref, Goal(), spec.wait_timeout, progress or ignore_progress)
    status, revision = wait.run()
    return ApplicationResult(revision, status.sync, status.health, changes)


def remove_application(
    cluster: Cluster, spec: ApplicationSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ApplicationResult:
    """Remove an application and, through its finalizer, what it deployed; none is no change.

    Raises:
        OwnershipError: The application of that name was not made by us.
        RemovalBlockedError: It did not go away in time; says what blocks.
    """
    ref = wiring.application_ref(spec.name, spec.target_namespace)
    live = cluster.find(ref)
    if live is not None and not check and wiring.is_ours(live):
        _clear_the_way(cluster, live)
    try:
        changes = _remove(cluster, ref, check=check, wait=spec.wait, timeout=spec.wait_timeout, progress=progress)
    except RemovalBlockedError as e:
        reasons = read(cluster.find(ref) or {}).errors
        raise RemovalBlockedError(
            "\n".join([e.message, *reasons]),
            hint=f"The finalizer {wiring.FINALIZER} is processed by Argo CD's application controller: does it run, and "
            "can it delete what the application deployed?",
            details=e.details,
        ) from e
    return ApplicationResult("", "", "", changes)


def sync(
    cluster: Cluster, spec: SyncSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> SyncResult:
    """Bring an application to a revision, and wait until it is synced and healthy there.

    The controller is asked to look at the repository now. An application that syncs by itself is awaited; one that does
    not, or that the controller has given up on, is synced.

    Args:
        cluster: Cluster of the controller.
        spec: Application and revision.
        check: Change nothing, compare with what the controller saw last.
        progress: Gets messages while waiting.

    Raises:
        ControllerMissingError: The controller is not installed.
        ControllerError: There is no such application.
        InputError: The application follows another branch or tag than `revision` by itself.
        SyncFailedError: The controller reports an error, in its own words, or what the application follows is not at
            that revision.
        SyncTimeoutError: It took longer than `wait_timeout`.
    """
    ref = wiring.application_ref(spec.name, spec.target_namespace)
    goal = Goal(revision=spec.revision)
    live = cluster.find(ref)
    if live is None:
        if check:
            return SyncResult(spec.revision or "", "", "", changed=True)
        _require_controller(cluster, ref.namespace)
        raise ControllerError(
            f"there is no {ref}", hint="Check its name, and the namespace: it is the one of the controller."
        )
    before = read(live)
    name = spec.revision
    if before.automated and name not in (None, before.target) and not is_commit(name or ""):
        raise InputError(
            f"{ref} follows {before.target} by itself, it can not be synced to {name}",
            hint="Change the revision of the application, or switch auto_sync off.",
        )
    if check:
        settled = goal.is_at(before) and before.sync == "Synced"
        return SyncResult(before.revision, before.sync, before.health, changed=not settled)
    after, revision = Wait(cluster, ref, goal, spec.wait_timeout, progress or ignore_progress).run()
    changed = goal.syncs > 0 or before.sync != after.sync or before.revision != revision
    return SyncResult(revision, after.sync, after.health, changed=changed)


def _clear_the_way(cluster: Cluster, app: KubeObject) -> None:
    """Remove what keeps Argo CD from deleting an Application (controller/appcontroller.go, operation queue)."""
    if read(app).operation.phase == "Running":
        # It deletes nothing before the sync ends, which takes minutes when it fails and is tried again.
        stop_operation(cluster, app)
    ref = ObjectRef.of(app)
    finalizers = app["metadata"].get("finalizers") or []
    project = str((app.get("spec") or {}).get("project") or "default")
    if wiring.FINALIZER not in finalizers or cluster.find(wiring.project_ref(project, ref.namespace)) is not None:
        return
    # Without its project it never processes the finalizer.
    status = app.get("status") or {}
    if status.get("history") or status.get("resources"):
        raise RemovalBlockedError(
            f"{ref} can not be removed: it has deployed objects, and its AppProject {project} does not exist",
            hint=f"Create the AppProject {project}, or give the application another project, and remove it then.",
        )
    remaining = [finalizer for finalizer in finalizers if finalizer != wiring.FINALIZER]
    cluster.patch(ref, {"metadata": {"finalizers": remaining}})


def _apply(cluster: Cluster, objects: Sequence[KubeObject], *, check: bool) -> tuple[Change, ...]:
    namespace = ObjectRef.of(objects[0]).namespace
    try:
        _require_controller(cluster, namespace)
    except ControllerMissingError:
        if not check:
            raise
        # A bootstrap that comes first in the same run would have installed it.
        return tuple(
            Change(Action.CREATE, ObjectRef.of(obj), reason="the controller is not there yet") for obj in objects
        )
    return apply_objects(cluster, objects, check=check)


def _require_controller(cluster: Cluster, namespace: str) -> None:
    # It may have come or gone since this connection read the kinds; in a new process this costs nothing.
    cluster.discovery.refresh()
    if not cluster.serves(wiring.API_VERSION, "Application"):
        raise ControllerMissingError(
            "Argo CD is not installed: the cluster does not know its Applications",
            hint="Install it first: iac.gitops.controller, or the component ArgoCD.",
        )
    if cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None:
        raise ControllerMissingError(
            f"Argo CD is not in namespace {namespace}, which does not exist",
            hint="Give the namespace that Argo CD is installed in.",
        )


def _remove(
    cluster: Cluster,
    ref: ObjectRef,
    *,
    check: bool,
    wait: bool = True,
    timeout: float = 60.0,
    progress: ProgressCallback | None = None,
) -> tuple[Change, ...]:
    live = cluster.find(ref)
    if live is None:
        return ()
    if not wiring.is_ours(live):
        raise OwnershipError(
            f"{ref} was not made by pulumi-gitops, so it is not removed",
            hint="Declare it first (that takes it over), or delete it with the tool that made it.",
        )
    return delete_objects(cluster, [ref], check=check, wait=wait, wait_timeout=timeout, progress=progress)
