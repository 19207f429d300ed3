# SPDX-License-Identifier: Apache-2.0
"""Waiting for a set of objects, against a cluster in memory: what ends a wait, when, and what it says."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Iterator

import pytest

from pulumi_gitops.core import redact
from pulumi_gitops.core.cluster import Event
from pulumi_gitops.core.deploy import State, pods, waiting, watches
from pulumi_gitops.core.deploy.diagnosis import diagnose, examine
from pulumi_gitops.core.deploy.timers import Timers
from pulumi_gitops.core.deploy.wait_for import parse_wait_for
from pulumi_gitops.core.deploy.waiting import Target, wait_ready
from pulumi_gitops.core.deploy.watches import Group, News, grouped
from pulumi_gitops.core.errors import ApiError, ForbiddenError, InputError, NotReadyError
from pulumi_gitops.core.objects import KubeObject, ObjectRef, uid_of

SELECTOR = "app=shop"


class MemoryCluster:
    """Objects in memory that can be read and watched; what is written reaches the watches at once."""

    def __init__(self) -> None:
        self.objects: dict[str, KubeObject] = {}
        self.events: list[Event] = []
        self.changed = threading.Condition()
        self.watched: list[tuple[str, str, str, str]] = []
        self.read: list[str] = []
        self.no_watch_of: set[tuple[str, str]] = set()
        self.log = "one\ntwo"

    def put(self, obj: KubeObject, **status: object) -> KubeObject:
        fresh = copy.deepcopy(obj)
        if status:
            fresh["status"] = {**(fresh.get("status") or {}), **status}
        with self.changed:
            self.objects[ObjectRef.of(fresh).key] = fresh
            self.events.append(Event("MODIFIED", fresh))
            self.changed.notify_all()
        return fresh

    def remove(self, ref: ObjectRef) -> None:
        with self.changed:
            self.events.append(Event("DELETED", self.objects.pop(ref.key)))
            self.changed.notify_all()

    def find(self, ref: ObjectRef) -> KubeObject | None:
        with self.changed:
            self.read.append(f"GET {ref.kind}")
            return self.objects.get(ref.key)

    def list(self, api_version: str, kind: str, *, namespace="", label_selector="", field_selector="") -> list:
        with self.changed:
            self.read.append(f"LIST {kind} {namespace} {label_selector}".rstrip())
            return [obj for obj in self.objects.values() if self._fits(obj, kind, namespace, field_selector)]

    def watch(self, api_version: str, kind: str, *, namespace="", label_selector="", field_selector="", timeout, stop):
        if (kind, namespace) in self.no_watch_of:
            raise ForbiddenError(f"no right to list {kind} in {namespace or 'all namespaces'}")
        with self.changed:
            self.watched.append((kind, namespace, label_selector, field_selector))
            position = len(self.events)
            found = [obj for obj in self.objects.values() if self._fits(obj, kind, namespace, field_selector)]
            self.changed.notify_all()
        yield from (Event("ADDED", obj) for obj in found)
        yield from self._follow(position, stop, lambda obj: self._fits(obj, kind, namespace, field_selector))

    def _follow(self, position: int, stop: threading.Event, fits) -> Iterator[Event]:
        while not stop.is_set():
            with self.changed:
                self.changed.wait_for(lambda at=position: len(self.events) > at, timeout=0.05)
                news, position = self.events[position:], len(self.events)
            yield from (event for event in news if fits(event.object))

    @staticmethod
    def _fits(obj: KubeObject, kind: str, namespace: str, field_selector: str) -> bool:
        asked = dict(part.split("=", 1) for part in field_selector.split(",") if part)
        has = {
            "metadata.name": obj["metadata"]["name"],
            "involvedObject.uid": (obj.get("involvedObject") or {}).get("uid"),
            "reason": obj.get("reason"),
            "type": obj.get("type"),
        }
        return (
            obj["kind"] == kind
            and namespace in ("", obj["metadata"].get("namespace", ""))
            and all(has[name] == value for name, value in asked.items())
        )

    def logs(self, namespace: str, pod: str, container: str, *, previous: bool, tail_lines: int) -> str:
        if not self.log:
            raise ApiError("no log")
        return f"{self.log}\nprevious={previous}"

    def until_watched(self, kind: str) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: any(entry[0] == kind for entry in self.watched), timeout=10)


@pytest.fixture
def cluster() -> MemoryCluster:
    return MemoryCluster()


def made(kind: str, name: str = "web", api: str = "apps/v1", *, namespace: str = "shop", **more) -> KubeObject:
    metadata = {"name": name, "namespace": namespace, "uid": f"{kind}-{name}", "generation": 1, **more.pop("meta", {})}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **more}


ROLLED_OUT = {
    "observedGeneration": 1,
    "replicas": 1,
    "updatedReplicas": 1,
    "availableReplicas": 1,
    "readyReplicas": 1,
    "conditions": [{"type": "Available", "status": "True"}],
}
ROLLING = {**ROLLED_OUT, "availableReplicas": 0, "readyReplicas": 0}


def deployment(name: str = "web", **more) -> KubeObject:
    meta = {"annotations": {"deployment.kubernetes.io/revision": "2"}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": name}}}
    return made("Deployment", name, meta=meta, spec=spec, status=ROLLING, **more)


def custom(name: str = "main", **status: object) -> KubeObject:
    return made("Database", name, "example.com/v1", status=status)


def ready(status: str = "True") -> list[dict]:
    return [{"type": "Ready", "status": status}]


def pod(*containers: dict, name: str = "web-1", owner: str = "web-new", **status) -> KubeObject:
    owners = [{"controller": True, "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner}]
    meta = {"labels": {"pod-template-hash": owner.removeprefix("web-")}, "ownerReferences": owners}
    return made(
        "Pod", name, "v1", meta=meta, status={"phase": "Pending", "containerStatuses": list(containers), **status}
    )


def replica_set(name: str, revision: str) -> KubeObject:
    owners = [{"controller": True, "kind": "Deployment", "name": "web", "uid": "Deployment-web"}]
    meta = {"uid": name, "annotations": {"deployment.kubernetes.io/revision": revision}, "ownerReferences": owners}
    return made("ReplicaSet", name, meta=meta)


def waits(reason: str, message: str = "", restarts: int = 0) -> dict:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"name": "app", "restartCount": restarts, "state": state, "lastState": {"terminated": {"exitCode": 1}}}


class Waiter:
    """Runs a wait in a thread, so that a test can let things happen meanwhile."""

    def __init__(self, cluster: MemoryCluster, *objects: KubeObject, **options) -> None:
        self.told: list[str] = []
        self.news = threading.Condition()
        self.outcome: object = None
        targets = [Target.of(obj) for obj in objects]

        def run() -> None:
            try:
                self.outcome = wait_ready(cluster, targets, progress=self.tell, **{"timeout": 20.0, **options})
            except Exception as error:  # noqa: BLE001  # the test looks at it
                self.outcome = error

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def tell(self, progress) -> None:
        with self.news:
            self.told.append(progress.message)
            self.news.notify_all()

    def until_told(self, text: str) -> None:
        with self.news:
            assert self.news.wait_for(lambda: any(text in message for message in self.told), timeout=10), self.told

    def end(self):
        self.thread.join(timeout=20)
        assert not self.thread.is_alive()
        return self.outcome


@pytest.fixture(autouse=True)
def _short_graces(monkeypatch):
    """Let what lasts seconds in real life last moments."""
    monkeypatch.setattr(waiting, "_PODS_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "_REPEAT_SECONDS", 0.0)
    for name in ("IMAGE_SECONDS", "CONFIG_SECONDS", "UNSCHEDULABLE_SECONDS", "REJECTED_SECONDS"):
        monkeypatch.setattr(pods, name, 0.2)


# --- the good end ----------------------------------------------------------------------------------------------------


def test_it_ends_when_everything_is_ready_and_says_what_took_how_long(cluster):
    first, second = cluster.put(deployment()), cluster.put(custom(conditions=ready("False")))
    config = made("ConfigMap", "web", "v1")
    waiter = Waiter(cluster, first, config, second)
    waiter.until_told("Deployment shop/web: LessAvailable")
    cluster.put(first, **ROLLED_OUT)
    waiter.until_told("Deployment shop/web: ready")
    cluster.put(second, conditions=ready())
    found = waiter.end()
    assert [(str(status.ref), status.state) for status in found] == [
        ("Deployment shop/web", State.CURRENT),
        ("ConfigMap shop/web", State.CURRENT),
        ("Database shop/main", State.CURRENT),
    ]
    assert 0 < found[0].seconds <= found[2].seconds
    assert found[1].seconds == 0
    assert {entry[0] for entry in cluster.watched} == {"Deployment", "Database", "Pod"}


def test_no_secret_is_told_or_returned(cluster):
    redact.register("canary-4714-secret")
    condition = {"type": "Ready", "status": "False", "message": "password canary-4714-secret is wrong"}
    live = cluster.put(custom(conditions=[condition]))
    waiter = Waiter(cluster, live)
    waiter.until_told("password *** is wrong")
    inactive = {**condition, "type": "ScalingActive", "reason": "FailedGetResourceMetric"}
    scaler = made("HorizontalPodAutoscaler", "web", "autoscaling/v2", status={"conditions": [inactive]})
    cluster.put(live, conditions=ready())
    assert "canary" not in str(waiter.end()) + str(waiter.told)
    assert (
        wait_ready(cluster, [Target.of(cluster.put(scaler))], timeout=20, progress=print)[0].message
        == "password *** is wrong"
    )


def test_what_gets_unready_again_before_the_rest_is_ready_is_waited_for(cluster):
    first, second = cluster.put(custom("a")), cluster.put(custom("b", conditions=ready("False")))
    waiter = Waiter(cluster, first, second)
    waiter.until_told("Database shop/a: ready")
    cluster.put(first, conditions=ready("False"))
    waiter.until_told("Database shop/a: NotReady")
    cluster.put(second, conditions=ready())
    waiter.until_told("Database shop/b: ready")
    assert waiter.thread.is_alive()
    cluster.put(first, conditions=ready())
    assert all(status.state is State.CURRENT for status in waiter.end())


def test_a_state_that_the_last_read_does_not_confirm_does_not_count(cluster, monkeypatch):
    live = cluster.put(custom(conditions=ready()))
    late = custom(conditions=[{"type": "Ready", "status": "False", "reason": "Flapped"}])
    honest, answers = cluster.find, [late]
    monkeypatch.setattr(cluster, "find", lambda ref: answers.pop() if answers else honest(ref))
    waiter = Waiter(cluster, live)
    waiter.until_told("Flapped")
    cluster.put(live, conditions=ready())
    assert waiter.end()[0].state is State.CURRENT


def test_many_objects_of_a_kind_are_confirmed_by_one_list(cluster):
    objects = [cluster.put(custom(str(number), conditions=ready())) for number in range(50)]
    assert len(wait_ready(cluster, [Target.of(obj) for obj in objects], timeout=20, progress=lambda _: None,
                          label_selector=SELECTOR)) == 50  # fmt: skip
    assert cluster.read == [f"LIST Database shop {SELECTOR}"]
    assert cluster.watched == [("Database", "shop", SELECTOR, "")]


def test_what_never_changes_by_itself_or_is_not_to_be_awaited_costs_no_request(cluster):
    skipped = custom()
    skipped["metadata"]["annotations"] = {"pulumi.com/skipAwait": "true"}
    found = Waiter(cluster, made("ConfigMap", "a", "v1"), made("Service", "a", "v1"), skipped).end()
    assert [status.reason for status in found] == ["", "", "SkipAwait"]
    assert (cluster.watched, cluster.read) == ([], [])


def test_a_finished_job_that_the_cluster_removed_is_ready(cluster):
    job = cluster.put(made("Job", "once", "batch/v1", spec={"ttlSecondsAfterFinished": 5}, status={"startTime": "now"}))
    waiter = Waiter(cluster, job)
    waiter.until_told("JobWithoutPods")
    cluster.remove(ObjectRef.of(job))
    assert waiter.end()[0].reason == "Deleted"


def test_an_expression_decides_in_place_of_the_rule(cluster):
    live = cluster.put(custom(conditions=ready("False"), phase="Starting"))
    waiter = Waiter(cluster, live, wait_for=[parse_wait_for("jsonpath={.status.phase}=Running")])
    waiter.until_told("WaitFor: jsonpath={.status.phase}=Running: it is 'Starting'")
    cluster.put(live, phase="Running")
    assert waiter.end()[0].state is State.CURRENT


def test_an_expression_can_be_about_what_never_changes_by_itself(cluster):
    live = cluster.put(made("ConfigMap", "web", "v1", data={}))
    expression = parse_wait_for({"kind": "ConfigMap", "name": "web", "jsonpath": "{.data.ready}=yes"})
    waiter = Waiter(cluster, live, wait_for=[expression])
    waiter.until_told("there is nothing at {.data.ready}")
    cluster.put({**live, "data": {"ready": "yes"}})
    assert waiter.end()[0].state is State.CURRENT


def test_an_expression_about_nothing_is_refused_before_anything_is_watched(cluster):
    expression = parse_wait_for({"kind": "Typo", "condition": "Ready"})
    assert isinstance(Waiter(cluster, custom(), wait_for=[expression]).end(), InputError)
    assert cluster.watched == []


def claim_and_class(cluster: MemoryCluster, mode: str) -> KubeObject:
    found = made("StorageClass", "fast", "storage.k8s.io/v1", namespace="", volumeBindingMode=mode)
    del found["metadata"]["namespace"]
    cluster.put(found)
    spec = {"storageClassName": "fast"}
    return cluster.put(made("PersistentVolumeClaim", "data", "v1", spec=spec, status={"phase": "Pending"}))


def test_a_claim_that_waits_for_its_first_pod_blocks_nothing(cluster):
    found = Waiter(cluster, claim_and_class(cluster, "WaitForFirstConsumer")).end()
    assert found[0].reason == "WaitForFirstConsumer"


def test_a_claim_that_is_bound_at_once_is_waited_for(cluster):
    claim = claim_and_class(cluster, "Immediate")
    waiter = Waiter(cluster, claim)
    waiter.until_told("NotBound")
    cluster.put(claim, phase="Bound")
    assert waiter.end()[0].reason == ""


# --- the bad end -----------------------------------------------------------------------------------------------------


def failure(waiter: Waiter) -> NotReadyError:
    found = waiter.end()
    assert isinstance(found, NotReadyError), found
    return found


def test_time_runs_out_and_each_object_says_why(cluster):
    live = cluster.put(custom(conditions=[{"type": "Ready", "status": "False", "reason": "NoDisk", "message": "full"}]))
    error = failure(Waiter(cluster, live, cluster.put(custom("other")), timeout=0.3))
    assert error.message.startswith("1 of 2 objects not ready after 0.3 s:\n- Database shop/main: NoDisk: full")
    assert error.details["objects"][0] | {"findings": []} == {
        "object": "Database shop/main",
        "kind": "Database",
        "namespace": "shop",
        "name": "main",
        "state": "InProgress",
        "reason": "NoDisk",
        "message": "full",
        "findings": [],
    }


def test_nothing_happens_for_too_long(cluster):
    live = cluster.put(custom(conditions=ready("False")))
    error = failure(Waiter(cluster, live, stall_timeout=0.3))
    assert "nothing has happened for 0.3 s" in error.message


def inside(cluster: MemoryCluster, *objects: KubeObject) -> waiting._Wait:
    """Return a wait that is not running: the test gives it its news."""
    targets = [Target.of(obj) for obj in objects]
    return waiting._Wait(cluster, targets, "", lambda _: None, 20.0, 5.0, strict_lb=False)


def test_progress_inside_a_status_is_no_stall_but_a_new_timestamp_alone_is_no_progress(cluster):
    live = custom(conditions=ready("False"), done=0, at="2026-11-25T07:00:00Z")
    wait = inside(cluster, live)

    def moves(**status: object) -> bool:
        wait._moved = 0.0
        changed = {**live, "status": {**live["status"], **status}}
        wait._take(News(watches.TARGET, ObjectRef.of(live), changed))
        return wait._moved > 0

    assert moves()
    assert not moves()
    assert moves(done=1)
    assert not moves(done=1, at="2026-11-25T07:00:01.5Z")


def test_a_pod_that_gets_further_is_no_stall(cluster):
    wait = inside(cluster, deployment())

    def moves(obj: KubeObject) -> bool:
        wait._moved = 0.0
        wait._take(News(watches.POD, ObjectRef.of(obj), obj))
        return wait._moved > 0

    assert moves(pod())
    assert not moves(pod())
    assert moves(pod(phase="Running"))


def test_a_failed_object_ends_it_at_once(cluster):
    broken = {"type": "Stalled", "status": "True", "reason": "Broken", "message": "for good"}
    error = failure(Waiter(cluster, cluster.put(custom(conditions=[broken])), cluster.put(deployment())))
    assert "objects failed:\n- Database shop/main: Broken: for good" in error.message
    assert [entry["name"] for entry in error.details["objects"]] == ["main", "web"]


def test_what_is_deleted_meanwhile_fails_after_a_moment(cluster, monkeypatch):
    monkeypatch.setattr(waiting, "_GONE_SECONDS", 0.1)
    live = cluster.put(custom(conditions=ready("False")))
    waiter = Waiter(cluster, live)
    waiter.until_told("NotReady")
    cluster.remove(ObjectRef.of(live))
    assert "Database shop/main: Deleted: it was deleted meanwhile" in failure(waiter).message


def test_another_object_of_the_same_name_is_not_the_one_that_was_applied(cluster):
    live = cluster.put(custom(conditions=ready("False")))
    waiter = Waiter(cluster, live)
    waiter.until_told("NotReady")
    cluster.put({**live, "metadata": {**live["metadata"], "uid": "other"}, "status": {"conditions": ready()}})
    assert "another object of this name has taken its place" in failure(waiter).message


def test_a_label_that_somebody_takes_away_is_not_called_a_deletion(cluster):
    objects = [cluster.put(custom(name, conditions=ready("False"))) for name in ("a", "b")]
    waiter = Waiter(cluster, *objects, label_selector=SELECTOR)
    waiter.until_told("Database shop/b: NotReady")
    with cluster.changed:  # that is how a watch with a selector sees it
        cluster.events.append(Event("DELETED", objects[0]))
        cluster.changed.notify_all()
    assert f"somebody took the label {SELECTOR} away" in failure(waiter).message


def rollout(cluster: MemoryCluster, *found: KubeObject, **options) -> Waiter:
    cluster.put(replica_set("web-new", "2"))
    cluster.put(replica_set("web-old", "1"))
    for obj in found:
        cluster.put(obj)
    return Waiter(cluster, cluster.put(deployment()), **options)


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (
            waits("ImagePullBackOff", "no such image"),
            "ImagePullBackOff: pod web-1: container app: ImagePullBackOff: no",
        ),
        (waits("InvalidImageName"), "InvalidImageName: pod web-1"),
        (waits("CreateContainerConfigError", 'secret "x" not found'), 'secret "x" not found'),
        (waits("CrashLoopBackOff", restarts=2), "container app crashed 3 times, last with exit code 1"),
    ],
)
def test_a_pod_that_can_not_start_ends_the_wait_long_before_time_runs_out(cluster, container, said):
    error = failure(rollout(cluster, pod(container)))
    assert "- Deployment shop/web: " in error.message
    assert said in error.message


def test_a_pod_without_a_place_ends_the_wait(cluster):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert "PodUnschedulable: pod web-1: 0/3 nodes" in failure(rollout(cluster, pod(conditions=[condition]))).message


def test_a_trouble_that_passes_does_no_harm(cluster):
    wait = inside(cluster, deployment())
    timers = []
    for container in (waits("ErrImagePull"), waits("ImagePullBackOff"), waits("ContainerCreating")):
        obj = pod(container)
        wait._take(News(watches.POD, ObjectRef.of(obj), obj))
        timers.append(wait._timers.next())
    assert timers[0] is not None
    assert timers[1] == timers[0]  # trying again is no new start
    assert timers[2] is None


def test_a_crashing_pod_of_the_old_revision_does_not_stop_its_replacement(cluster):
    old = pod(waits("CrashLoopBackOff", restarts=9), name="web-0", owner="web-old")
    waiter = rollout(cluster, old)
    cluster.until_watched("Pod")
    time.sleep(0.3)
    assert waiter.thread.is_alive()
    cluster.put(deployment(), **ROLLED_OUT)
    assert waiter.end()[0].state is State.CURRENT


def test_without_the_right_to_see_pods_a_wait_goes_on_without(cluster):
    cluster.no_watch_of.add(("Pod", "shop"))
    waiter = rollout(cluster)
    waiter.until_told("LessAvailable")
    cluster.put(deployment(), **ROLLED_OUT)
    assert waiter.end()[0].state is State.CURRENT


def test_pods_are_narrowed_by_the_selector_of_the_only_workload_there(cluster):
    waiter = rollout(cluster)
    cluster.until_watched("Pod")
    cluster.put(deployment(), **ROLLED_OUT)
    waiter.end()
    assert ("Pod", "shop", "app=web", "") in cluster.watched


REFUSED = 'create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: exceeded quota: small'


def refusal(of: KubeObject, message: str = REFUSED) -> KubeObject:
    about = {"involvedObject": {"uid": uid_of(of)}, "reason": "FailedCreate", "type": "Warning"}
    return made("Event", f"{of['metadata']['name']}.1", "v1", message=message, **about)


def test_pods_that_the_api_server_refuses_end_the_wait_with_its_words(cluster):
    stateful = made("StatefulSet", "db", spec={"replicas": 1}, status={"observedGeneration": 1})
    waiter = Waiter(cluster, cluster.put(stateful))
    cluster.until_watched("Event")
    cluster.put(refusal(stateful))
    cluster.put(refusal(stateful))
    error = failure(waiter)
    assert f"StatefulSet shop/db: FailedCreate: {REFUSED}" in error.message
    assert ("Event", "shop", "", "reason=FailedCreate,type=Warning") in cluster.watched


def test_a_single_refusal_that_the_next_try_got_past_does_no_harm(cluster):
    stateful = made("StatefulSet", "db", spec={"replicas": 2}, status={"observedGeneration": 1})
    waiter = Waiter(cluster, cluster.put(stateful))
    cluster.until_watched("Event")
    cluster.put(refusal(stateful))
    cluster.put(stateful, replicas=1)
    waiter.until_told("1 of 2 replicas created")
    time.sleep(0.4)
    assert waiter.thread.is_alive()
    cluster.put(stateful, replicas=2, readyReplicas=2, currentReplicas=2)
    assert waiter.end()[0].state is State.CURRENT


def test_a_missing_right_to_watch_what_is_waited_for_is_said(cluster):
    cluster.no_watch_of.add(("Database", "shop"))
    assert isinstance(Waiter(cluster, cluster.put(custom(conditions=ready("False")))).end(), ForbiddenError)


def test_only_some_of_many_objects_are_described(cluster):
    objects = [cluster.put(custom(f"{number:02}", conditions=ready("False"))) for number in range(30)]
    error = failure(Waiter(cluster, *objects, timeout=0.5))
    assert "30 of 30 objects not ready" in error.message
    assert error.message.endswith("- and 10 more")
    assert len(error.details["objects"]) == 20


# --- what is found out -----------------------------------------------------------------------------------------------


def test_a_finding_tells_events_containers_and_last_words_without_secrets(cluster):
    redact.register("canary-4713-secret")
    cluster.log = "\n".join(f"line {number} canary-4713-secret" for number in range(30))
    live = cluster.put(deployment())
    cluster.put(pod(waits("CrashLoopBackOff", "back-off canary-4713-secret", restarts=3)))
    cluster.put({**refusal(live, "no room, canary-4713-secret"), "reason": "FailedScheduling", "count": 4})
    found = examine(cluster, live, ObjectRef.of(live))
    assert "canary" not in str(found.as_dict())
    assert found.findings[0] == "event FailedScheduling (4 times): no room, ***"
    assert "pod web-1, container app: CrashLoopBackOff: back-off ***" in found.findings
    assert "last lines of pod web-1, container app (before its restart):" in found.findings
    assert found.findings[-1] == "  | previous=True"
    assert len(found.logs[0]["lines"]) == 10
    assert found.containers[0] | {"message": ""} == {
        "pod": "web-1",
        "container": "app",
        "state": "waiting",
        "reason": "CrashLoopBackOff",
        "message": "",
        "restarts": 3,
    }
    assert diagnose(cluster, live, ObjectRef.of(live)) == list(found.findings)
    assert diagnose(cluster, None, ObjectRef.of(live)) == []


def test_what_a_pod_waits_for_is_told_once_also_when_an_event_repeats_it(cluster):
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    live, waiting = cluster.put(deployment()), cluster.put(pod(conditions=[condition]))
    cluster.put({**refusal(waiting, "0/3 nodes"), "reason": "FailedScheduling"})
    found = examine(cluster, live, ObjectRef.of(live))
    assert found.findings == ("pod web-1: Unschedulable: 0/3 nodes",)
    assert [event["reason"] for event in found.events] == ["FailedScheduling"]


def test_a_log_that_can_not_be_read_leaves_the_rest_of_the_findings(cluster):
    cluster.log = ""
    live = cluster.put(deployment())
    cluster.put(pod(waits("CrashLoopBackOff", restarts=3)))
    found = examine(cluster, live, ObjectRef.of(live))
    assert found.logs == ()
    assert found.findings == ("pod web-1, container app: CrashLoopBackOff: exit code 1",)


def test_the_newest_pods_are_looked_at_and_those_that_are_well_are_not(cluster):
    live = cluster.put(deployment())
    for number in range(6):
        stuck = pod(waits("ImagePullBackOff", str(number)), name=f"web-{number}")
        stuck["metadata"]["creationTimestamp"] = f"2026-11-25T07:00:0{number}Z"
        cluster.put(stuck, conditions=ready() if number == 5 else [])
    found = examine(cluster, live, ObjectRef.of(live))
    assert [entry["pod"] for entry in found.containers] == ["web-4", "web-3", "web-2"]


# --- how many watches ------------------------------------------------------------------------------------------------


def refs(kinds: int, namespaces: int, each: int = 2) -> list[ObjectRef]:
    return [
        ObjectRef("example.com", "v1", f"Kind{k}", f"ns-{n}", f"x-{i}")
        for k in range(kinds)
        for n in range(namespaces)
        for i in range(each)
    ]


def test_there_is_one_group_per_kind_and_namespace_and_one_per_kind_when_that_is_too_many():
    few = grouped(refs(2, 3))
    assert [(group.kind, group.namespace, len(group.refs)) for group in few] == [
        (f"Kind{k}", f"ns-{n}", 2) for k in range(2) for n in range(3)
    ]
    many = grouped(refs(3, 100), SELECTOR)
    assert {(group.namespace, group.label_selector, len(group.refs)) for group in many} == {("", SELECTOR, 200)}
    assert all(len(group.parts) == 100 for group in many)


def test_five_thousand_objects_of_mixed_kinds_take_a_bounded_number_of_watches(cluster, monkeypatch):
    monkeypatch.setattr(watches, "_POLL_SECONDS", 0.05)
    objects = [
        cluster.put(made(ref.kind, ref.name, "example.com/v1", namespace=ref.namespace, status={"conditions": ready()}))
        for ref in refs(50, 20, 5)
    ]
    before = threading.active_count()
    most: list[int] = []
    targets = [Target.of(obj) for obj in objects]
    found = wait_ready(cluster, targets, timeout=60, progress=lambda _: most.append(threading.active_count()))
    assert len(found) == 5000
    assert all(status.state is State.CURRENT for status in found)
    assert len(cluster.watched) == watches.MOST_WATCHES
    assert max(most) - before <= watches.MOST_WATCHES + 1


def test_where_all_namespaces_can_not_be_watched_each_is_read_in_turn(cluster, monkeypatch):
    monkeypatch.setattr(watches, "_POLL_SECONDS", 0.05)
    cluster.no_watch_of.add(("Database", ""))
    objects = [
        cluster.put(made("Database", "x", "example.com/v1", namespace=f"ns-{n}", status={"conditions": ready("False")}))
        for n in range(30)
    ]
    waiter = Waiter(cluster, *objects)
    waiter.until_told("Database ns-29/x: NotReady")
    for obj in objects:
        cluster.put(obj, conditions=ready())
    assert len(waiter.end()) == 30


def test_a_group_reads_few_objects_one_by_one_and_many_by_a_list(cluster):
    for name in "abcde":
        cluster.put(custom(name))
    chosen = tuple(ObjectRef("example.com", "v1", "Database", "shop", name) for name in "abcd")
    assert len(Group("example.com/v1", "Database", "shop", chosen[:3]).read(cluster)) == 3
    assert cluster.read == ["GET Database"] * 3
    found = Group("example.com/v1", "Database", "shop", chosen).read(cluster)
    assert sorted(obj["metadata"]["name"] for obj in found) == list("abcd")
    assert cluster.read[3:] == ["LIST Database shop"]


# --- deadlines -------------------------------------------------------------------------------------------------------


def test_timers_are_due_in_order_once_and_not_after_they_were_cancelled():
    timers = Timers()
    for key, at in (("b", 2.0), ("a", 1.0), ("c", 3.0), ("d", 9.0)):
        timers.start(key, at)
    timers.start("a", 0.0)  # runs already
    timers.cancel("b")
    timers.cancel("unknown")
    assert timers.next() == 1.0
    assert list(timers.due(3.0)) == ["a", "c"]
    assert list(timers.due(3.0)) == []
    timers.start("a", 4.0)
    assert timers.next() == 4.0
    assert list(timers.due(10.0)) == ["a", "d"]
    assert timers.next() is None
