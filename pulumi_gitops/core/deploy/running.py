# SPDX-License-Identifier: Apache-2.0
"""A run of a release that has something to do: under the lock, and back to the last good revision when it fails."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from ..cluster import Cluster
from ..errors import GitOpsError, RollbackFailedError, RolledBackError
from . import record as records
from .approving import check_approval
from .carrying import await_ready, carry_out, make_namespace
from .locking import ReleaseLock
from .model import DeployResult, Progress, ProgressCallback
from .planned import PlannedRelease, plan_release
from .restoring import spec_of
from .spec import Approval


def run(
    cluster: Cluster,
    planned: PlannedRelease,
    keep: Mapping[str, str],
    *,
    progress: ProgressCallback,
    rolled_back_to: int = 0,
) -> DeployResult:
    """Carry a plan out, or wait for what it finds unchanged.

    Args:
        cluster: Where.
        planned: The plan; nothing of it is refused.
        keep: See :func:`.planned.plan_release`.
        progress: Called for each step.
        rolled_back_to: With a rollback: the revision whose objects the plan has.

    Raises:
        GitOpsError: As :func:`.release.deploy`.
    """
    spec = planned.spec
    if not planned.changed and planned.settled:
        await_ready(cluster, planned, {}, progress)
        return planned.as_unchanged()
    _check_approval(planned)
    make_namespace(cluster, planned, progress)
    with ReleaseLock(cluster, spec.name, spec.namespace, timeout=spec.lock_timeout, progress=progress) as lock:
        planned = _fresh(cluster, planned, keep)
        if not planned.changed and planned.settled:
            return planned.as_unchanged()
        try:
            return carry_out(cluster, planned, progress, checkpoint=lock.check, rolled_back_to=rolled_back_to)
        except GitOpsError as failure:
            if not spec.rollback_on_failure:
                raise
            raise _roll_back(cluster, planned, failure, lock, progress) from failure


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
        back, keep = spec_of(cluster, record, last, base)
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
