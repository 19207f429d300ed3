# SPDX-License-Identifier: Apache-2.0
"""One source and its overrides, as both faces ask for them."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.errors import EmptySetError, InputError, ManifestError, SourceUnavailableError
from pulumi_gitops.core.render import HelmChart, Overrides, Sources, UnsafeSourceError, render

CANARY = "canary-8-request"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n"
TEMPLATE = "---\n# Source: shop/templates/web.yaml\n" + CONFIG


@pytest.fixture
def programs(program, tmp_path, monkeypatch):
    """helm and kustomize on PATH."""
    folder = tmp_path / "path"
    made = {
        "helm": program("helm", "v3.22.0", TEMPLATE, folder=folder),
        "kustomize": program("kustomize", "v5.8.1", CONFIG, folder=folder),
    }
    monkeypatch.setenv("PATH", str(folder))
    return made


@pytest.fixture
def base(tree):
    return tree(
        {
            "web.yaml": CONFIG,
            "k/kustomization.yaml": "resources: []",
            "shop/Chart.yaml": "name: shop\nversion: 1.0.0\n",
            "a.yaml": "a: 1",
        }
    )


def rendered(base, overrides=None, **sources):
    return render(Sources(**sources), overrides, release="billing", namespace="pay", base=base)


@pytest.mark.parametrize(
    "sources",
    [
        {"definition": CONFIG},
        {"definition": [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}}]},
        {"src": "web.yaml"},
        {"src": ["*eb.yaml"]},
        {"kustomize": "k"},
        {"helm": {"chart": "shop"}},
        {"helm": HelmChart(chart="shop", release_name="x", namespace="y")},
    ],
)
def test_every_source_gives_objects_from_the_base_folder(base, programs, sources):
    assert [obj["metadata"]["name"] for obj in rendered(base, **sources).objects] == ["web"]


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ({}, "none is given"),
        ({"kustomize": "", "definition": None}, "none is given"),
        ({"definition": CONFIG, "src": "web.yaml"}, "definition and src are given"),
        ({"src": [], "helm": {}}, "src and helm are given"),
    ],
)
def test_exactly_one_source_is_needed(base, sources, said):
    with pytest.raises(InputError, match=f"exactly one of definition, src, kustomize, helm is needed, {said}"):
        rendered(base, **sources)


def test_a_chart_gets_the_options_of_the_mapping_and_the_names_of_the_release(base, programs):
    options = {"chart": "shop", "version": "1.0.0", "values": {"a": CANARY}, "value_files": "a.yaml"}
    rendered(base, helm=options)
    seen = programs["helm"].run()
    assert seen["argv"][1:5] == ["template", "billing", str(base / "shop"), "--namespace=pay"]
    assert f"--values={base / 'a.yaml'}" in seen["argv"]
    assert CANARY in seen["stdin"]
    rendered(base, helm={"chart": "shop", "release_name": "other", "version": None, "values": None})
    assert programs["helm"].run()["argv"][2] == "other"


@pytest.mark.parametrize(
    ("helm", "error", "said"),
    [
        ({"chart": "shop", "valus": {}, "set": {}}, InputError, "helm has no option set, valus"),
        ({}, InputError, "chart is empty"),
        ("shop", InputError, "helm has to be a mapping, not str"),
        ({"chart": "shop", "version": 1.0}, InputError, r"helm\.version is 1\.0, not a text"),
        ({"chart": "shop", "value_files": 1}, InputError, "has to be a list of files"),
        ({"chart": "shop", "values": "a"}, InputError, "values has to be a mapping"),
        ({"chart": "https://charts.example.com/x.tgz"}, InputError, "neither a local chart"),
        ({"chart": "shop", "value_files": ["https://example.com/x"]}, InputError, "not a local file"),
        ({"chart": "oci://registry.example.com/x:1"}, InputError, "is on the network"),
        ({"chart": "shopp"}, SourceUnavailableError, "does not exist"),
    ],
)
def test_wrong_options_of_a_chart_are_named(base, programs, helm, error, said):
    with pytest.raises(error, match=said) as caught:
        rendered(base, helm=helm)
    if error is InputError:
        assert caught.value.details["property"] == "helm"
    assert not programs["helm"].was_started


def test_the_network_is_a_choice_for_the_whole_source(base, programs, tree):
    tree({"k/kustomization.yaml": "resources: ['https://git.example.com/base']"})
    with pytest.raises(UnsafeSourceError) as caught:
        rendered(base, kustomize="k")
    assert caught.value.details["property"] == "kustomize"
    rendered(base, kustomize="k", allow_network=True)
    rendered(base, helm={"chart": "oci://registry.example.com/x:1"}, allow_network=True)


def test_a_source_that_holds_nothing_or_something_else_is_an_error(base):
    with pytest.raises(EmptySetError):
        rendered(base, definition=[])
    with pytest.raises(EmptySetError):
        rendered(base, src=[])
    with pytest.raises(ManifestError):
        rendered(base, src="a.yaml")


def test_overrides_apply_to_what_was_rendered_and_warnings_stay(base, program, monkeypatch, tmp_path):
    hook = CONFIG.replace("{name: web}", "{name: seed, annotations: {helm.sh/hook: post-install}}")
    program("helm", "v3.22.0", TEMPLATE + "---\n# Source: shop/templates/seed.yaml\n" + hook, folder=tmp_path / "path")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    result = rendered(base, Overrides(labels={"team": "pay"}), helm={"chart": "shop"})
    assert result.objects[0]["metadata"]["labels"] == {"team": "pay"}
    assert len(result.warnings) == 1
    assert "ConfigMap seed" in result.warnings[0]


def test_a_set_that_a_namespace_would_tear_apart_is_told_of(base):
    definition = CONFIG + "---\n" + CONFIG.replace("{name: web}", "{name: b, namespace: old}")
    result = rendered(base, Overrides(namespace="other"), definition=definition)
    (warning,) = result.warnings
    assert "1 of 2 objects name no namespace (ConfigMap web, ...)" in warning
    assert "go to pay, not to other" in warning
    assert rendered(base, Overrides(namespace="pay"), definition=definition).warnings == ()


def test_an_override_that_matches_nothing_is_an_error_of_that_override(base):
    with pytest.raises(InputError, match="matches no container") as caught:
        rendered(base, Overrides(images={"web": "web:2"}), src="web.yaml")
    assert caught.value.details["property"] == "images"


def test_sources_can_be_printed_without_what_they_hold():
    assert CANARY not in repr(Sources(definition=CANARY, helm={"values": {"a": CANARY}}))
