# SPDX-License-Identifier: Apache-2.0
"""Is an object ready? The rules of kstatus (kubernetes-sigs/cli-utils, ``pkg/kstatus/status``), with the holes closed.

Deviations, each on purpose: a Job is ready when it is complete, not when it runs (as fluxcd/pkg has it); a Namespace
is ready when it is Active; a failed Pod is Failed; an Argo CD Application is ready when it is Synced and Healthy.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..objects import KubeObject, ObjectRef


class State(enum.StrEnum):
    """kstatus: ``InProgress``, ``Failed``, ``Current`` (= ready), ``Terminating``, ``NotFound``."""

    IN_PROGRESS = "InProgress"
    FAILED = "Failed"
    CURRENT = "Current"
    TERMINATING = "Terminating"
    NOT_FOUND = "NotFound"


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of one object, with a short reason (a word) and a message for people."""

    state: State
    reason: str = ""
    message: str = ""

    @property
    def ready(self) -> bool:
        """Whether the object is as its spec wants it."""
        return self.state is State.CURRENT

    def __str__(self) -> str:
        return ": ".join(part for part in (self.reason or str(self.state), self.message) if part)


_READY = Readiness(State.CURRENT)
_UNSCHEDULABLE_GRACE = dt.timedelta(seconds=15)
# A spec of 2**31-1 means "no deadline" (kstatus: getProgressDeadline).
_NO_DEADLINE = 2147483647


def readiness(obj: KubeObject, *, generation: int = 0) -> Readiness:
    """Compute the state of an object.

    Args:
        obj: The object as read.
        generation: The generation that our apply returned; an older one is not looked at any further.
    """
    metadata = obj.get("metadata") or {}
    status = _mapping(obj.get("status"))
    if metadata.get("deletionTimestamp"):
        finalizers = metadata.get("finalizers") or []
        return Readiness(State.TERMINATING, "Terminating", f"waits for finalizers {finalizers}" if finalizers else "")
    current = int(metadata.get("generation") or 0)
    if current < generation:
        return _progressing("OldGeneration", f"generation {current} seen, {generation} applied")
    observed = status.get("observedGeneration")
    if observed is not None and current and int(observed) != current:
        return _progressing("LatestGenerationNotObserved", f"generation {current}, observed {observed}")
    conditions = _conditions(status)
    for name, state in (("Reconciling", State.IN_PROGRESS), ("Stalled", State.FAILED)):
        if _is_true(conditions, name):
            return Readiness(state, *_why(conditions[name], name))
    rule = _RULES.get(ObjectRef.of(obj).group_kind)
    if rule is not None:
        return rule(_mapping(obj.get("spec")), status, conditions, metadata)
    ready = conditions.get("Ready")
    if ready is None or ready.get("status") == "True":
        return _READY
    return _progressing(*_why(ready, "NotReady"))


def may_change_by_itself(ref: ObjectRef) -> bool:
    """Tell whether an object of this kind can be not ready; the others need no watching."""
    return ref.group_kind not in _STATIC


# --- helpers ---------------------------------------------------------------------------------------------------------

