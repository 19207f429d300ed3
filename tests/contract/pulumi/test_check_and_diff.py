# SPDX-License-Identifier: Apache-2.0
"""What a preview shows: inputs that are refused, values that are derived, differences per object and file."""

from __future__ import annotations

import pytest
from pulumi.runtime.proto import provider_pb2 as pb

from tests.contract.pulumi.harness import UNKNOWN, Provider, plain, secret, urn, wire

CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"color": "blue"}}
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"key": "canary-81-secret"}}
URL = "https://git.example.com/config.git"


def kinds(diff: pb.DiffResponse) -> dict[str, str]:
    return {path: pb.PropertyDiff.Kind.Name(entry.kind) for path, entry in diff.detailedDiff.items()}


@pytest.mark.parametrize(
    ("kind", "news", "property_path", "reason"),
    [
        ("Release", {"definition": CONFIG_MAP}, "namespace", "is required"),
        ("Release", {"namespace": "a"}, "", "exactly one of definition, src, kustomize, helm is needed"),
        ("Release", {"namespace": "a", "src": "x", "definition": CONFIG_MAP}, "", "definition and src are given"),
        ("Release", {"namespace": "a", "definition": []}, "definition", "no objects"),
        ("Release", {"namespace": "a", "definition": "a: [1"}, "definition", "not valid YAML"),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "imagess": {}}, "imagess", "did you mean images?"),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "images": {"no": "x:1"}}, "images", "no"),
        (
            "Release",
            {"namespace": "a", "definition": CONFIG_MAP, "forceConflicts": "x"},
            "forceConflicts",
            "own_fields",
        ),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "waitTimeout": "5m"}, "waitTimeout", "whole number"),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "ownership": "mine"}, "ownership", "must_match"),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "rollbackTo": 0}, "rollbackTo", "count from 1"),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "replicas": {"web": 2}}, "replicas", "no workload"),
        ("Release", {"namespace": "a", "definition": CONFIG_MAP, "pruneLimit": -1}, "", "prune_limit is -1"),
        ("Release", {"namespace": "a", "helm": {"chart": "x", "valueFile": "y"}}, "helm.valueFile", "valueFiles?"),
        ("Release", {"namespace": "a", "helm": {"chart": "https://example.com/x.tgz"}}, "helm", "example.com"),
        ("GitFiles", {"files": {}}, "url", "is required"),
        ("GitFiles", {"url": "https://ci:pw-4711@git.example.com/x", "files": {}}, "url", "carries credentials"),
        ("GitFiles", {"url": URL, "files": {"../etc/passwd": "x"}}, "files", "../etc/passwd"),
        ("Sync", {}, "application", "is required"),
        ("Controller", {"version": "0.0.1"}, "", "0.0.1"),
    ],
)
def test_wrong_inputs_are_reported_at_their_property(provider: Provider, kind, news, property_path, reason):
    failures = provider.failures(kind, news)
    assert list(failures) == [property_path]
    assert reason in failures[property_path]
    assert "pw-4711" not in str(failures)


def test_a_release_shows_one_line_per_object_and_takes_its_name_from_the_resource(provider: Provider):
    checked = provider.checked("Release", {"namespace": "a", "definition": [CONFIG_MAP]}, name="shop")
    assert checked["release"] == "shop"
    assert list(checked["objects"]) == ["ConfigMap/a/web"]
    assert "keys=color" in checked["objects"]["ConfigMap/a/web"]


def test_values_of_a_secret_in_a_definition_are_marked_secret_and_nothing_else_is(provider: Provider):
    checked = provider.checked("Release", {"namespace": "a", "definition": [CONFIG_MAP, SECRET]})
    assert checked["definition"][0] == CONFIG_MAP
    assert checked["definition"][1]["stringData"] == ("secret", {"key": "canary-81-secret"})
    assert "canary-81-secret" not in str(checked["objects"])


