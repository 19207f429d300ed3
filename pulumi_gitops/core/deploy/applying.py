# SPDX-License-Identifier: Apache-2.0
"""Apply planned steps in stages: what others need comes first and is awaited, the rest goes in parallel."""

from __future__ import annotations

from collections.abc import Sequence

from ..cluster import Cluster
from ..errors import GitOpsError
from ..objects import KubeObject, ObjectRef, is_crd
from .model import Progress, ProgressCallback
from .parallel import each, raise_failures
from .planning import Step
from .waiting import Target, wait_ready

# Stage of a kind, after fluxcd/pkg/ssa. CRDs and Namespaces are awaited; then what workloads refer to; webhook
# configurations last, since they act on everything that is applied after them.
_FIRST = frozenset({"CustomResourceDefinition", "Namespace"})
_SECOND = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "ConfigMap",
        "LimitRange",
        "PriorityClass",
        "ResourceQuota",
        "Role",
        "RoleBinding",
        "Secret",
        "ServiceAccount",
    }
)
_LAST = frozenset({"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"})
_DEFINITIONS_SECONDS = 60.0


def stage_of(obj: KubeObject) -> int:
    """Return 0 to 3: definitions, what others refer to, the rest, webhook configurations."""
    kind = str(obj.get("kind"))
    if kind in _FIRST:
        return 0
    if kind in _SECOND or kind.endswith("Class"):
        return 1
    return 3 if kind in _LAST else 2


def apply_steps(cluster: Cluster, steps: Sequence[Step], progress: ProgressCallback) -> dict[str, KubeObject]:
    """Apply the steps that have a payload.

    A failure does not stop its own stage, but the stages after it.

    Returns:
        Key -> object as the server returned it.

    Raises:
        ApplyError: Several objects failed.
        ApiError: One failed.
        NotReadyError: A CRD or Namespace did not get ready.
    """
    work = [step for step in steps if step.payload is not None]
    done: dict[str, KubeObject] = {}

    def apply(step: Step) -> KubeObject:
        assert step.payload is not None
        answer = cluster.apply(step.payload, force=step.force)
        done[step.change.ref.key] = answer
        progress(Progress("apply", str(step.change), len(done), len(work), step.change.ref))
        return answer

    for stage in range(4):
        batch = [step for step in work if step.payload is not None and stage_of(step.payload) == stage]
        results = each(apply, batch)
        failures = [
            (step.change.ref, result)
            for step, result in zip(batch, results, strict=True)
            if isinstance(result, GitOpsError)
        ]
        raise_failures(failures, what="apply", total=len(work))
        if stage == 0 and batch:
            applied = [result for result in results if isinstance(result, dict)]
            targets = [Target.of(obj) for obj in applied]
            wait_ready(cluster, targets, timeout=_DEFINITIONS_SECONDS, progress=progress)
            if any(is_crd(obj) for obj in applied):
                cluster.discovery.refresh()
    return done


def delete_order(ref: ObjectRef) -> tuple[int, str]:
    """Sort key for removal: the reverse of the stages."""
    return (-stage_of({"kind": ref.kind}), ref.key)
