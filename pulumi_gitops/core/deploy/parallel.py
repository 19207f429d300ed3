# SPDX-License-Identifier: Apache-2.0
"""Run the same call for many objects at once and gather what failed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ..cluster.transport import POOL_SIZE
from ..errors import ApplyError, GitOpsError
from ..objects import ObjectRef

_T = TypeVar("_T")
_R = TypeVar("_R")
_SHOWN = 10


def each(function: Callable[[_T], _R], items: Iterable[_T]) -> list[_R | GitOpsError]:
    """Call `function` for every item, as many at once as there are connections; keep order.

    An error of ours takes the place of its result; any other exception propagates.
    """

    def call(item: _T) -> _R | GitOpsError:
        try:
            return function(item)
        except GitOpsError as error:
            return error

    work = list(items)
    if len(work) <= 1:
        return [call(item) for item in work]
    with ThreadPoolExecutor(min(POOL_SIZE, len(work)), thread_name_prefix="gitops") as pool:
        return list(pool.map(call, work))


def each_or_raise(
    function: Callable[[_T], _R],
    items: Iterable[_T],
    *,
    what: str,
    ref: Callable[[_T], ObjectRef | None] = lambda _: None,
    total: int | None = None,
) -> list[_R]:
    """Call `function` for every item as :func:`each` does, and raise in the end what failed.

    Args:
        function: What to do.
        items: For what.
        what: The same in a word, for the message.
        ref: Returns which object an item is about.
        total: Number of objects in the message, where there are more than these.

    Raises:
        GitOpsError: As :func:`raise_failures`.
    """
    work = list(items)
    results = each(function, work)
    failures = [(ref(item), e) for item, e in zip(work, results, strict=True) if isinstance(e, GitOpsError)]
    raise_failures(failures, what=what, total=len(work) if total is None else total)
    return [result for result in results if not isinstance(result, GitOpsError)]


def raise_failures(failures: Sequence[tuple[ObjectRef | None, GitOpsError]], *, what: str, total: int) -> None:
    """Raise what failed: a single error as it is, several as one that names each.

    Raises:
        GitOpsError: The only failure.
        ApplyError: More than one; ``details["failures"]`` has code, object and message of each.
    """
    if not failures:
        return
    if len(failures) == 1:
        raise failures[0][1]
    lines = [f"- {error.message}" for _, error in failures[:_SHOWN]]
    if len(failures) > _SHOWN:
        lines.append(f"- and {len(failures) - _SHOWN} more")
    hints = list(dict.fromkeys(error.hint for _, error in failures if error.hint))
    raise ApplyError(
        f"{what}: {len(failures)} of {total} objects failed\n" + "\n".join(lines),
        hint=" ".join(hints[:2]),
        details={
            "failures": [
                {"object": str(ref) if ref else "", "code": error.code, "message": error.message}
                for ref, error in failures
            ]
        },
    ) from failures[0][1]
