# SPDX-License-Identifier: Apache-2.0
"""Connect repositories, declare applications, sync them: the same calls for every controller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from ..cluster import Cluster
from ..deploy import Action, Change, ProgressCallback, apply_objects, delete_objects
from ..deploy.model import ignore_progress
from ..deploy.ownership import release_of
from ..errors import ControllerError, ControllerMissingError, OwnershipError, RemovalBlockedError
from ..objects import KubeObject, ObjectRef
from .application_set import ApplicationSetSpec
from .application_spec import ApplicationSpec
from .argocd import application_sets
from .argocd.wiring import application_ref, application_set_ref
from .backends import Backend, backend
from .marks import is_ours
from .repository_spec import RepositorySpec
from .sources import refuse_mixing, without_applications, without_existing_namespace
from .specs import ApplicationResult, ApplicationSetResult, SyncResult, SyncSpec


def repository_objects(spec: RepositorySpec) -> list[KubeObject]:
    """Return the objects that connect a repository, in the order in which they are made."""
    return backend(spec.controller).repository_objects(spec)


def application_objects(spec: ApplicationSpec) -> list[KubeObject]:
    """Return the objects of an application, in the order in which they are made; the last one is the application."""
    return backend(spec.controller).application_objects(spec)


def apply_repository(cluster: Cluster, spec: RepositorySpec, *, check: bool = False) -> tuple[Change, ...]:
    """Give a controller access to a repository.

    Args:
        cluster: Cluster of the controller.
        spec: The repository.
        check: Change nothing. The controller need not be there yet.

    Raises:
        ControllerMissingError: The controller is not installed.
        OwnershipError: Its name is that of a source which an application of Flux has for itself.
    """
    knows = backend(spec.controller)
    return _apply(cluster, knows, knows.repository_objects(spec), spec.target_namespace, check=check)


def remove_repository(cluster: Cluster, spec: RepositorySpec, *, check: bool = False) -> tuple[Change, ...]:
    """Take the access away; a repository that is not connected is no change.

    Raises:
        OwnershipError: An object of that name was not made by us.
    """
    refs = without_applications(cluster, backend(spec.controller).repository_refs(spec))
    return _remove(cluster, list(reversed(refs)), check=check)


class Wiring(Protocol):
    """What else is wired: a project, an application set, a cluster, a notification."""

    @property
    def controller(self) -> str:
        """The controller that it is for."""
        ...

    @property
    def target_namespace(self) -> str:
        """The controller's namespace."""
        ...

    def objects(self) -> list[KubeObject]:
        """Return its objects, in the order in which they are made."""
        ...


def apply_wiring(cluster: Cluster, spec: Wiring, *, check: bool = False) -> tuple[Change, ...]:
    """Make the objects of a project, an application set, a cluster or a notification.

    Args:
        cluster: Cluster of the controller.
        spec: What.
        check: Change nothing. The controller need not be there yet.

    Raises:
        ControllerMissingError: The controller is not installed.
    """
    return _apply(cluster, backend(spec.controller), spec.objects(), spec.target_namespace, check=check)


