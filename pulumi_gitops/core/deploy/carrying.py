# SPDX-License-Identifier: Apache-2.0
"""Carry a plan out: apply, wait, prune, and keep the record true at every moment.

An interrupted run leaves a record that names everything it may have applied (the ApplySet protocol: the parent is
written as a superset first), so the next run finds and finishes, or prunes, all of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterable, Mapping

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import AlreadyExistsError, GitOpsError
from ..objects import KubeObject, pod_template_of, uid_of
from . import record as records
from .applying import Checkpoint, apply_steps
from .events import DEPLOY_FAILED, DEPLOYED, ROLLED_BACK, record_event
from .fields import owned_values
from .model import Action, DeployResult, InventoryItem, Progress, ProgressCallback
from .planned import PlannedRelease
from .planning import namespace_ref
from .prepare import PART_OF_LABEL, is_secret, object_digest
from .pruning import remove_all
from .record import OMITTED, Record, Revision
from .storage import pack
from .waiting import ObjectStatus, Target, all_ready, wait_ready


def make_namespace(cluster: Cluster, planned: PlannedRelease, progress: ProgressCallback) -> None:
    """Make sure of the namespace of a new release: lock and record are to live in it.

    Raises:
        ApiError: It can not be made.
    """
    namespace = planned.spec.namespace
    if planned.creates_namespace:
        progress(Progress("apply", f"create Namespace {namespace}"))
        with contextlib.suppress(AlreadyExistsError):  # somebody was faster: the same end
            cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    elif planned.record is None:
        key = namespace_ref(namespace).key
        own = [step for step in planned.steps if step.change.ref.key == key and step.change.action is Action.CREATE]
        apply_steps(cluster, own, progress)


def carry_out(
    cluster: Cluster,
    planned: PlannedRelease,
    progress: ProgressCallback,
    *,
    checkpoint: Checkpoint = lambda: None,
    rolled_back_to: int = 0,
) -> DeployResult:
    """Carry a plan out.

    Args:
        cluster: Where.
        planned: The plan; nothing of it is refused.
        progress: Called for each step.
        checkpoint: See :data:`.applying.Checkpoint`.
        rolled_back_to: With a rollback: the revision whose objects the plan has.

    Raises:
        GitOpsError: Something failed; the record says so, and knows all that was applied.
    """
    spec = planned.spec
    started = time.monotonic()
    record = _begin(cluster, planned, rolled_back_to)
    applied: dict[str, KubeObject] = {}
    statuses: tuple[ObjectStatus, ...] = ()
    try:
        apply_steps(
            cluster,
            planned.steps,
            progress,
            timeout=spec.wait_timeout,
            checkpoint=checkpoint,
            done=applied,
            wait=spec.wait,
        )
        if spec.wait:
            statuses = await_ready(cluster, planned, applied, progress)
        checkpoint()
        remove_all(cluster, planned.going, wait=True, timeout=spec.wait_timeout, progress=progress)
    except GitOpsError as error:
        inventory = records.merged(record.inventory, _inventory(planned, applied))
        record = dataclasses.replace(record, inventory=inventory)
        # The record says "applying" if even this can not be written, which the next run reads the same way.
        with contextlib.suppress(GitOpsError):
            record = _close(cluster, record, started, status=records.FAILED, message=error.message)
        record_event(cluster, record, DEPLOY_FAILED, error.message)
        raise
    inventory = (*_inventory(planned, applied), *_kept(planned, record))
    record = dataclasses.replace(record, inventory=tuple(sorted(inventory, key=lambda item: item.ref.key)))
    record = _close(cluster, record, started, status=records.DEPLOYED)
    record_event(cluster, record, ROLLED_BACK if rolled_back_to else DEPLOYED)
    return DeployResult(
        revision=planned.number,
        digest=planned.set_digest,
        changes=planned.changes,
        inventory=record.inventory,
        plan_digest=planned.digest,
        rolled_back_to=rolled_back_to,
        warnings=planned.warnings,
        statuses=statuses,
    )


def await_ready(
    cluster: Cluster, planned: PlannedRelease, applied: Mapping[str, KubeObject], progress: ProgressCallback
) -> tuple[ObjectStatus, ...]:
    """Wait until all objects of a plan are ready.

    Returns:
        The end state of each object; empty when all of them were ready already.

    Raises:
        NotReadyError: An object failed, or time ran out.
    """
    spec = planned.spec
    steps = [step for step in planned.steps if step.change.action is not Action.HANDED_OVER]
    current = [applied.get(step.change.ref.key) or step.live for step in steps]
    known = [obj for obj in current if obj]
    if not applied and all_ready(known, wait_for=spec.wait_for):
        return ()  # read a moment ago, and nothing was written since
    part_of = records.apply_set_id(spec.name, spec.namespace)
    return wait_ready(
        cluster,
        [Target.of(obj) for obj in known],
        timeout=spec.wait_timeout,
        progress=progress,
        label_selector=f"{PART_OF_LABEL}={part_of}",
        wait_for=spec.wait_for,
        stall_timeout=spec.stall_timeout,
    )


# --- the record ------------------------------------------------------------------------------------------------------


def _begin(cluster: Cluster, planned: PlannedRelease, rolled_back_to: int) -> Record:
    """Write the record as a superset: all that was ours and all that is about to be."""
    spec = planned.spec
    old = planned.record or Record(
        name=spec.name, namespace=spec.namespace, created_namespace=planned.creates_namespace
    )
    ours = [step for step in planned.steps if step.change.action is not Action.HANDED_OVER]
    payloads = [step.wanted for step in ours]
    revision = Revision(
        number=planned.number,
        digest=planned.set_digest,
        time=records.now(),
        status=records.APPLYING,
        face=spec.origin.face,
        user=spec.origin.user,
        pipeline=spec.origin.pipeline,
        commit=spec.origin.commit,
        images=_images(payloads),
        plan_digest=planned.digest,
        approved_by=spec.approval.approved_by,
        rolled_back_to=rolled_back_to,
        ignore_fields=tuple(spec.ignore_fields),
    )
    kept = payloads if spec.history_secrets else [_without_values(payload) for payload in payloads]
    record = dataclasses.replace(
        old,
        inventory=records.merged(old.inventory, (InventoryItem(step.change.ref) for step in ours)),
        revisions=(*(r for r in old.revisions if r.number != revision.number), revision),
        manifests={**old.manifests, revision.number: pack(kept)},
        facts={**old.facts, **spec.facts},
    )
    return records.write(cluster, record.trimmed(spec.history_limit))


def _images(payloads: Iterable[KubeObject]) -> tuple[str, ...]:
    found: set[str] = set()
    for payload in payloads:
        pod = (pod_template_of(payload) or {}).get("spec") or {}
        for part in ("initContainers", "containers"):
            found.update(str(c["image"]) for c in pod.get(part) or [] if isinstance(c, dict) and c.get("image"))
    return tuple(sorted(found))


def _without_values(payload: KubeObject) -> KubeObject:
    if not is_secret(payload):
        return payload
    return {**{name: payload[name] for name in ("apiVersion", "kind", "metadata")}, OMITTED: True}


def _close(cluster: Cluster, record: Record, started: float, *, status: str, message: str = "") -> Record:
    latest = dataclasses.replace(
        record.revisions[-1], status=status, message=message[:2000], seconds=round(time.monotonic() - started, 3)
    )
    return records.write(cluster, dataclasses.replace(record, revisions=(*record.revisions[:-1], latest)))


def _inventory(planned: PlannedRelease, applied: Mapping[str, KubeObject]) -> tuple[InventoryItem, ...]:
    before = {item.ref.key: item for item in planned.record.inventory} if planned.record else {}
    items = []
    for step in planned.steps:
        ref = step.change.ref
        live = applied.get(ref.key) or step.live
        if step.change.action is Action.HANDED_OVER:
            continue
        if live is None:  # a finished Job that the cluster has removed
            items.append(before.get(ref.key, InventoryItem(ref)))
        else:
            items.append(InventoryItem(ref, uid_of(live), live_digest(live)))
    return tuple(items)


def live_digest(live: KubeObject) -> str:
    """Return the digest of the fields of an object that we set and still own."""
    values = owned_values(live, FIELD_MANAGER)
    return object_digest({**values, "kind": live.get("kind"), "apiVersion": live.get("apiVersion")}) if values else ""


def _kept(planned: PlannedRelease, record: Record) -> list[InventoryItem]:
    """Return what left the set but stays in the cluster for a guard's sake: it must not be forgotten."""
    known = {item.ref.key: item for item in record.inventory}
    stays = [removal for removal in planned.removals if removal.change.action is Action.UNCHANGED]
    return [known[r.change.ref.key] for r in stays if r.change.ref.key in known]
