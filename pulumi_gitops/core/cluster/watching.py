# SPDX-License-Identifier: Apache-2.0
"""Follow objects: a LIST, then a watch that survives disconnects and expired resource versions."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as Urllib3TimeoutError

from ..errors import ClusterUnreachableError, GoneError, ServerBusyError
from ..objects import KubeObject, uid_of
from .discovery import Resource
from .transport import Transport, watch_error

ADDED, MODIFIED, DELETED = "ADDED", "MODIFIED", "DELETED"
# The longest a watch waits for the next line before it asks whether the caller still wants to go on. The server sends
# bookmarks about once a minute, so silence alone says nothing about the connection.
_READ_SECONDS = 30.0
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to an object: ``ADDED``, ``MODIFIED`` or ``DELETED``."""

    type: str
    object: KubeObject


@dataclass(slots=True)
class Follower:
    """Follows one collection until a deadline.

    After a disconnect the watch goes on where it was; after 410 the collection is listed again and the difference
    (vanished objects included) is reported, so that no change is missed.

    Attributes:
        transport: Connection.
        resource: What to follow.
        namespace: Namespace, "" for all.
        query: Selectors.
        deadline: ``time.monotonic()`` value at which to end.
        stop: Ends it early when set.
    """

    transport: Transport
    resource: Resource
    namespace: str
    query: dict[str, str]
    deadline: float
    stop: threading.Event | None = None
    _seen: dict[str, KubeObject] = field(default_factory=dict)
    _version: str = ""

    def events(self) -> Iterator[Event]:
        """Yield what exists as ADDED events, then every change.

        Raises:
            ApiError: The API server refused the list or the watch.
        """
        while not self._over():
            try:
                if not self._version:
                    yield from self._list()
                yield from self._watch()
            except GoneError:
                self._version = ""
            except (ClusterUnreachableError, ServerBusyError):
                if not self._version and not self._seen:
                    raise  # never connected: nothing to resume
                time.sleep(_RETRY_SECONDS)

    def _over(self) -> bool:
        return time.monotonic() >= self.deadline or (self.stop is not None and self.stop.is_set())

    def _list(self) -> Iterator[Event]:
        plural = self.resource.plural
        listing = self.transport.json(
            "GET", self.resource.path(self.namespace), doing=f"list {plural}", query=self.query
        )
        self._version = (listing.get("metadata") or {}).get("resourceVersion") or "0"
        fresh = {uid_of(item): self._typed(item) for item in listing.get("items") or []}
        for uid in [uid for uid in self._seen if uid not in fresh]:
            yield Event(DELETED, self._seen.pop(uid))
        for uid, item in fresh.items():
            before = self._seen.get(uid)
            self._seen[uid] = item
            if before is None or _version(item) != _version(before):
                yield Event(MODIFIED if before else ADDED, item)

    def _watch(self) -> Iterator[Event]:
        doing = f"watch {self.resource.plural}"
        for line in self._lines(doing):
            if line is not None:
                kind, item = line["type"], line["object"]
                if kind == "ERROR":
                    raise watch_error(item, doing=doing)
                self._version = _version(item) or self._version
                if kind != "BOOKMARK":
                    yield self._event(kind, self._typed(item))
            if self._over():
                return

    def _event(self, kind: str, item: KubeObject) -> Event:
        if kind == DELETED:
            self._seen.pop(uid_of(item), None)
        else:
            self._seen[uid_of(item)] = item
        return Event(kind, item)

    def _typed(self, item: KubeObject) -> KubeObject:
        # Items of a list carry neither apiVersion nor kind.
        return {"apiVersion": self.resource.api_version, "kind": self.resource.kind, **item}

    def _lines(self, doing: str) -> Iterator[dict[str, Any] | None]:
        """Yield the lines of one watch connection; None now and then, so that the caller can look at the clock."""
        left = max(1.0, self.deadline - time.monotonic())
        response = self.transport.stream(
            self.resource.path(self.namespace),
            doing=doing,
            query={
                **self.query,
                "watch": "1",
                "resourceVersion": self._version,
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(int(left) + 1),
            },
            read_timeout=min(_READ_SECONDS, left),
        )
        rest = b""
        try:
            while chunk := response.read1():
                rest += chunk
                *lines, rest = rest.split(b"\n")
                yield from (json.loads(line) for line in lines if line.strip())
                yield None
        except Urllib3TimeoutError:
            # Nothing happened for a while; the connection is opened anew where it was.
            yield None
        except (HTTPError, ValueError):
            # Cut off, maybe in the middle of a line: what is complete was handed on, the rest comes again.
            return
        finally:
            response.close()


def _version(item: KubeObject) -> str:
    return str((item.get("metadata") or {}).get("resourceVersion") or "")
