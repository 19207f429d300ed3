# SPDX-License-Identifier: Apache-2.0
"""Argo CD over its own manifests: they are installed by push once, then committed, and an Application applies them.

From then on a run commits and waits, and applies nothing but the Application and its credentials. At every moment one
of two marks tells who owns the objects: the label of the Application, which is made before anything is given up, and
the fact in the release's record, which outlives an Application that somebody deletes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from ...cluster import Cluster
from ...deploy import (
    Action,
    Change,
    Progress,
    ProgressCallback,
    ReleaseSpec,
    apply_objects,
    delete_objects,
    deploy,
    read_release,
)
from ...deploy.applying import await_served
from ...deploy.handover import hand_over, remembered, take_back
from ...deploy.record import read as read_record
from ...errors import NotFoundError, OwnershipError
from ...git import CommitResult, commit_edit, read_tip
from ...objects import KubeObject, ObjectRef, annotations_of, labels_of
from ..application_spec import ApplicationSpec
from ..repository_spec import RepositorySpec
from ..self_manage import SelfManage
from ..specs import ControllerResult
from .committed import Committed
from .status import Goal, read
from .waiting import Wait, stop_operation
from .wiring import API_VERSION, application_objects, application_ref, repository_objects

MANAGER = "argocd-controller"
"""Field manager of Argo CD's server-side applies."""

FACT = "controller-application"
_LABEL = {"pulumi-gitops/self-managed": "argocd"}
_SELECTOR = "pulumi-gitops/self-managed=argocd"
_END_SECONDS = 30.0
_TRACKING = "argocd.argoproj.io/tracking-id"


