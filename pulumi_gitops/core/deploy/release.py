# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment of one release: plan, deploy, roll back.

What all of them share: nothing is touched before everything is checked, one run of a release at a time, and a run that
finds everything as it should be takes no lock, writes no record and makes no revision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ..cluster import Cluster
from ..errors import RevisionNotFoundError
from . import record as records
from .model import DeployResult, Plan, ProgressCallback, ignore_progress
from .planned import PlannedRelease, plan_release
from .spec import Approval, ForceConflicts, Origin, ReleaseSpec
from .targets import all_ready


def plan(cluster: Cluster, spec: ReleaseSpec) -> Plan:
    """Work out what :func:`deploy` would change. Changes nothing.

    What a deployment would refuse (a conflict, a policy, a missing right) is shown with the object; the rest of the
    plan stands.

    Raises:
        GitOpsError: The set is not valid, or the cluster can not be asked.
    """
    return plan_release(cluster, spec, thorough=True).as_plan()


def deploy(
    cluster: Cluster, spec: ReleaseSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> DeployResult:
    """Bring the cluster to the set of objects.

    Args:
        cluster: Where.
        spec: What.
        check: Change nothing, return what would be.
        progress: Called for each step of long work.

    Returns:
        The result. A run that finds everything as it should be writes nothing, not even the record.

    Raises:
        InputError: Empty set, duplicate object, unknown namespace, bad name, a wave or dependency that makes no sense.
        UnknownKindError: A kind that neither the cluster nor a CRD of the set knows.
        OwnershipError: An object belongs to another release.
        ConflictError: A field belongs to another manager.
        ApplyError: Several objects were refused.
        ApiError: One object was refused, or a request failed.
        PruneRefusedError: More objects would be removed than allowed.
        PlanMovedError: The approved plan does not hold any more.
        ApprovalMissingError: An approval is needed and missing, or too old.
        LockedError: Another run deploys this release.
        NotReadyError: Objects failed or are not ready in time. They stay in place; nothing was pruned.
        RemovalBlockedError: Pruned objects do not go away in time.
        RolledBackError: It failed, and the last deployed revision is in place again.
        RollbackFailedError: It failed, and going back failed too.
    """
    progress = progress or ignore_progress
    planned = plan_release(cluster, spec, thorough=check)
    return _run(cluster, planned, {}, check=check, progress=progress)


def rollback(
    cluster: Cluster,
    name: str,
    namespace: str,
    *,
    to: int = 0,
    wait: bool = True,
    wait_timeout: float = 300.0,
    stall_timeout: float = 0.0,
    lock_timeout: float = 60.0,
    force_conflicts: ForceConflicts = ForceConflicts.OWN_FIELDS,
    ignore_fields: Sequence[str] | None = None,
    recreate: bool = False,
    history_limit: int = 10,
    approval: Approval | None = None,
    origin: Origin | None = None,
    check: bool = False,
    progress: ProgressCallback | None = None,
) -> DeployResult:
    """Bring back exactly the objects of an earlier revision, and remove what came after it. Is itself a revision.

    Args:
        cluster: Where.
        name: Release.
        namespace: Its namespace.
        to: Revision; 0 for the last one that was deployed before the newest.
        wait: Wait until all objects are ready.
        wait_timeout: Seconds to wait.
        stall_timeout: Seconds without any progress after which waiting ends; 0 for no such limit.
        lock_timeout: Seconds to wait for another run of the release to end.
        force_conflicts: See :class:`.spec.ForceConflicts`.
        ignore_fields: Fields to leave to others, see :meth:`.spec.IgnoredField.parse`; None for those that the newest
            revision left.
        recreate: Delete and create anew what can not be changed in place.
        history_limit: Revisions that the record keeps.
        approval: See :class:`.spec.Approval`.
        origin: See :class:`.spec.Origin`.
        check: Change nothing, return what would be.
        progress: Called for each step.

    Returns:
        The result, without changes when the release is at those objects already.

    Raises:
        RevisionNotFoundError: No such release or revision, or the record no longer has what it sent.
        GitOpsError: As :func:`deploy`.
    """
    progress = progress or ignore_progress
    record = records.read(cluster, name, namespace)
    if record is None:
        raise RevisionNotFoundError(
            f"there is no release {name} in namespace {namespace}", hint="Check name, namespace and cluster."
        )
    from .restoring import spec_of, target_of

    target = target_of(record, to)
    base = ReleaseSpec(
        name=name,
        namespace=namespace,
        objects=(),
        wait=wait,
        wait_timeout=wait_timeout,
        stall_timeout=stall_timeout,
        lock_timeout=lock_timeout,
        force_conflicts=force_conflicts,
        ignore_fields=(record.latest or target).ignore_fields if ignore_fields is None else ignore_fields,
        recreate=recreate,
        history_limit=history_limit,
        approval=approval or Approval(),
        origin=origin or Origin(),
    )
    spec, keep = spec_of(cluster, record, target, base)
    planned = plan_release(cluster, spec, thorough=check, keep=keep)
    return _run(cluster, planned, keep, check=check, progress=progress, rolled_back_to=target.number)


# --- one run ---------------------------------------------------------------------------------------------------------


def _run(
    cluster: Cluster,
    planned: PlannedRelease,
    keep: Mapping[str, str],
    *,
    check: bool,
    progress: ProgressCallback,
    rolled_back_to: int = 0,
) -> DeployResult:
    planned.refuse()
    if check:
        return dataclasses.replace(planned.as_unchanged(), rolled_back_to=rolled_back_to if planned.changed else 0)
    if not planned.changed and planned.settled and (not planned.spec.wait or _ready(planned)):
        return planned.as_unchanged()
    # Loaded only now: most runs change nothing, and loading all of it would be most of their time.
    from .running import run

    return run(cluster, planned, keep, progress=progress, rolled_back_to=rolled_back_to)


def _ready(planned: PlannedRelease) -> bool:
    """Tell whether all objects, read a moment ago, are ready."""
    return all_ready(planned.live, wait_for=planned.spec.wait_for)
