# SPDX-License-Identifier: Apache-2.0
"""Readiness of workloads: Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, Pod."""

from __future__ import annotations

from .pods import CRASH_LOOP, rejection, trouble_of
from .states import READY, Readiness, State, View, failed, first_gap, mapping, number, progressing, why

# A spec of 2**31-1 means "no deadline" (kstatus: getProgressDeadline).
_NO_DEADLINE = 2147483647


def deployment(view: View) -> Readiness:
    """kstatus; and one that is paused is as its spec wants it, one whose pods are refused is in trouble."""
    spec, status = view.spec, view.status
    reason, message = why(view.condition("Progressing"), "")
    failure = view.condition("ReplicaFailure")
    refused = str(failure.get("message") or "") if failure.get("status") == "True" else ""
    if reason == "ProgressDeadlineExceeded":
        return failed(reason, "; ".join(part for part in (message, refused) if part))
    if spec.get("paused"):
        return Readiness(State.CURRENT, "Paused", "spec.paused is set: changes of the pods wait for its removal")
    no_deadline = spec.get("progressDeadlineSeconds") in (None, _NO_DEADLINE)
    complete = no_deadline or (view.says("Progressing") and reason == "NewReplicaSetAvailable")
    wanted, total = number(spec, "replicas", 1), number(status, "replicas")
    updated, available = number(status, "updatedReplicas"), number(status, "availableReplicas")
    ready = number(status, "readyReplicas")
    rolling = total > updated or updated > available
    trouble = rejection(refused, topic=f"{total}/{updated}/{available}", rolling=rolling)
    blocked = f"; {refused}" if refused else ""
    return first_gap(
        (wanted > total, "LessReplicas", f"{total} of {wanted} replicas created{blocked}"),
        (wanted > updated, "LessUpdated", f"{updated} of {wanted} replicas updated{blocked}"),
        (total > wanted, "ExtraPods", f"{total - wanted} old replicas still run"),
        (updated > available, "LessAvailable", f"{available} of {updated} replicas available"),
        (wanted > ready, "LessReady", f"{ready} of {wanted} replicas ready"),
        (not complete, "ReplicaSetNotAvailable", "the new ReplicaSet is not available yet"),
        (not view.says("Available"), "DeploymentNotAvailable", "the Deployment is not available"),
        trouble=trouble,
    )


def stateful_set(view: View) -> Readiness:
    """Kstatus."""
    spec, status = view.spec, view.status
    strategy = mapping(spec.get("updateStrategy"))
    if strategy.get("type") == "OnDelete":
        return READY
    wanted, total, ready = number(spec, "replicas", 1), number(status, "replicas"), number(status, "readyReplicas")
    gap = first_gap(
        (wanted > total, "LessReplicas", f"{total} of {wanted} replicas created"),
        (wanted > ready, "LessReady", f"{ready} of {wanted} replicas ready"),
        (total > wanted, "ExtraPods", f"{total - wanted} extra replicas still run"),
    )
    if not gap.ready:
        return gap
    # The API server always writes a partition, 0 by default, so this is the usual way.
    partition = number(mapping(strategy.get("rollingUpdate")), "partition", -1)
    updated = number(status, "updatedReplicas")
    if partition >= 0:
        share = wanted - partition
        return first_gap((updated < share, "PartitionRollout", f"{updated} of {share} replicas updated"))
    current = number(status, "currentReplicas")
    return first_gap(
        (wanted > current, "LessCurrent", f"{current} of {wanted} replicas current"),
        (
            status.get("currentRevision") != status.get("updateRevision"),
            "RevisionMismatch",
            f"{updated} of {wanted} replicas updated",
        ),
    )


def daemon_set(view: View) -> Readiness:
    """Kstatus."""
    status = view.status
    if "generation" not in view.metadata:
        return progressing("NoGeneration")
    if "observedGeneration" not in status:
        return progressing("NoObservedGeneration", "the controller has not seen it yet")
    wanted = number(status, "desiredNumberScheduled", -1)
    if wanted < 0:
        return progressing("NoDesiredNumber")
    fields = (
        ("currentNumberScheduled", "LessCurrent", "scheduled"),
        ("updatedNumberScheduled", "LessUpdated", "updated"),
        ("numberAvailable", "LessAvailable", "available"),
        ("numberReady", "LessReady", "ready"),
    )
    return first_gap(
        *(
            (wanted > number(status, name), reason, f"{number(status, name)} of {wanted} pods {word}")
            for name, reason, word in fields
        )
    )


def replica_set(view: View) -> Readiness:
    """kstatus; and one whose pods are refused is in trouble."""
    wanted, total = number(view.spec, "replicas", 1), number(view.status, "replicas")
    labelled, available = number(view.status, "fullyLabeledReplicas"), number(view.status, "availableReplicas")
    ready = number(view.status, "readyReplicas")
    if view.says("ReplicaFailure"):
        reason, message = why(view.condition("ReplicaFailure"), "ReplicaFailure")
        return progressing(reason, message, rejection(message, topic=str(total)))
    return first_gap(
        (wanted > labelled, "LessLabelled", f"{labelled} of {wanted} replicas labelled"),
        (wanted > available, "LessAvailable", f"{available} of {wanted} replicas available"),
        (wanted > ready, "LessReady", f"{ready} of {wanted} replicas ready"),
        (total > wanted, "ExtraPods", f"{total - wanted} extra replicas still run"),
    )


def job(view: View) -> Readiness:
    """fluxcd/pkg, not kstatus: a Job is ready when it is complete, not when it runs."""
    if view.spec.get("suspend"):
        return Readiness(State.CURRENT, "Suspended", "spec.suspend is set")
    if view.says("Complete"):
        return READY
    # FailureTarget says the same while the last pods are still ending (Kubernetes 1.31).
    for name in ("Failed", "FailureTarget"):
        if view.says(name):
            reason, message = why(view.condition(name), "JobFailed")
            return failed(reason, message + _failures(view))
    if not view.status.get("startTime"):
        return progressing("JobNotStarted", "the controller has not started it yet")
    active, done = number(view.status, "active"), number(view.status, "succeeded")
    wanted = number(view.spec, "completions", number(view.spec, "parallelism", 1))
    text = f"{done} of {wanted} pods succeeded, {active} run{_failures(view)}"
    return progressing("JobRunning" if active else "JobWithoutPods", text)


def _failures(view: View) -> str:
    count = number(view.status, "failed")
    return f" ({count} failed, backoffLimit {number(view.spec, 'backoffLimit', 6)})" if count else ""


def pod(view: View) -> Readiness:
    """kstatus; and a failed pod is Failed, a crash loop is one from the third crash on."""
    status = view.status
    phase = str(status.get("phase") or "")
    if phase == "Succeeded":
        return READY
    if phase == "Failed":
        return failed(str(status.get("reason") or "PodFailed"), str(status.get("message") or ""))
    if phase == "Running" and view.says("Ready"):
        return READY
    trouble = trouble_of(view)
    if trouble is None:
        if phase == "Running":
            return progressing("PodNotReady", "containers are not ready")
        return progressing("PodPending", str(status.get("message") or ""))
    if trouble.topic == CRASH_LOOP:
        return failed(trouble.reason, trouble.message)
    return progressing(trouble.reason, trouble.message, trouble)
