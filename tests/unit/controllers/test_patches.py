# SPDX-License-Identifier: Apache-2.0
"""Patches do what they do in a kustomization, and one that does nothing is an error."""

from __future__ import annotations

import copy

import pytest

from pulumi_gitops.core.controllers.patches import apply_patches
from pulumi_gitops.core.errors import GitOpsError, InputError

DEPLOYMENT = {"kind": "Deployment", "name": "argocd-server"}


def containers(obj):
    return obj["spec"]["template"]["spec"]["containers"]


def test_a_merge_patch_changes_what_it_names_and_keeps_the_rest(objects, by_kind):
    before = copy.deepcopy(objects)
    patch = {"data": {"url": "https://argocd.example.com", "keep": None}, "metadata": {"labels": {"a": "b"}}}
    config = by_kind("ConfigMap", apply_patches(objects, [{"target": {"name": "argocd-cm"}, "patch": patch}]))
    assert config["data"] == {"url": "https://argocd.example.com"}
    assert config["metadata"] == {"name": "argocd-cm", "namespace": "argocd", "labels": {"a": "b"}}
    assert objects == before


def test_containers_and_their_lists_are_merged_by_name(objects, by_kind):
    patch = """
    spec:
      template:
        spec:
          containers:
          - name: server
            env: [{name: B, value: two}, {name: C, value: three}]
            ports: [{containerPort: 8080, name: http}]
          - name: dex
            $patch: delete
          - {name: extra, image: registry.example.com/extra:1}
    """
    extra, server = containers(by_kind("Deployment", apply_patches(objects, [{"target": DEPLOYMENT, "patch": patch}])))
    assert extra["name"] == "extra"
    assert server["image"] == "quay.io/argoproj/argocd:v3.5.7"
    assert {item["name"]: item["value"] for item in server["env"]} == {"A": "1", "B": "two", "C": "three"}
    assert server["ports"] == [{"containerPort": 8080, "name": "http"}]


def test_a_list_can_be_replaced_as_a_whole(objects, by_kind):
    patch = {"spec": {"template": {"spec": {"containers": [{"$patch": "replace"}, {"name": "only", "image": "x"}]}}}}
    patched = by_kind("Deployment", apply_patches(objects, [{"target": DEPLOYMENT, "patch": patch}]))
    assert containers(patched) == [{"name": "only", "image": "x"}]


def test_lists_of_custom_kinds_are_replaced():
    app = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "X",
        "metadata": {"name": "a"},
        "spec": {"env": [{"name": "A"}]},
    }
    [patched] = apply_patches([app], [{"target": {"kind": "X"}, "patch": {"spec": {"env": [{"name": "B"}]}}}])
    assert patched["spec"]["env"] == [{"name": "B"}]


def test_a_json_patch_is_applied_step_by_step(objects, by_kind):
    operations = """
    - {op: test, path: /data/keep, value: me}
    - {op: copy, from: /data/keep, path: /data/kept}
    - {op: remove, path: /data/keep}
    - {op: add, path: /data/a~1b, value: x}
    - {op: replace, path: /data/url, value: new}
    """
    config = by_kind("ConfigMap", apply_patches(objects, [{"target": {"kind": "ConfigMap"}, "patch": operations}]))
    assert config["data"] == {"kept": "me", "a/b": "x", "url": "new"}


def test_a_json_patch_adds_to_lists(objects, by_kind):
    path = "/spec/template/spec/containers"
    operations = [
        {"op": "add", "path": f"{path}/-", "value": {"name": "last"}},
        {"op": "move", "from": f"{path}/1", "path": f"{path}/0"},
    ]
    patched = by_kind("Deployment", apply_patches(objects, [{"target": DEPLOYMENT, "patch": operations}]))
    assert [container["name"] for container in containers(patched)] == ["dex", "server", "last"]


def test_targets_are_expressions_and_patches_come_one_after_the_other(objects):
    patches = [
        {"target": {"kind": "ClusterRole|Role", "name": "argocd-.*"}, "patch": {"metadata": {"labels": {"n": "1"}}}},
        {"target": {"group": "rbac.authorization.k8s.io"}, "patch": {"metadata": {"labels": {"n": "2"}}}},
    ]
    labels = {obj["kind"]: obj["metadata"].get("labels") for obj in apply_patches(objects, patches)}
    assert labels["ClusterRole"] == labels["RoleBinding"] == {"n": "2"}
    assert labels["Deployment"] is None


def test_a_patch_without_target_names_its_object(objects, by_kind):
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "argocd-server"},
        "spec": {"replicas": 3},
    }
    assert by_kind("Deployment", apply_patches(objects, [{"patch": patch}]))["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"target": {"name": "nobody"}, "patch": {"a": 1}}, r"patches\[1\] matches no object \(name nobody\)"),
        ({"target": {"kind": "Deploy"}, "patch": {"a": 1}}, "matches no object"),
        ({"target": {"label": "x"}, "patch": {"a": 1}}, "other fields"),
        ({"target": DEPLOYMENT}, "not a patch"),
        ("text", "not a patch"),
        ({"patch": {"spec": {}}}, "has no target"),
        ({"patch": [{"op": "remove", "path": "/spec"}]}, "has no target"),
        ({"target": DEPLOYMENT, "patch": "just text"}, "neither a mapping nor a list"),
        ({"target": DEPLOYMENT, "patch": "a: 1\n---\nb: 2"}, "2 YAML documents"),
        ({"target": DEPLOYMENT, "patch": "a: [1"}, "patches"),
        ({"target": {"name": "("}, "patch": {"a": 1}}, "regular expression"),
        ({"target": DEPLOYMENT, "patch": {"metadata": {"name": "other"}}}, "changes the identity"),
        ({"target": DEPLOYMENT, "patch": [{"op": "remove", "path": "/spec/nothing"}]}, "/spec/nothing does not exist"),
        ({"target": DEPLOYMENT, "patch": [{"op": "replace", "path": "/nothing", "value": 1}]}, "does not exist"),
        ({"target": DEPLOYMENT, "patch": [{"op": "test", "path": "/spec/replicas", "value": 9}]}, "test of"),
        ({"target": DEPLOYMENT, "patch": [{"op": "add", "path": "spec", "value": 9}]}, "does not start with"),
        ({"target": DEPLOYMENT, "patch": [{"op": "add", "path": "/spec/replicas/x", "value": 9}]}, "neither an object"),
        ({"target": DEPLOYMENT, "patch": [{"op": "add", "path": "/spec/x"}]}, "value"),
        ({"target": DEPLOYMENT, "patch": [{"op": "jump", "path": "/spec"}]}, "unknown operation jump"),
        ({"target": DEPLOYMENT, "patch": ["remove"]}, "op and path"),
    ],
)
def test_a_bad_patch_says_what_is_wrong_with_it(objects, patch, message):
    with pytest.raises(GitOpsError, match=message) as caught:
        apply_patches(objects, [patch])
    assert isinstance(caught.value, InputError)
