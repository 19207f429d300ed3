# SPDX-License-Identifier: Apache-2.0
"""Flux as released, in a sandbox: its controllers do their work, as their Deployments say, while they are installed."""

from __future__ import annotations

import json
import queue
import threading
import urllib.request
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from pulumi_gitops.core.deploy import ReleaseSpec, deploy, remove
from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.core.git import commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.yamlio import dump, load_manifests
from pulumi_gitops.sandbox import Sandbox, flux_crds, flux_manifest
from pulumi_gitops.sandbox.processes import ProcessId, marked

from .conftest import eventually, listening

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

NAMESPACE = "flux-system"
CONTROLLERS = {"source-controller", "kustomize-controller", "helm-controller", "notification-controller"}
GROUPS = {
    "GitRepository": "source.toolkit.fluxcd.io/v1",
    "Kustomization": "kustomize.toolkit.fluxcd.io/v1",
    "HelmRelease": "helm.toolkit.fluxcd.io/v2",
    "Provider": "notification.toolkit.fluxcd.io/v1beta3",
    "Alert": "notification.toolkit.fluxcd.io/v1beta3",
    "Receiver": "notification.toolkit.fluxcd.io/v1",
}
SOON = "2s"
NEVER = "10h"


def ref(kind, name, namespace=NAMESPACE):
    group, _, version = GROUPS[kind].partition("/")
    return ObjectRef(group, version, kind, namespace, name)


def make(cluster, kind, name, **spec):
    metadata = {"name": name, "namespace": NAMESPACE}
    return cluster.create({"apiVersion": GROUPS[kind], "kind": kind, "metadata": metadata, "spec": spec})


def installation(*, without=(), arguments=()):
    """Flux as a release of ours, with arguments added to kustomize-controller's."""
    objects = [obj for obj in load_manifests(flux_manifest().read_bytes()) if obj["metadata"]["name"] not in without]
    for obj in objects:
        if (obj["kind"], obj["metadata"]["name"]) == ("Deployment", "kustomize-controller"):
            obj["spec"]["template"]["spec"]["containers"][0]["args"] += arguments
    return ReleaseSpec(name="flux", namespace=NAMESPACE, objects=objects, wait_timeout=120.0, prune=True)


def running(sandbox):
    """Flux's processes that are running: name -> number."""
    return {
        process.name: process.pid for process in sandbox.processes() if process.name in CONTROLLERS and process.alive
    }


def all_run(sandbox):
    return set(running(sandbox)) == CONTROLLERS


def condition(cluster, kind, name):
    conditions = (cluster.get(ref(kind, name)).get("status") or {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == "Ready"), {})


def settled(cluster, kind, name):
    """Wait until an object is ready; return what it says."""
    return eventually(lambda: (ready := condition(cluster, kind, name)).get("status") == "True" and ready["message"])


def complains(cluster, kind, name, text):
    """Wait until an object says that something is wrong; there may be other things before."""
    eventually(lambda: (ready := condition(cluster, kind, name)).get("status") == "False" and text in ready["message"])


@pytest.fixture(scope="module")
def started(state_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        sandbox = Sandbox.start("flux", flux=True)
    yield sandbox
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        sandbox.stop()


@pytest.fixture
def cluster(started, connected):
    """The cluster with Flux installed and its processes running."""
    cluster = connected(started)
    deploy(cluster, installation())
    eventually(lambda: all_run(started))
    return cluster


class Shop:
    """A Git repository with one ConfigMap in the folder `shop`, and the Flux objects that bring it into the cluster."""

    def __init__(self, sandbox, cluster):
        self.name = f"shop-{uuid.uuid4().hex[:6]}"
        self.cluster = cluster
        self.url = sandbox.create_repository(self.name)
        self.settings = ObjectRef("", "v1", "ConfigMap", "default", self.name)
        self.commit = self.write(settings("blue", self.name))

    def write(self, content, path="shop/settings.yaml"):
        done = commit_files(self.url, "main", files={path: content}, message="change")
        return done.commit

    def deliver(self, **changes):
        make(self.cluster, "GitRepository", self.name, interval=SOON, url=self.url, ref={"branch": "main"})
        source = {"kind": "GitRepository", "name": self.name}
        spec = {"interval": SOON, "path": "./shop", "prune": True, "wait": True, "timeout": "30s", "sourceRef": source}
        make(self.cluster, "Kustomization", self.name, **spec | changes)

    def colour(self):
        found = self.cluster.find(self.settings)
        return found and found["data"]["colour"]

    def applied(self):
        return self.cluster.get(ref("Kustomization", self.name)).get("status", {}).get("lastAppliedRevision")


def settings(colour, name):
    metadata = {"name": name, "namespace": "default"}
    return dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"colour": colour}})


