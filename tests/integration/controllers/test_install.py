# SPDX-License-Identifier: Apache-2.0
"""Argo CD is installed, taken over and removed without a trace, in any namespace."""

from __future__ import annotations

import hashlib

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.controllers import ControllerSpec, InstallState
from pulumi_gitops.core.errors import (
    ChecksumMismatchError,
    ControllerMissingError,
    OwnershipError,
    RemovalRefusedError,
)
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

CLUSTER_SCOPED = (
    ("v1", "Namespace"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
)
REPOSITORY = controllers.RepositorySpec(name="config", url="https://git.example.com/config.git")
APPLICATION = controllers.ApplicationSpec(
    name="shop", url=REPOSITORY.url, path="apps/shop", destination_namespace="shop"
)


def cluster_scoped(cluster):
    return {
        (kind, obj["metadata"]["name"])
        for api_version, kind in CLUSTER_SCOPED
        for obj in cluster.list(api_version, kind, metadata_only=True)
    }


@pytest.fixture
def clean(cluster):
    """Everything cluster-scoped is as before when the test is over."""
    before = cluster_scoped(cluster)
    yield
    controllers.uninstall(cluster, ControllerSpec())
    assert cluster_scoped(cluster) - before == set()


def test_check_mode_works_on_an_empty_cluster_and_changes_nothing(cluster, clean):
    before = cluster_scoped(cluster)
    result = controllers.install(cluster, ControllerSpec(), check=True)
    actions = {(change.ref.kind, change.ref.name): change.action for change in result.changes}
    assert set(actions.values()) == {"create"}
    assert {("Namespace", "argocd"), ("AppProject", "default"), ("Deployment", "argocd-server")} <= set(actions)
    wired = controllers.apply_repository(cluster, REPOSITORY, check=True)
    declared = controllers.apply_application(cluster, APPLICATION, check=True)
    assert [change.action for change in (*wired, *declared.changes)] == ["create", "create"]
    assert cluster_scoped(cluster) == before


def test_without_controller_nothing_is_wired(cluster, clean):
    with pytest.raises(ControllerMissingError, match="Argo CD is not installed"):
        controllers.apply_repository(cluster, REPOSITORY)
    with pytest.raises(ControllerMissingError):
        controllers.apply_application(cluster, APPLICATION)
    with pytest.raises(ControllerMissingError):
        controllers.sync(cluster, controllers.SyncSpec(name="shop"))
    assert not controllers.remove_application(cluster, APPLICATION).changed
    assert not controllers.uninstall(cluster, ControllerSpec()).changed


def test_a_wrong_checksum_applies_nothing(cluster, clean, tmp_path):
    before = cluster_scoped(cluster)
    file = tmp_path / "install.yaml"
    file.write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: evil}\n")
    wrong = hashlib.sha256(b"something else").hexdigest()
    with pytest.raises(ChecksumMismatchError):
        controllers.install(cluster, ControllerSpec(manifests=str(file), checksum=wrong))
    assert cluster_scoped(cluster) == before


def test_it_installs_into_any_namespace_and_leaves_nothing_behind(cluster, clean):
    spec = ControllerSpec(
        namespace="gitops-system",
        registry="registry.example.com/mirror",
        image_pull_secret="pull",
        patches=[{"target": {"kind": "Deployment", "name": "argocd-server"}, "patch": {"spec": {"replicas": 2}}}],
    )
    first = controllers.install(cluster, spec)
    assert (first.version, first.namespace, first.changed) == ("3.5.7", "gitops-system", True)
    server = cluster.get(ObjectRef("apps", "v1", "Deployment", "gitops-system", "argocd-server"))
    pod = server["spec"]["template"]["spec"]
    assert server["status"]["readyReplicas"] == 2
    assert pod["containers"][0]["image"] == "registry.example.com/mirror/argoproj/argocd:v3.5.7"
    assert pod["imagePullSecrets"] == [{"name": "pull"}]
    binding = cluster.get(ObjectRef("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "", "argocd-server"))
    assert [subject["namespace"] for subject in binding["subjects"]] == ["gitops-system"]
    assert cluster.find(ObjectRef("argoproj.io", "v1alpha1", "AppProject", "gitops-system", "default"))

    second = controllers.install(cluster, spec)
    assert (second.changed, second.revision, second.digest) == (False, first.revision, first.digest)
    found = controllers.installed(cluster)
    assert found == controllers.InstalledController("3.5.7", "gitops-system", InstallState.MANAGED)
    with pytest.raises(OwnershipError, match="installed in namespace gitops-system already"):
        controllers.install(cluster, ControllerSpec(), check=True)

    assert controllers.uninstall(cluster, ControllerSpec(), check=True).changed
    assert controllers.installed(cluster) == found
    assert controllers.uninstall(cluster, ControllerSpec()).version == "3.5.7"
    assert controllers.installed(cluster) is None


def test_an_installation_by_kubectl_is_taken_over(cluster, clean):
    release, _ = controllers.controller_release(ControllerSpec())
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "argocd"}}
    for obj in (namespace, *release.objects):
        cluster.apply(obj, field_manager="kubectl")
    found = controllers.installed(cluster)
    assert found == controllers.InstalledController("3.5.7", "argocd", InstallState.UNMANAGED)
    with pytest.raises(RemovalRefusedError, match="not installed by pulumi-gitops"):
        controllers.uninstall(cluster, ControllerSpec())
    assert controllers.install(cluster, ControllerSpec()).changed
    assert not controllers.install(cluster, ControllerSpec()).changed
    assert controllers.uninstall(cluster, ControllerSpec()).changed
    # It was there before us, so it stays, and nothing of Argo CD is in it.
    assert cluster.list("v1", "Secret", namespace="argocd") == []
    cluster.delete(ObjectRef.of(namespace))
    for event in cluster.watch("v1", "Namespace", field_selector="metadata.name=argocd", timeout=60):
        if event.type == "DELETED":
            break
