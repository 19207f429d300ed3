# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment: plan, approve, apply, wait, prune, roll back, and the record of it."""

from __future__ import annotations

from .approving import plan_file, read_plan_file, write_plan_file
from .diff import FieldChange
from .history import ReleaseState, list_releases, read_release
from .loose import apply_objects, delete_objects
from .masking import shown
from .model import (
    Action,
    Change,
    DeployResult,
    FieldOwner,
    InventoryItem,
    Plan,
    PlannedObject,
    Progress,
    ProgressCallback,
)
from .origin import detect_origin
from .prepare import object_digest, prepare, set_digest, summarize
from .readiness import Readiness, State, readiness
from .record import Revision
from .release import deploy, plan, rollback
from .removal import remove
from .spec import Approval, ForceConflicts, IgnoredField, Origin, Ownership, ReleaseSpec

__all__ = [
    "Action",
    "Approval",
    "Change",
    "DeployResult",
    "FieldChange",
    "FieldOwner",
    "ForceConflicts",
    "IgnoredField",
    "InventoryItem",
    "Origin",
    "Ownership",
    "Plan",
    "PlannedObject",
    "Progress",
    "ProgressCallback",
    "Readiness",
    "ReleaseSpec",
    "ReleaseState",
    "Revision",
    "State",
    "apply_objects",
    "delete_objects",
    "deploy",
    "detect_origin",
    "list_releases",
    "object_digest",
    "plan",
    "plan_file",
    "prepare",
    "read_plan_file",
    "read_release",
    "readiness",
    "remove",
    "rollback",
    "set_digest",
    "shown",
    "summarize",
    "write_plan_file",
]
