# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment: plan, apply, wait, prune, and the record of it."""

from __future__ import annotations

from .loose import apply_objects, delete_objects
from .model import (
    Action,
    Change,
    DeployResult,
    ForceConflicts,
    InventoryItem,
    Plan,
    Progress,
    ProgressCallback,
    ReleaseSpec,
)
from .prepare import object_digest, prepare, set_digest, shown, summarize
from .readiness import Readiness, State, readiness
from .release import ReleaseState, deploy, plan, read_release, remove

__all__ = [
    "Action",
    "Change",
    "DeployResult",
    "ForceConflicts",
    "InventoryItem",
    "Plan",
    "Progress",
    "ProgressCallback",
    "Readiness",
    "ReleaseSpec",
    "ReleaseState",
    "State",
    "apply_objects",
    "delete_objects",
    "deploy",
    "object_digest",
    "plan",
    "prepare",
    "read_release",
    "readiness",
    "remove",
    "set_digest",
    "shown",
    "summarize",
]
