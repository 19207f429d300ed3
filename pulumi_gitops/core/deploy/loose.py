# SPDX-License-Identifier: Apache-2.0
"""Objects outside a release (wiring): applied and removed by the same engine, without record and history."""

from __future__ import annotations

from collections.abc import Iterable

from ..cluster import Cluster
from ..errors import GitOpsError
from ..objects import KubeObject, ObjectRef, uid_of
from .applying import apply_steps
from .masking import shown
from .model import Action, Change, ProgressCallback, ignore_progress
from .parallel import each, raise_failures
from .planning import Planner, Policy, check_namespaces
from .pruning import Removal, remove_all
from .spec import ForceConflicts, Ownership
from .waiting import Target, wait_ready


def apply_objects(
    cluster: Cluster,
    objects: Iterable[KubeObject],
    *,
    check: bool = False,
    wait: bool = False,
    wait_timeout: float = 300.0,
    force: bool = False,
    progress: ProgressCallback | None = None,
) -> tuple[Change, ...]:
    """Apply objects that belong to no release.

    Args:
        cluster: Where.
        objects: What; namespaced ones name their namespace.
        check: Change nothing.
        wait: Wait until they are ready.
        wait_timeout: Seconds to wait.
        force: Take over fields of other managers.
        progress: Called for each step.

    Returns:
        One change per object.

    Raises:
        GitOpsError: As :func:`..deploy.deploy`.
    """
    progress = progress or ignore_progress
    forced = ForceConflicts.ALL if force else ForceConflicts.OWN_FIELDS
    planner = Planner(cluster, Policy(force=forced, ownership=Ownership.ADOPT))
    payloads = planner.prepare(objects, cluster.namespace)
    check_namespaces(cluster, payloads, set())
    steps = planner.steps(payloads)
    failures = [(step.change.ref, step.change.error) for step in steps if step.change.error is not None]
    raise_failures(failures, what="plan", total=len(steps))
    if not check:
        applied = apply_steps(cluster, steps, progress)
        if wait:
            current = [applied.get(step.change.ref.key) or step.live or {} for step in steps]
            wait_ready(cluster, [Target.of(obj) for obj in current], timeout=wait_timeout, progress=progress)
    return tuple(step.change for step in steps)


def delete_objects(
    cluster: Cluster,
    refs: Iterable[ObjectRef],
    *,
    check: bool = False,
    wait: bool = True,
    wait_timeout: float = 300.0,
    progress: ProgressCallback | None = None,
) -> tuple[Change, ...]:
    """Delete objects that belong to no release; those that are gone already are no change.

    Raises:
        RemovalBlockedError: They do not go away in time; names the finalizers.
    """
    found = each(cluster.find, refs)
    for answer in found:
        if isinstance(answer, GitOpsError):
            raise answer
    going = [
        Removal(Change(Action.DELETE, ObjectRef.of(obj), shown(obj), None), uid_of(obj))
        for obj in found
        if isinstance(obj, dict)
    ]
    if not check:
        remove_all(cluster, going, wait=wait, timeout=wait_timeout, progress=progress or ignore_progress)
    return tuple(removal.change for removal in going)
