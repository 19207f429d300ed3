# SPDX-License-Identifier: Apache-2.0
"""What commands that reach a cluster, and those that change it, have in common."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from ..core.errors import GitOpsError
from .ci import append_summary, log_group
from .exits import ExitCode
from .output import tell
from .progress import on_stderr
from .results import failure_as_markdown

if TYPE_CHECKING:
    from ..core.cluster import Cluster
    from ..core.deploy import ProgressCallback


def release_of(args: argparse.Namespace) -> str:
    """Return ``namespace/name``."""
    return f"{args.namespace}/{args.name}"


@contextlib.contextmanager
def connected(args: argparse.Namespace) -> Iterator[Cluster]:
    """Connect to the cluster that the options name.

    Raises:
        ClusterConfigError: There is none.
    """
    from ..core.cluster import ConnectionOptions, connect

    with connect(ConnectionOptions(kubeconfig=args.kubeconfig, context=args.context)) as cluster:
        yield cluster


@contextlib.contextmanager
def working(title: str) -> Iterator[ProgressCallback]:
    """Show the progress of work that changes a cluster, in a group of the CI system's log.

    A job that is cancelled ends like one that is interrupted: the lock of the release is given back. What failed is
    added to the job's summary.

    Args:
        title: What is done: ``deploy shop/web``.
    """
    try:
        with ending_on_sigterm(), log_group(title, sys.stderr), on_stderr(title) as progress:
            yield progress
    except GitOpsError as error:
        summarize(failure_as_markdown(title, error))
        raise


def summarize(markdown: str) -> None:
    """Append to the summary of the CI job, if it has one; a warning says when that does not work."""
    problem = append_summary(markdown)
    if problem:
        tell(f"warning: {problem}")


@contextlib.contextmanager
def ending_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into the end of the command by an exception, so that locks are given back."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return

    def end(_: int, __: FrameType | None) -> NoReturn:
        raise SystemExit(ExitCode.TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
