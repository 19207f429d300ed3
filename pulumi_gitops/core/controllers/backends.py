# SPDX-License-Identifier: Apache-2.0
"""What differs between the controllers when repositories and applications are wired: one class each, one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from ..cluster import Cluster
from ..deploy import ProgressCallback
from ..errors import ControllerError, InputError, RemovalBlockedError
from ..objects import KubeObject, ObjectRef
from . import sources
from .application_spec import ApplicationSpec
from .argocd import wiring as argocd
from .argocd.status import Goal
from .argocd.status import read as read_argocd
from .argocd.waiting import Wait as ArgoWait
from .argocd.waiting import stop_operation
from .flux import wiring as flux
from .flux.status import Outcome
from .flux.status import read as read_flux
from .flux.waiting import Wait as FluxWait
from .flux.waiting import source_of
from .names import is_commit
from .repository_spec import RepositorySpec
from .specs import AppState, SyncResult, SyncSpec


class Backend(Protocol):
    """Knows one controller.

    Attributes:
        title: Name for people.
        needs: apiVersion and kind that the cluster serves once the controller is installed.
    """

    title: ClassVar[str]
    needs: ClassVar[tuple[str, str]]

    def repository_objects(self, spec: RepositorySpec) -> list[KubeObject]:
        """Return the objects of a repository, in the order in which they are made."""
        ...

    def repository_refs(self, spec: RepositorySpec) -> Sequence[ObjectRef]:
        """Return all that a repository of this name and type may have, whatever its other options were."""
        ...

    def application_objects(self, spec: ApplicationSpec) -> list[KubeObject]:
        """Return the objects of an application, in the order in which they are made; the last one is it."""
        ...

    def kinds_of(self, name: str, namespace: str) -> Sequence[ObjectRef]:
        """Return under which identities an application of this name can be known, the most likely first."""
        ...

    def own_sources(self, cluster: Cluster, name: str, namespace: str) -> list[ObjectRef]:
        """Return the sources that an application has for itself."""
        ...

    def own_namespaces(self, cluster: Cluster, applications: Sequence[KubeObject]) -> list[ObjectRef]:
        """Return the namespaces that go with applications which are about to be removed."""
        ...

    def state(self, obj: KubeObject | None) -> AppState:
        """Return where an application stands."""
        ...

    def await_application(
        self, cluster: Cluster, ref: ObjectRef, timeout: float, progress: ProgressCallback
    ) -> AppState:
        """Wait until an application is at the newest commit of what it follows, and healthy."""
        ...

    def sync(
        self, cluster: Cluster, live: KubeObject, spec: SyncSpec, progress: ProgressCallback, *, check: bool
    ) -> SyncResult:
        """Bring an application to a revision."""
        ...

    def clear_the_way(self, cluster: Cluster, live: KubeObject) -> None:
        """Remove what would keep the controller from deleting an application."""
        ...

    def blocked_hint(self, live: KubeObject | None) -> tuple[Sequence[str], str]:
        """Return why an application does not go away, in the controller's words, and what to do."""
        ...