_Conditions = Mapping[str, Mapping[str, Any]]
_Rule = Callable[[Mapping[str, Any], Mapping[str, Any], _Conditions, Mapping[str, Any]], Readiness]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _conditions(status: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = status.get("conditions")
    return {str(c.get("type")): c for c in found if isinstance(c, dict)} if isinstance(found, list) else {}


def _is_true(conditions: _Conditions, name: str) -> bool:
    return name in conditions and conditions[name].get("status") == "True"


def _why(condition: Mapping[str, Any], default: str) -> tuple[str, str]:
    return str(condition.get("reason") or default), str(condition.get("message") or "")


def _progressing(reason: str, message: str = "") -> Readiness:
    return Readiness(State.IN_PROGRESS, reason, message)


def _number(values: Mapping[str, Any], name: str, default: int = 0) -> int:
    value = values.get(name)
    return default if value is None else int(value)


def _first_gap(*gaps: tuple[bool, str, str]) -> Readiness:
    """Return the first gap that holds as not ready yet, else ready."""
    for holds, reason, message in gaps:
        if holds:
            return _progressing(reason, message)
    return _READY


# --- rules per kind --------------------------------------------------------------------------------------------------


def _deployment(
    spec: Mapping[str, Any], status: Mapping[str, Any], conditions: _Conditions, _: Mapping[str, Any]
) -> Readiness:
    progressing = conditions.get("Progressing") or {}
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Readiness(State.FAILED, "ProgressDeadlineExceeded", str(progressing.get("message") or ""))
    no_deadline = spec.get("progressDeadlineSeconds") in (None, _NO_DEADLINE)
    complete = no_deadline or (
        _is_true(conditions, "Progressing") and progressing.get("reason") == "NewReplicaSetAvailable"
    )
    failure = conditions.get("ReplicaFailure") or {}
    blocked = f"; {failure.get('message')}" if failure.get("status") == "True" else ""
    wanted, total = _number(spec, "replicas", 1), _number(status, "replicas")
    updated, available = _number(status, "updatedReplicas"), _number(status, "availableReplicas")
    ready = _number(status, "readyReplicas")
    return _first_gap(
        (wanted > total, "LessReplicas", f"{total} of {wanted} replicas created{blocked}"),
        (wanted > updated, "LessUpdated", f"{updated} of {wanted} replicas updated{blocked}"),
        (total > wanted, "ExtraPods", f"{total - wanted} old replicas still run"),
        (updated > available, "LessAvailable", f"{available} of {updated} replicas available"),
        (wanted > ready, "LessReady", f"{ready} of {wanted} replicas ready"),
        (not complete, "ReplicaSetNotAvailable", "the new ReplicaSet is not available yet"),
        (not _is_true(conditions, "Available"), "DeploymentNotAvailable", "the Deployment is not available"),
    )


def _stateful_set(
    spec: Mapping[str, Any], status: Mapping[str, Any], _: _Conditions, __: Mapping[str, Any]
) -> Readiness:
    strategy = _mapping(spec.get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return _READY
    wanted, total, ready = _number(spec, "replicas", 1), _number(status, "replicas"), _number(status, "readyReplicas")
    gap = _first_gap(
        (wanted > total, "LessReplicas", f"{total} of {wanted} replicas created"),
        (wanted > ready, "LessReady", f"{ready} of {wanted} replicas ready"),
        (total > wanted, "ExtraPods", f"{total - wanted} extra replicas still run"),
    )
    if not gap.ready:
        return gap
    partition = _number(_mapping(strategy.get("rollingUpdate")), "partition", -1)
    if partition >= 0:
        updated = _number(status, "updatedReplicas")
        return _first_gap(
            (updated < wanted - partition, "PartitionRollout", f"{updated} of {wanted - partition} replicas updated")
        )
    current = _number(status, "currentReplicas")
    return _first_gap(
        (wanted > current, "LessCurrent", f"{current} of {wanted} replicas current"),
        (status.get("currentRevision") != status.get("updateRevision"), "RevisionMismatch", "the rollout goes on"),
    )


def _daemon_set(
    _: Mapping[str, Any], status: Mapping[str, Any], __: _Conditions, metadata: Mapping[str, Any]
) -> Readiness:
    if "generation" not in metadata:
        return _progressing("NoGeneration")
    if "observedGeneration" not in status:
        return _progressing("NoObservedGeneration", "the controller has not seen it yet")
    wanted = _number(status, "desiredNumberScheduled", -1)
    if wanted < 0:
        return _progressing("NoDesiredNumber")
    fields = (
        ("currentNumberScheduled", "LessCurrent", "scheduled"),
        ("updatedNumberScheduled", "LessUpdated", "updated"),
        ("numberAvailable", "LessAvailable", "available"),
        ("numberReady", "LessReady", "ready"),
    )
    return _first_gap(
        *(
            (wanted > _number(status, f), reason, f"{_number(status, f)} of {wanted} pods {word}")
            for f, reason, word in fields
        )
    )


def _replica_set(
    spec: Mapping[str, Any], status: Mapping[str, Any], conditions: _Conditions, _: Mapping[str, Any]
) -> Readiness:
    if _is_true(conditions, "ReplicaFailure"):
        return _progressing(*_why(conditions["ReplicaFailure"], "ReplicaFailure"))
    wanted, total = _number(spec, "replicas", 1), _number(status, "replicas")
    labelled, available = _number(status, "fullyLabeledReplicas"), _number(status, "availableReplicas")
    ready = _number(status, "readyReplicas")
    return _first_gap(
        (wanted > labelled, "LessLabelled", f"{labelled} of {wanted} replicas labelled"),
        (wanted > available, "LessAvailable", f"{available} of {wanted} replicas available"),
        (wanted > ready, "LessReady", f"{ready} of {wanted} replicas ready"),
        (total > wanted, "ExtraPods", f"{total - wanted} extra replicas still run"),
    )


def _pod(_: Mapping[str, Any], status: Mapping[str, Any], conditions: _Conditions, __: Mapping[str, Any]) -> Readiness:
    phase = status.get("phase") or ""
    if phase == "Succeeded":
        return _READY
    if phase == "Failed":
        return Readiness(State.FAILED, str(status.get("reason") or "PodFailed"), str(status.get("message") or ""))
    if phase == "Running":
        if _is_true(conditions, "Ready"):
            return _READY
        for container in status.get("containerStatuses") or []:
            waiting = _mapping(_mapping(container.get("state")).get("waiting"))
            if waiting.get("reason") == "CrashLoopBackOff":
                name = container.get("name")
                return Readiness(
                    State.FAILED, "ContainerCrashLooping", f"container {name}: {waiting.get('message', '')}"
                )
        return _progressing("PodNotReady", "containers are not ready")
    scheduled = conditions.get("PodScheduled") or {}
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        since = str(scheduled.get("lastTransitionTime") or "")
        state = State.FAILED if _older_than(since, _UNSCHEDULABLE_GRACE) else State.IN_PROGRESS
        return Readiness(state, "PodUnschedulable", str(scheduled.get("message") or ""))
    return _progressing("PodPending", str(status.get("message") or ""))


def _older_than(timestamp: str, age: dt.timedelta) -> bool:
    try:
        since = dt.datetime.fromisoformat(timestamp)
    except ValueError:
        return False
    return dt.datetime.now(dt.UTC) - since > age


def _job(
    spec: Mapping[str, Any], status: Mapping[str, Any], conditions: _Conditions, _: Mapping[str, Any]
) -> Readiness:
    if spec.get("suspend") or _is_true(conditions, "Complete"):
        return _READY
    if _is_true(conditions, "Failed"):
        return Readiness(State.FAILED, *_why(conditions["Failed"], "JobFailed"))
    return _progressing("JobRunning" if status.get("startTime") else "JobNotStarted")


def _volume_claim(
    _: Mapping[str, Any], status: Mapping[str, Any], __: _Conditions, ___: Mapping[str, Any]
) -> Readiness:
    phase = str(status.get("phase") or "Pending")
    return _first_gap((phase != "Bound", "NotBound", f"phase is {phase}"))


def _service(spec: Mapping[str, Any], _: Mapping[str, Any], __: _Conditions, ___: Mapping[str, Any]) -> Readiness:
    waits = spec.get("type") == "LoadBalancer" and not spec.get("clusterIP")
    return _first_gap((waits, "NoClusterIP", "the Service has no address yet"))


def _namespace(_: Mapping[str, Any], status: Mapping[str, Any], __: _Conditions, ___: Mapping[str, Any]) -> Readiness:
    phase = str(status.get("phase") or "")
    return _first_gap((phase not in ("", "Active"), "NotActive", f"phase is {phase}"))


def _crd(_: Mapping[str, Any], __: Mapping[str, Any], conditions: _Conditions, ___: Mapping[str, Any]) -> Readiness:
    accepted = conditions.get("NamesAccepted") or {}
    if accepted.get("status") == "False":
        return Readiness(State.FAILED, *_why(accepted, "NamesNotAccepted"))
    established = conditions.get("Established") or {}
    if established.get("status") == "False" and established.get("reason") != "Installing":
        return Readiness(State.FAILED, *_why(established, "NotEstablished"))
    return _first_gap((established.get("status") != "True", "Installing", "not served yet"))


def _argocd_application(
    _: Mapping[str, Any], status: Mapping[str, Any], __: _Conditions, ___: Mapping[str, Any]
) -> Readiness:
    operation = _mapping(status.get("operationState"))
    sync = str(_mapping(status.get("sync")).get("status") or "Unknown")
    health = str(_mapping(status.get("health")).get("status") or "Unknown")
    if operation.get("phase") in ("Failed", "Error"):
        return Readiness(State.FAILED, "OperationFailed", str(operation.get("message") or ""))
    return _first_gap((sync != "Synced", sync, f"health is {health}"), (health != "Healthy", health, f"sync is {sync}"))


def _always(_: Mapping[str, Any], __: Mapping[str, Any], ___: _Conditions, ____: Mapping[str, Any]) -> Readiness:
    return _READY


_RULES: dict[str, _Rule] = {
    "apps/Deployment": _deployment,
    "apps/StatefulSet": _stateful_set,
    "apps/DaemonSet": _daemon_set,
    "apps/ReplicaSet": _replica_set,
    "batch/Job": _job,
    "batch/CronJob": _always,
    "policy/PodDisruptionBudget": _always,
    "apiextensions.k8s.io/CustomResourceDefinition": _crd,
    "argoproj.io/Application": _argocd_application,
    "Pod": _pod,
    "PersistentVolumeClaim": _volume_claim,
    "Service": _service,
    "Namespace": _namespace,
}

_STATIC = frozenset(
    {
        "ConfigMap",
        "Secret",
        "ServiceAccount",
        "LimitRange",
        "ResourceQuota",
        "batch/CronJob",
        "policy/PodDisruptionBudget",
        "rbac.authorization.k8s.io/Role",
        "rbac.authorization.k8s.io/RoleBinding",
        "rbac.authorization.k8s.io/ClusterRole",
        "rbac.authorization.k8s.io/ClusterRoleBinding",
        "networking.k8s.io/NetworkPolicy",
        "networking.k8s.io/IngressClass",
        "scheduling.k8s.io/PriorityClass",
        "storage.k8s.io/StorageClass",
        "admissionregistration.k8s.io/MutatingWebhookConfiguration",
        "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
    }
)