def remove_wiring(
    cluster: Cluster, spec: Wiring, *, check: bool = False, wait_timeout: float = 60.0
) -> tuple[Change, ...]:
    """Remove the objects again; those that are gone already are no change.

    Raises:
        OwnershipError: An object of that name was not made by us.
        RemovalBlockedError: They do not go away in time; names the finalizers.
    """
    refs = [ObjectRef.of(obj) for obj in reversed(spec.objects())]
    return _remove(cluster, refs, check=check, timeout=wait_timeout)


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
        OwnershipError: Something of its name belongs to a release, or is a connected repository.
        SyncFailedError: The controller reports an error, in its own words.
        SyncTimeoutError: It took longer than `wait_timeout`.
    """
    knows = backend(spec.controller)
    objects = knows.application_objects(spec)
    ref = ObjectRef.of(objects[-1])
    _refuse_of_release(cluster.find(ref), ref)
    objects = without_existing_namespace(cluster, objects, spec.name)
    changes = _apply(cluster, knows, objects, spec.target_namespace, check=check)
    # It may have had a source of its own before, or one of another kind.
    made = {ObjectRef.of(obj).key for obj in objects}
    sources = knows.own_sources(cluster, spec.name, spec.target_namespace)
    left = [source for source in sources if source.key not in made]
    changes += _remove(cluster, left, check=check, wait=spec.wait, timeout=spec.wait_timeout, progress=progress)
    if check or not (spec.wait and spec.auto_sync):
        state = knows.state(cluster.find(ref))
    else:
        state = knows.await_application(cluster, ref, spec.wait_timeout, progress or ignore_progress)
    return ApplicationResult(state.revision, state.sync, state.health, changes)


def remove_application(
    cluster: Cluster, spec: ApplicationSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ApplicationResult:
    """Remove an application and, through its finalizer, what it deployed; none is no change.

    Only its name counts, and what is ours: whether it is a folder or a chart, the cluster tells. With Flux the
    namespace that was made for it goes too, unless another application deploys into it; with Argo CD it stays.

    Raises:
        OwnershipError: The application of that name was not made by us.
        RemovalBlockedError: It did not go away in time; says what blocks.
    """
    knows = backend(spec.controller)
    refs = knows.kinds_of(spec.name, spec.target_namespace)
    found = {ref: live for ref in refs if (live := cluster.find(ref)) is not None}
    ours = {ref: live for ref, live in found.items() if is_ours(live)}
    namespaces = knows.own_namespaces(cluster, list(ours.values()))
    changes: tuple[Change, ...] = ()
    for ref, live in (ours or found).items():
        if not check and is_ours(live):
            knows.clear_the_way(cluster, live)
        try:
            changes += _remove(
                cluster, [ref], check=check, wait=spec.wait, timeout=spec.wait_timeout, progress=progress
            )
        except RemovalBlockedError as e:
            reasons, hint = knows.blocked_hint(cluster.find(ref))
            raise RemovalBlockedError("\n".join([e.message, *reasons]), hint=hint, details=e.details) from e
    # What it had for itself goes after it.
    sources, timeout = knows.own_sources(cluster, spec.name, spec.target_namespace), spec.wait_timeout
    changes += _remove(cluster, sources, check=check, timeout=timeout, progress=progress)
    changes += _remove(cluster, namespaces, check=check, wait=spec.wait, timeout=timeout, progress=progress)
    return ApplicationResult("", "", "", changes)


def apply_application_set(
    cluster: Cluster, spec: ApplicationSetSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ApplicationSetResult:
    """Declare an application set, and wait until its applications are made; not until they are synced.

    Args:
        cluster: Cluster of the controller.
        spec: The set. Without `wait`, or where no ApplicationSet controller is installed, nothing is awaited.
        check: Change nothing. The controller need not be there yet.
        progress: Gets messages while waiting.

    Raises:
        ControllerMissingError: Argo CD is not installed.
        SyncFailedError: The controller reports an error, in its own words: of the template, of a repository.
        SyncTimeoutError: It took longer than `wait_timeout`.
    """
    knows, ref = backend(spec.controller), application_set_ref(spec.name, spec.target_namespace)
    awaited = not check and spec.wait and application_sets.controller_is_there(cluster, ref.namespace)
    declare = partial(application_sets.declare, ask=awaited)
    changes = _apply(cluster, knows, spec.objects(), ref.namespace, check=check, apply=declare)
    if awaited:
        step, actions = progress or ignore_progress, {change.action for change in changes}
        asked = actions != {Action.UNCHANGED}
        application_sets.await_applications(cluster, ref, spec.wait_timeout, step, asked=asked)
        if Action.CONFIGURE in actions:
            application_sets.await_applications(cluster, ref, spec.wait_timeout, step)
    return ApplicationSetResult(application_sets.applications_of(cluster, cluster.find(ref)), changes)


def remove_application_set(
    cluster: Cluster, spec: ApplicationSetSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> ApplicationSetResult:
    """Remove an application set, and with it the applications that it owns; none is no change.

    Raises:
        OwnershipError: The set of that name was not made by us.
        RemovalBlockedError: Something does not go away in time; names the finalizers.
    """
    ref = application_set_ref(spec.name, spec.target_namespace)
    live = cluster.find(ref)
    made = application_sets.applications_of(cluster, live, going=True)
    expected = delete_objects(cluster, [application_ref(name, ref.namespace) for name in made], check=True)
    changes = _remove(cluster, [ref], check=check, wait=spec.wait, timeout=spec.wait_timeout, progress=progress)
    if not check:
        # Kubernetes deletes what an owner leaves behind, maybe before we look. What the controller has let go stays.
        left = application_sets.applications_of(cluster, live, going=True)
        refs = [application_ref(name, ref.namespace) for name in left]
        delete_objects(cluster, refs, wait=spec.wait, wait_timeout=spec.wait_timeout, progress=progress)
        expected = tuple(c for c in expected if c.ref.name in left or cluster.find(c.ref) is None)
    changes += expected
    return ApplicationSetResult((), changes)


def sync(
    cluster: Cluster, spec: SyncSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> SyncResult:
    """Bring an application to a revision, and wait until it is synced and healthy there.

    The controller is asked to look at the repository now. An application that syncs by itself is awaited; one that does
    not, or that the controller has given up on, is synced. An application set makes its applications anew.

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
    if spec.kind == "application_set":
        return _sync_set(cluster, spec, progress or ignore_progress, check=check)
    knows = backend(spec.controller)
    refs = knows.kinds_of(spec.name, spec.target_namespace)
    found = [live for ref in refs if (live := cluster.find(ref)) is not None]
    live = next((live for live in found if is_ours(live)), found[0] if found else None)
    if live is None:
        if check:
            return SyncResult(spec.revision or "", "", "", changed=True)
        _require_controller(cluster, knows, refs[0].namespace)
        raise ControllerError(
            f"there is no {refs[0]}", hint="Check its name, and the namespace: it is the one of the controller."
        )
    return knows.sync(cluster, live, spec, progress or ignore_progress, check=check)


