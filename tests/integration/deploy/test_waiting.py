# SPDX-License-Identifier: Apache-2.0
"""Waiting on a real API server with real controllers: who gets ready is noticed, who can not is given up early.

The nodes and their pods are simulated (kwok): a pod that is held by a scheduling gate is left alone, and its status is
written by the test as kubelet would write it. Such a pod has no log.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import State, pods, readiness
from pulumi_gitops.core.deploy.applying import await_served
from pulumi_gitops.core.deploy.diagnosis import examine
from pulumi_gitops.core.deploy.wait_for import parse_wait_for
from pulumi_gitops.core.deploy.waiting import ObjectStatus, Target, wait_ready
from pulumi_gitops.core.errors import InputError, NotReadyError
from pulumi_gitops.core.objects import KubeObject, ObjectRef
from tests.support.apiproxy import ApiProxy, CutWatch, GoneInWatch
from tests.support.manifests import config, deployment, job

pytestmark = pytest.mark.sandbox

GATE = {"schedulingGates": [{"name": "example.com/held-by-the-test"}]}


class Place:
    """The namespace of one test."""

    def __init__(self, cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})

    def apply(self, obj: KubeObject, **pod: object) -> KubeObject:
        """Apply an object here; keywords go into the spec of its pods."""
        if pod:
            template = {**obj["spec"]["template"], "spec": {**obj["spec"]["template"]["spec"], **pod}}
            obj = {**obj, "spec": {**obj["spec"], "template": template}}
        return self.cluster.apply({**obj, "metadata": {**obj["metadata"], "namespace": self.namespace}}, force=True)

    def status(self, ref: ObjectRef, **status: object) -> KubeObject:
        return self.cluster.patch(ref, {"status": status}, subresource="status")

    def wait(self, *objects: KubeObject, cluster=None, **options) -> tuple[ObjectStatus, ...]:
        targets = [Target.of(obj) for obj in objects]
        options = {"timeout": 60.0, "progress": lambda _: None, **options}
        return wait_ready(cluster or self.cluster, targets, **options)

    def fails(self, *objects: KubeObject, **options) -> NotReadyError:
        with pytest.raises(NotReadyError) as caught:
            self.wait(*objects, **options)
        return caught.value

    def until(self, kind: str, fits: Callable[[KubeObject], bool], api: str = "v1") -> KubeObject:
        """Return the first object of a kind that fits, as soon as there is one."""
        events = self.cluster.watch(api, kind, namespace=self.namespace, timeout=60)
        return next(event.object for event in events if fits(event.object))


@pytest.fixture
def place(cluster, namespace) -> Place:
    return Place(cluster, namespace)


@pytest.fixture
def _short_graces(monkeypatch):
    for name in ("IMAGE_SECONDS", "CONFIG_SECONDS", "UNSCHEDULABLE_SECONDS", "REJECTED_SECONDS"):
        monkeypatch.setattr(pods, name, 1.0)


def stateful(name: str = "db") -> KubeObject:
    found = {**deployment(name), "kind": "StatefulSet"}
    return {**found, "spec": {**found["spec"], "serviceName": name}}


def daemon(name: str = "agent") -> KubeObject:
    found = {**deployment(name), "kind": "DaemonSet"}
    return {**found, "spec": {key: value for key, value in found["spec"].items() if key != "replicas"}}


def waiting(reason: str, message: str, restarts: int = 0) -> dict:
    state = {"waiting": {"reason": reason, "message": message}}
    ended = {"terminated": {"exitCode": 3, "reason": "Error", "startedAt": None, "finishedAt": None}}
    common = {"name": "web", "image": "x", "imageID": "", "ready": False, "restartCount": restarts, "state": state}
    return {**common, "lastState": ended if restarts else {}}


# --- the good end ----------------------------------------------------------------------------------------------------


def test_all_built_in_workloads_get_ready_and_so_does_what_comes_with_them(place):
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "web"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    }
    scaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}},
    }
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    }
    made = [deployment(replicas=3), stateful(), daemon(), job(), config(), budget, scaler, ingress, service]
    objects = [place.apply(obj) for obj in made]
    told: list[str] = []
    found = place.wait(*objects, progress=lambda step: told.append(step.message))
    assert [status.state for status in found] == [State.CURRENT] * len(objects)
    assert found[0].seconds > 0
    assert f"Deployment {place.namespace}/web: ready" in told


def test_an_address_is_waited_for_only_on_request(place):
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    service = place.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec})
    place.wait(service)
    assert "NoAddress" in place.fails(service, strict_lb=True, timeout=1).message
    place.status(ObjectRef.of(service), loadBalancer={"ingress": [{"ip": "192.0.2.1"}]})
    assert place.wait(service, strict_lb=True)[0].state is State.CURRENT


def test_a_claim_whose_volume_comes_with_a_pod_blocks_nothing(place, namespace):
    for mode in ("WaitForFirstConsumer", "Immediate"):
        name = f"{namespace}-{mode.lower()}"
        found = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
        place.cluster.apply({**found, "provisioner": "example.com/none", "volumeBindingMode": mode})
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        metadata = {"name": mode.lower()}
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata}
        live = place.apply({**claim, "spec": {**spec, "storageClassName": name}})
        try:
            if mode == "WaitForFirstConsumer":
                assert place.wait(live)[0].reason == "WaitForFirstConsumer"
            else:
                assert "NotBound" in place.fails(live, timeout=1).message
        finally:
            place.cluster.delete(ObjectRef("storage.k8s.io", "v1", "StorageClass", "", name))


@pytest.fixture
def databases(cluster, place, namespace) -> Iterator[Callable[..., KubeObject]]:
    """A kind of the test's own, with a status; returns a function that applies one."""
    group = f"{namespace}.example.com"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": schema, "status": schema}}},
    }
    crd = cluster.apply(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"databases.{group}"},
            "spec": {
                "group": group,
                "names": {"kind": "Database", "plural": "databases"},
                "scope": "Namespaced",
                "versions": [version],
            },
        }
    )
    place.wait(crd)
    await_served(cluster, [crd])

    def make(name: str = "main", **more: object) -> KubeObject:
        metadata = {"name": name, "annotations": more.pop("annotations", {})}
        return place.apply({"apiVersion": f"{group}/v1", "kind": "Database", "metadata": metadata, "spec": more})

    yield make
    cluster.delete(ObjectRef.of(crd))