def test_the_values_of_a_chart_are_kept_secret_and_not_known_ones_are_no_error(provider: Provider):
    chart = {"chart": "chart", "values": {"password": "canary-82-secret", "size": UNKNOWN}}
    checked = provider.checked("Release", {"namespace": "a", "helm": chart})
    assert checked["helm"] == {"chart": "chart", "values": ("secret", chart["values"])}
    assert checked["objects"] == UNKNOWN


def test_overrides_show_in_the_line_of_their_object(provider: Provider):
    web = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:1"}]},
            },
        },
    }
    before = {"namespace": "a", "definition": [web, CONFIG_MAP]}
    after = {**before, "replicas": {"web": 3}, "images": {"web": "registry.example.com/web:2"}}
    assert kinds(provider.diff("Release", before, after)) == {'objects["apps/Deployment/a/web"]': "UPDATE"}
    line = provider.checked("Release", after)["objects"]["apps/Deployment/a/web"]
    assert line.endswith("replicas=3 image=registry.example.com/web:2")
    assert len(kinds(provider.diff("Release", before, {**before, "labels": {"team": "shop"}}))) == 2


def test_what_the_program_marks_secret_stays_secret_where_it_stands(provider: Provider):
    files = {"a.yaml": "a: 1\n", "b.yaml": secret("b: 2\n")}
    checked = provider.checked("GitFiles", {"url": URL, "files": files, "username": "ci", "password": "plain-81-pw"})
    assert checked["files"] == {"a.yaml": "a: 1\n", "b.yaml": ("secret", "b: 2\n")}
    assert checked["password"] == ("secret", "plain-81-pw")


@pytest.mark.parametrize(
    "news",
    [
        {"namespace": "a", "definition": UNKNOWN},
        {"namespace": UNKNOWN, "definition": CONFIG_MAP},
        {"namespace": "a", "definition": {**CONFIG_MAP, "data": {"color": UNKNOWN}}},
        {"namespace": "a", "src": UNKNOWN, "images": {"web": UNKNOWN}},
        {"namespace": "a", "src": "x", "images": UNKNOWN, "wait": UNKNOWN, "forceConflicts": UNKNOWN},
        {"namespace": "a", "definition": secret(UNKNOWN)},
    ],
)
def test_values_that_are_not_known_yet_are_no_error(provider: Provider, news):
    assert provider.checked("Release", news)["objects"] == UNKNOWN
    created = provider.create("Release", news, preview=True)
    assert {plain(created.properties)[name] for name in ("revision", "digest", "inventory")} == {UNKNOWN}


def test_unknown_inputs_of_the_other_resources_are_no_error(provider: Provider):
    provider.checked("GitFiles", {"url": UNKNOWN, "files": UNKNOWN, "password": secret(UNKNOWN), "delete": UNKNOWN})
    provider.checked("GitFiles", {"url": URL, "files": {"a": UNKNOWN}, "delete": [UNKNOWN]})
    provider.checked("Sync", {"application": UNKNOWN, "revision": UNKNOWN, "triggers": [UNKNOWN]})
    assert provider.checked("Controller", {"version": UNKNOWN})["objects"] == UNKNOWN


