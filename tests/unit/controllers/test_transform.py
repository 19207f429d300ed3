# SPDX-License-Identifier: Apache-2.0
"""Released manifests fit any namespace, registry and pull secret."""

from __future__ import annotations

import copy

import pytest

from pulumi_gitops.core.controllers.transform import set_namespace, set_pull_secret, set_registry


def test_namespaced_objects_move_and_cluster_scoped_ones_stay(objects):
    before = copy.deepcopy(objects)
    moved = {obj["kind"]: obj["metadata"].get("namespace") for obj in set_namespace(objects, "gitops")}
    assert moved == {
        "CustomResourceDefinition": None,
        "ServiceAccount": "gitops",
        "ClusterRole": None,
        "ClusterRoleBinding": None,
        "RoleBinding": "gitops",
        "ConfigMap": "gitops",
        "Deployment": "gitops",
    }
    assert objects == before


def test_service_accounts_of_the_set_are_followed_in_bindings_and_strangers_are_not(objects, by_kind):
    moved = set_namespace(objects, "gitops")
    subjects = by_kind("ClusterRoleBinding", moved)["subjects"]
    assert [subject.get("namespace") for subject in subjects] == ["gitops", "monitoring", None]
    assert by_kind("RoleBinding", moved)["subjects"] == [{"kind": "ServiceAccount", "name": "argocd-server"}]


def test_a_custom_kind_follows_its_crd(objects):
    own = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}}
    foreign = {"apiVersion": "monitoring.example.com/v1", "kind": "Rule", "metadata": {"name": "b"}}
    *_, first, second = set_namespace([*objects, own, foreign], "gitops")
    assert first["metadata"]["namespace"] == "gitops"
    assert "namespace" not in second["metadata"]


@pytest.mark.parametrize(
    ("image", "rewritten"),
    [
        ("quay.io/argoproj/argocd:v3.5.7", "registry.example.com/mirror/argoproj/argocd:v3.5.7"),
        ("redis", "registry.example.com/mirror/library/redis"),
        ("redis:8@sha256:abc", "registry.example.com/mirror/library/redis:8@sha256:abc"),
        ("docker.io/redis:8", "registry.example.com/mirror/library/redis:8"),
        ("docker.io/bitnami/redis:8", "registry.example.com/mirror/bitnami/redis:8"),
        ("bitnami/redis", "registry.example.com/mirror/bitnami/redis"),
        ("localhost:5000/x/y:1", "registry.example.com/mirror/x/y:1"),
        ("public.ecr.aws/docker/library/redis:8", "registry.example.com/mirror/docker/library/redis:8"),
    ],
)
def test_the_host_of_an_image_is_replaced(image, rewritten):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"containers": [{"image": image}]}}
    [changed] = set_registry([pod], "registry.example.com/mirror")
    assert changed["spec"]["containers"][0]["image"] == rewritten


def test_init_containers_are_pulled_from_the_registry_too(objects, by_kind):
    spec = by_kind("Deployment", set_registry(objects, "registry.example.com"))["spec"]["template"]["spec"]
    images = [container["image"] for container in (*spec["initContainers"], *spec["containers"])]
    assert images == [
        "registry.example.com/library/redis",
        "registry.example.com/argoproj/argocd:v3.5.7",
        "registry.example.com/dexidp/dex:v2",
    ]


def test_all_pods_and_accounts_pull_with_the_secret_and_only_once(objects, by_kind):
    changed = set_pull_secret(set_pull_secret(objects, "pull"), "pull")
    assert by_kind("ServiceAccount", changed)["imagePullSecrets"] == [{"name": "pull"}]
    assert by_kind("Deployment", changed)["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "pull"}]