def ready(status: str, generation: int = 1, **more: str) -> list[dict]:
    return [{"type": "Ready", "status": status, "observedGeneration": generation, **more}]


def in_background(action: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(action())
        except Exception as error:  # noqa: BLE001  # the test looks at it
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


class Told:
    """Collects progress, and lets a test wait for a message."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.news = threading.Condition()

    def __call__(self, step) -> None:
        with self.news:
            self.messages.append(step.message)
            self.news.notify_all()

    def until(self, text: str) -> None:
        with self.news:
            assert self.news.wait_for(lambda: any(text in found for found in self.messages), timeout=30), self.messages


def test_a_custom_resource_is_ready_with_the_condition_of_its_newest_generation(place, databases):
    live = databases(size=1)
    ref = ObjectRef.of(live)
    place.status(ref, observedGeneration=1, conditions=ready("True"))
    changed = databases(size=2)
    told = Told()
    thread, outcome = in_background(lambda: place.wait(changed, progress=told))
    told.until("LatestGenerationNotObserved")
    place.status(ref, observedGeneration=2, conditions=ready("True", 1))
    told.until("the condition Ready is of an older generation")
    place.status(ref, observedGeneration=2, conditions=ready("True", 2))
    thread.join(timeout=30)
    assert outcome[0][0].state is State.CURRENT


def test_an_expression_is_waited_for_and_one_that_is_about_nothing_is_refused(place, databases):
    live, other = databases(size=1), databases("other", size=1)
    expression = parse_wait_for({"kind": "Database", "name": "main", "jsonpath": "{.status.nodes[*].state}=up"})
    told = Told()
    thread, outcome = in_background(lambda: place.wait(live, other, progress=told, wait_for=[expression]))
    told.until("there is nothing at {.status.nodes[*].state}")
    place.status(ObjectRef.of(live), nodes=[{"state": "up"}, {"state": "starting"}])
    told.until("it is 'starting'")
    place.status(ObjectRef.of(live), nodes=[{"state": "up"}, {"state": "up"}])
    thread.join(timeout=30)
    assert [status.state for status in outcome[0]] == [State.CURRENT, State.CURRENT]
    with pytest.raises(InputError, match="no object of the set is meant"):
        place.wait(live, wait_for=[parse_wait_for({"kind": "Cluster", "condition": "Ready"})])


def test_annotations_say_what_an_object_is_ready_by_or_that_it_is_not_awaited(place, databases):
    awaited = databases(annotations={"pulumi.com/waitFor": "jsonpath={.status.phase}=Running"})
    skipped = databases("skipped", annotations={"pulumi.com/skipAwait": "true"})
    place.status(ObjectRef.of(skipped), conditions=ready("False"))
    told = Told()
    thread, outcome = in_background(lambda: place.wait(awaited, skipped, progress=told))
    told.until("there is nothing at {.status.phase}")
    place.status(ObjectRef.of(awaited), phase="Running")
    thread.join(timeout=30)
    assert [status.reason for status in outcome[0]] == ["", "SkipAwait"]


@pytest.mark.parametrize("fault", [CutWatch(after=1), CutWatch(after=1, inside=True), GoneInWatch(after=1)])
def test_a_watch_that_breaks_loses_nothing(sandbox, place, databases, tmp_path, fault):
    live = databases(size=1)
    place.status(ObjectRef.of(live), conditions=ready("False", reason="First"))
    with (
        ApiProxy(sandbox.kubeconfig, tmp_path) as proxy,
        connect(ConnectionOptions(kubeconfig=str(proxy.kubeconfig))) as shaky,
    ):
        rule = proxy.inject(fault, verb="watch", path="databases")
        told = Told()
        thread, outcome = in_background(lambda: place.wait(live, cluster=shaky, progress=told))
        told.until("First")
        for number in range(4):
            place.status(ObjectRef.of(live), conditions=ready("False", reason=f"Step{number}"))
            told.until(f"Step{number}")
        place.status(ObjectRef.of(live), conditions=ready("True"))
        thread.join(timeout=30)
        assert rule.hits >= 1, "the fault did not happen: the test shows nothing"
    assert outcome[0][0].state is State.CURRENT


def test_a_set_is_confirmed_by_one_list_and_its_pods_are_not_looked_at_when_it_is_ready(sandbox, place, tmp_path):
    label = {"app.example.com/set": place.namespace}
    made = [deployment(f"web-{number}") for number in range(8)]
    objects = [place.apply({**obj, "metadata": {**obj["metadata"], "labels": label}}) for obj in made]
    selector = f"app.example.com/set={place.namespace}"
    place.wait(*objects, label_selector=selector)
    with (
        ApiProxy(sandbox.kubeconfig, tmp_path) as proxy,
        connect(ConnectionOptions(kubeconfig=str(proxy.kubeconfig))) as counted,
    ):
        place.wait(*objects, cluster=counted, label_selector=selector)
        asked = [(request.verb, request.resource) for request in proxy.requests if request.resource]
    assert asked.count(("list", "deployments")) == 2  # where the watch begins, and at the end
    assert {resource for _, resource in asked} == {"deployments"}
    assert ("get", "deployments") not in asked


# --- the bad end -----------------------------------------------------------------------------------------------------


def gated(place: Place, obj: KubeObject, status: dict, **more: object) -> tuple[KubeObject, KubeObject]:
    """Apply a workload whose pods are held, give its first pod containers in this state; return both."""
    live = place.apply(obj, **GATE)
    found = place.until("Pod", lambda pod: pod["metadata"]["name"].startswith(live["metadata"]["name"]))
    return live, place.status(ObjectRef.of(found), containerStatuses=[status], **more)


@pytest.mark.usefixtures("_short_graces")
@pytest.mark.parametrize("kind", [deployment, stateful, daemon, job], ids=lambda kind: kind.__name__)
def test_an_image_that_can_not_be_pulled_ends_the_wait_early(place, kind):
    status = waiting("ImagePullBackOff", 'Back-off pulling image "registry.example.com/web:1"')
    live, pod = gated(place, kind("web"), status)
    started = time.monotonic()
    error = place.fails(live)
    assert time.monotonic() - started < 40
    said = f"{live['kind']} {place.namespace}/web: ImagePullBackOff: pod {pod['metadata']['name']}: container web"
    assert said in error.message
    entry = error.details["objects"][0]
    assert (entry["state"], entry["reason"]) == ("Failed", "ImagePullBackOff")
    assert entry["containers"][0]["reason"] == "ImagePullBackOff"


@pytest.mark.usefixtures("_short_graces")
def test_a_crash_loop_of_new_pods_ends_the_wait_and_one_of_old_pods_does_not(place):
    first = place.apply(deployment())
    place.wait(first)
    old = place.until("Pod", lambda pod: pod["status"]["phase"] == "Running")
    place.status(ObjectRef.of(old), containerStatuses=[waiting("CrashLoopBackOff", "back-off", 7)],
                 conditions=[{"type": "Ready", "status": "False"}])  # fmt: skip
    second = place.apply(deployment(image="registry.example.com/web:2"), **GATE)
    new = place.until("Pod", lambda pod: pod["metadata"]["name"] != old["metadata"]["name"])
    told = Told()
    thread, outcome = in_background(lambda: place.wait(second, progress=told))
    told.until("ExtraPods: 1 old replicas still run")
    thread.join(timeout=3)  # pods are looked at after one second, and this one crashes since before
    assert thread.is_alive(), outcome
    place.status(ObjectRef.of(new), containerStatuses=[waiting("CrashLoopBackOff", "back-off", 2)])
    thread.join(timeout=30)
    assert isinstance(outcome[0], NotReadyError)
    name = new["metadata"]["name"]
    assert f"pod {name}: container web crashed 3 times, last with exit code 3 (Error)" in outcome[0].message


@pytest.mark.usefixtures("_short_graces")
def test_pods_without_a_place_end_the_wait_with_the_schedulers_words(place):
    error = place.fails(place.apply(deployment(), nodeSelector={"no": "such-node"}))
    assert f"Deployment {place.namespace}/web: PodUnschedulable: pod web-" in error.message
    assert "node affinity/selector" in error.message


@pytest.mark.usefixtures("_short_graces")
@pytest.mark.parametrize("kind", [deployment, stateful, daemon, job], ids=lambda kind: kind.__name__)
def test_pods_that_a_quota_refuses_end_the_wait_with_the_quotas_name(place, kind):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none-at-all"}}
    place.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    place.until("ResourceQuota", lambda found: (found.get("status") or {}).get("hard"))
    error = place.fails(place.apply(kind("web")))
    assert f"{kind('web')['kind']} {place.namespace}/web: FailedCreate: " in error.message
    assert "exceeded quota: none-at-all" in error.message


def test_a_job_that_fails_says_so_at_once(place):
    made = job()
    live = place.apply({**made, "spec": {**made["spec"], "backoffLimit": 0}}, **GATE)
    pod = place.until("Pod", lambda found: found["metadata"]["name"].startswith("migrate"))
    told = Told()
    thread, outcome = in_background(lambda: place.wait(live, progress=told))
    told.until("0 of 1 pods succeeded")
    ended = {"exitCode": 1, "reason": "Error", "startedAt": None, "finishedAt": None}
    status = {"name": "migrate", "image": "x", "imageID": "", "ready": False, "restartCount": 0}
    place.status(ObjectRef.of(pod), phase="Failed", containerStatuses=[{**status, "state": {"terminated": ended}}])
    thread.join(timeout=30)
    assert isinstance(outcome[0], NotReadyError)
    assert f"Job {place.namespace}/migrate: BackoffLimitExceeded" in outcome[0].message
    assert f"pod {pod['metadata']['name']}, container migrate: Error: exit code 1 (Error)" in outcome[0].message


def test_nothing_that_happens_ends_the_wait_before_time_runs_out(place, databases):
    live = databases(size=1)
    place.status(ObjectRef.of(live), conditions=ready("False", reason="NoDisk", message="the disk is full"))
    error = place.fails(live, stall_timeout=1.0)
    assert "nothing has happened for 1 s" in error.message
    assert f"Database {place.namespace}/main: NoDisk: the disk is full" in error.message


def test_what_a_person_deletes_meanwhile_is_said(place, databases):
    live = databases(size=1)
    place.status(ObjectRef.of(live), conditions=ready("False"))
    told = Told()
    thread, outcome = in_background(lambda: place.wait(live, progress=told, timeout=3))
    told.until("NotReady")
    place.cluster.delete(ObjectRef.of(live))
    thread.join(timeout=30)
    assert "Deleted: it was deleted meanwhile" in str(outcome[0])


def test_a_simulated_node_has_no_log_and_that_is_no_error(place):
    live, pod = gated(place, deployment(), waiting("CrashLoopBackOff", "back-off 20s", 3))
    found = examine(place.cluster, live, ObjectRef.of(live))
    assert found.logs == ()
    assert f"pod {pod['metadata']['name']}, container web: CrashLoopBackOff: back-off 20s" in found.findings
    assert not any("log" in finding for finding in found.findings)
    assert not readiness(live).ready
