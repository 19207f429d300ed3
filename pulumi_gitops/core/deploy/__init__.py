# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment: plan, approve, apply, wait, prune, roll back, and the record of it.

What a run that changes nothing does not need is loaded when it is used: loading takes longer than such a run's work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..later import load_later
from .diff import FieldChange
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
from .prepare import object_digest, prepare, set_digest, summarize
from .readiness import Readiness, State, readiness
from .record import Revision
from .release import deploy, plan, rollback
from .spec import Approval, ForceConflicts, IgnoredField, Origin, Ownership, ReleaseSpec

if TYPE_CHECKING:
    from .approving import plan_file, read_plan_file, write_plan_file
    from .history import ReleaseState, list_releases, read_release
    from .loose import apply_objects, delete_objects
    from .origin import detect_origin
    from .removal import remove

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

__getattr__ = load_later(
    __name__,
    {
        "ReleaseState": "history",
        "apply_objects": "loose",
        "delete_objects": "loose",
        "detect_origin": "origin",
        "list_releases": "history",
        "plan_file": "approving",
        "read_plan_file": "approving",
        "read_release": "history",
        "remove": "removal",
        "write_plan_file": "approving",
    },
)