class ArgoCD:
    """Argo CD's Applications."""

    title: ClassVar[str] = "Argo CD"
    needs: ClassVar[tuple[str, str]] = (argocd.API_VERSION, "Application")

    def repository_objects(self, spec: RepositorySpec) -> list[KubeObject]:
        """See :class:`Backend`."""
        return argocd.repository_objects(spec)

    def repository_refs(self, spec: RepositorySpec) -> Sequence[ObjectRef]:
        """See :class:`Backend`."""
        return (argocd.repository_ref(spec.name, spec.target_namespace),)

    def application_objects(self, spec: ApplicationSpec) -> list[KubeObject]:
        """See :class:`Backend`."""
        return argocd.application_objects(spec)

    def kinds_of(self, name: str, namespace: str) -> Sequence[ObjectRef]:
        """See :class:`Backend`."""
        return (argocd.application_ref(name, namespace),)

    def own_sources(self, cluster: Cluster, name: str, namespace: str) -> list[ObjectRef]:  # noqa: ARG002 - Argo CD has none
        """See :class:`Backend`: an Application names its repository itself."""
        return []

    def own_namespaces(self, cluster: Cluster, applications: Sequence[KubeObject]) -> list[ObjectRef]:  # noqa: ARG002 - Argo CD has none
        """See :class:`Backend`: Argo CD makes namespaces itself, and leaves them."""
        return []

    def state(self, obj: KubeObject | None) -> AppState:
        """See :class:`Backend`."""
        status = read_argocd(obj or {})
        return AppState(status.revision, status.sync, status.health)

    def await_application(
        self, cluster: Cluster, ref: ObjectRef, timeout: float, progress: ProgressCallback
    ) -> AppState:
        """See :class:`Backend`."""
        status, revision = ArgoWait(cluster, ref, Goal(), timeout, progress).run()
        return AppState(revision, status.sync, status.health)

    def sync(
        self, cluster: Cluster, live: KubeObject, spec: SyncSpec, progress: ProgressCallback, *, check: bool
    ) -> SyncResult:
        """See :class:`Backend`."""
        ref, goal = ObjectRef.of(live), Goal(revision=spec.revision)
        before = read_argocd(live)
        name = spec.revision
        if before.automated and name not in (None, before.target) and not is_commit(name or ""):
            raise InputError(
                f"{ref} follows {before.target} by itself, it can not be synced to {name}",
                hint="Change the revision of the application, or switch auto_sync off.",
            )
        if check:
            settled = goal.is_at(before) and before.sync == "Synced"
            return SyncResult(before.revision, before.sync, before.health, changed=not settled)
        after, revision = ArgoWait(cluster, ref, goal, spec.wait_timeout, progress).run()
        changed = goal.syncs > 0 or before.sync != after.sync or before.revision != revision
        return SyncResult(revision, after.sync, after.health, changed=changed)

    def clear_the_way(self, cluster: Cluster, live: KubeObject) -> None:
        """See :class:`Backend` (controller/appcontroller.go, operation queue)."""
        if read_argocd(live).operation.phase == "Running":
            # It deletes nothing before the sync ends, which takes minutes when it fails and is tried again.
            stop_operation(cluster, live)
        ref = ObjectRef.of(live)
        finalizers = live["metadata"].get("finalizers") or []
        project = str((live.get("spec") or {}).get("project") or "default")
        if argocd.FINALIZER not in finalizers or cluster.find(argocd.project_ref(project, ref.namespace)) is not None:
            return
        # Without its project it never processes the finalizer.
        status = live.get("status") or {}
        if status.get("history") or status.get("resources"):
            raise RemovalBlockedError(
                f"{ref} can not be removed: it has deployed objects, and its AppProject {project} does not exist",
                hint=f"Create the AppProject {project}, or give the application another project, and remove it then.",
            )
        remaining = [finalizer for finalizer in finalizers if finalizer != argocd.FINALIZER]
        cluster.patch(ref, {"metadata": {"finalizers": remaining}})

    def blocked_hint(self, live: KubeObject | None) -> tuple[Sequence[str], str]:
        """See :class:`Backend`."""
        who = f"The finalizer {argocd.FINALIZER} is processed by Argo CD's application controller"
        return read_argocd(live or {}).errors, f"{who}: does it run, and can it delete what the application deployed?"


