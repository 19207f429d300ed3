# SPDX-License-Identifier: Apache-2.0
"""With method operator the options of Flux are said to Flux Operator in its words."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from pulumi_gitops.core.controllers import ControllerSpec, controller_release
from pulumi_gitops.core.controllers.flux import operating, operator
from pulumi_gitops.core.controllers.presence import DIGEST_FACT, OPERATOR_FACT, VERSION_FACT
from pulumi_gitops.core.errors import InputError, OwnershipError

MANIFEST = b"""
apiVersion: v1
kind: Namespace
metadata: {name: flux-system}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fluxinstances.fluxcd.controlplane.io}
spec: {group: fluxcd.controlplane.io, scope: Namespaced, names: {kind: FluxInstance}, versions: []}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: flux-operator, namespace: flux-system}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: flux-operator, namespace: flux-system}
spec:
  template:
    spec:
      containers: [{name: manager, image: "ghcr.io/controlplaneio-fluxcd/flux-operator:v0.59.0"}]
"""


def spec(**options):
    return ControllerSpec(name="flux", method="operator", **options)


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "install.yaml"
    path.write_bytes(MANIFEST)
    return str(path)


def test_of_defaults_only_what_differs_from_the_operators_is_said():
    assert operator.instance(spec())["spec"] == {
        "distribution": {"version": "2.9.2", "registry": "ghcr.io/fluxcd"},
        "cluster": {"multitenant": False, "networkPolicy": True},
    }


def test_every_option_reaches_the_instance_or_the_operators_own_objects(manifest):
    patch = {"target": {"kind": "Deployment", "name": "source-controller"}, "patch": {"spec": {"replicas": 0}}}
    release, version = controller_release(
        spec(
            manifests=manifest, version="2.8.x", namespace="gitops", registry="registry.example.com/mirror",
            image_pull_secret="mirror", components=["source-controller", "kustomize-controller"], multitenant=True,
            network_policies=False, log_level="debug", concurrency=7, patches=[patch],
        )
    )  # fmt: skip
    assert version == "2.8.x"
    by_kind = {obj["kind"]: obj for obj in release.objects}
    assert set(by_kind) == {"CustomResourceDefinition", "ServiceAccount", "Deployment", "FluxInstance"}
    pod = by_kind["Deployment"]["spec"]["template"]["spec"]
    image = "registry.example.com/mirror/controlplaneio-fluxcd/flux-operator:v0.59.0"
    assert (pod["containers"][0]["image"], pod["imagePullSecrets"]) == (image, [{"name": "mirror"}])
    assert {obj["metadata"]["namespace"] for obj in release.objects if obj["kind"] != "CustomResourceDefinition"} == {
        "gitops"
    }
    content = by_kind["FluxInstance"]["spec"]
    flags, own = content.pop("kustomize")["patches"]
    assert content == {
        "distribution": {
            "version": "2.8.x",
            "registry": "registry.example.com/mirror/fluxcd",
            "imagePullSecret": "mirror",
        },
        "cluster": {"multitenant": True, "networkPolicy": False},
        "components": ["source-controller", "kustomize-controller"],
    }
    assert [step["value"] for step in yaml.safe_load(flags["patch"])] == ["--log-level=debug", "--concurrent=7"]
    assert own["target"] == patch["target"]
    assert yaml.safe_load(own["patch"])["spec"] == {"replicas": 0}


def test_the_released_manifest_is_pinned_by_the_lock_file_and_a_mirror_takes_its_place(server, tmp_path):
    server.files["/v0.60.0/install.yaml"] = MANIFEST
    wanted = spec(mirror=server.url, operator_version="0.60.0", lock_file=str(tmp_path / "gitops.lock"))
    release, version = controller_release(wanted)
    digest = hashlib.sha256(MANIFEST).hexdigest()
    assert version == "2.9.2"
    assert release.facts == {VERSION_FACT: "2.9.2", DIGEST_FACT: digest, OPERATOR_FACT: "0.60.0"}
    assert operator.manifest_url(spec()) == (
        "https://github.com/controlplaneio-fluxcd/flux-operator/releases/download/v0.59.0/install.yaml"
    )
    assert controller_release(spec(mirror=server.url, operator_version="0.60.0", checksum=digest))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "helm_release"}, "'helm_release' of Flux is none of manifests, operator"),
        ({"operator_version": "0.59.0"}, "operator_version is for method operator"),
        ({"method": "operator", "manifests": "a.yaml", "operator_version": "0.59.0"}, "not along with manifests"),
        ({"name": "argocd", "method": "operator"}, "Argo CD has no option method"),
        ({"name": "weave_gitops", "method": "operator"}, "is none of manifests, helm_release"),
    ],
)
def test_a_method_is_for_the_controllers_that_have_it(options, message):
    with pytest.raises(InputError, match=message):
        ControllerSpec(**{"name": "flux", **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": ["shop"]}, "shop is none of"),
        ({"log_level": "loud"}, "none of debug, info, error"),
        ({"patches": [{"patch": {"spec": {}}}]}, "has no target"),
    ],
)
def test_what_flux_does_not_have_is_refused_before_the_operator_is_asked(options, message, manifest):
    with pytest.raises(InputError, match=message):
        controller_release(spec(manifests=manifest, **options))


def test_other_manifests_than_those_of_the_operator_are_refused(tmp_path):
    path = tmp_path / "flux.yaml"
    path.write_bytes(MANIFEST.replace(b"kind: FluxInstance", b"kind: Kustomization"))
    with pytest.raises(InputError, match="define no FluxInstance"):
        controller_release(spec(manifests=str(path)))


class Cluster:
    """A cluster with the Flux of `flux bootstrap`."""

    def __init__(self, *, suspended):
        self.discovery = self
        labels = {
            "kustomize.toolkit.fluxcd.io/name": "flux-system",
            "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
        }
        self.deployment = {"metadata": {"name": "source-controller", "labels": labels}}
        self.kustomization = {"spec": {"suspend": suspended}}

    def refresh(self):
        """Nothing has come or gone."""

    def list(self, *_, **__):
        return [self.deployment]

    def find(self, ref):
        assert (ref.kind, ref.name) == ("Kustomization", "flux-system")
        return self.kustomization


def test_what_flux_bootstrap_goes_on_applying_is_not_given_to_the_operator(manifest, monkeypatch):
    release, _ = controller_release(spec(manifests=manifest))
    with pytest.raises(OwnershipError, match="Kustomization flux-system/flux-system applies Flux itself") as refused:
        operating.deploy_operator(Cluster(suspended=False), release, check=True)
    assert "gotk-components.yaml" in refused.value.hint
    monkeypatch.setattr(operating, "read_release", lambda *_, **__: None)
    monkeypatch.setattr(operating, "deploy", lambda *_, **__: "deployed")
    assert operating.deploy_operator(Cluster(suspended=True), release) == "deployed"
