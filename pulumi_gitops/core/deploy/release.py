# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment of one release: plan, deploy, roll back.

What all of them share: nothing is touched before everything is checked, one run of a release at a time, and a run that
finds everything as it should be takes no lock, writes no record and makes no revision.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from ..cluster import Cluster
from ..errors import GitOpsError, RevisionNotFoundError, RollbackFailedError, RolledBackError
from ..objects import KubeObject, ObjectRef
from . import record as records
from .approving import check_approval
from .carrying import OMITTED, await_ready, carry_out, make_namespace
from .locking import ReleaseLock
from .model import DeployResult, Plan, Progress, ProgressCallback, ignore_progress
from .planned import PlannedRelease, plan_release
from .record import Record, Revision
from .spec import Approval, ForceConflicts, Origin, ReleaseSpec

_NOT_RESTORED = "kept: the record does not hold what it contained (history_secrets: false)"


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
    target = _target(record, to)
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
    spec, keep = _spec_of(cluster, record, target, base)
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
        return dataclasses.replace(_unchanged(planned), rolled_back_to=rolled_back_to if planned.changed else 0)
    spec = planned.spec
    if not planned.changed and planned.settled:
        if spec.wait:
            await_ready(cluster, planned, {}, progress)
        return _unchanged(planned)
    _check_approval(planned)
    make_namespace(cluster, planned, progress)
    with ReleaseLock(cluster, spec.name, spec.namespace, timeout=spec.lock_timeout, progress=progress) as lock:
        planned = _fresh(cluster, planned, keep)
        if not planned.changed and planned.settled:
            return _unchanged(planned)
        try:
            return carry_out(cluster, planned, progress, checkpoint=lock.check, rolled_back_to=rolled_back_to)
        except GitOpsError as failure:
            if not spec.rollback_on_failure:
                raise
            raise _roll_back(cluster, planned, failure, lock, progress) from failure


def _unchanged(planned: PlannedRelease) -> DeployResult:
    """Return the result of a run that changed nothing: what there is, and in check mode what would change."""
    record = planned.record
    return DeployResult(
        revision=planned.number,
        digest=planned.set_digest,
        changes=planned.changes,
        inventory=record.inventory if record else (),
        plan_digest=planned.digest,
        warnings=planned.warnings,
    )


def _check_approval(planned: PlannedRelease) -> None:
    if planned.changed:
        release = f"{planned.spec.namespace}/{planned.spec.name}"
        check_approval(planned.spec.approval, release, planned.digest, planned.objects)


def _fresh(cluster: Cluster, planned: PlannedRelease, keep: Mapping[str, str]) -> PlannedRelease:
    """Return the plan, made anew if another run deployed between planning and getting the lock."""
    record = records.read(cluster, planned.spec.name, planned.spec.namespace)
    before = planned.record.resource_version if planned.record else ""
    if (record.resource_version if record else "") == before:
        return planned
    again = plan_release(cluster, planned.spec, thorough=False, keep=keep)
    again.refuse()
    _check_approval(again)
    return again


# --- going back ------------------------------------------------------------------------------------------------------


def _target(record: Record, number: int) -> Revision:
    """Return the revision to go back to."""
    name = f"release {record.namespace}/{record.name}"
    listed = ", ".join(f"{r.number} ({r.status})" for r in record.revisions)
    if number:
        found = record.revision(number)
        if found is None:
            raise RevisionNotFoundError(f"{name} has no revision {number}", hint=f"It has {listed}.")
        return found
    latest = record.latest
    if latest is not None and latest.status != records.DEPLOYED:
        begun = record.revision(latest.rolled_back_to)
        if begun is not None:
            return begun  # a rollback that was interrupted goes on
    earlier = [r for r in record.revisions[:-1] if r.status == records.DEPLOYED]
    if latest is not None:
        earlier = [r for r in earlier if r.digest != latest.digest] or earlier
    if not earlier:
        raise RevisionNotFoundError(f"{name} has no earlier revision to go back to", hint=f"It has {listed}.")
    return earlier[-1]


def _spec_of(
    cluster: Cluster, record: Record, target: Revision, base: ReleaseSpec
) -> tuple[ReleaseSpec, dict[str, str]]:
    """Return the deployment that restores a revision, and what it has to leave as it is."""
    objects = records.manifests_of(cluster, record, target.number)
    if objects is None:
        raise RevisionNotFoundError(
            f"the record of release {record.namespace}/{record.name} no longer has the objects of revision "
            f"{target.number}",
            hint="Deploy them again from their source; history_limit says how many revisions are kept.",
        )
    omitted = [ObjectRef.of(obj) for obj in objects if obj.get(OMITTED)]
    missing = [str(ref) for ref in omitted if cluster.find(ref) is None]
    if missing:
        raise RevisionNotFoundError(
            f"revision {target.number} can not be restored: the record lacks the values of {', '.join(missing)}",
            hint="They were deployed with history_secrets: false. Deploy that revision again from its source.",
        )
    keep = {ref.key: _NOT_RESTORED for ref in omitted}
    kept: list[KubeObject] = [obj for obj in objects if not obj.get(OMITTED)]
    return dataclasses.replace(base, objects=kept, prune=True, prune_limit=None), keep


def _roll_back(
    cluster: Cluster, planned: PlannedRelease, failure: GitOpsError, lock: ReleaseLock, progress: ProgressCallback
) -> GitOpsError:
    """Go back after a failed deployment and return the error that tells both."""
    spec = planned.spec
    where = f"release {spec.namespace}/{spec.name}: revision {planned.number} failed"
    record = records.read(cluster, spec.name, spec.namespace)
    last = record.last_deployed if record else None
    if record is None or last is None:
        return RollbackFailedError(
            f"{where} and there is no earlier revision to go back to; what was applied stays\n{failure.message}",
            hint=failure.hint,
            details={"failure": failure.as_dict(), "rollback": None},
        )
    progress(Progress("rollback", f"going back to revision {last.number}"))
    try:
        base = dataclasses.replace(spec, approval=Approval(), rollback_on_failure=False, wait=True)
        back, keep = _spec_of(cluster, record, last, base)
        again = plan_release(cluster, back, thorough=False, keep=keep)
        again.refuse()
        result = carry_out(cluster, again, progress, checkpoint=lock.check, rolled_back_to=last.number)
    except GitOpsError as error:
        return RollbackFailedError(
            f"{where}, and so did going back to revision {last.number}: the cluster holds a part of each\n"
            f"- failure: {failure.message}\n- rollback: {error.message}",
            hint="Correct the cause of the second and roll back again, or deploy a corrected set.",
            details={"failure": failure.as_dict(), "rollback": error.as_dict()},
        )
    return RolledBackError(
        f"{where}; rolled back to revision {last.number} (now revision {result.revision})\n{failure.message}",
        hint="Correct the cause and deploy again; the objects of the last good revision are in place.",
        details={"failure": failure.as_dict(), "rollback": result.as_dict()},
    )
