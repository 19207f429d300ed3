# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps that Flux installs, by the provider's calls: Flux's controllers and the chart are the real ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from pulumi_gitops.core import controllers
from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.controllers import ControllerSpec
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.contract.pulumi.harness import UNKNOWN, Provider, plain, status_detail, urn, wire
from tests.support.weave import VERSION, helm_repository

SYSTEM = "flux-system"
DEPLOYMENT = ObjectRef("apps", "v1", "Deployment", SYSTEM, "weave-gitops")
RELEASE = ObjectRef("helm.toolkit.fluxcd.io", "v2", "HelmRelease", SYSTEM, "weave-gitops")
SOURCE = ObjectRef("source.toolkit.fluxcd.io", "v1", "HelmRepository", SYSTEM, "weave-gitops")
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "no-services", "namespace": SYSTEM},
    "spec": {"hard": {"count/services": "0"}},
}
KEYS = {ref: f"{ref.group}/{ref.kind}/{SYSTEM}/weave-gitops" for ref in (SOURCE, RELEASE)}
CANARY = "canary-4731"


def program(mirror: object, *, level: str = "warn", **options: object) -> dict[str, object]:
    """What a program says: the server would read the login from a Secret that nobody needs here."""
    values = {"logLevel": level, "envVars": [{"name": "NOTE", "value": CANARY}]}
    return {"controller": "weave_gitops", "method": "helm_release", "mirror": mirror, "values": values, **options}


def test_a_preview_shows_what_flux_is_told_and_another_method_replaces_it(provider: Provider, tmp_path):
    told = program("https://charts.example.com")
    checked = provider.checked("Controller", told)
    assert (checked["version"], checked["namespace"], set(checked["objects"])) == ("0.38.0", SYSTEM, {*KEYS.values()})
    assert checked["values"] == ("secret", told["values"])
    assert CANARY not in str(checked["objects"])
    previewed = plain(provider.create("Controller", told, preview=True).properties)
    assert previewed["version"] == "0.38.0"
    assert previewed["revision"] == UNKNOWN
    # A URL that another resource of the program makes is known later.
    assert provider.checked("Controller", program(UNKNOWN))["objects"] == UNKNOWN

    diff = provider.diff("Controller", told, program("https://charts.example.com", level="debug"))
    assert list(diff.detailedDiff) == [f'objects["{KEYS[RELEASE]}"]']
    assert not diff.replaces
    diff = provider.diff("Controller", told, program("https://other.example.com"))
    assert list(diff.detailedDiff) == [f'objects["{KEYS[SOURCE]}"]']
    assert provider.diff("Controller", told, {**told, "waitTimeout": 7}).changes == pb.DiffResponse.DIFF_NONE
    before = provider.check("Controller", told).inputs
    after = wire({**before, "method": "manifests"})
    request = pb.DiffRequest(urn=urn("Controller", "shop"), id="x", old_inputs=before, news=after, olds=before)
    diff = provider.stub.Diff(request)
    assert (list(diff.replaces), diff.deleteBeforeReplace) == (["method"], True)
    [found] = provider.failures("Controller", {**told, "lockFile": str(tmp_path / "gitops.lock")}).values()
    assert "it is Flux that fetches the chart" in found


@pytest.fixture
def flux(cluster: Cluster, sandbox) -> Iterator[None]:
    """Flux, gone after the test."""
    spec = ControllerSpec(name="flux", version="2.9.2", manifests=str(flux_manifest()))
    controllers.install(cluster, spec)
    yield
    controllers.uninstall(cluster, spec)


def arguments(cluster: Cluster) -> list[str]:
    """The arguments of the server that Flux has installed."""
    return cluster.get(DEPLOYMENT)["spec"]["template"]["spec"]["containers"][0]["args"]


@pytest.mark.sandbox
@pytest.mark.slow
def test_flux_installs_changes_and_removes_the_chart_and_says_why_it_can_not(
    on_cluster: Provider, cluster: Cluster, flux, tmp_path: Path
):
    with helm_repository(tmp_path) as url:
        told = program(url, waitTimeout=60)
        on_cluster.create("Controller", told, preview=True)
        assert cluster.find(SOURCE) is None
        index = tmp_path / "index.yaml"
        there = index.read_text()

        # The repository has another version than the one that is asked for. The quota is for later.
        cluster.create(QUOTA)
        index.write_text(there.replace(VERSION, "4.0.1"))
        with pytest.raises(grpc.RpcError) as caught:
            on_cluster.create("Controller", told)
        kept = status_detail(caught.value, pb.ErrorResourceInitFailed)
        [reason] = kept.reasons
        assert f"no 'weave-gitops' chart with version matching '{VERSION}' found" in reason
        assert "is not there: check mirror" in reason
        assert CANARY not in reason
        index.write_text(there)

        # With the version there the API server refuses, and Flux gives up; with the quota gone the same succeeds.
        with pytest.raises(grpc.RpcError) as caught:
            on_cluster.update("Controller", kept.id, kept.properties, told)
        kept = status_detail(caught.value, pb.ErrorResourceInitFailed)
        [reason] = kept.reasons
        assert "is forbidden: exceeded quota: no-services" in reason
        assert "what the API server complains of" in reason
        cluster.delete(ObjectRef.of(QUOTA))
        done = on_cluster.update("Controller", kept.id, kept.properties, told)
        state = plain(done.properties)
        assert (state["version"], set(state["inventory"])) == ("0.38.0", {*KEYS.values()})
        assert "warn" in arguments(cluster)
        inputs = on_cluster.check("Controller", told).inputs
        again = on_cluster.read("Controller", kept.id, inputs, done.properties)
        assert plain(again.inputs) == plain(inputs)

        # Values change it in place.
        uid = cluster.get(RELEASE)["metadata"]["uid"]
        louder = program(url, level="debug", waitTimeout=60)
        updated = on_cluster.update("Controller", kept.id, done.properties, louder)
        assert "debug" in arguments(cluster)
        assert cluster.get(RELEASE)["metadata"]["uid"] == uid

        # A hand edit is drift, which the next update repairs.
        interval = cluster.get(RELEASE)["spec"]["interval"]
        cluster.patch(RELEASE, {"spec": {"interval": "77m"}})
        inputs = on_cluster.check("Controller", louder).inputs
        seen = plain(on_cluster.read("Controller", kept.id, inputs, updated.properties).inputs)["objects"]
        assert {key for key, text in seen.items() if "drifted" in text} == {KEYS[RELEASE]}
        repaired = on_cluster.update("Controller", kept.id, updated.properties, louder)
        assert cluster.get(RELEASE)["spec"]["interval"] == interval

        on_cluster.delete("Controller", kept.id, repaired.properties)
    assert cluster.find(DEPLOYMENT) is None
    for kind in ("source.toolkit.fluxcd.io/v1/HelmRepository", "source.toolkit.fluxcd.io/v1/HelmChart"):
        assert cluster.list(*kind.rsplit("/", 1), namespace=SYSTEM) == []
    left = cluster.list("v1", "Secret", namespace=SYSTEM)
    assert [secret["metadata"]["name"] for secret in left] == ["pulumi-gitops.flux"]
    roles = cluster.list("rbac.authorization.k8s.io/v1", "ClusterRole")
    assert not [role for role in roles if role["metadata"]["name"].startswith(("wego", "weave"))]