@dataclass(frozen=True, slots=True)
class SelfManaged:
    """An installation that manages itself, or is about to.

    Attributes:
        cluster: Where.
        release: The release that it is installed as.
        wanted: Where its manifests are kept.
        timeout: Seconds to wait for Argo CD.
        progress: Called for each step.
        committed: The manifests as files.
    """

    cluster: Cluster
    release: ReleaseSpec
    wanted: SelfManage
    timeout: float
    progress: ProgressCallback
    committed: Committed = field(init=False)

    def __post_init__(self) -> None:
        files = Committed.of(self.release.objects, self.wanted.path, [self.wanted.password])
        object.__setattr__(self, "committed", files)

    @property
    def ref(self) -> ObjectRef:
        """The Application."""
        return application_ref(self.wanted.application, self.release.namespace)

    def run(self, version: str, ensure_defaults: Callable[[], tuple[Change, ...]], *, check: bool) -> ControllerResult:
        """Install by push what is not there yet, commit, and let Argo CD apply it.

        Args:
            version: Version of the manifests.
            ensure_defaults: Makes what the controller can not do without.
            check: Change nothing, return what would be.

        Raises:
            OwnershipError: Somebody else's Application looks after Argo CD.
            GitOpsError: As ``deploy``, ``commit_edit`` and a wait for an Application.
        """
        self._refuse_others()
        first = self._application() is None
        # Before anything is touched: are there repository, branch and credentials?
        planned = self._commit(version, check=True)
        pushed: tuple[Change, ...] = ()
        if first:
            if not check:
                self._resume()
            pushed = deploy(self.cluster, self.release, check=check, progress=self.progress).changes
        pushed += ensure_defaults()
        if check:
            return self._result(version, pushed, planned, self._wire(check=True), first=first)
        done = planned
        if planned.changed:
            self.progress(Progress("apply", f"commit the manifests to {self.wanted.path} of {self.wanted.url}"))
            done = self._commit(version, check=False)
        wired = self._wire(check=False)
        self._await(done.commit)
        handed = hand_over(self.cluster, self._named(), MANAGER, progress=self.progress)
        result = self._result(version, pushed, done, wired, first=first)
        return dataclasses.replace(result, revision=handed.revision, digest=handed.digest)

    def _resume(self) -> None:
        """Own the objects again if the Application was deleted by somebody else: nobody applies them any more."""
        release = self.release
        if self._fact():
            take_back(self.cluster, release.name, release.namespace, MANAGER, forget=[FACT], progress=self.progress)

    def _fact(self) -> str:
        """Return the name of the Application that has the objects as far as the record knows, "" for none."""
        record = read_record(self.cluster, self.release.name, self.release.namespace)
        return record.facts.get(FACT, "") if record else ""

    def _named(self) -> ReleaseSpec:
        facts = {**self.release.facts, FACT: self.wanted.application}
        return dataclasses.replace(self.release, facts=facts)

    def _result(
        self,
        version: str,
        pushed: tuple[Change, ...],
        done: CommitResult,
        wired: tuple[Change, ...],
        *,
        first: bool,
    ) -> ControllerResult:
        found = read_release(self.cluster, self.release.name, self.release.namespace, drift=False)
        if not first:
            reason = f"applied by Argo CD itself ({self.wanted.application})"
            kept = {
                ref.key: Change(Action.HANDED_OVER, ref, reason=reason)
                for ref in map(ObjectRef.of, self.committed.objects.values())
            }
            pushed = (*{**kept, **self.committed.changes(done)}.values(), *pushed)
        return ControllerResult(
            version=version,
            namespace=self.release.namespace,
            changes=(*pushed, *wired),
            revision=found.revision if found else 0,
            digest=found.digest if found else "",
            commit=done.commit,
        )

    def _refuse_others(self) -> None:
        """Refuse an Argo CD that an Application of somebody else looks after, or one of another name.

        Raises:
            OwnershipError: Names it.
        """
        there, namespace = find(self.cluster, self.release.namespace), self.release.namespace
        if there is not None and ObjectRef.of(there).name != self.wanted.application:
            raise OwnershipError(
                f"Argo CD in namespace {namespace} manages itself by the Application {ObjectRef.of(there).name}",
                hint=f"Use self_manage.application: {ObjectRef.of(there).name}, or run once without self_manage.",
            )
        if there is None and self._application() is not None:
            raise OwnershipError(
                f"{self.ref} was not made for self_manage",
                hint="Give another name as self_manage.application. If it looks after Argo CD itself, delete it, but "
                "not what it has deployed: remove its finalizers first.",
            )
        ours = ("", self.wanted.application, self._fact())
        workloads = [ObjectRef.of(obj) for obj in self.release.objects if obj["kind"] == "StatefulSet"]
        for live in filter(None, map(self.cluster.find, workloads)):
            owner = str(annotations_of(live).get(_TRACKING) or "").partition(":")[0]
            if owner not in ours:
                raise OwnershipError(
                    f"Argo CD in namespace {namespace} is managed by the Application {owner}",
                    hint="Delete that Application without what it has deployed (remove its finalizers first), and use "
                    f"self_manage.application: {owner}.",
                )

    def _application(self) -> KubeObject | None:
        return self.cluster.find(self.ref) if self.cluster.serves(API_VERSION, "Application") else None

    def _commit(self, version: str, *, check: bool) -> CommitResult:
        return commit_edit(
            self.wanted.url,
            self.wanted.branch,
            self.committed.edit,
            message=f"Argo CD {version}" if version else "Argo CD",
            credentials=self.wanted.credentials,
            check=check,
        )

    def _wire(self, *, check: bool) -> tuple[Change, ...]:
        """Make the Application and, where there is a password, the connection that it reads with."""
        objects = self._objects()
        if check:
            # What this connection has read before may be gone, and nothing makes it anew.
            self.cluster.discovery.refresh()
            if not self.cluster.serves(API_VERSION, "Application"):
                return tuple(Change(Action.CREATE, ObjectRef.of(obj)) for obj in objects)
        else:
            # Where another Argo CD was removed a moment ago, its kinds are named, then not, then named again.
            await_served(self.cluster, self.release.objects)
        changes = apply_objects(self.cluster, objects, check=check)
        # A password that is no longer given does not stay.
        stale = set(_connections(self.cluster, self.release.namespace)) - set(map(ObjectRef.of, objects))
        return changes + delete_objects(self.cluster, stale, check=check)

    def _objects(self) -> list[KubeObject]:
        wanted, namespace = self.wanted, self.release.namespace
        application = ApplicationSpec(
            name=wanted.application,
            url=wanted.url,
            path=wanted.path,
            revision=wanted.branch,
            destination_namespace=namespace,
            namespace=namespace,
            self_heal=True,
            labels=_LABEL,
        )
        objects = application_objects(application)
        # Deleted by whomever, it leaves Argo CD in place.
        del objects[-1]["metadata"]["finalizers"]
        if wanted.password is not None:
            connection = RepositorySpec(
                name=f"{wanted.application}-self",
                url=wanted.url,
                username=wanted.username,
                password=wanted.password,
                namespace=namespace,
            )
            [secret] = repository_objects(connection)
            secret["metadata"]["labels"] |= _LABEL
            objects.insert(0, secret)
        return objects

    def _await(self, commit: str) -> None:
        """Wait until Argo CD has applied a commit, or a newer one of the branch."""
        wanted = self.wanted
        _, revision = Wait(self.cluster, self.ref, Goal(), self.timeout, self.progress).run()
        if revision != commit and read_tip(wanted.url, wanted.branch, credentials=wanted.credentials) == commit:
            Wait(self.cluster, self.ref, Goal(revision=commit), self.timeout, self.progress).run()


