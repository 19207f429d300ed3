# SPDX-License-Identifier: Apache-2.0
"""Many deadlines at once, for a loop that sleeps until the next one."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator


class Timers:
    """Deadlines by key. Not thread-safe: they belong to the loop that waits for them."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._keys: dict[int, Hashable] = {}
        self._numbers: dict[Hashable, int] = {}
        self._count = 0

    def start(self, key: Hashable, at: float) -> None:
        """Let `key` be due at this time (``time.monotonic()``), unless it is to be due already, at whatever time."""
        if key in self._numbers:
            return
        self._count += 1
        self._keys[self._count] = key
        self._numbers[key] = self._count
        heapq.heappush(self._heap, (at, self._count))

    def cancel(self, key: Hashable) -> None:
        """Forget a key; one that is not known is fine."""
        number = self._numbers.pop(key, None)
        if number is not None:
            del self._keys[number]

    def due(self, now: float) -> Iterator[Hashable]:
        """Yield the keys whose time has come, and forget them."""
        while self._heap and (self._heap[0][0] <= now or self._heap[0][1] not in self._keys):
            key = self._keys.pop(heapq.heappop(self._heap)[1], None)
            if key is not None:
                del self._numbers[key]
                yield key

    def next(self) -> float | None:
        """Return when the next one is due, None when there is none."""
        while self._heap and self._heap[0][1] not in self._keys:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None