@pytest.fixture
def shop(started, cluster):
    shop = Shop(started, cluster)
    yield shop
    for kind in ("HelmRelease", "Kustomization", "GitRepository"):
        cluster.delete(ref(kind, shop.name))
        eventually(lambda kind=kind: cluster.find(ref(kind, shop.name)) is None)


@pytest.fixture
def receiver():
    """A server on loopback that puts what is posted to it into a queue; returns its URL and the queue."""
    posted = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", posted
        server.shutdown()
        thread.join()


def test_before_an_installation_only_the_follower_runs(connected):
    with Sandbox.start(flux=True) as sandbox:
        assert running(sandbox) == {}
        assert "flux-follower" in [process.name for process in sandbox.processes()]
        with pytest.raises(SandboxError, match="nothing takes webhooks"):
            _ = sandbox.flux_receivers_url


def test_the_composed_manifest_installs_what_the_release_names(started, cluster):
    objects = installation().objects
    images = {
        obj["metadata"]["name"]: obj["spec"]["template"]["spec"]["containers"][0]["image"]
        for obj in objects
        if obj["kind"] == "Deployment"
    }
    assert set(images) > CONTROLLERS
    assert images["source-controller"] == "ghcr.io/fluxcd/source-controller:v1.9.3"
    assert images["notification-controller"] == "ghcr.io/fluxcd/notification-controller:v1.9.2"
    crds = {obj["metadata"]["name"] for obj in objects if obj["kind"] == "CustomResourceDefinition"}
    assert crds == {load_manifests(path.read_bytes())[0]["metadata"]["name"] for path in flux_crds().iterdir()}
    assert not deploy(cluster, installation()).changed
    assert started.memory_bytes() < 1.5e9


def test_the_processes_listen_on_loopback_only(started, cluster):
    addresses = eventually(lambda: len(found := listening(running(started).values())) == 11 and found)
    assert set(addresses.values()) == {"127.0.0.1"}


def test_a_commit_arrives_and_its_revision_is_told(shop):
    shop.deliver()
    message = settled(shop.cluster, "Kustomization", shop.name)
    revision = f"main@sha1:{shop.commit}"
    assert (message, shop.colour()) == (f"Applied revision: {revision}", "blue")
    eventually(lambda: shop.applied() == revision)  # Flux writes its conditions first
    again = shop.write(settings("green", shop.name))
    eventually(lambda: shop.applied() == f"main@sha1:{again}")
    assert shop.colour() == "green"


def test_a_hand_edit_is_healed(shop):
    shop.deliver()
    eventually(lambda: shop.colour() == "blue")
    shop.cluster.patch(shop.settings, {"data": {"colour": "red"}})
    eventually(lambda: shop.colour() == "blue")


def test_what_is_removed_from_git_or_with_its_kustomization_is_pruned(shop):
    other = f"{shop.name}-other"
    shop.write(settings("red", other), "shop/other.yaml")
    shop.deliver()
    more = ObjectRef("", "v1", "ConfigMap", "default", other)
    eventually(lambda: shop.cluster.find(more))
    commit_files(shop.url, "main", files={}, delete=["shop/other.yaml"], message="remove")
    eventually(lambda: shop.cluster.find(more) is None)
    assert shop.colour() == "blue"
    shop.cluster.delete(ref("Kustomization", shop.name))
    eventually(lambda: shop.colour() is None)


def test_a_chart_from_git_is_released(shop):
    chart = {"apiVersion": "v2", "name": "shop", "version": "1.0.0"}
    shop.write(dump(chart), "chart/Chart.yaml")
    shop.write(settings("{{ .Values.colour }}", shop.name), "chart/templates/settings.yaml")
    make(shop.cluster, "GitRepository", shop.name, interval=SOON, url=shop.url, ref={"branch": "main"})
    source = {"kind": "GitRepository", "name": shop.name}
    make(
        shop.cluster,
        "HelmRelease",
        shop.name,
        interval=SOON,
        targetNamespace="default",
        chart={"spec": {"chart": "./chart", "sourceRef": source, "interval": SOON}},
        values={"colour": "yellow"},
    )
    assert "Helm install succeeded" in settled(shop.cluster, "HelmRelease", shop.name)
    assert shop.colour() == "yellow"


def test_what_is_wrong_is_told_by_the_controllers_themselves(started, cluster, shop):
    shop.deliver(path="./nowhere")
    complains(cluster, "Kustomization", shop.name, "kustomization path not found")
    name = f"{shop.name}-private"
    url = started.create_repository(name, "ci", "canary")
    make(cluster, "GitRepository", name, interval=NEVER, url=url, ref={"branch": "main"})
    make(cluster, "GitRepository", f"{name}-branch", interval=NEVER, url=shop.url, ref={"branch": "missing"})
    complains(cluster, "GitRepository", name, "authentication required")
    complains(cluster, "GitRepository", f"{name}-branch", "couldn't find remote ref")
    for left in (name, f"{name}-branch"):
        cluster.delete(ref("GitRepository", left))


