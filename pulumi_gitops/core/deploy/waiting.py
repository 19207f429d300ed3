# SPDX-License-Identifier: Apache-2.0
"""Wait until a whole set of objects is ready: one watch per kind and namespace, no polling."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..cluster import DELETED, Cluster
from ..errors import GitOpsError, NotFoundError, NotReadyError
from ..objects import KubeObject, ObjectRef
from .diagnosis import diagnose
from .model import Progress, ProgressCallback
from .parallel import each
from .readiness import Readiness, State, may_change_by_itself, readiness

_REPORTED = 20


@dataclass(frozen=True, slots=True)
class Target:
    """An object to wait for, in at least this generation."""

    ref: ObjectRef
    generation: int = 0

    @classmethod
    def of(cls, obj: KubeObject) -> Target:
        """Return the target for an object as applied."""
        return cls(ObjectRef.of(obj), int((obj.get("metadata") or {}).get("generation") or 0))


@dataclass(frozen=True, slots=True)
class _News:
    """What a watcher thread saw: an object (None when it was deleted), or why it gave up."""

    ref: ObjectRef | None
    obj: KubeObject | None = None
    error: GitOpsError | None = None


def all_ready(objects: Iterable[KubeObject]) -> bool:
    """Tell whether objects that were read right now are all ready."""
    return all(readiness(obj).ready for obj in objects)


def wait_ready(
    cluster: Cluster,
    targets: Sequence[Target],
    *,
    timeout: float,
    progress: ProgressCallback,
    label_selector: str = "",
) -> None:
    """Wait until every target is ready; give up at the first one that failed.

    Args:
        cluster: Where.
        targets: What to wait for.
        timeout: Seconds.
        progress: Called when an object changes state.
        label_selector: Selects the targets (they may be among others); "" watches whole kinds.

    Raises:
        NotReadyError: An object failed, or time ran out. The message says for each object that is not ready why, with
            its last events and waiting containers; ``details["objects"]`` has the same.
        ApiError: The watch was refused.
    """
    moving = [target for target in targets if may_change_by_itself(target.ref)]
    if moving:
        _Wait(cluster, moving, label_selector, progress).run(timeout)


class _Wait:
    def __init__(
        self, cluster: Cluster, targets: Sequence[Target], label_selector: str, progress: ProgressCallback
    ) -> None:
        self._cluster = cluster
        self._targets = {target.ref.key: target for target in targets}
        self._selector = label_selector
        self._progress = progress
        self._news: queue.Queue[_News] = queue.Queue()
        self._stop = threading.Event()
        self._states = {key: Readiness(State.IN_PROGRESS, "Pending", "not seen yet") for key in self._targets}
        self._objects: dict[str, KubeObject] = {}

    def run(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        groups: dict[tuple[str, str, str], list[ObjectRef]] = defaultdict(list)
        for target in self._targets.values():
            groups[target.ref.api_version, target.ref.kind, target.ref.namespace].append(target.ref)
        for refs in groups.values():
            threading.Thread(target=self._follow, args=(refs, timeout), daemon=True, name="gitops-wait").start()
        try:
            while True:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise self._not_ready(f"not ready after {timeout:g} s")
                try:
                    self._take(self._news.get(timeout=min(left, 1.0)))
                except queue.Empty:
                    continue
                while not self._news.empty():
                    self._take(self._news.get_nowait())
                if any(state.state is State.FAILED for state in self._states.values()):
                    raise self._not_ready("failed")
                if self._all_ready() and self._confirmed():
                    return
        finally:
            self._stop.set()

    def _follow(self, refs: list[ObjectRef], timeout: float) -> None:
        first = refs[0]
        name = f"metadata.name={first.name}" if len(refs) == 1 else ""
        try:
            for event in self._cluster.watch(
                first.api_version,
                first.kind,
                namespace=first.namespace,
                label_selector="" if name else self._selector,
                field_selector=name,
                timeout=timeout,
                stop=self._stop,
            ):
                ref = ObjectRef.of(event.object)
                self._news.put(_News(ref, None if event.type == DELETED else event.object))
        except GitOpsError as error:
            self._news.put(_News(None, error=error))

    def _take(self, news: _News) -> None:
        if news.error is not None:
            raise news.error
        if news.ref is None or news.ref.key not in self._targets:
            return
        key = news.ref.key
        if news.obj is None:
            # The cluster removes a finished Job with a time to live: that is success (fluxcd/pkg/ssa, JobsWithTTL).
            last = self._objects.get(key) or {}
            finished = (last.get("spec") or {}).get("ttlSecondsAfterFinished") is not None
            self._set(
                key, Readiness(State.CURRENT if finished else State.NOT_FOUND, "Deleted", "it was deleted meanwhile")
            )
            return
        self._objects[key] = news.obj
        self._set(key, readiness(news.obj, generation=self._targets[key].generation))

    def _set(self, key: str, state: Readiness) -> None:
        if self._states[key] == state:
            return
        self._states[key] = state
        ref = self._targets[key].ref
        done = sum(1 for s in self._states.values() if s.ready)
        message = f"{ref}: ready" if state.ready else f"{ref}: {state}"
        self._progress(Progress("wait", message, done, len(self._states), ref))

    def _all_ready(self) -> bool:
        return all(state.ready for state in self._states.values())

    def _confirmed(self) -> bool:
        """Read everything once more: a state that passed by for a moment does not count."""
        targets = list(self._targets.values())
        for target, found in zip(targets, each(lambda t: self._cluster.get(t.ref), targets), strict=True):
            if isinstance(found, NotFoundError):
                continue  # its deletion was judged when it was seen
            if isinstance(found, GitOpsError):
                raise found
            self._take(_News(target.ref, found))
        return self._all_ready()

    def _not_ready(self, what: str) -> NotReadyError:
        waiting = [(key, state) for key, state in sorted(self._states.items()) if not state.ready]
        failed = [(key, state) for key, state in waiting if state.state is State.FAILED]
        reported = [*failed, *(entry for entry in waiting if entry not in failed)][:_REPORTED]
        lines, details = [], []
        for key, state in reported:
            ref = self._targets[key].ref
            findings = diagnose(self._cluster, self._objects.get(key), ref)
            lines += [f"- {ref}: {state}", *(f"    {finding}" for finding in findings)]
            details.append(
                {
                    "object": str(ref),
                    "kind": ref.kind,
                    "namespace": ref.namespace,
                    "name": ref.name,
                    "state": str(state.state),
                    "reason": state.reason,
                    "message": state.message,
                    "findings": findings,
                }
            )
        if len(waiting) > len(reported):
            lines.append(f"- and {len(waiting) - len(reported)} more")
        return NotReadyError(
            f"{len(waiting)} of {len(self._states)} objects {what}:\n" + "\n".join(lines),
            hint="Correct the cause and run again; what was applied stays in place until then.",
            details={"objects": details},
        )
