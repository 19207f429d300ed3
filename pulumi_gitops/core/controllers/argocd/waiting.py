# SPDX-License-Identifier: Apache-2.0
"""Make Argo CD look at an application, and wait until it is where it should be."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field

from ...cluster import DELETED, Cluster
from ...deploy import Progress, ProgressCallback
from ...errors import ConflictError, ControllerError, NotFoundError, SyncFailedError, SyncTimeoutError
from ...objects import KubeObject, ObjectRef
from .status import REFRESH_ANNOTATION, AppStatus, Goal, Step, Verdict, hint_for, judge, read

# Out of sync and nothing happens: the controller is asked to look again, in case it missed something.
_NUDGE_SECONDS = 5.0
_OPERATOR = "pulumi-gitops"


@dataclass(slots=True)
class Wait:
    """One wait for one application.

    Attributes:
        cluster: Cluster of the controller.
        ref: The Application.
        goal: What to wait for.
        timeout: Seconds.
        progress: Gets a message at every change.
    """

    cluster: Cluster
    ref: ObjectRef
    goal: Goal
    timeout: float
    progress: ProgressCallback
    _last_message: str = ""
    _trouble_since: float | None = None
    _asked_again: bool = field(default=False)

    def run(self) -> tuple[AppStatus, str]:
        """Return the final status and the commit id that the cluster is at.

        Raises:
            SyncFailedError: The controller reports an error, in its own words.
            SyncTimeoutError: It took too long; says where it stands.
            ControllerError: The application was deleted meanwhile.
        """
        deadline = time.monotonic() + self.timeout
        app = request_refresh(self.cluster, self.ref)
        status = read(app)
        if not status.operation.running:
            self.goal.ended = status.operation.started
        while True:
            verdict = judge(status, self.goal)
            self._report(status, verdict)
            if verdict.step is Step.DONE:
                return status, verdict.revision
            pause = self._act(app, status, verdict)
            changed = await_change(self.cluster, self.ref, app, min(deadline, time.monotonic() + pause))
            if changed is None and time.monotonic() >= deadline:
                raise self._timed_out(status, verdict)
            if changed is None:
                changed = self._look_again(verdict)
            app, status = changed, read(changed)

    def _act(self, app: KubeObject, status: AppStatus, verdict: Verdict) -> float:
        """Do what a verdict asks for; return the seconds after which to look again if nothing changes."""
        if not status.refreshing and verdict.step is not Step.TROUBLE:
            self._trouble_since = None
        if verdict.step is Step.FAIL:
            raise self._failed(verdict)
        if verdict.step is Step.TROUBLE:
            now = time.monotonic()
            if self._trouble_since is None:
                self._trouble_since, self._asked_again = now, False
            if self._asked_again and now - self._trouble_since >= verdict.grace:
                raise self._failed(verdict)
            return verdict.pause
        if verdict.step is Step.REFRESH:
            self.goal.ended = status.operation.started
            request_refresh(self.cluster, self.ref)
        elif verdict.step is Step.SYNC:
            self._start_sync(app, status)
        elif verdict.step is Step.STOP:
            stop_operation(self.cluster, app)
        elif not status.refreshing and not status.operation.running and status.sync != "Synced":
            return _NUDGE_SECONDS
        return self.timeout

    def _look_again(self, verdict: Verdict) -> KubeObject:
        troubled = verdict.step is Step.TROUBLE
        self._asked_again = self._asked_again or troubled
        # A hard refresh also forgets errors that the repo-server has cached.
        return request_refresh(self.cluster, self.ref, hard=troubled)

    def _start_sync(self, app: KubeObject, status: AppStatus) -> None:
        policy = (app.get("spec") or {}).get("syncPolicy") or {}
        sync = {
            "revision": status.revision if self.goal.is_at(status) else self.goal.revision,
            "prune": status.prune,
            "syncOptions": policy.get("syncOptions") or [],
        }
        operation = {"initiatedBy": {"username": _OPERATOR}, "sync": sync}
        if policy.get("retry"):
            operation["retry"] = policy["retry"]
        # As argo.SetAppOperation does; the resourceVersion keeps it from mixing with an operation of somebody else.
        body = {
            "metadata": {"resourceVersion": _version(app)},
            "operation": operation,
            "status": {"operationState": None},
        }
        try:
            self.cluster.patch(self.ref, body)
        except ConflictError:
            return  # it changed meanwhile: judged anew
        self.goal.syncs += 1
        self.goal.ended = ""

    def _report(self, status: AppStatus, verdict: Verdict) -> None:
        state = f"{status.sync or 'Unknown'}/{status.health or 'Unknown'}"
        if status.revision:
            state += f" at {status.revision[:7]}"
        message = f"{_shown(self.ref)}: {state}" + (f" - {verdict.message}" if verdict.message else "")
        if message != self._last_message:
            self._last_message = message
            done = 1 if verdict.step is Step.DONE else 0
            self.progress(Progress(phase="wait", message=message, done=done, total=1, ref=self.ref))

    def _failed(self, verdict: Verdict) -> SyncFailedError:
        return SyncFailedError(
            f"{_shown(self.ref)}: {verdict.message}",
            hint=hint_for(verdict.message),
            details={"application": self.ref.name, "namespace": self.ref.namespace},
        )

    def _timed_out(self, status: AppStatus, verdict: Verdict) -> SyncTimeoutError:
        where = f"{status.sync or 'Unknown'}, {status.health or 'Unknown'}"
        if status.revision:
            where += f", at {status.revision}"
        hint = hint_for(verdict.message)
        if status.refreshing:
            hint = f"Does Argo CD's application controller run, and does it watch namespace {self.ref.namespace}?"
        return SyncTimeoutError(
            f"{_shown(self.ref)} did not get there within {self.timeout:g} s ({where}): {verdict.message}",
            hint=hint,
            details={"application": self.ref.name, "sync": status.sync, "health": status.health},
        )


def request_refresh(cluster: Cluster, ref: ObjectRef, *, hard: bool = False) -> KubeObject:
    """Ask Argo CD to look at the repository and the cluster now; return the Application.

    Raises:
        ControllerError: There is no such Application.
    """
    annotations = {REFRESH_ANNOTATION: "hard" if hard else "normal"}
    try:
        return cluster.patch(ref, {"metadata": {"annotations": annotations}})
    except NotFoundError as e:
        raise ControllerError(
            f"there is no {ref}", hint="Check its name, and the namespace: it is the one of the controller."
        ) from e


def await_change(cluster: Cluster, ref: ObjectRef, known: KubeObject, until: float) -> KubeObject | None:
    """Return an object once it is another than the one that is known, None when time (monotonic) is up.

    Raises:
        ControllerError: It was deleted.
    """
    left = until - time.monotonic()
    if left <= 0:
        return None
    found = False
    events = cluster.watch(
        ref.api_version,
        ref.kind,
        namespace=ref.namespace,
        field_selector=f"metadata.name={ref.name}",
        timeout=left,
    )
    for event in events:
        if event.type == DELETED:
            break
        found = True
        if _version(event.object) != _version(known):
            return event.object
    else:
        if found:
            return None
    raise ControllerError(f"{ref} was deleted while waiting for it")


def stop_operation(cluster: Cluster, app: KubeObject) -> None:
    """Ask Argo CD to end the running sync of an Application (server/application, TerminateOperation)."""
    body = {"metadata": {"resourceVersion": _version(app)}, "status": {"operationState": {"phase": "Terminating"}}}
    with contextlib.suppress(ConflictError, NotFoundError):
        # It changed meanwhile: whoever waits judges it anew.
        cluster.patch(ObjectRef.of(app), body)


def _version(app: KubeObject) -> str:
    return str((app.get("metadata") or {}).get("resourceVersion") or "")


def _shown(ref: ObjectRef) -> str:
    return f"{ref.kind} {ref.name}"