def test_an_alert_delivers_a_real_event(shop, receiver):
    url, posted = receiver
    make(shop.cluster, "Provider", shop.name, type="generic", address=url)
    sources = [{"kind": "Kustomization", "name": shop.name}]
    make(
        shop.cluster,
        "Alert",
        shop.name,
        providerRef={"name": shop.name},
        eventSeverity="info",
        eventSources=sources,
        inclusionList=["created"],
    )
    shop.deliver()
    event = posted.get(timeout=60)
    assert event["involvedObject"]["name"] == shop.name
    assert event["reportingController"] == "kustomize-controller"
    assert f"ConfigMap/default/{shop.name} created" in event["message"]
    for kind in ("Alert", "Provider"):
        shop.cluster.delete(ref(kind, shop.name))


def test_a_webhook_makes_flux_look_at_once(started, shop):
    token = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": shop.name, "namespace": NAMESPACE}}
    shop.cluster.create({**token, "stringData": {"token": "canary"}})
    make(shop.cluster, "GitRepository", shop.name, interval=NEVER, url=shop.url, ref={"branch": "main"})
    settled(shop.cluster, "GitRepository", shop.name)
    sources = [{"apiVersion": GROUPS["GitRepository"], "kind": "GitRepository", "name": shop.name}]
    make(shop.cluster, "Receiver", shop.name, type="generic", secretRef={"name": shop.name}, resources=sources)
    settled(shop.cluster, "Receiver", shop.name)
    again = shop.write(settings("green", shop.name))
    path = shop.cluster.get(ref("Receiver", shop.name))["status"]["webhookPath"]
    with urllib.request.urlopen(urllib.request.Request(started.flux_receivers_url + path, b"{}")) as answer:
        assert answer.status == 200
    eventually(lambda: again in shop.cluster.get(ref("GitRepository", shop.name))["status"]["artifact"]["revision"])
    shop.cluster.delete(ref("Receiver", shop.name))
    shop.cluster.delete(ObjectRef("", "v1", "Secret", NAMESPACE, shop.name))


def test_they_have_the_rights_of_their_service_accounts(cluster, shop):
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": shop.name, "namespace": "default"}}
    shop.write(dump(account), "shop/account.yaml")
    cluster.delete(ObjectRef("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "", "cluster-reconciler"))
    shop.deliver()
    who = f"system:serviceaccount:{NAMESPACE}:kustomize-controller"
    complains(cluster, "Kustomization", shop.name, f'"{who}" cannot patch resource')
    deploy(cluster, installation())
    eventually(lambda: cluster.find(ObjectRef("", "v1", "ServiceAccount", "default", shop.name)))


def test_other_arguments_restart_only_their_process_which_then_obeys(started, cluster, shop):
    before = running(started)
    deploy(cluster, installation(arguments=["--default-service-account=nobody"]))
    eventually(lambda: all_run(started) and running(started)["kustomize-controller"] != before["kustomize-controller"])
    after = running(started)
    assert {name for name in CONTROLLERS if after[name] != before[name]} == {"kustomize-controller"}
    shop.deliver()
    complains(cluster, "Kustomization", shop.name, f"system:serviceaccount:{NAMESPACE}:nobody")
    deploy(cluster, installation())
    eventually(lambda: shop.colour() == "blue")


def test_one_that_dies_is_started_again(started, shop):
    before = running(started)["source-controller"]
    started.stop_process("source-controller")
    eventually(lambda: all_run(started) and running(started)["source-controller"] != before)
    shop.deliver()
    eventually(lambda: shop.colour() == "blue")


def test_components_that_are_left_out_do_not_run(started, cluster):
    deploy(cluster, installation(without={"helm-controller", "notification-controller"}))
    eventually(lambda: set(running(started)) == {"source-controller", "kustomize-controller"})
    deploy(cluster, installation())
    eventually(lambda: all_run(started))


def test_two_sandboxes_do_not_get_into_each_other_s_way(started, shop, connected):
    shop.deliver()
    with Sandbox.start(flux=True) as other:
        second = connected(other)
        deploy(second, installation())
        eventually(lambda: all_run(other))
        there = Shop(other, second)
        there.deliver()
        eventually(lambda: there.colour() == "blue" and shop.colour() == "blue")
        assert second.find(shop.settings) is None
        assert shop.cluster.find(there.settings) is None
        left = running(other)
    assert not [pid for pid in left.values() if ProcessId.of(pid)]
    assert marked(other.folder) == []
    assert all_run(started)


def test_they_stop_when_flux_is_removed(started, cluster):
    before = running(started)
    remove(cluster, "flux", NAMESPACE)
    eventually(lambda: running(started) == {})
    assert not [pid for pid in before.values() if ProcessId.of(pid)]
