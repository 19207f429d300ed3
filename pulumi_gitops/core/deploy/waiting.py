# SPDX-License-Identifier: Apache-2.0
"""Wait until a whole set of objects is ready: few watches, no polling, and an early end when it can not get ready.

What is seen is taken in the order in which it comes. An object has failed when its own state says so; when it or a pod
of its newest revision is in trouble for longer than that trouble usually lasts (:mod:`.pods`); or when the API server
keeps refusing its pods. Before the set counts as ready everything is read once more.
"""

from __future__ import annotations

import json
import queue
import re
import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ..cluster import Cluster
from ..errors import GitOpsError, NotReadyError
from ..objects import KubeObject, ObjectRef, uid_of
from ..redact import redact
from .model import Progress, ProgressCallback
from .not_ready import Unready, not_ready
from .parallel import each
from .pods import UNSCHEDULABLE
from .podwatch import SAID_BY_EVENTS, SHORT, WORKLOADS, Pods, Workload, event_trouble
from .readiness import Readiness, State, may_change_by_itself, readiness
from .states import Trouble, failed, mapping, progressing
from .targets import ObjectStatus, Target, all_ready, expressions_for, with_expressions
from .timers import Timers
from .wait_for import WaitFor
from .watches import EVENT, POD, Group, News, Watches, grouped

__all__ = ["ObjectStatus", "Target", "all_ready", "expressions_for", "wait_ready"]

# Most rollouts of a few pods are through by then, and need nobody who looks at their pods.
_PODS_AFTER_SECONDS = 1.0
# An operator or another run may put back what was deleted.
_GONE_SECONDS = 10.0
# A pod is in trouble, but its workload is ready: what was ready may be so no longer.
_AGAIN_SECONDS = 5.0
# Events and objects come through different watches: one refusal may be older than the state that is known. Controllers
# try again after 1 s at the latest, then in growing steps.
_REPEAT_SECONDS = 1.0
_LONGEST_SLEEP = 3600.0
# Controllers write these at every round, though nothing happened.
_TIMES = re.compile(r'"\d{4}-\d\d-\d\dT[^"]{1,40}"')


def wait_ready(
    cluster: Cluster,
    targets: Sequence[Target],
    *,
    timeout: float,
    progress: ProgressCallback,
    label_selector: str = "",
    wait_for: Sequence[WaitFor] = (),
    stall_timeout: float = 0.0,
    strict_lb: bool = False,
) -> tuple[ObjectStatus, ...]:
    """Wait until every target is ready; give up at the first one that failed.

    Args:
        cluster: Where.
        targets: What to wait for.
        timeout: Seconds.
        progress: Called when an object changes state.
        label_selector: Selects the targets (they may be among others); "" watches whole kinds.
        wait_for: What has to hold for some of them, in place of the rule of their kind (:func:`expressions_for`).
        stall_timeout: Seconds that nothing may happen to any of them; 0 for no such limit.
        strict_lb: LoadBalancer Services and Ingresses are ready only with an address.

    Returns:
        The end state of each target, in their order.

    Raises:
        NotReadyError: An object failed, or time ran out. The message says for each object that is not ready why, with
            its last events, waiting containers and log lines; ``details["objects"]`` has the same.
        InputError: An expression applies to no object, or it is not clear to which.
        ApiError: The watch was refused.
    """
    awaited = with_expressions(targets, wait_for)
    moving = [
        target
        for target in awaited
        if not target.skip and (target.wait_for or may_change_by_itself(target.ref, strict_lb=strict_lb))
    ]
    found: dict[str, ObjectStatus] = {}
    if moving:
        found = _Wait(cluster, moving, label_selector, progress, timeout, stall_timeout, strict_lb=strict_lb).run()
    return tuple(
        found.get(target.ref.key) or ObjectStatus(target.ref, State.CURRENT, "SkipAwait" if target.skip else "")
        for target in awaited
    )


_UNSEEN = progressing("Pending", "not seen yet")