def test_an_asset_where_text_is_expected_is_refused(provider: Provider):
    asset = {"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "text": "x"}
    assert "asset" in provider.failures("GitFiles", {"url": URL, "files": {"a": asset}})["files"]


def test_a_difference_is_told_per_object(provider: Provider):
    red = {**CONFIG_MAP, "data": {"color": "red"}}
    diff = provider.diff(
        "Release",
        {"namespace": "a", "definition": [CONFIG_MAP, SECRET]},
        {"namespace": "a", "definition": [red, {**CONFIG_MAP, "metadata": {"name": "new"}}]},
    )
    assert kinds(diff) == {
        'objects["ConfigMap/a/new"]': "ADD",
        'objects["ConfigMap/a/web"]': "UPDATE",
        'objects["Secret/a/web"]': "DELETE",
    }
    assert list(diff.diffs) == ["objects"]
    assert not diff.replaces


def test_how_to_work_makes_no_difference(provider: Provider):
    before = {"namespace": "a", "definition": CONFIG_MAP}
    after = {
        **before,
        "wait": False,
        "waitTimeout": 5,
        "ownership": "adopt",
        "rollbackOnFailure": True,
        "labels": {},
        "planDigest": "sha256:1",
        "planFile": "no-such-plan.json",
        "approvedBy": "ann",
        "requireApproval": True,
    }
    assert provider.diff("Release", before, after).changes == pb.DiffResponse.DIFF_NONE
    files = {"url": URL, "files": {"a": "1"}}
    after = {**files, "username": "ci", "password": "another", "message": "m", "author": "A <a@example.com>"}
    assert provider.diff("GitFiles", files, after).changes == pb.DiffResponse.DIFF_NONE


@pytest.mark.parametrize(("name", "value"), [("namespace", "b"), ("release", "other")])
def test_another_place_replaces_a_release_and_deletes_first(provider: Provider, name, value):
    before = {"namespace": "a", "definition": CONFIG_MAP}
    diff = provider.diff("Release", before, {**before, name: value})
    assert list(diff.replaces) == [name]
    assert diff.deleteBeforeReplace
    assert kinds(diff)[name] == "UPDATE_REPLACE"


def test_a_definition_that_is_not_known_yet_is_an_update(provider: Provider):
    diff = provider.diff("Release", {"namespace": "a", "definition": CONFIG_MAP}, {"namespace": "a", "src": UNKNOWN})
    assert kinds(diff) == {"objects": "UPDATE"}


def test_a_difference_is_told_per_file(provider: Provider):
    diff = provider.diff(
        "GitFiles",
        {"url": URL, "files": {"same": "1", "apps/shop.yaml": "1", "gone": "1"}},
        {"url": URL, "files": {"same": "1", "apps/shop.yaml": "2", "new": "1"}},
    )
    assert kinds(diff) == {'files["apps/shop.yaml"]': "UPDATE", 'files["gone"]': "DELETE", 'files["new"]': "ADD"}


def test_a_sync_is_repeated_when_a_trigger_changes_and_its_commit_is_unknown_until_then(provider: Provider):
    before = {"application": "shop", "triggers": [{"path": "a"}], "revision": "main"}
    diff = provider.diff("Sync", before, {**before, "triggers": [{"path": "b"}]})
    assert kinds(diff) == {"triggers": "UPDATE"}
    assert plain(provider.create("Sync", before, preview=True).properties)["revision"] == UNKNOWN


@pytest.mark.sandbox  # brings the manifest
def test_a_controller_is_rendered_for_the_preview_without_keeping_its_manifest(provider: Provider, manifests):
    answer = provider.check("Controller", {"version": "3.5.7"})
    checked = plain(answer.inputs)
    assert checked["namespace"] == "argocd"
    assert "apps/Deployment/argocd/argocd-repo-server" in checked["objects"]
    assert "rbac.authorization.k8s.io/ClusterRole/argocd-server" in checked["objects"]
    assert answer.ByteSize() < 20_000, "a line per object, not the manifest of 1.7 MB"
    diff = provider.diff(
        "Controller",
        {"version": "3.5.7"},
        {
            "version": "3.5.7",
            "patches": [
                {"target": {"kind": "Service", "name": "argocd-server"}, "patch": {"spec": {"type": "NodePort"}}}
            ],
        },
    )
    assert kinds(diff) == {'objects["Service/argocd/argocd-server"]': "UPDATE"}


def test_a_preview_without_a_reachable_cluster_works(provider: Provider):
    created = provider.create("Release", {"namespace": "a", "definition": CONFIG_MAP}, preview=True)
    assert created.id == ""
    assert plain(created.properties)["revision"] == UNKNOWN


def test_the_kubeconfig_is_kept_secret(provider: Provider):
    answer = provider.stub.CheckConfig(
        pb.CheckRequest(urn=urn("p", "p"), news=wire({"kubeconfig": "apiVersion: v1\n"}))
    )
    assert plain(answer.inputs) == {"kubeconfig": ("secret", "apiVersion: v1\n")}
