# SPDX-License-Identifier: Apache-2.0
"""Make Flux look at an application, and wait until it is where it should be."""

from __future__ import annotations

import datetime as dt
import queue
import threading
import time
from dataclasses import dataclass, field

from ...cluster import DELETED, Cluster
from ...deploy import Progress, ProgressCallback
from ...errors import ControllerError, GitOpsError, NotFoundError, SyncFailedError, SyncTimeoutError
from ...objects import KubeObject, ObjectRef
from ..names import is_commit
from .status import REQUEST_ANNOTATION, RESET_ANNOTATION, FluxStatus, Outcome, digest_of, hint_for, is_transient, read
from .wiring import source_ref

# A Secret or source made a moment ago may not have reached the controller: a failure counts once it lasted.
_GRACE_SECONDS = 5.0
_TRANSIENT_SECONDS = 30.0
# While a source is behind the commit that was pushed, the controller is asked again.
_NUDGE_SECONDS = 3.0


@dataclass(slots=True)
class Wait:
    """One wait for one application: first its source, then the application itself.

    Attributes:
        cluster: Cluster of Flux.
        ref: The Kustomization or HelmRelease.
        timeout: Seconds.
        progress: Gets a message at every change.
        revision: Commit id (may be short) to wait for; None for the newest one of what the source follows.
    """

    cluster: Cluster
    ref: ObjectRef
    timeout: float
    progress: ProgressCallback
    revision: str | None = None
    _last: str = ""
    _news: queue.Queue[ObjectRef | GitOpsError] = field(default_factory=queue.Queue)
    _objects: dict[str, KubeObject] = field(default_factory=dict)

    def run(self) -> FluxStatus:
        """Return the final status of the application.

        Raises:
            SyncFailedError: A controller reports an error, in its own words.
            SyncTimeoutError: It took too long; says where it stands.
            ControllerError: The application or its source does not exist.
        """
        deadline = time.monotonic() + self.timeout
        application = self._get(self.ref)
        source = source_of(application)
        stop = threading.Event()
        for ref in (source, self.ref):
            threading.Thread(target=self._follow, args=(ref, stop), daemon=True, name="gitops-flux").start()
        try:
            at = "" if self._is_static(source) else self._await_source(source, deadline)
            return self._await_application(at, deadline)
        finally:
            stop.set()

    # --- the two halves ----------------------------------------------------------------------------------------------

    def _await_source(self, ref: ObjectRef, deadline: float) -> str:
        """Return the revision of the source, as Flux writes it."""
        token = request(self.cluster, ref)
        trouble = _Trouble()
        asked = time.monotonic()
        while True:
            status = read(self._objects.get(ref.key), token=token)
            self._report(ref, status)
            if status.outcome is Outcome.READY:
                if self._is_wanted(status.revision):
                    return status.source
                if self.revision is not None and not self._may_come(ref):
                    raise self._failed(ref, f"it stays at {status.revision[:12]}, not at {self.revision}")
            if trouble.lasts(status):
                raise self._failed(ref, status.message)
            self._pause(ref, status, deadline)
            if status.outcome is not Outcome.WAIT and time.monotonic() - asked >= _NUDGE_SECONDS:
                token, asked = request(self.cluster, ref), time.monotonic()

    def _await_application(self, source: str, deadline: float) -> FluxStatus:
        token = request(self.cluster, self.ref)
        trouble = _Trouble()
        asked = time.monotonic()
        while True:
            status = read(self._objects.get(self.ref.key), token=token)
            self._report(self.ref, status)
            if status.outcome is Outcome.READY and self._is_at(status, source):
                return status
            if trouble.lasts(status):
                raise self._failed(self.ref, status.message)
            self._pause(self.ref, status, deadline)
            if status.outcome in (Outcome.READY, Outcome.TROUBLE) and time.monotonic() - asked >= _NUDGE_SECONDS:
                token, asked = request(self.cluster, self.ref), time.monotonic()

    def _is_wanted(self, revision: str) -> bool:
        return self.revision is None or not is_commit(self.revision) or revision.startswith(self.revision)

    def _may_come(self, ref: ObjectRef) -> bool:
        """Tell whether the source can move: a source that is pinned to a commit never does."""
        pinned = ((self._objects.get(ref.key) or {}).get("spec") or {}).get("ref") or {}
        return not (pinned.get("commit") or pinned.get("digest"))

    def _is_static(self, ref: ObjectRef) -> bool:
        """Tell whether a source is one that no controller looks at: a registry of charts, which has no index."""
        live = self.cluster.find(ref) if ref.kind == "HelmRepository" else None
        return ((live or {}).get("spec") or {}).get("type") == "oci"

    def _is_at(self, status: FluxStatus, source: str) -> bool:
        """Tell whether the application is at the revision of its source.

        A chart of a Helm repository has a version of its own. One that is an artifact was tried at the artifact's
        digest; helm-controller may have looked before it knew of the newest one.
        """
        if self.ref.kind == "HelmRelease":
            return status.attempted in ("", digest_of(source))
        return status.source == source

    # --- watching ----------------------------------------------------------------------------------------------------

    def _follow(self, ref: ObjectRef, stop: threading.Event) -> None:
        try:
            for event in self.cluster.watch(
                ref.api_version,
                ref.kind,
                namespace=ref.namespace,
                field_selector=f"metadata.name={ref.name}",
                timeout=self.timeout,
                stop=stop,
            ):
                if event.type == DELETED:
                    self._objects.pop(ref.key, None)
                    raise ControllerError(f"{ref} was deleted while waiting for it")
                self._objects[ref.key] = event.object
                self._news.put(ref)
        except GitOpsError as error:
            self._news.put(error)

    def _pause(self, ref: ObjectRef, status: FluxStatus, deadline: float) -> None:
        """Wait until something happens, or until it is time to look at the clock."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._timed_out(ref, status)
        try:
            news = self._news.get(timeout=min(left, 1.0))
        except queue.Empty:
            return
        if isinstance(news, GitOpsError):
            raise news

    def _get(self, ref: ObjectRef) -> KubeObject:
        try:
            return self.cluster.get(ref)
        except NotFoundError as error:
            raise ControllerError(
                f"there is no {ref}", hint="Check its name, and the namespace: it is the one of Flux."
            ) from error

    # --- telling -----------------------------------------------------------------------------------------------------

    def _report(self, ref: ObjectRef, status: FluxStatus) -> None:
        at = f" at {status.revision[:7]}" if status.revision else ""
        message = f"{ref.kind} {ref.name}: {status.outcome}{at}" + (f" - {status.message}" if status.message else "")
        if message != self._last:
            self._last = message
            done = int(ref == self.ref and status.outcome is Outcome.READY)
            self.progress(Progress("wait", message, done, 1, self.ref))

    def _failed(self, ref: ObjectRef, message: str) -> SyncFailedError:
        return SyncFailedError(
            f"{ref.kind} {ref.name}: {message}",
            hint=hint_for(message),
            details={"application": self.ref.name, "namespace": self.ref.namespace, "object": str(ref)},
        )

    def _timed_out(self, ref: ObjectRef, status: FluxStatus) -> SyncTimeoutError:
        at = f", at {status.revision}" if status.revision else ""
        hint = hint_for(status.message)
        if ref.key not in self._objects or status.outcome is Outcome.WAIT:
            hint = hint or f"Does the controller of {ref.kind} run, and does it watch namespace {ref.namespace}?"
        return SyncTimeoutError(
            f"{ref.kind} {ref.name} is not there after {self.timeout:g} s{at}: {status.message or status.outcome}",
            hint=hint,
            details={"application": self.ref.name, "object": str(ref)},
        )


@dataclass(slots=True)
class _Trouble:
    """How long a failure has lasted."""

    since: float = 0.0

    def lasts(self, status: FluxStatus) -> bool:
        if status.outcome is Outcome.FAILED:
            return True
        if status.outcome is not Outcome.TROUBLE:
            self.since = self.since if status.outcome is Outcome.WAIT else 0.0
            return False
        now = time.monotonic()
        self.since = self.since or now
        return now - self.since >= (_TRANSIENT_SECONDS if is_transient(status.message) else _GRACE_SECONDS)


def source_of(application: KubeObject) -> ObjectRef:
    """Return the source that a Kustomization or HelmRelease reads from.

    Raises:
        ControllerError: It names none.
    """
    ref = ObjectRef.of(application)
    spec = application.get("spec") or {}
    chart = ((spec.get("chart") or {}).get("spec") or {}).get("sourceRef")
    found = spec.get("sourceRef") or spec.get("chartRef") or chart
    if not found:
        raise ControllerError(f"{ref} names no source")
    return source_ref(str(found["kind"]), str(found["name"]), str(found.get("namespace") or ref.namespace))


def request(cluster: Cluster, ref: ObjectRef, *, reset: bool = False) -> str:
    """Ask a controller to reconcile an object now; return the token that tells when it has.

    Args:
        cluster: Cluster of Flux.
        ref: The object.
        reset: Have helm-controller forget how often a HelmRelease has failed.

    Raises:
        ControllerError: There is no such object.
    """
    token = dt.datetime.now(dt.UTC).isoformat()
    annotations = {REQUEST_ANNOTATION: token, **({RESET_ANNOTATION: token} if reset else {})}
    try:
        cluster.patch(ref, {"metadata": {"annotations": annotations}})
    except NotFoundError as error:
        raise ControllerError(
            f"there is no {ref}", hint="Check its name, and the namespace: it is the one of Flux."
        ) from error
    return token
