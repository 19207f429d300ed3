# SPDX-License-Identifier: Apache-2.0
"""What a pod is stuck in, how long that may last, and whose pods count for a rollout."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.deploy import podwatch, readiness
from pulumi_gitops.core.deploy.pods import trouble_of
from pulumi_gitops.core.deploy.podwatch import Pods, Workload, event_trouble
from pulumi_gitops.core.deploy.states import View, progressing
from pulumi_gitops.core.errors import ForbiddenError
from pulumi_gitops.core.objects import KubeObject, ObjectRef


def waiting(reason: str, message: str = "", *, restarts: int = 0, last: dict | None = None) -> dict:
    found = {"name": "app", "restartCount": restarts, "state": {"waiting": {"reason": reason, "message": message}}}
    return {**found, "lastState": {"terminated": last}} if last else found


def pod(
    *containers: dict, owner: dict | None = None, labels: dict | None = None, uid: str = "p1", **more
) -> KubeObject:
    init, conditions = more.pop("init", ()), more.pop("conditions", ())
    metadata = {"name": f"pod-{uid}", "namespace": "shop", "uid": uid, "labels": labels or {}, **more.pop("meta", {})}
    if owner:
        metadata["ownerReferences"] = [{"controller": True, "apiVersion": "apps/v1", **owner}]
    status = {"phase": "Pending", "containerStatuses": list(containers), "initContainerStatuses": list(init)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "status": {**status, "conditions": list(conditions), **more},
    }


UNSCHEDULABLE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
GATED = {**UNSCHEDULABLE, "reason": "SchedulingGated"}

TROUBLES = [
    ("starting", pod(waiting("ContainerCreating")), None, None),
    ("image pull", pod(waiting("ErrImagePull", "not found")), "ErrImagePull", 10.0),
    ("image pull, waiting for the next try", pod(waiting("ImagePullBackOff")), "ImagePullBackOff", 10.0),
    ("image of an init container", pod(init=[waiting("ImagePullBackOff")]), "ImagePullBackOff", 10.0),
    ("image name that is none", pod(waiting("InvalidImageName")), "InvalidImageName", 0.0),
    ("no ConfigMap", pod(waiting("CreateContainerConfigError", 'configmap "x" not found')),
     "CreateContainerConfigError", 30.0),
    ("first crashes", pod(waiting("CrashLoopBackOff", restarts=1)), None, None),
    ("crash loop", pod(waiting("CrashLoopBackOff", restarts=2)), "CrashLoopBackOff", 0.0),
    ("no place", pod(conditions=[UNSCHEDULABLE]), "PodUnschedulable", 15.0),
    ("its disk is being made", pod(conditions=[{
        **UNSCHEDULABLE, "message": "pod has unbound immediate PersistentVolumeClaims"}]), "PodUnschedulable", 120.0),
    ("the scheduler makes room", pod(conditions=[UNSCHEDULABLE], nominatedNodeName="node-1"), None, None),
    ("held by a gate", pod(conditions=[GATED]), None, None),
]  # fmt: skip


@pytest.mark.parametrize(("live", "reason", "grace"), [r[1:] for r in TROUBLES], ids=[r[0] for r in TROUBLES])
def test_trouble(live, reason, grace):
    found = trouble_of(View.of(live))
    assert (found and found.reason, found and found.grace) == (reason, grace)
    assert readiness(live).ready is False


def test_trying_to_pull_again_is_the_same_trouble():
    pulling, backing_off = (trouble_of(View.of(pod(waiting(r)))) for r in ("ErrImagePull", "ImagePullBackOff"))
    assert pulling.topic == backing_off.topic


def test_a_crash_loop_says_how_the_container_ended():
    last = {"exitCode": 137, "reason": "OOMKilled"}
    found = trouble_of(View.of(pod(waiting("CrashLoopBackOff", restarts=3, last=last))))
    assert found.message == "container app crashed 4 times, last with exit code 137 (OOMKilled)"


# --- whose pod it is -------------------------------------------------------------------------------------------------


class FakeCluster:
    """Holds objects; knows find and list."""

    def __init__(self, *objects: KubeObject, forbidden: bool = False) -> None:
        self.objects = objects
        self.forbidden = forbidden
        self.requests = 0

    def find(self, ref: ObjectRef) -> KubeObject | None:
        self.requests += 1
        if self.forbidden:
            raise ForbiddenError("no")
        return next((obj for obj in self.objects if ObjectRef.of(obj) == ref), None)

    def list(self, api_version: str, kind: str, **_: str) -> list[KubeObject]:
        self.requests += 1
        if self.forbidden:
            raise ForbiddenError("no")
        return [obj for obj in self.objects if obj["kind"] == kind]


def workload(kind: str = "Deployment", *, uid: str = "w", api: str = "apps/v1", observed: int = 3, **more) -> Workload:
    return Workload.of(
        {
            "apiVersion": api,
            "kind": kind,
            "metadata": {"name": "web", "namespace": "shop", "uid": uid, "generation": 3, **more.pop("meta", {})},
            "spec": {"selector": {"matchLabels": {"b": "2", "a": "1"}}},
            "status": {"observedGeneration": observed, **more},
        }
    )


def replica_set(name: str, revision: str, *, owner: str = "w") -> KubeObject:
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "annotations": {"deployment.kubernetes.io/revision": revision},
            "ownerReferences": [{"controller": True, "kind": "Deployment", "uid": owner}],
        },
    }


NEW, OLD, FOREIGN = replica_set("web-new", "2"), replica_set("web-old", "1"), replica_set("web-x", "2", owner="other")
AT_2 = {"meta": {"annotations": {"deployment.kubernetes.io/revision": "2"}}}
CRASHING = waiting("CrashLoopBackOff", restarts=5)


def judged(cluster: FakeCluster, found: KubeObject, of: Workload, *others: KubeObject):
    pods = Pods(cluster)
    for other in others:
        pods.take(other, gone=False)
    _, record = pods.take(found, gone=False)
    return pods.verdict(record, of)


def pod_of(name: str, *containers: dict, **more) -> KubeObject:
    owner = {"kind": "ReplicaSet", "name": name, "uid": f"uid-{name}"}
    return pod(*containers, owner=owner, labels={"pod-template-hash": name.removeprefix("web-")}, **more)


def test_a_crashing_pod_of_the_newest_replica_set_fails_the_rollout_and_an_old_or_foreign_one_does_not():
    cluster = FakeCluster(NEW, OLD, FOREIGN)
    failure = judged(cluster, pod_of("web-new", CRASHING), workload(**AT_2))
    assert "pod pod-p1: container app crashed 6 times" in failure.message
    assert isinstance(judged(cluster, pod_of("web-old", CRASHING), workload(**AT_2)), float)
    assert isinstance(judged(cluster, pod_of("web-x", CRASHING), workload(**AT_2)), float)


def test_nothing_counts_before_the_controller_has_seen_the_new_generation():
    cluster = FakeCluster(NEW)
    assert isinstance(judged(cluster, pod_of("web-new", CRASHING), workload(**AT_2, observed=2)), float)
    assert cluster.requests == 0


def test_without_the_right_to_read_replica_sets_no_pod_counts():
    assert isinstance(judged(FakeCluster(forbidden=True), pod_of("web-new", CRASHING), workload(**AT_2)), float)


def test_whose_pod_it_is_is_asked_once():
    cluster = FakeCluster(NEW, OLD)
    pods = Pods(cluster)
    for number in range(50):
        _, record = pods.take(pod_of("web-old", CRASHING, uid=str(number)), gone=False)
        pods.verdict(record, workload(**AT_2))
    assert cluster.requests == 1


def test_a_pod_belongs_to_the_deployment_of_its_replica_set_or_to_its_owner():
    pods = Pods(FakeCluster())
    assert pods.take(pod_of("web-new"), gone=False)[1].family == "apps/Deployment/shop/web"
    alone = pod(owner={"kind": "ReplicaSet", "name": "web-1", "uid": "u"})
    assert pods.take(alone, gone=False)[1].family == "apps/ReplicaSet/shop/web-1"
    assert pods.take(pod(), gone=False)[1] is None


@pytest.mark.parametrize(("revision", "counts"), [("web-2", True), ("web-1", False)])
def test_a_stateful_sets_pod_counts_when_it_is_of_the_update_revision(revision, counts):
    owner = {"kind": "StatefulSet", "name": "web", "uid": "w"}
    found = pod(CRASHING, owner=owner, labels={"controller-revision-hash": revision})
    verdict = judged(FakeCluster(), found, workload("StatefulSet", updateRevision="web-2"))
    assert isinstance(verdict, float) is not counts


@pytest.mark.parametrize(("revision", "counts"), [("22", True), ("11", False)])
def test_a_daemon_sets_pod_counts_when_it_is_of_the_newest_revision(revision, counts):
    def entry(digest: str, number: int, owner: str = "w") -> KubeObject:
        metadata = {
            "labels": {"controller-revision-hash": digest},
            "ownerReferences": [{"controller": True, "uid": owner}],
        }
        return {"kind": "ControllerRevision", "metadata": metadata, "revision": number}

    cluster = FakeCluster(entry("22", 2), entry("11", 1), entry("33", 3, owner="other"))
    owner = {"kind": "DaemonSet", "name": "web", "uid": "w"}
    found = pod(CRASHING, owner=owner, labels={"controller-revision-hash": revision})
    assert isinstance(judged(cluster, found, workload("DaemonSet")), float) is not counts


def test_a_job_says_itself_how_often_its_pods_may_crash_but_not_how_long_they_wait_for_an_image():
    owner = {"kind": "Job", "name": "web", "uid": "w", "apiVersion": "batch/v1"}
    job = workload("Job", api="batch/v1")
    assert judged(FakeCluster(), pod(CRASHING, owner=owner), job) is None
    assert judged(FakeCluster(), pod(waiting("ImagePullBackOff"), owner=owner), job).reason == "ImagePullBackOff"


def event(reason: str) -> KubeObject:
    return {"kind": "Event", "metadata": {"name": reason}, "reason": reason}


def test_a_pod_without_a_place_waits_for_pods_that_end_and_for_a_node_that_comes(monkeypatch):
    stuck = pod_of("web-new", conditions=[UNSCHEDULABLE])
    ending = pod_of("web-old", uid="p2", meta={"deletionTimestamp": "2026-11-25T07:00:00Z"})
    assert judged(FakeCluster(NEW), stuck, workload(**AT_2)).reason == "PodUnschedulable"
    assert isinstance(judged(FakeCluster(NEW), stuck, workload(**AT_2), ending), float)
    scaling = FakeCluster(NEW, event("FailedScheduling"), event("TriggeredScaleUp"))
    assert isinstance(judged(scaling, stuck, workload(**AT_2)), float)
    several, before = Pods(scaling), scaling.requests
    for number in range(9):
        _, record = several.take(pod_of("web-new", conditions=[UNSCHEDULABLE], uid=str(number)), gone=False)
        assert isinstance(several.verdict(record, workload(**AT_2)), float)
    assert scaling.requests - before == 2  # one ReplicaSet and one list of events for all pods of a workload
    monkeypatch.setattr(podwatch, "SCALE_UP_SECONDS", 0.0)
    assert judged(scaling, stuck, workload(**AT_2)).reason == "PodUnschedulable"


def test_a_trouble_lasts_from_when_it_was_first_seen():
    pods = Pods(FakeCluster())
    _, first = pods.take(pod_of("web-new", waiting("ErrImagePull")), gone=False)
    _, second = pods.take(pod_of("web-new", waiting("ImagePullBackOff")), gone=False)
    assert second.since == first.since
    pods.take(pod_of("web-new", waiting("ContainerCreating")), gone=False)
    _, third = pods.take(pod_of("web-new", waiting("ErrImagePull")), gone=False)
    assert third.since > first.since
    assert pods.take(pod_of("web-new"), gone=True) == (third, None)
    assert pods.get("p1") is None


def test_an_event_counts_when_it_is_newer_than_our_write():
    entry = {"manager": "pulumi-gitops", "operation": "Apply", "time": "2026-11-25T07:00:10Z"}
    of = workload("StatefulSet", meta={"managedFields": [entry]})
    said = {"message": 'create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: exceeded quota: q'}
    state = progressing("LessReplicas", "0 of 1 replicas created")
    assert event_trouble({**said, "lastTimestamp": "2026-11-25T07:00:11Z"}, of, state).message == said["message"]
    assert event_trouble({**said, "series": {"lastObservedTime": "2026-11-25T07:00:12.5Z"}}, of, state)
    assert event_trouble({**said, "lastTimestamp": "2026-11-25T06:59:59Z"}, of, state) is None
    assert event_trouble({"message": "timed out", "lastTimestamp": "2026-11-25T07:00:11Z"}, of, state) is None
