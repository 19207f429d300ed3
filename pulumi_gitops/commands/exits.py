# SPDX-License-Identifier: Apache-2.0
"""Exit codes: what a CI stage branches on."""

from __future__ import annotations

import enum

from ..core.errors import ApprovalMissingError, GitOpsError, NotReadyError, PlanMovedError, RolledBackError


class ExitCode(enum.IntEnum):
    """How a command ended."""

    SAME = 0
    """It worked; with ``plan``: nothing would change."""
    ERROR = 1
    CHANGES = 2
    """``plan`` and ``--dry-run``: something would change. ``status --drift``: the cluster differs."""
    NOT_READY = 3
    """Objects failed or did not get ready in time, whether or not the release was rolled back."""
    NOT_APPROVED = 4
    """The approval is missing or too old, or the approved plan does not hold any more."""
    USAGE = 64
    """Wrong arguments (``EX_USAGE`` of sysexits.h): 2, which argparse uses, would look like changes."""
    INTERRUPTED = 130
    """Ctrl-C, as shells report it (128 + SIGINT)."""
    TERMINATED = 143
    """A CI system cancelled the job (128 + SIGTERM)."""


def code_of(error: GitOpsError) -> ExitCode:
    """Return the exit code of a command that ended with an error."""
    if isinstance(error, NotReadyError | RolledBackError):
        return ExitCode.NOT_READY
    if isinstance(error, ApprovalMissingError | PlanMovedError):
        return ExitCode.NOT_APPROVED
    return ExitCode.ERROR
