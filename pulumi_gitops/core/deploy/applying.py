# SPDX-License-Identifier: Apache-2.0
"""Apply planned steps in their order: in groups, in stages within each, in parallel within each stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..cluster import Cluster
from ..errors import GitOpsError
from ..objects import KubeObject, ObjectRef, is_crd, uid_of
from .adoption import take_over
from .model import Action, Progress, ProgressCallback
from .order import STAGES, ranks, stage_of
from .parallel import each_or_raise, raise_failures
from .planning import Step
from .prepare import custom_kinds
from .pruning import Removal, wait_gone
from .waiting import Target, wait_ready

_DEFINITIONS_SECONDS = 60.0
_SERVED_SECONDS = 10.0
_PAUSE = 0.05

Checkpoint = Callable[[], None]
"""Called before each stage; raises when the run may not go on (its lock was lost)."""


def apply_steps(
    cluster: Cluster,
    steps: Sequence[Step],
    progress: ProgressCallback,
    *,
    timeout: float = 300.0,
    checkpoint: Checkpoint = lambda: None,
    done: dict[str, KubeObject] | None = None,
    wait: bool = True,
) -> dict[str, KubeObject]:
    """Apply the steps that send something.

    A failure does not stop its own stage, but what comes after it.

    Args:
        cluster: Where.
        steps: All steps of the set: those that send nothing are awaited too, where an order is asked for.
        progress: Called for each object.
        timeout: Seconds for a group to get ready before the next one.
        checkpoint: See :data:`Checkpoint`.
        done: Is filled with what was applied, so that it is known after a failure as well.
        wait: Wait until new CRDs are served, even if nothing of the set is of their kinds.

    Returns:
        Key -> object as the server returned it.

    Raises:
        ApplyError: Several objects failed.
        ApiError: One failed.
        NotReadyError: A CRD or Namespace, or a group that others wait for, did not get ready.
    """
    done = {} if done is None else done
    work = [step for step in steps if step.sends]
    batches = _Batches(cluster, progress, timeout, checkpoint, done, len(work))
    crds = [step for step in work if is_crd(step.wanted)]
    batches.apply([step for step in work if stage_of(step.change.ref.kind) == 0 and not is_crd(step.wanted)])
    groups, brought = _groups(steps), custom_kinds([step.wanted for step in crds])
    used = any((step.change.ref.group, step.change.ref.kind) in brought for step in work)
    along = {step.change.ref.key: step for step in _along(groups[0], brought)} if crds and groups else {}
    made = [obj for obj in batches.apply([*crds, *along.values()]) if is_crd(obj)]
    # New kinds take a second or two to be served. Meanwhile everything else is applied, unless it is of such a kind.
    if used:
        _await_definitions(cluster, made, progress)
    for number, group in enumerate(groups, 1):
        rest = [step for step in group if step.sends and step.change.ref.key not in along]
        for stage in range(1, STAGES):
            batches.apply([step for step in rest if stage_of(step.change.ref.kind) == stage])
        if number < len(groups):
            _await_group(cluster, group, done, timeout, progress)
    if wait and not used:
        _await_definitions(cluster, made, progress)
    return done


@dataclass(frozen=True, slots=True)
class _Batches:
    """Applies steps that may be applied at the same time; the attributes are those of :func:`apply_steps`."""

    cluster: Cluster
    progress: ProgressCallback
    timeout: float
    checkpoint: Checkpoint
    done: dict[str, KubeObject]
    total: int

    def apply(self, batch: Sequence[Step]) -> list[KubeObject]:
        """Apply steps and return the objects as the server returned them; what failed is raised in the end."""
        if not batch:
            return []
        self.checkpoint()
        results = [answer for chain in each_or_raise(self._chain, _chains(batch), what="apply") for answer in chain]
        failures = [(ref, result) for ref, result in results if isinstance(result, GitOpsError)]
        raise_failures(failures, what="apply", total=self.total)
        return [result for _, result in results if isinstance(result, dict)]

    def _chain(self, chain: Sequence[Step]) -> list[tuple[ObjectRef, KubeObject | GitOpsError]]:
        answers: list[tuple[ObjectRef, KubeObject | GitOpsError]] = []
        for step in chain:
            try:
                answers.append((step.change.ref, self._one(step)))
            except GitOpsError as error:
                answers.append((step.change.ref, error))
        return answers

    def _one(self, step: Step) -> KubeObject:
        if step.change.action is Action.RECREATE:
            _delete_first(self.cluster, step, self.timeout)
        elif step.takes_over and step.live is not None:
            take_over(self.cluster, step.live)
        answer = self.cluster.apply(step.payload, force=step.force)
        self.done[step.change.ref.key] = answer
        self.progress(Progress("apply", str(step.change), len(self.done), self.total, step.change.ref))
        return answer


def _groups(steps: Sequence[Step]) -> list[list[Step]]:
    """Return all but the definitions, in the groups that wait for each other."""
    rank = ranks([step.wanted for step in steps])
    rest = sorted(
        (step for step in steps if stage_of(step.change.ref.kind)), key=lambda step: rank[step.change.ref.key]
    )
    return [list(group) for _, group in groupby(rest, key=lambda step: rank[step.change.ref.key])]


def _along(group: Sequence[Step], brought: Collection[tuple[str, str]]) -> list[Step]:
    """Return what is applied together with CRDs, which take the API server long: what workloads refer to, and Services.

    Workloads are not: a controller that starts before its kinds are there fails at first.
    """
    return [
        step
        for step in group
        if step.sends
        and (stage_of(step.change.ref.kind) == 1 or step.change.ref.group_kind == "Service")
        and (step.change.ref.group, step.change.ref.kind) not in brought
    ]


def _chains(batch: Sequence[Step]) -> list[list[Step]]:
    """Return what is applied at the same time, each a list of steps that are applied one after the other.

    New Services are: at the same time they dispute cluster IPs with each other in the API server, and one takes up to a
    second that takes milliseconds alone.
    """
    services: list[Step] = []
    others: list[list[Step]] = []
    for step in batch:
        if step.live is None and step.change.ref.group_kind == "Service":
            services.append(step)
        else:
            others.append([step])
    return [services, *others] if services else others


def _await_definitions(cluster: Cluster, definitions: Sequence[KubeObject], progress: ProgressCallback) -> None:
    if definitions:
        wait_ready(cluster, [Target.of(o) for o in definitions], timeout=_DEFINITIONS_SECONDS, progress=progress)
        await_served(cluster, definitions)


def await_served(cluster: Cluster, definitions: Sequence[KubeObject]) -> None:
    """Wait until the API server names the kinds of new CRDs: it does so a moment after they are established.

    A kind that it does not name in time is left to the apply of its objects, which says so.
    """
    kinds = []
    for crd in filter(is_crd, definitions):
        spec = crd["spec"]
        served = [version["name"] for version in spec.get("versions") or [] if version.get("served")]
        kinds += [(f"{spec['group']}/{version}", spec["names"]["kind"]) for version in served]
    if not kinds:
        return
    cluster.discovery.refresh()
    deadline = time.monotonic() + _SERVED_SECONDS
    while not all(cluster.discovery.find(*kind) for kind in kinds) and time.monotonic() < deadline:
        time.sleep(_PAUSE)
        cluster.discovery.refresh()


def _await_group(
    cluster: Cluster, group: Sequence[Step], done: dict[str, KubeObject], timeout: float, progress: ProgressCallback
) -> None:
    current = [
        done.get(step.change.ref.key) or step.live for step in group if step.change.action is not Action.HANDED_OVER
    ]
    targets = [Target.of(obj) for obj in current if obj]
    wait_ready(cluster, targets, timeout=timeout, progress=progress)


def _delete_first(cluster: Cluster, step: Step, timeout: float) -> None:
    assert step.live is not None
    removal = Removal(step.change, uid_of(step.live))
    if not cluster.delete(step.change.ref, uid=removal.uid):
        wait_gone(cluster, [removal], time.monotonic() + timeout, timeout)