@dataclass(slots=True)
class _Entry:
    """A target and what is known of it."""

    target: Target
    state: Readiness = _UNSEEN
    seconds: float = 0.0
    workload: Workload | None = None
    refusal: Trouble | None = None
    refused_since: float = 0.0
    refused_again: bool = False
    finishes: bool = False
    gone: bool = False
    status: int = 0


class _Wait:
    def __init__(
        self,
        cluster: Cluster,
        targets: Sequence[Target],
        label_selector: str,
        progress: ProgressCallback,
        timeout: float,
        stall_timeout: float,
        *,
        strict_lb: bool,
    ) -> None:
        self._cluster = cluster
        self._selector = label_selector
        self._progress = progress
        self._timeout = timeout
        self._stall_timeout = max(stall_timeout, 0.0)
        self._strict_lb = strict_lb
        self._entries = {target.ref.key: _Entry(target) for target in targets}
        self._pending = set(self._entries)
        self._failed: set[str] = set()
        self._groups = grouped([target.ref for target in targets], label_selector)
        self._watches = Watches(cluster, timeout)
        self._timers = Timers()
        self._pods = Pods(cluster)
        self._by_uid: dict[str, _Entry] = {}
        self._followed: set[str] = set()
        self._late_classes: dict[str, bool] = {}
        self._started = self._moved = time.monotonic()

    def run(self) -> dict[str, ObjectStatus]:
        deadline = self._started + self._timeout
        self._watches.follow(self._groups)
        try:
            while True:
                now = time.monotonic()
                for key in self._timers.due(now):
                    self._expired(key, now)
                if self._failed:
                    raise self._not_ready("failed")
                if not self._pending and self._confirmed():
                    return {key: self._status(entry) for key, entry in self._entries.items()}
                if now >= deadline:
                    raise self._not_ready(f"not ready after {self._timeout:g} s")
                stalled = self._moved + self._stall_timeout if self._stall_timeout else deadline
                if now >= stalled:
                    raise self._not_ready(f"not ready, and nothing has happened for {self._stall_timeout:g} s")
                self._take_news(min(deadline, stalled, self._timers.next() or deadline) - now)
        finally:
            self._watches.stop()

    @staticmethod
    def _status(entry: _Entry) -> ObjectStatus:
        state = entry.state
        message = redact(state.message)
        return ObjectStatus(entry.target.ref, state.state, state.reason, message, round(entry.seconds, 3))

    # --- what comes in -----------------------------------------------------------------------------------------------

    def _take_news(self, seconds: float) -> None:
        news = self._watches.news
        try:
            self._take(news.get(timeout=min(max(seconds, 0.0), _LONGEST_SLEEP)))
        except queue.Empty:
            return
        for _ in range(news.qsize()):
            self._take(news.get_nowait())

    def _take(self, news: News) -> None:
        if news.error is not None:
            raise news.error
        if news.source == POD:
            self._take_pod(news)
        elif news.source == EVENT:
            self._take_event(news)
        elif news.ref is not None and news.ref.key in self._entries:
            entry = self._entries[news.ref.key]
            if news.gone or news.obj is None:
                self._take_gone(entry)
            else:
                self._take_object(entry, news.obj)

    def _take_object(self, entry: _Entry, obj: KubeObject) -> None:
        ref = entry.target.ref
        entry.gone = False
        entry.finishes = mapping(obj.get("spec")).get("ttlSecondsAfterFinished") is not None
        if ref.group_kind in WORKLOADS:
            entry.workload = Workload.of(obj)
            self._by_uid[entry.workload.uid] = entry
        if self._stall_timeout:
            status = hash(_TIMES.sub("", json.dumps(obj.get("status"), sort_keys=True)))
            if status != entry.status:
                entry.status = status
                self._moved = time.monotonic()
        self._set(entry, self._judge(entry.target, obj))

    def _judge(self, target: Target, obj: KubeObject) -> Readiness:
        if target.uid and uid_of(obj) != target.uid:
            return failed("Replaced", "another object of this name has taken its place")
        late = target.ref.group_kind == "PersistentVolumeClaim" and self._binds_late(obj)
        return readiness(
            obj,
            generation=target.generation,
            wait_for=target.wait_for,
            strict_lb=self._strict_lb,
            late_binding=late,
        )

    def _binds_late(self, claim: KubeObject) -> bool:
        if mapping(claim.get("status")).get("phase") not in (None, "Pending"):
            return False
        name = str(mapping(claim.get("spec")).get("storageClassName") or "")
        if name and name not in self._late_classes:
            try:
                found = self._cluster.find(ObjectRef("storage.k8s.io", "v1", "StorageClass", "", name))
            except GitOpsError:
                found = None  # no right to read it: the claim is awaited like any other
            self._late_classes[name] = mapping(found).get("volumeBindingMode") == "WaitForFirstConsumer"
        return self._late_classes.get(name, False)

    def _take_gone(self, entry: _Entry) -> None:
        entry.gone, entry.workload = True, None
        if entry.finishes:
            # The cluster removes a finished Job with a time to live: that is success (fluxcd/pkg/ssa, JobsWithTTL).
            self._set(entry, Readiness(State.CURRENT, "Deleted", "it was deleted after it had finished"))
            return
        live = self._cluster.find(entry.target.ref) if self._selector else None
        if live is not None and uid_of(live) == entry.target.uid:
            message = f"somebody took the label {self._selector} away"
            self._set(entry, progressing("LabelRemoved", message, Trouble("gone", 0.0, "LabelRemoved", message)))
            return
        message = "it was deleted meanwhile"
        trouble = Trouble("gone", _GONE_SECONDS, "Deleted", message)
        self._set(entry, Readiness(State.NOT_FOUND, "Deleted", message, trouble))

    def _take_pod(self, news: News) -> None:
        if news.obj is None:
            return
        before, record = self._pods.take(news.obj, gone=news.gone)
        if before is None or record is None or before.phase != record.phase:
            self._moved = time.monotonic()
        known = before.trouble if before else None
        trouble = record.trouble if record else None
        key = ("pod", uid_of(news.obj))
        if trouble is None or known is None or known.topic != trouble.topic:
            self._timers.cancel(key)
        if trouble is not None:
            self._timers.start(key, time.monotonic() + trouble.grace)

    def _take_event(self, news: News) -> None:
        involved = mapping(mapping(news.obj).get("involvedObject"))
        entry = self._by_uid.get(str(involved.get("uid")))
        if news.obj is None or news.gone or entry is None or entry.workload is None or entry.state.reason not in SHORT:
            return
        trouble = event_trouble(news.obj, entry.workload, entry.state)
        if trouble is None:
            return
        now = time.monotonic()
        if entry.refusal is None:
            entry.refusal, entry.refused_since, entry.refused_again = trouble, now, False
            self._timers.start(("event", entry.target.ref.key), now + trouble.grace)
        elif now - entry.refused_since >= _REPEAT_SECONDS:
            entry.refusal, entry.refused_again = trouble, True

    # --- what follows from it ----------------------------------------------------------------------------------------

    def _set(self, entry: _Entry, state: Readiness) -> None:
        before, key = entry.state, entry.target.ref.key
        entry.state = state
        if state.ready:
            self._pending.discard(key)
        else:
            self._pending.add(key)
        if state.state is State.FAILED:
            self._failed.add(key)
        else:
            self._failed.discard(key)
        if state.trouble is None or before.trouble is None or state.trouble.topic != before.trouble.topic:
            self._timers.cancel(("object", key))
        if state.trouble is not None:
            self._timers.start(("object", key), time.monotonic() + state.trouble.grace)
        namespace = entry.target.ref.namespace
        if not state.ready and entry.workload is not None and namespace not in self._followed:
            self._timers.start(("pods", namespace), time.monotonic() + _PODS_AFTER_SECONDS)
        if (state.state, state.reason, state.message) != (before.state, before.reason, before.message):
            self._tell(entry)

    def _tell(self, entry: _Entry) -> None:
        key, state, ref = entry.target.ref.key, entry.state, entry.target.ref
        self._moved = time.monotonic()
        # How many pods there are has changed, or something else: they are no longer refused all the time.
        entry.refusal = None
        self._timers.cancel(("event", key))
        if state.ready:
            entry.seconds = self._moved - self._started
        done = len(self._entries) - len(self._pending)
        message = f"{ref}: ready" if state.ready else f"{ref}: {state}"
        self._progress(Progress("wait", redact(message), done, len(self._entries), ref, str(state.state)))

    def _expired(self, key: Hashable, now: float) -> None:
        """Act on a timer: a grace is over, or pods are to be looked at."""
        assert isinstance(key, tuple)
        what, name = key
        if what == "pods":
            self._follow_pods(name)
        elif what == "pod":
            self._pod_expired(name, now)
        elif what == "event":
            entry = self._entries[name]
            if entry.refusal is None:
                return
            if entry.refused_again:
                self._set(entry, failed(entry.refusal.reason, entry.refusal.message))
            else:
                self._timers.start(key, now + entry.refusal.grace)
        else:
            entry = self._entries[name]
            trouble = entry.state.trouble
            if trouble is None:
                return
            if trouble.topic == UNSCHEDULABLE and self._pods.node_comes(entry.target.ref, entry.target.uid):
                self._timers.start(key, now + trouble.grace)
                return
            self._set(entry, failed(trouble.reason, trouble.message))

    def _pod_expired(self, uid: str, now: float) -> None:
        record = self._pods.get(uid)
        entry = self._entries.get(record.family) if record else None
        if record is None or entry is None:
            return
        if entry.state.ready or entry.workload is None:
            self._timers.start(("pod", uid), now + _AGAIN_SECONDS)
            return
        verdict = self._pods.verdict(record, entry.workload)
        if isinstance(verdict, Readiness):
            self._set(entry, verdict)
        elif verdict is not None:
            self._timers.start(("pod", uid), now + verdict)

    def _follow_pods(self, namespace: str) -> None:
        there = [entry for entry in self._entries.values() if entry.target.ref.namespace == namespace]
        workloads = [entry for entry in there if entry.target.ref.group_kind in WORKLOADS]
        seen = [entry.workload for entry in workloads if entry.workload is not None and not entry.state.ready]
        if namespace in self._followed or not seen:
            return
        self._followed.add(namespace)
        selector = seen[0].selector if len(workloads) == 1 else ""
        self._watches.follow_beside(POD, Group("v1", "Pod", namespace, label_selector=selector))
        if any(entry.target.ref.group_kind in SAID_BY_EVENTS for entry in workloads):
            refusals = "reason=FailedCreate,type=Warning"
            self._watches.follow_beside(EVENT, Group("v1", "Event", namespace, field_selector=refusals))

    # --- the end -----------------------------------------------------------------------------------------------------

    def _confirmed(self) -> bool:
        """Read everything once more: a state that passed by for a moment does not count."""

        def read(group: Group) -> dict[str, Readiness]:
            objects = ((ObjectRef.of(obj).key, obj) for obj in group.read(self._cluster))
            return {key: self._judge(self._entries[key].target, obj) for key, obj in objects if key in self._entries}

        found: dict[str, Readiness] = {}
        for answer in each(read, self._groups):
            if isinstance(answer, GitOpsError):
                raise answer
            found |= answer
        for key, entry in self._entries.items():
            if key in found:
                self._set(entry, found[key])
            elif not entry.gone:
                self._take_gone(entry)
        return not self._pending and not self._failed

    def _not_ready(self, what: str) -> NotReadyError:
        unready = [Unready(self._entries[key].target.ref, self._entries[key].state) for key in sorted(self._pending)]
        return not_ready(self._cluster, unready, what=what, total=len(self._entries))