def _sync_set(cluster: Cluster, spec: SyncSpec, progress: ProgressCallback, *, check: bool) -> SyncResult:
    ref = application_set_ref(spec.name, spec.target_namespace)
    live = cluster.find(ref)
    if check:
        return SyncResult("", "", "", changed=live is None or not application_sets.read(live).done)
    if live is None:
        _require_controller(cluster, backend(spec.controller), ref.namespace)
    elif not application_sets.controller_is_there(cluster, ref.namespace):
        return SyncResult("", "Unknown", "Unknown", changed=False)
    before = application_sets.applications_of(cluster, live)
    live = application_sets.make_anew(cluster, ref, spec.wait_timeout, progress)
    changed = application_sets.applications_of(cluster, live) != before
    return SyncResult("", "Synced", "Healthy", changed=changed)


def _apply(
    cluster: Cluster,
    knows: Backend,
    objects: Sequence[KubeObject],
    namespace: str,
    *,
    check: bool,
    apply: Callable[..., tuple[Change, ...]] = apply_objects,
) -> tuple[Change, ...]:
    try:
        _require_controller(cluster, knows, namespace)
    except ControllerMissingError:
        if not check:
            raise
        # A bootstrap that comes first in the same run would have installed it.
        return tuple(
            Change(Action.CREATE, ObjectRef.of(obj), reason="the controller is not there yet") for obj in objects
        )
    refuse_mixing(cluster, objects)
    return apply(cluster, objects, check=check)


def _require_controller(cluster: Cluster, knows: Backend, namespace: str) -> None:
    # It may have come or gone since this connection read the kinds; in a new process this costs nothing.
    cluster.discovery.refresh()
    if not cluster.serves(*knows.needs):
        raise ControllerMissingError(
            f"{knows.title} is not installed: the cluster does not know its {knows.needs[1]}s",
            hint=f"Install it first: iac.gitops.controller, or the component {knows.title.replace(' ', '')}.",
        )
    if cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None:
        raise ControllerMissingError(
            f"{knows.title} is not in namespace {namespace}, which does not exist",
            hint=f"Give the namespace that {knows.title} is installed in.",
        )


def _remove(
    cluster: Cluster,
    refs: Sequence[ObjectRef],
    *,
    check: bool,
    wait: bool = True,
    timeout: float = 60.0,
    progress: ProgressCallback | None = None,
) -> tuple[Change, ...]:
    found = [ref for ref in refs if (live := cluster.find(ref)) is not None and _checked(live, ref)]
    return delete_objects(cluster, found, check=check, wait=wait, wait_timeout=timeout, progress=progress)


def _refuse_of_release(live: KubeObject | None, ref: ObjectRef) -> None:
    if live is not None and release_of(live):
        raise OwnershipError(
            f"{ref} belongs to a release of pulumi-gitops",
            hint="Change it, or remove it, with that release: the controller or deployment that it is part of.",
        )


def _checked(live: KubeObject, ref: ObjectRef) -> bool:
    _refuse_of_release(live, ref)
    if not is_ours(live):
        raise OwnershipError(
            f"{ref} was not made by pulumi-gitops, so it is not removed",
            hint="Declare it first (that takes it over), or delete it with the tool that made it.",
        )
    return True