def find(cluster: Cluster, namespace: str) -> KubeObject | None:
    """Return the Application with which Argo CD manages itself, None when it does not."""
    if not cluster.serves(API_VERSION, "Application"):
        return None
    try:
        found = cluster.list(API_VERSION, "Application", namespace=namespace, label_selector=_SELECTOR)
    except NotFoundError:  # the CRD went since this connection read the kinds
        return None
    return found[0] if found else None


@dataclass(frozen=True, slots=True)
class Left:
    """What it takes, or took, to end the self-management.

    Attributes:
        changes: The Application and its credentials, which go.
        refs: Objects that are the release's again.
    """

    changes: tuple[Change, ...] = ()
    refs: tuple[ObjectRef, ...] = ()


def leave(
    cluster: Cluster, name: str, namespace: str, *, check: bool, timeout: float, progress: ProgressCallback | None
) -> Left:
    """Make the release own what Argo CD applies of itself, and remove the Application. Nothing to leave is no change.

    Argo CD stops to apply before anything is taken, and the Application goes last: a run that is killed is repeated.

    Args:
        cluster: Where.
        name: Release.
        namespace: Its namespace.
        check: Change nothing.
        timeout: Seconds to wait for the Application to go.
        progress: Called for each step.

    Raises:
        GitOpsError: As :func:`...deploy.handover.take_back`.
    """
    application, record = find(cluster, namespace), read_record(cluster, name, namespace)
    if application is None and FACT not in (record.facts if record else {}):
        return Left()
    refs = tuple(ObjectRef.of(obj) for obj in remembered(cluster, record)) if record else ()
    if not check:
        if application is not None:
            _pause(cluster, application)
        take_back(cluster, name, namespace, MANAGER, forget=[FACT], progress=progress)
    changes: tuple[Change, ...] = ()
    for going in (_connections(cluster, namespace), [ObjectRef.of(application)] if application else []):
        changes += delete_objects(cluster, going, check=check, wait_timeout=timeout, progress=progress)
    return Left(changes, refs)


def _connections(cluster: Cluster, namespace: str) -> list[ObjectRef]:
    """Return the Secrets that Argo CD reads its own manifests with."""
    found = cluster.list("v1", "Secret", namespace=namespace, label_selector=_SELECTOR, metadata_only=True)
    return [ObjectRef.of(obj) for obj in found]


def _pause(cluster: Cluster, application: KubeObject) -> None:
    """Let an Application sync nothing by itself, and wait until it does not sync. Deleting it will delete nothing."""
    ref, spec = ObjectRef.of(application), application["spec"]
    policy = {key: value for key, value in (spec.get("syncPolicy") or {}).items() if key != "automated"}
    metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels_of(application)}
    paused = {**application, "metadata": metadata, "spec": {**spec, "syncPolicy": policy}}
    for part in ("status", "operation"):
        paused.pop(part, None)
    live = cluster.apply(paused, force=True)
    finalizers = live["metadata"].get("finalizers")
    if finalizers:
        live = cluster.patch(ref, {"metadata": {"finalizers": None}})
    if not read(live).operation.running:
        return
    stop_operation(cluster, live)
    for event in cluster.watch(
        ref.api_version,
        ref.kind,
        namespace=ref.namespace,
        field_selector=f"metadata.name={ref.name}",
        timeout=_END_SECONDS,
    ):
        if not read(event.object).operation.running:
            return
    # A controller that does not end a sync does not run, so it applies nothing either.
