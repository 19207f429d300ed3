# SPDX-License-Identifier: Apache-2.0
"""The life of a Release and a Controller by the provider's calls, on a real API server."""

from __future__ import annotations

import threading

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import engine_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from pulumi_gitops.core.deploy import Origin, ReleaseSpec, deploy, read_release
from pulumi_gitops.core.objects import ObjectRef
from tests.contract.pulumi.harness import Provider, plain, secret, status_detail, urn, wire

ANSIBLE = Origin(face="ansible")
pytestmark = pytest.mark.sandbox


def config_map(color: str, name: str = "web") -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"color": color}}


def deployment(replicas: int, **pod) -> dict:
    container = {"name": "web", "image": "registry.example.com/web:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container], **pod}},
        },
    }


def objects(answer: pb.ReadResponse) -> dict[str, str]:
    return plain(answer.inputs)["objects"]


def test_create_read_update_delete(on_cluster: Provider, cluster, namespace):
    web = ObjectRef("", "v1", "ConfigMap", namespace, "web")
    news = {"namespace": namespace, "definition": [config_map("blue"), config_map("blue", "other")]}
    created = on_cluster.create("Release", news)
    inputs = on_cluster.check("Release", news).inputs
    state = plain(created.properties)
    assert created.id == f"{namespace}/shop"
    assert state["revision"] == 1
    assert f"ConfigMap/{namespace}/web" in state["inventory"]
    on_cluster.engine.wait_for(
        lambda r: r.ephemeral and r.message.startswith("apply") and r.urn == urn("Release", "shop")
    )

    same = on_cluster.read("Release", created.id, inputs, created.properties)
    assert plain(same.inputs) == plain(inputs), "a refresh without drift changes nothing"

    cluster.patch(web, {"data": {"color": "red"}})
    drifted = on_cluster.read("Release", created.id, inputs, created.properties)
    differing = {key for key, text in objects(drifted).items() if text != plain(inputs)["objects"][key]}
    assert differing == {f"ConfigMap/{namespace}/web"}
    assert "drifted: changed" in objects(drifted)[f"ConfigMap/{namespace}/web"]

    healed = [config_map("blue"), config_map("blue", "other")]
    deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=healed, origin=ANSIBLE))
    back = on_cluster.read("Release", created.id, drifted.inputs, drifted.properties)
    assert objects(back) == plain(inputs)["objects"], "what another face has put right is no drift any more"

    on_cluster.delete("Release", created.id, created.properties)
    assert cluster.find(web) is None
    assert on_cluster.read("Release", created.id, inputs, created.properties).id == "", "gone"


def test_a_revision_that_another_tool_deployed_shows_as_drift_of_its_objects(on_cluster: Provider, cluster, namespace):
    news = {
        "namespace": namespace,
        "definition": [config_map("blue"), config_map("blue", "same"), config_map("x", "left")],
    }
    created = on_cluster.create("Release", news)
    theirs = [config_map("green"), config_map("blue", "same"), config_map("y", "added")]
    deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=theirs, origin=ANSIBLE))

    read = on_cluster.read("Release", created.id, on_cluster.check("Release", news).inputs, created.properties)
    found = objects(read)
    assert plain(read.properties)["revision"] == 2
    assert "deployed differently in revision 2" in found[f"ConfigMap/{namespace}/web"]
    assert "deployed in revision 2" in found[f"ConfigMap/{namespace}/added"]
    assert f"ConfigMap/{namespace}/left" not in found
    assert "|" not in found[f"ConfigMap/{namespace}/same"]


def test_what_was_begun_is_kept_when_it_does_not_get_ready(on_cluster: Provider, cluster, namespace):
    news = {
        "namespace": namespace,
        "definition": [deployment(1, nodeSelector={"no": "such-node"})],
        "waitTimeout": 2,
    }
    with pytest.raises(grpc.RpcError) as caught:
        on_cluster.create("Release", news)
    kept = status_detail(caught.value, pb.ErrorResourceInitFailed)
    assert kept.id == f"{namespace}/shop"
    assert plain(kept.properties)["revision"] == 1
    assert plain(kept.inputs)["waitTimeout"] == 2
    assert "not ready after 2 s" in kept.reasons[0]