class Flux:
    """Flux's Kustomizations and HelmReleases."""

    title: ClassVar[str] = "Flux"
    needs: ClassVar[tuple[str, str]] = (f"{flux.KUSTOMIZE_GROUP}/{flux.KUSTOMIZE_VERSION}", "Kustomization")

    def repository_objects(self, spec: RepositorySpec) -> list[KubeObject]:
        """See :class:`Backend`."""
        return flux.repository_objects(spec)

    def repository_refs(self, spec: RepositorySpec) -> Sequence[ObjectRef]:
        """See :class:`Backend`."""
        return flux.repository_refs(spec)

    def application_objects(self, spec: ApplicationSpec) -> list[KubeObject]:
        """See :class:`Backend`."""
        return flux.application_objects(spec)

    def kinds_of(self, name: str, namespace: str) -> Sequence[ObjectRef]:
        """See :class:`Backend`."""
        return (flux.kustomization_ref(name, namespace), flux.helm_release_ref(name, namespace))

    def own_sources(self, cluster: Cluster, name: str, namespace: str) -> list[ObjectRef]:
        """See :class:`Backend`."""
        return sources.own_sources(cluster, name, namespace)

    def own_namespaces(self, cluster: Cluster, applications: Sequence[KubeObject]) -> list[ObjectRef]:
        """See :class:`Backend`."""
        return sources.own_namespaces(cluster, applications)

    def state(self, obj: KubeObject | None) -> AppState:
        """See :class:`Backend`: in Argo CD's words, so that playbooks need not know which controller it is."""
        status = read_flux(obj)
        if not obj:
            return AppState("", "", "")
        sync = "Synced" if status.outcome is Outcome.READY else "OutOfSync"
        health = {Outcome.READY: "Healthy", Outcome.WAIT: "Progressing"}.get(status.outcome, "Degraded")
        return AppState(status.revision, sync, health)

    def await_application(
        self, cluster: Cluster, ref: ObjectRef, timeout: float, progress: ProgressCallback
    ) -> AppState:
        """See :class:`Backend`."""
        return AppState(FluxWait(cluster, ref, timeout, progress).run().revision, "Synced", "Healthy")

    def sync(
        self, cluster: Cluster, live: KubeObject, spec: SyncSpec, progress: ProgressCallback, *, check: bool
    ) -> SyncResult:
        """See :class:`Backend`."""
        ref, before = ObjectRef.of(live), self.state(live)
        if spec.revision is not None and not is_commit(spec.revision):
            follows = self._follows(cluster, live)
            if spec.revision not in follows:
                raise InputError(
                    f"{ref} follows {' or '.join(follows) or 'nothing'}, it can not be synced to {spec.revision}",
                    hint="Change the revision of the application, or give a commit id.",
                )
        if check:
            reached = spec.revision is None or not is_commit(spec.revision) or before.revision.startswith(spec.revision)
            return SyncResult(
                before.revision, before.sync, before.health, changed=not (reached and before.sync == "Synced")
            )
        status = FluxWait(cluster, ref, spec.wait_timeout, progress, spec.revision).run()
        changed = before.revision != status.revision or before.sync != "Synced"
        return SyncResult(status.revision, "Synced", "Healthy", changed=changed)

    def _follows(self, cluster: Cluster, live: KubeObject) -> list[str]:
        source = cluster.find(source_of(live)) or {}
        ref = (source.get("spec") or {}).get("ref") or {}
        return [str(value) for value in ref.values()]

    def clear_the_way(self, cluster: Cluster, live: KubeObject) -> None:
        """See :class:`Backend`. A suspended Kustomization prunes nothing when it is deleted: it is resumed first."""
        if (live.get("spec") or {}).get("suspend"):
            cluster.patch(ObjectRef.of(live), {"spec": {"suspend": None}})

    def blocked_hint(self, live: KubeObject | None) -> tuple[Sequence[str], str]:
        """See :class:`Backend`."""
        message = read_flux(live).message if live else ""
        who = "Its finalizer is processed by the controller of its kind"
        hint = f"{who}: does it run, and can it delete what the application deployed?"
        return ((message,) if message else ()), hint


_BACKENDS: dict[str, Backend] = {"argocd": ArgoCD(), "flux": Flux()}


def backend(name: str) -> Backend:
    """Return what knows a controller.

    Raises:
        ControllerError: It has no repositories and applications.
    """
    try:
        return _BACKENDS[name]
    except KeyError:
        raise ControllerError(f"{name} has no repositories and applications of its own") from None
