# SPDX-License-Identifier: Apache-2.0
"""Flux as a Controller by the provider's calls: what a preview shows, what is kept, which manifests are taken."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest, flux_operator_manifest
from tests.contract.pulumi.harness import UNKNOWN, Provider, plain, secret, started, status_detail, wire
from tests.support.serving import HttpServer

MANIFESTS = """
apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: buckets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Bucket, plural: buckets}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, description: a-text-of-the-manifest}}
"""
WORKLOAD = """
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
  namespace: flux-system
  labels: {app.kubernetes.io/part-of: flux, app.kubernetes.io/component: NAME}
spec:
  selector: {matchLabels: {app: NAME}}
  template:
    metadata: {labels: {app: NAME}}
    spec: {containers: [{name: manager, image: "ghcr.io/fluxcd/NAME:v1.0.0", args: [--log-level=info]}]}
"""
SOURCE, KUSTOMIZE = (WORKLOAD.replace("NAME", name) for name in ("source-controller", "kustomize-controller"))


class Mirror(HttpServer):
    """Serves `content` as the install manifest of every version."""

    def __init__(self) -> None:
        self.content = MANIFESTS + SOURCE
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                body = mirror.content.encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                """Say nothing."""

        super().__init__(Handler)
        self.url = f"http://{self.address}"


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with Mirror() as serving:
        yield serving


def local(folder: Path, content: str) -> dict[str, str]:
    path = folder / "install.yaml"
    path.write_text(content)
    return {"controller": "flux", "version": "2.9.2", "manifests": str(path)}


def test_a_preview_of_flux_shows_what_an_option_changes(provider: Provider, tmp_path):
    flux = local(tmp_path, MANIFESTS + SOURCE + KUSTOMIZE)
    checked = provider.checked("Controller", flux)
    assert checked["namespace"] == "flux-system"
    assert set(checked["objects"]) == {
        "Namespace/flux-system",
        "apiextensions.k8s.io/CustomResourceDefinition/buckets.example.com",
        "apps/Deployment/flux-system/kustomize-controller",
        "apps/Deployment/flux-system/source-controller",
    }
    assert "a-text-of-the-manifest" not in str(checked)
    diff = provider.diff("Controller", flux, {**flux, "multitenant": True, "components": ["kustomize-controller"]})
    assert {path: pb.PropertyDiff.Kind.Name(found.kind) for path, found in diff.detailedDiff.items()} == {
        'objects["apps/Deployment/flux-system/source-controller"]': "DELETE",
        'objects["apps/Deployment/flux-system/kustomize-controller"]': "UPDATE",
    }
    assert not diff.replaces


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"components": ["helm-controller"]}, "the manifests do not hold helm-controller"),
        ({"logLevel": "loud"}, "log_level 'loud' is none of debug, info, error"),
        ({"profile": "ha"}, "Flux has no option profile"),
        ({"mirror": "https://mirror.example.com"}, "manifests and mirror exclude each other"),
    ],
)
def test_an_option_that_flux_does_not_take_is_refused_by_a_preview(provider: Provider, tmp_path, options, reason):
    [found] = provider.failures("Controller", {**local(tmp_path, MANIFESTS + SOURCE), **options}).values()
    assert reason in found


ARGOCD = """
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: argocd-application-controller}
spec:
  template:
    spec: {containers: [{name: argocd, image: "quay.io/argoproj/argocd:v3.5.7"}]}
