# SPDX-License-Identifier: Apache-2.0
"""One run of a release at a time: a Lease in the release's namespace, renewed while its holder lives.

Clocks are not compared between machines: like client-go's leader election, a waiting run takes the lock over when it
has itself seen no renewal for the lease's duration. A holder on this very machine whose process is gone is known to be
dead at once.
"""

from __future__ import annotations

import datetime as dt
import getpass
import math
import os
import socket
import sys
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Self

from ..cluster import Cluster
from ..errors import AlreadyExistsError, ConflictError, GitOpsError, LockedError, NotFoundError
from ..objects import KubeObject, ObjectRef, annotations_of
from .model import Progress, ProgressCallback

_DURATION = 15
_RENEW_SECONDS = 5.0
# After so long without a renewal it takes a look at the server to know whether the lock is still ours.
_SURE_SECONDS = 10.0
_POLL_SECONDS = 0.5
_PROCESS = "pulumi-gitops/process"


class ReleaseLock:
    """The lock of one release, a context manager.

    Args:
        cluster: Where.
        release: Name of the release.
        namespace: Its namespace; it has to exist.
        timeout: Seconds to wait for another holder.
        progress: Told whom it waits for.
    """

    def __init__(
        self, cluster: Cluster, release: str, namespace: str, *, timeout: float, progress: ProgressCallback
    ) -> None:
        self._cluster, self._timeout, self._progress = cluster, timeout, progress
        self._release = f"{namespace}/{release}"
        self._ref = ObjectRef("coordination.k8s.io", "v1", "Lease", namespace, f"pulumi-gitops.{release}")
        self._identity = f"{_user()}@{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        self._held: KubeObject = {}
        self._renewed = -math.inf
        self._renewing = threading.Lock()
        self._lost: GitOpsError | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            LockedError: Another run holds it for longer than the timeout.
        """
        self._held = self._acquire()
        self._thread = threading.Thread(target=self._keep, daemon=True, name="gitops-lock")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back; if that fails it expires by itself."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(_RENEW_SECONDS)
        try:
            self.check()  # a lease that another run has taken over meanwhile is the same object
            self._cluster.delete(self._ref, uid=str(self._held["metadata"]["uid"]))
        except GitOpsError:
            return

    def check(self) -> None:
        """Check that the lock is still ours.

        Raises:
            LockedError: Another run took it, or whether it did can not be told: we were not able to renew it in time.
        """
        if self._lost is None and _clock() - self._renewed >= _SURE_SECONDS:
            try:
                self._renew()
            except GitOpsError as error:
                self._lost = error
        if self._lost is not None:
            raise LockedError(
                f"the lock of release {self._release} was lost: {self._lost.message}",
                hint="Run again when the other run has ended; it continues where this one stopped.",
            ) from self._lost

    # --- taking it ---------------------------------------------------------------------------------------------------

    def _acquire(self) -> KubeObject:
        deadline = time.monotonic() + self._timeout
        seen: tuple[str, float] = ("", 0.0)
        told = False
        while True:
            started = _clock()
            try:
                lease = self._cluster.create(self._lease(transitions=0))
            except AlreadyExistsError:
                pass
            else:
                self._renewed = started
                return lease
            found = self._cluster.find(self._ref)
            if found is None:
                continue
            if _holder(found) == self._identity:
                return found  # the answer to our own request got lost, and with it when it was carried out
            version = str(found["metadata"]["resourceVersion"])
            if version != seen[0]:
                seen = (version, time.monotonic())
            if _is_dead(found) or time.monotonic() - seen[1] >= _duration(found):
                taken = self._take_over(found)
                if taken is not None:
                    return taken
                continue
            if time.monotonic() >= deadline:
                raise _locked(self._release, found, self._timeout)
            if not told:
                self._progress(Progress("lock", f"waiting for {_holder(found)}, which deploys {self._release}"))
                told = True
            time.sleep(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))

    def _take_over(self, lease: KubeObject) -> KubeObject | None:
        transitions = int((lease.get("spec") or {}).get("leaseTransitions") or 0) + 1
        body = self._lease(transitions=transitions)
        body["metadata"]["resourceVersion"] = lease["metadata"]["resourceVersion"]
        started = _clock()
        try:
            taken = self._cluster.replace(body)
        except (ConflictError, NotFoundError):
            return None  # somebody else was faster
        self._renewed = started
        return taken

    def _lease(self, *, transitions: int) -> KubeObject:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "apiVersion": self._ref.api_version,
            "kind": self._ref.kind,
            "metadata": {
                "name": self._ref.name,
                "namespace": self._ref.namespace,
                "annotations": {_PROCESS: _this_process()},
                "labels": {"app.kubernetes.io/managed-by": "pulumi-gitops"},
            },
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": _DURATION,
                "acquireTime": now,
                "renewTime": now,
                "leaseTransitions": transitions,
            },
        }

    # --- keeping it --------------------------------------------------------------------------------------------------

    def _keep(self) -> None:
        while not self._stop.wait(_RENEW_SECONDS):
            try:
                self._renew()
            except (ConflictError, NotFoundError) as error:
                self._lost = error
                return
            except GitOpsError:
                continue  # an API server that is away for a while costs nobody the lock; `check` sees how long it is

    def _renew(self) -> None:
        """Renew the lease if it is still ours.

        Raises:
            ConflictError: It is not.
            NotFoundError: It is gone.
            GitOpsError: That can not be told.
        """
        with self._renewing:
            try:
                self._replace()
            except ConflictError:
                lease = self._cluster.find(self._ref)
                if lease is None or _holder(lease) != self._identity:
                    raise
                self._held = lease  # the answer to an earlier renewal got lost, or somebody labelled the lease
                self._replace()

    def _replace(self) -> None:
        started = _clock()
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        body = {**self._held, "spec": {**self._held["spec"], "renewTime": now}}
        self._held = self._cluster.replace(body)
        self._renewed = started


def _clock() -> float:
    """Return seconds of a clock that goes on while the machine sleeps, as those of waiting runs elsewhere do."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no entry in the password database, as in some containers
        return str(os.getuid())


def _this_process() -> str:
    return f"{_machine()}/{os.getpid()}/{_started(os.getpid())}"


def _machine() -> str:
    """Return what two processes share only if they see each other's process ids: boot and PID namespace."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; "" when it can not be told, ``ended`` for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] in "ZX" else fields[19]


def _is_dead(lease: KubeObject) -> bool:
    """Tell whether the holder is a process of this machine that has ended."""
    machine, _, process = str(annotations_of(lease).get(_PROCESS, "")).rpartition("/")
    machine, _, pid = machine.rpartition("/")
    if not machine or machine != _machine() or not pid.isdecimal() or not process:
        return False
    try:
        os.kill(int(pid), 0)  # sends nothing
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass  # it is somebody else's, whose times /proc may hide
    return _started(int(pid)) not in ("", process)


def _duration(lease: KubeObject) -> float:
    return float((lease.get("spec") or {}).get("leaseDurationSeconds") or _DURATION)


def _holder(lease: KubeObject) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "somebody")


def _locked(release: str, lease: KubeObject, timeout: float) -> LockedError:
    since = str((lease.get("spec") or {}).get("acquireTime") or "")
    return LockedError(
        f"release {release} is being deployed by {_holder(lease)} since {since[:19]}Z; waited {timeout:g} s",
        hint="Wait until that run has ended, or raise lock_timeout. The lock of a run that died expires by itself.",
        details={"holder": _holder(lease), "since": since},
    )
