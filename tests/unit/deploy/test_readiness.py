# SPDX-License-Identifier: Apache-2.0
"""When an object counts as ready: the kstatus table, row by row, and the holes that we close."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy import State, readiness
from pulumi_gitops.core.deploy.readiness import may_change_by_itself
from pulumi_gitops.core.objects import ObjectRef


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
    ("paused", obj("Deployment", spec={**DEADLINE, "paused": True}, status={"replicas": 1}), C, "Paused"),
    ("no deadline set", obj("Deployment", spec={"replicas": 2}, status={
        **ROLLED_OUT, "conditions": [condition("Available")]}), C, ""),
    ("new ReplicaSet still rolling", obj("Deployment", spec=DEADLINE, status={
        **ROLLED_OUT, "conditions": [condition("Available"), condition("Progressing", reason="ReplicaSetUpdated")]}),
     P, "ReplicaSetNotAvailable"),
    ("not available", obj("Deployment", spec=DEADLINE, status={**ROLLED_OUT, "conditions": [
        condition("Available", "False"), condition("Progressing", reason="NewReplicaSetAvailable")]}), P,
     "DeploymentNotAvailable"),
    ("scaled to none", obj("Deployment", spec={**DEADLINE, "replicas": 0}, status={
        "conditions": ROLLED_OUT["conditions"]}), C, ""),
    ("deadline passed", obj("Deployment", spec=DEADLINE, status={
        "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded", "too slow")]}), F,
     "ProgressDeadlineExceeded"),
    ("StatefulSet, all there", obj("StatefulSet", spec={"replicas": 2}, status=STATEFUL), C, ""),
    ("rolling", obj("StatefulSet", spec={"replicas": 2}, status={**STATEFUL, "updateRevision": "b"}), P,
     "RevisionMismatch"),
    ("OnDelete", obj("StatefulSet", spec={"updateStrategy": {"type": "OnDelete"}}), C, ""),
    ("partition", obj("StatefulSet", spec={"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}},
                      status={**STATEFUL, "updatedReplicas": 0}), P, "PartitionRollout"),
    ("partition reached", obj("StatefulSet", spec={
        "replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}, status={
        **STATEFUL, "updatedReplicas": 1, "updateRevision": "b"}), C, ""),
    ("partition of none, still rolling", obj("StatefulSet", spec={
        "replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 0}}}, status={
        **STATEFUL, "updatedReplicas": 1, "updateRevision": "b"}), P, "PartitionRollout"),
    ("StatefulSet with too many", obj("StatefulSet", spec={"replicas": 1}, status=STATEFUL), P, "ExtraPods"),
    ("DaemonSet, all there", obj("DaemonSet", status=DAEMON, generation=1), C, ""),
    ("not observed", obj("DaemonSet", status={}, generation=1), P, "NoObservedGeneration"),
    ("one not ready", obj("DaemonSet", status={**DAEMON, "numberReady": 0}, generation=1), P, "LessReady"),
    ("DaemonSet unseen", obj("DaemonSet", status=DAEMON), P, "NoGeneration"),
    ("DaemonSet on no node", obj("DaemonSet", status={"observedGeneration": 1, "desiredNumberScheduled": 0},
                                 generation=1), C, ""),
    ("DaemonSet without a number", obj("DaemonSet", status={"observedGeneration": 1}, generation=1), P,
     "NoDesiredNumber"),
    ("DaemonSet rolling", obj("DaemonSet", status={**DAEMON, "updatedNumberScheduled": 0}, generation=1), P,
     "LessUpdated"),
    ("ReplicaSet", obj("ReplicaSet", spec={"replicas": 2}, status=REPLICA_SET), C, ""),
    ("ReplicaFailure", obj("ReplicaSet", status={"conditions": [condition("ReplicaFailure")]}), P, "ReplicaFailure"),
    ("Pod ready", obj("Pod", "v1", status={"phase": "Running", "conditions": [condition("Ready")]}), C, ""),
    ("Pod done", obj("Pod", "v1", status={"phase": "Succeeded"}), C, ""),
    ("Pod failed", obj("Pod", "v1", status={"phase": "Failed", "reason": "Evicted"}), F, "Evicted"),
    ("Pod crashing", obj("Pod", "v1", status={"phase": "Running", "containerStatuses": [
        {"name": "c", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}), F,
     "CrashLoopBackOff"),
    ("Pod crashed twice", obj("Pod", "v1", status={"phase": "Running", "containerStatuses": [
        {"name": "c", "restartCount": 1, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}), P, "PodNotReady"),
    ("Pod unschedulable", obj("Pod", "v1", status={"phase": "Pending", "conditions": [
        condition("PodScheduled", "False", "Unschedulable", "0/3 nodes are available")]}), P, "PodUnschedulable"),
    ("Pod starting", obj("Pod", "v1", status={"phase": "Pending", "containerStatuses": [
        {"name": "c", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}]}), P, "PodPending"),
    ("Pod whose Ready is of an older generation", obj("Pod", "v1", generation=2, status={
        "phase": "Running", "conditions": [{**condition("Ready"), "observedGeneration": 1}]}), P, "PodNotReady"),
    ("Job done", obj("Job", "batch/v1", status={"conditions": [condition("Complete")]}), C, ""),
    ("Job new", obj("Job", "batch/v1", status={}), P, "JobNotStarted"),
    ("Job running is not done", obj("Job", "batch/v1", status={"startTime": "now", "active": 1}), P, "JobRunning"),
    ("Job without a pod", obj("Job", "batch/v1", status={"startTime": "now"}), P, "JobWithoutPods"),
    ("Job suspended", obj("Job", "batch/v1", spec={"suspend": True}), C, "Suspended"),
    ("Job about to fail", obj("Job", "batch/v1", status={"startTime": "now", "conditions": [
        condition("FailureTarget", reason="PodFailurePolicy")]}), F, "PodFailurePolicy"),
    ("Job failed", obj("Job", "batch/v1", status={"conditions": [
        condition("Failed", reason="BackoffLimitExceeded")]}), F, "BackoffLimitExceeded"),
    ("claim pending", obj("PersistentVolumeClaim", "v1", status={"phase": "Pending"}), P, "NotBound"),
    ("claim bound", obj("PersistentVolumeClaim", "v1", status={"phase": "Bound"}), C, ""),
    ("claim lost", obj("PersistentVolumeClaim", "v1", status={"phase": "Lost"}), F, "Lost"),
    ("balancer without address", obj("Service", "v1", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"}), C, ""),
    ("Ingress", obj("Ingress", "networking.k8s.io/v1", status={"loadBalancer": {}}), C, ""),
    ("autoscaler new", obj("HorizontalPodAutoscaler", "autoscaling/v2"), C, ""),
    ("autoscaler without metrics", obj("HorizontalPodAutoscaler", "autoscaling/v2", status={"conditions": [
        condition("AbleToScale"), condition("ScalingActive", "False", "FailedGetResourceMetric")]}), C,
     "FailedGetResourceMetric"),
    ("autoscaler without target", obj("HorizontalPodAutoscaler", "autoscaling/v2", status={"conditions": [
        condition("AbleToScale", "False", "FailedGetScale", 'deployments.apps "web" not found')]}), P,
     "FailedGetScale"),
    ("autoscaler with a wrong selector", obj("HorizontalPodAutoscaler", "autoscaling/v2", status={"conditions": [
        condition("AbleToScale"), condition("ScalingActive", "False", "InvalidSelector")]}), P, "InvalidSelector"),
    ("API served", obj("APIService", "apiregistration.k8s.io/v1", status={
        "conditions": [condition("Available", reason="Local")]}), C, ""),
    ("API not served", obj("APIService", "apiregistration.k8s.io/v1", status={
        "conditions": [condition("Available", "False", "MissingEndpoints")]}), P, "MissingEndpoints"),
    ("API new", obj("APIService", "apiregistration.k8s.io/v1"), P, "NotAvailable"),
    ("disruption budget", obj("PodDisruptionBudget", "policy/v1", status={"disruptionsAllowed": 0}), C, ""),
    ("CronJob", obj("CronJob", "batch/v1"), C, ""),
    ("Namespace", obj("Namespace", "v1", status={"phase": "Active"}), C, ""),
    ("balancer without IP", obj("Service", "v1", spec={"type": "LoadBalancer"}), P, "NoClusterIP"),
    ("plain Service", obj("Service", "v1", spec={"type": "ClusterIP"}), C, ""),
    ("Namespace going", obj("Namespace", "v1", status={"phase": "Terminating"}), P, "NotActive"),
    ("CRD new", obj("CustomResourceDefinition", "apiextensions.k8s.io/v1"), P, "Installing"),
    ("CRD served", obj("CustomResourceDefinition", "apiextensions.k8s.io/v1",
                       status={"conditions": [condition("Established")]}), C, ""),
    ("CRD clash", obj("CustomResourceDefinition", "apiextensions.k8s.io/v1", status={
        "conditions": [condition("NamesAccepted", "False", "KindConflict")]}), F, "KindConflict"),
    ("ConfigMap", obj("ConfigMap", "v1"), C, ""),
    ("custom, Ready", obj("Any", "example.com/v1", status={"conditions": [condition("Ready")]}), C, ""),
    ("custom, not Ready", obj("Any", "example.com/v1", status={
        "conditions": [condition("Ready", "False", "Waiting")]}), P, "Waiting"),
    ("stalled", obj("Any", "example.com/v1", status={"conditions": [condition("Stalled", reason="Broken")]}), F,
     "Broken"),
    ("stale status", obj("Any", "example.com/v1", generation=2, status={
        "observedGeneration": 1, "conditions": [condition("Ready")]}), P, "LatestGenerationNotObserved"),
    ("Ready of an older generation", obj("Any", "example.com/v1", generation=2, status={
        "conditions": [{**condition("Ready"), "observedGeneration": 1}]}), P, "LatestGenerationNotObserved"),
    ("Stalled of an older generation", obj("Any", "example.com/v1", generation=2, status={
        "conditions": [{**condition("Stalled"), "observedGeneration": 1}]}), C, ""),
    ("reconciling", obj("Any", "example.com/v1", status={"conditions": [
        condition("Ready"), condition("Reconciling", reason="Busy")]}), P, "Busy"),
    ("observedGeneration as text", obj("Rollout", "argoproj.io/v1alpha1", generation=2, status={
        "observedGeneration": "1"}), P, "LatestGenerationNotObserved"),
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
    failing = obj("Job", "batch/v1", spec={"backoffLimit": 4}, status={"startTime": "now", "active": 1, "failed": 3})
    assert "0 of 1 pods succeeded, 1 run (3 failed, backoffLimit 4)" in str(readiness(failing))


def test_an_address_is_needed_only_by_who_insists_on_one():
    balancer = obj("Service", "v1", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"})
    ingress = obj("Ingress", "networking.k8s.io/v1")
    for live in (balancer, ingress):
        assert readiness(live).ready
        assert readiness(live, strict_lb=True).reason == "NoAddress"
        there = {**live, "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}}
        assert readiness(there, strict_lb=True).ready
        assert not may_change_by_itself(ObjectRef.of(live))
        assert may_change_by_itself(ObjectRef.of(live), strict_lb=True)


def test_a_claim_whose_volume_comes_with_the_first_pod_blocks_nothing_until_there_is_one():
    pending = obj("PersistentVolumeClaim", "v1", status={"phase": "Pending"})
    assert readiness(pending, late_binding=True).reason == "WaitForFirstConsumer"
    assert readiness(pending, late_binding=True).ready
    placed = obj("PersistentVolumeClaim", "v1", status={"phase": "Pending"},
                 annotations={"volume.kubernetes.io/selected-node": "node-1"})  # fmt: skip
    assert not readiness(placed, late_binding=True).ready


QUOTA = 'pods "web-abc" is forbidden: exceeded quota: q, requested: pods=1, used: pods=0, limited: pods=0'
WEBHOOK = 'admission webhook "policy.example.com" denied the request: no'
DOWN = 'Internal error occurred: failed calling webhook "policy.example.com": connection refused'


@pytest.mark.parametrize(
    ("counts", "message", "grace"),
    [
        ({}, QUOTA, 10.0),
        ({}, WEBHOOK, 10.0),
        ({}, DOWN, 60.0),  # the webhook may be one of the set
        ({"replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, QUOTA, 60.0),  # old pods may make room
        ({}, "etcdserver: request timed out", None),
    ],
)
def test_a_deployment_whose_pods_are_refused_is_in_trouble(counts, message, grace):
    status = {**counts, "conditions": [condition("ReplicaFailure", reason="FailedCreate", message=message)]}
    found = readiness(obj("Deployment", spec=DEADLINE, status=status))
    assert (found.state, message in found.message) == (P, True)
    assert (found.trouble.grace if found.trouble else None) == grace
    assert found.trouble is None or (found.trouble.reason, found.trouble.message) == ("FailedCreate", message)


def test_a_refusal_is_a_new_trouble_whenever_the_number_of_pods_has_changed():
    def refused(total: int) -> str:
        failure = [condition("ReplicaFailure", reason="FailedCreate", message=QUOTA)]
        return readiness(obj("Deployment", spec=DEADLINE, status={"replicas": total, "conditions": failure})).trouble

    assert refused(0) == refused(0)
    assert refused(0).topic != refused(1).topic


def test_a_replica_set_whose_pods_are_refused_is_in_trouble():
    status = {"conditions": [condition("ReplicaFailure", reason="FailedCreate", message=QUOTA)]}
    assert readiness(obj("ReplicaSet", status=status)).trouble.message == QUOTA


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret", "ServiceAccount"])
def test_what_can_not_be_unready_is_not_watched(kind):
    assert not may_change_by_itself(ObjectRef("", "v1", kind, "a", "b"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "1", "True", "Ready", "Running", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "status", "conditions", "phase", "observedGeneration", "replicas", "state", "sync"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KINDS = sorted({ObjectRef.of(row[1]) for row in ROWS}, key=str)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(KINDS), JSON, JSON)
def test_no_status_however_odd_makes_the_rules_stumble(ref, spec, status):
    live = {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": {"name": "x"}, "spec": spec, "status": status}
    assert isinstance(readiness(live).state, State)