"""


def test_of_self_management_the_password_is_secret_and_every_change_is_a_difference(provider: Provider, tmp_path):
    path = tmp_path / "install.yaml"
    path.write_text(ARGOCD)
    alone = {"controller": "argocd", "manifests": str(path)}
    place = {"url": "https://git.example.com/config.git", "password": "canary-4719"}
    itself = {**alone, "selfManage": place}
    checked = provider.checked("Controller", itself)
    assert checked["selfManage"] == {**place, "password": ("secret", "canary-4719")}
    assert checked["objects"] == provider.checked("Controller", alone)["objects"], "who applies them is no difference"
    other = {**itself, "selfManage": {**place, "password": "canary-4720"}}
    for old, new in ((alone, itself), (itself, other), (itself, alone)):
        diff = provider.diff("Controller", old, new)
        assert [name.partition(".")[0] for name in diff.detailedDiff] == ["selfManage"]
        assert not diff.replaces
    # A repository that is made by the same program is not known in a preview; the objects are.
    unknown = {**itself, "selfManage": {**place, "url": UNKNOWN}}
    assert provider.checked("Controller", unknown)["objects"] == checked["objects"]
    [found] = provider.failures("Controller", {**itself, "wait": False}).values()
    assert "self_manage needs wait" in found
    assert "canary" not in found


def test_where_manifests_come_from_and_how_long_is_waited_is_no_difference(provider: Provider, tmp_path, mirror):
    here = local(tmp_path, mirror.content)
    there = {"controller": "flux", "version": "2.9.2", "mirror": mirror.url, "lockFile": str(tmp_path / "gitops.lock")}
    diff = provider.diff("Controller", here, {**there, "wait": False, "waitTimeout": 7})
    assert diff.changes == pb.DiffResponse.DIFF_NONE
    assert not (tmp_path / "gitops.lock").exists(), "a preview writes nothing"


@pytest.mark.sandbox
def test_manifests_that_were_replaced_are_refused_with_the_lock_file_gone_and_without(
    sandbox, cluster, namespace, tmp_path, mirror
):
    lock = tmp_path / "gitops.lock"
    flux = {
        "controller": "flux", "version": "2.9.2", "namespace": namespace, "mirror": mirror.url, "lockFile": str(lock),
        "waitTimeout": 60,
    }  # fmt: skip
    env = {"KUBECONFIG": "/dev/null", "PULUMI_GITOPS_CACHE": str(tmp_path / "cache")}
    with started(env) as provider:
        config = {"kubeconfig": secret(Path(sandbox.kubeconfig).read_text())}
        provider.stub.Configure(pb.ConfigureRequest(acceptSecrets=True, args=wire(config)))
        created = provider.create("Controller", flux)
        state = plain(created.properties)
        assert state["manifestsDigest"] in lock.read_text()
        assert "a-text-of-the-manifest" not in str(state)

        mirror.content += KUSTOMIZE
        same = provider.checked("Controller", flux)
        assert set(same["objects"]) == set(state["objects"]), "the lock file knows what was downloaded"
        lock.unlink()
        with pytest.raises(grpc.RpcError) as caught:
            provider.update("Controller", created.id, created.properties, flux)
        assert f"but {state['manifestsDigest']} were installed" in str(caught.value)
        assert not lock.exists(), "the file does not learn what was refused"

        provider.update("Controller", created.id, created.properties, {**flux, "version": "2.9.3"})
        provider.delete("Controller", created.id, created.properties)


@pytest.mark.sandbox
@pytest.mark.slow
def test_another_method_hands_a_running_flux_over_in_place_and_a_destroy_removes_both(sandbox, cluster):
    sandbox.follow("flux_operator")
    components = ["source-controller", "kustomize-controller"]
    itself = {"controller": "flux", "version": "2.9.2", "manifests": str(flux_manifest()), "components": components}
    by_operator = {**itself, "manifests": str(flux_operator_manifest()), "method": "operator"}
    ref = ObjectRef("apps", "v1", "Deployment", "flux-system", "kustomize-controller")
    with started({"KUBECONFIG": "/dev/null"}) as provider:
        config = {"kubeconfig": secret(Path(sandbox.kubeconfig).read_text())}
        provider.stub.Configure(pb.ConfigureRequest(acceptSecrets=True, args=wire(config)))
        diff = provider.diff("Controller", itself, by_operator)
        assert not diff.replaces
        assert 'objects["fluxcd.controlplane.io/FluxInstance/flux-system/flux"]' in diff.detailedDiff
        created = provider.create("Controller", itself)
        uid = cluster.get(ref)["metadata"]["uid"]
        updated = provider.update("Controller", created.id, created.properties, by_operator)
        assert cluster.get(ref)["metadata"]["uid"] == uid
        assert "fluxcd.controlplane.io/FluxInstance/flux-system/flux" in plain(updated.properties)["inventory"]
        provider.delete("Controller", created.id, updated.properties)
    assert cluster.find(ref) is None
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "flux-system")) is None


def test_a_sync_that_failed_stays_so_after_a_refresh(provider: Provider):
    inputs = provider.check("Sync", {"application": "shop", "controller": "flux"}).inputs
    failed = wire({**plain(inputs), "revision": "", "sync": "", "health": ""})
    with pytest.raises(grpc.RpcError) as caught:
        provider.read("Sync", "flux/shop", inputs, failed)
    kept = status_detail(caught.value, pb.ErrorResourceInitFailed)
    assert "application shop was not synced" in kept.reasons[0]
    assert plain(kept.inputs) == plain(inputs)
    done = wire({**plain(inputs), "revision": "abc", "sync": "Synced", "health": "Healthy"})
    assert plain(provider.read("Sync", "flux/shop", inputs, done).properties)["revision"] == "abc"
