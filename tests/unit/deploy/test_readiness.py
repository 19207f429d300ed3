# SPDX-License-Identifier: Apache-2.0
"""When an object counts as ready: the kstatus table, row by row, and the holes that we close."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.deploy import State, readiness


def obj(kind: str, api: str = "apps/v1", *, spec=None, status=None, **metadata):
    made = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", **metadata}, "spec": spec or {}}
    return made if status is None else {**made, "status": status}


def condition(kind: str, status: str = "True", reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


ROLLED_OUT = {
    "replicas": 2,
    "updatedReplicas": 2,
    "availableReplicas": 2,
    "readyReplicas": 2,
    "conditions": [condition("Available"), condition("Progressing", reason="NewReplicaSetAvailable")],
}
DEADLINE = {"replicas": 2, "progressDeadlineSeconds": 600}
STATEFUL = {"replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "currentRevision": "a", "updateRevision": "a"}
DAEMON = {
    "observedGeneration": 1,
    "desiredNumberScheduled": 1,
    "currentNumberScheduled": 1,
    "updatedNumberScheduled": 1,
    "numberAvailable": 1,
    "numberReady": 1,
}
REPLICA_SET = {"replicas": 2, "fullyLabeledReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
C, P, F = State.CURRENT, State.IN_PROGRESS, State.FAILED

ROWS = [
    ("Deployment, all there", obj("Deployment", spec=DEADLINE, status=ROLLED_OUT), C, ""),
    ("no status yet", obj("Deployment", spec=DEADLINE), P, "LessReplicas"),
    ("old pods left", obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "replicas": 3}), P, "ExtraPods"),
    ("not updated", obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "updatedReplicas": 1}), P, "LessUpdated"),
    ("unavailable", obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "availableReplicas": 1}), P,
     "LessAvailable"),
    ("not ready", obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "readyReplicas": 1}), P, "LessReady"),
    ("deadline passed", obj("Deployment", spec=DEADLINE, status={
        "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded", "too slow")]}), F,
     "ProgressDeadlineExceeded"),
    ("StatefulSet, all there", obj("StatefulSet", spec={"replicas": 2}, status=STATEFUL), C, ""),
    ("rolling", obj("StatefulSet", spec={"replicas": 2}, status={**STATEFUL, "updateRevision": "b"}), P,
     "RevisionMismatch"),
    ("OnDelete", obj("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}), C, ""),
    ("partition", obj("StatefulSet", spec={"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
                      status={**STATEFUL, "updatedReplicas": 0}), P, "PartitionRollout"),
    ("DaemonSet, all there", obj("DaemonSet", status=DAEMON, generation=1), C, ""),
    ("not observed", obj("DaemonSet", status={}, generation=1), P, "NoObservedGeneration"),
    ("one not ready", obj("DaemonSet", status={**DAEMON, "numberReady": 0}, generation=1), P, "LessReady"),
    ("ReplicaSet", obj("ReplicaSet", spec={"replicas": 2}, status=REPLICA_SET), C, ""),
    ("ReplicaFailure", obj("ReplicaSet", status={"conditions": [condition("ReplicaFailure")]}), P, "ReplicaFailure"),
    ("Pod ready", obj("Pod", "v1", status={"phase": "Running", "conditions": [condition("Ready")]}), C, ""),
    ("Pod done", obj("Pod", "v1", status={"phase": "Succeeded"}), C, ""),
    ("Pod failed", obj("Pod", "v1", status={"phase": "Failed", "reason": "Evicted"}), F, "Evicted"),
    ("Pod crashing", obj("Pod", "v1", status={"phase": "Running", "containerStatuses": [
        {"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}), F, "ContainerCrashLooping"),
    ("Pod unschedulable for long", obj("Pod", "v1", status={"phase": "Pending", "conditions": [
        {**condition("PodScheduled", "False", "Unschedulable"), "lastTransitionTime": "2020-01-01T00:00:00Z"}]}), F,
     "PodUnschedulable"),
    ("Job done", obj("Job", "batch/v1", status={"conditions": [condition("Complete")]}), C, ""),
    ("Job running is not done", obj("Job", "batch/v1", status={"startTime": "now"}), P, "JobRunning"),
    ("Job failed", obj("Job", "batch/v1", status={"conditions": [
        condition("Failed", reason="BackoffLimitExceeded")]}), F, "BackoffLimitExceeded"),
    ("claim pending", obj("PersistentVolumeClaim", "v1", status={"phase": "Pending"}), P, "NotBound"),
    ("claim bound", obj("PersistentVolumeClaim", "v1", status={"phase": "Bound"}), C, ""),
    ("balancer without IP", obj("Service", "v1", spec={"type": "LoadBalancer"}), P, "NoClusterIP"),
    ("plain Service", obj("Service", "v1", spec={"type": "ClusterIP"}), C, ""),
    ("Namespace going", obj("Namespace", "v1", status={"phase": "Terminating"}), P, "NotActive"),
    ("CRD new", obj("CustomResourceDefinition", "apiextensions.k8s.io/v1"), P, "Installing"),
    ("CRD served", obj("CustomResourceDefinition", "apiextensions.k8s.io/v1",
                       status={"conditions": [condition("Established")]}), C, ""),
    ("CRD clash", obj("CustomResourceDefinition", "apiextensions.k8s.io/v1", status={
        "conditions": [condition("NamesAccepted", "False", "KindConflict")]}), F, "KindConflict"),
    ("Application new", obj("Application", "argoproj.io/v1alpha1"), P, "Unknown"),
    ("Application good", obj("Application", "argoproj.io/v1alpha1", status={
        "sync": {"status": "Synced"}, "health": {"status": "Healthy"}}), C, ""),
    ("Application failed", obj("Application", "argoproj.io/v1alpha1", status={
        "operationState": {"phase": "Failed", "message": "no"}}), F, "OperationFailed"),
    ("ConfigMap", obj("ConfigMap", "v1"), C, ""),
    ("custom, Ready", obj("Any", "example.com/v1", status={"conditions": [condition("Ready")]}), C, ""),
    ("custom, not Ready", obj("Any", "example.com/v1", status={
        "conditions": [condition("Ready", "False", "Waiting")]}), P, "Waiting"),
    ("stalled", obj("Any", "example.com/v1", status={"conditions": [condition("Stalled", reason="Broken")]}), F,
     "Broken"),
    ("stale status", obj("Any", "example.com/v1", generation=2, status={
        "observedGeneration": 1, "conditions": [condition("Ready")]}), P, "LatestGenerationNotObserved"),
    ("going", obj("Any", "example.com/v1", deletionTimestamp="now", finalizers=["a/b"]), State.TERMINATING,
     "Terminating"),
]  # fmt: skip


@pytest.mark.parametrize(("live", "state", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_rule(live, state, reason):
    found = readiness(live)
    assert (found.state, found.reason) == (state, reason)


def test_an_object_older_than_our_apply_is_not_ready():
    live = obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "observedGeneration": 1}, generation=1)
    assert readiness(live).ready
    assert readiness(live, generation=2).reason == "OldGeneration"


def test_a_message_says_how_far_it_is():
    live = obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "readyReplicas": 1})
    assert str(readiness(live)) == "LessReady: 1 of 2 replicas ready"
