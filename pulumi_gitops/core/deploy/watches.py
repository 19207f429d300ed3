# SPDX-License-Identifier: Apache-2.0
"""Follow many objects with few watches: one per kind and namespace, a bounded number of threads, one queue."""

from __future__ import annotations

import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..cluster import DELETED, Cluster
from ..errors import ForbiddenError, GitOpsError
from ..objects import KubeObject, ObjectRef

# Watches are connections and threads, and API servers queue what one client asks for. With more kinds and namespaces
# than this, a kind is watched in all namespaces at once; what is still left over is listed in turn.
MOST_WATCHES = 24
# Beside them: pods and events of workloads that are not ready.
MOST_SIDE_WATCHES = 8
_POLL_SECONDS = 2.0
# Up to so many objects are read one by one, since a list may hold many others.
_SINGLE = 3

TARGET, POD, EVENT = "target", "pod", "event"


@dataclass(frozen=True, slots=True)
class Group:
    """Objects of one kind that are read and followed together.

    Attributes:
        api_version: ``apps/v1``.
        kind: Kind.
        namespace: Namespace, "" for cluster-scoped ones or all namespaces.
        refs: The objects that are wanted; others are passed over. Empty: all are wanted.
        label_selector: Narrows it.
        field_selector: Narrows it.
        parts: For one over all namespaces: what to fall back on where that is not allowed.
    """

    api_version: str
    kind: str
    namespace: str
    refs: tuple[ObjectRef, ...] = ()
    label_selector: str = ""
    field_selector: str = ""
    parts: tuple[Group, ...] = ()

    def read(self, cluster: Cluster) -> list[KubeObject]:
        """Return the wanted objects as they are: one LIST, or one GET each when they are few.

        Raises:
            ApiError: The API server refused.
        """
        if len(self.refs) <= _SINGLE:
            return [obj for obj in map(cluster.find, self.refs) if obj is not None]
        keys = {ref.key for ref in self.refs}
        try:
            found = cluster.list(
                self.api_version, self.kind, namespace=self.namespace, label_selector=self.label_selector
            )
        except ForbiddenError:
            if not self.parts:
                raise
            return [obj for part in self.parts for obj in part.read(cluster)]
        return [obj for obj in found if ObjectRef.of(obj).key in keys]


def grouped(refs: Iterable[ObjectRef], label_selector: str = "", *, most: int = MOST_WATCHES) -> list[Group]:
    """Return groups for objects, by kind and namespace; by kind alone where there would be more than `most`.

    Args:
        refs: The objects.
        label_selector: Selects all of them.
        most: How many groups there should be. Kinds are never joined, so there can be more.
    """
    kinds: dict[tuple[str, str], dict[str, list[ObjectRef]]] = defaultdict(lambda: defaultdict(list))
    for ref in refs:
        kinds[ref.api_version, ref.kind][ref.namespace].append(ref)
    groups = []
    total = sum(len(namespaces) for namespaces in kinds.values())
    for (api_version, kind), namespaces in sorted(kinds.items(), key=lambda entry: -len(entry[1])):
        parts = tuple(
            Group(api_version, kind, namespace, tuple(found), label_selector) for namespace, found in namespaces.items()
        )
        if total > most and len(parts) > 1:
            total -= len(parts) - 1
            everything = tuple(ref for part in parts for ref in part.refs)
            groups.append(Group(api_version, kind, "", everything, label_selector, parts=parts))
        else:
            groups += parts
    return groups


@dataclass(frozen=True, slots=True)
class News:
    """What a watcher saw, or why it gave up.

    Attributes:
        source: `TARGET`, `POD` or `EVENT`.
        ref: The object.
        obj: The object as it is, or was before it went; None when that is not known.
        gone: It does not exist (or does not match the selectors) any more.
        error: Why the watcher gave up; nothing else is set then.
    """

    source: str
    ref: ObjectRef | None = None
    obj: KubeObject | None = None
    gone: bool = False
    error: Exception | None = None


class Watches:
    """Watchers that put what they see into :attr:`news`.

    Args:
        cluster: Where.
        timeout: Seconds after which they end by themselves.
    """

    def __init__(self, cluster: Cluster, timeout: float) -> None:
        self.news: queue.Queue[News] = queue.Queue()
        self._cluster = cluster
        self._timeout = timeout
        self._stop = threading.Event()
        self._polled: list[Group] = []
        self._lock = threading.Lock()
        self._side = 0

    def stop(self) -> None:
        """Let all of them end; does not wait for it."""
        self._stop.set()

    def follow(self, groups: Sequence[Group]) -> None:
        """Follow the objects that are waited for. An error of one ends up in :attr:`news`."""
        for group in groups[:MOST_WATCHES]:
            self._start(self._watch_targets, group)
        self._poll(groups[MOST_WATCHES:])

    def follow_beside(self, source: str, group: Group) -> bool:
        """Follow what helps to find out why something is not ready. A missing right for it is no error.

        Returns:
            False when there are too many already.
        """
        if self._side >= MOST_SIDE_WATCHES:
            return False
        self._side += 1
        self._start(self._watch_beside, source, group)
        return True

    @staticmethod
    def _start(target: Callable[..., None], *args: object) -> None:
        threading.Thread(target=target, args=args, daemon=True, name="gitops-wait").start()

    def _watch_targets(self, group: Group) -> None:
        try:
            self._watch(TARGET, group)
        except ForbiddenError as error:
            if group.parts:
                self._poll(group.parts)
            else:
                self.news.put(News(TARGET, error=error))
        except Exception as error:  # noqa: BLE001  # handed on to the thread that waits
            self.news.put(News(TARGET, error=error))

    def _watch_beside(self, source: str, group: Group) -> None:
        try:
            self._watch(source, group)
        except GitOpsError:
            return  # the wait goes on without: its deadline and the state of the objects themselves are left

    def _watch(self, source: str, group: Group) -> None:
        keys = {ref.key for ref in group.refs}
        name = f"metadata.name={group.refs[0].name}" if len(group.refs) == 1 else ""
        for event in self._cluster.watch(
            group.api_version,
            group.kind,
            namespace=group.namespace,
            label_selector="" if name else group.label_selector,
            field_selector=name or group.field_selector,
            timeout=self._timeout,
            stop=self._stop,
        ):
            ref = ObjectRef.of(event.object)
            if keys and ref.key not in keys:
                continue
            self.news.put(News(source, ref, event.object, gone=event.type == DELETED))

    def _poll(self, groups: Sequence[Group]) -> None:
        if not groups:
            return
        with self._lock:
            first = not self._polled
            self._polled += groups
        if first:
            self._start(self._poll_all)

    def _poll_all(self) -> None:
        known: set[str] = set()
        while not self._stop.is_set():
            with self._lock:
                groups = list(self._polled)
            for group in groups:
                try:
                    found = {ObjectRef.of(obj).key: obj for obj in group.read(self._cluster)}
                except Exception as error:  # noqa: BLE001  # handed on to the thread that waits
                    self.news.put(News(TARGET, error=error))
                    return
                for ref in group.refs:
                    if ref.key in found or ref.key in known:
                        self.news.put(News(TARGET, ref, found.get(ref.key), gone=ref.key not in found))
                known |= found.keys()
            self._stop.wait(_POLL_SECONDS)