def test_cancel_ends_the_wait_and_keeps_what_was_begun(on_cluster: Provider, cluster, namespace):
    news = {"namespace": namespace, "definition": [deployment(1, nodeSelector={"no": "such-node"})]}
    errors: list[grpc.RpcError] = []

    def create() -> None:
        with pytest.raises(grpc.RpcError) as caught:
            on_cluster.create("Release", news)
        errors.append(caught.value)

    running = threading.Thread(target=create)
    running.start()
    for _ in cluster.watch("apps/v1", "Deployment", namespace=namespace, timeout=30):
        break  # it is applied, and will not get ready
    on_cluster.stub.Cancel(empty_pb2.Empty())
    running.join(timeout=30)
    kept = status_detail(errors[0], pb.ErrorResourceInitFailed)
    assert kept.id == f"{namespace}/shop"
    assert "cancelled" in kept.reasons[0]
    assert read_release(cluster, "shop", namespace, drift=False) is not None


def test_nothing_begun_keeps_no_state(on_cluster: Provider, cluster, namespace):
    news = {"namespace": namespace, "createNamespace": False, "definition": config_map("blue")}
    with pytest.raises(grpc.RpcError) as caught:
        on_cluster.create("Release", news)
    assert not caught.value.trailing_metadata()
    assert namespace in caught.value.details()


def test_a_preview_warns_of_what_would_fail_and_changes_nothing(on_cluster: Provider, cluster, namespace):
    on_cluster.create("Release", {"namespace": namespace, "definition": config_map("blue")})
    invalid = {**config_map("red"), "dat": {"typo": "1"}}
    on_cluster.create("Release", {"namespace": namespace, "definition": invalid}, preview=True)
    on_cluster.engine.wait_for(lambda r: r.severity == engine_pb2.WARNING and "dat" in r.message)
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "web"))["data"] == {"color": "blue"}


def test_a_release_is_imported_by_its_id(on_cluster: Provider, cluster, namespace):
    deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=[config_map("blue")], origin=ANSIBLE))
    read = on_cluster.read("Release", f"{namespace}/shop", wire({}), wire({}))
    inputs = plain(read.inputs)
    assert (inputs["release"], inputs["namespace"]) == ("shop", namespace)
    assert list(inputs["objects"]) == [f"ConfigMap/{namespace}/web"]
    assert plain(read.properties)["revision"] == 1


def test_the_custom_timeout_of_the_resource_limits_the_wait(on_cluster: Provider, namespace):
    news = {"namespace": namespace, "definition": deployment(1, nodeSelector={"no": "such-node"})}
    inputs = on_cluster.check("Release", news).inputs
    with pytest.raises(grpc.RpcError) as caught:
        on_cluster.stub.Create(pb.CreateRequest(urn=urn("Release", "shop"), properties=inputs, timeout=2))
    kept = status_detail(caught.value, pb.ErrorResourceInitFailed)
    assert "not ready after 2 s" in kept.reasons[0]
    assert "waitTimeout" not in plain(kept.inputs)


def test_a_secret_is_shown_nowhere(on_cluster: Provider, cluster, namespace):
    value = "canary-83-secret"
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"key": secret(value)}}
    bad = {**config_map(value), "dat": {"typo": value}}
    created = on_cluster.create("Release", {"namespace": namespace, "definition": [made]})
    assert value not in str(plain(created.properties)["objects"])
    with pytest.raises(grpc.RpcError) as caught:
        on_cluster.create("Release", {"namespace": namespace, "release": "bad", "definition": [bad]}, name="bad")
    assert value not in caught.value.details()
    assert all(value not in request.message for request in on_cluster.engine.logged)
