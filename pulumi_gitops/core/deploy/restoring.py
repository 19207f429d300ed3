# SPDX-License-Identifier: Apache-2.0
"""What a rollback deploys: the objects of an earlier revision, as the record holds them."""

from __future__ import annotations

import dataclasses

from ..cluster import Cluster
from ..errors import RevisionNotFoundError
from ..objects import KubeObject, ObjectRef
from . import record as records
from .record import OMITTED, Record, Revision
from .spec import ReleaseSpec

_NOT_RESTORED = "kept: the record does not hold what it contained (history_secrets: false)"


def target_of(record: Record, number: int) -> Revision:
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


def spec_of(
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
