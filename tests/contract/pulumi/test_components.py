# SPDX-License-Identifier: Apache-2.0
"""Components as programs of other languages use them: the engine asks the provider to construct them."""

from __future__ import annotations

import json

import grpc
import pytest

from tests.contract.pulumi.harness import UNKNOWN, Provider, plain, property_errors, secret

URL = "https://git.example.com/config.git"
APPLICATION = {"url": URL, "path": "apps/shop", "destinationNamespace": "shop", "waitTimeout": 90}
KUBERNETES = "urn:pulumi:test::face::pulumi:providers:kubernetes::k::id"
GITOPS = "urn:pulumi:test::face::pulumi:providers:gitops::g::id"


def registered(provider: Provider, kind: str):
    return provider.monitor.registered[kind]


def test_a_repository_is_a_secret_whose_password_stays_secret(provider: Provider):
    answer = provider.construct("Repository", {"url": URL, "username": "ci", "password": secret("canary-82-password")})
    child = registered(provider, "kubernetes:core/v1:Secret")
    made = plain(child.object)
    assert child.parent == answer.urn
    assert made["metadata"]["name"] == "repo-shop"
    assert made["metadata"]["annotations"] == {"pulumi.com/patchFieldManager": "pulumi-gitops"}
    hidden = made.pop("stringData")
    assert hidden[0] == "secret"
    assert hidden[1]["password"] == "canary-82-password"
    assert "canary-82-password" not in str(made)
    assert plain(answer.state) == {"url": URL, "name": "shop", "secretName": "repo-shop"}


def test_an_application_is_followed_by_a_sync_that_its_spec_triggers(provider: Provider):
    answer = provider.construct("Application", APPLICATION)
    child = registered(provider, "kubernetes:argoproj.io/v1alpha1:Application")
    made, sync = plain(child.object), registered(provider, "gitops:index:Sync")
    assert made["metadata"]["annotations"] == {
        "pulumi.com/patchFieldManager": "pulumi-gitops",
        "pulumi.com/waitFor": "jsonpath={.status.sync.status}",
        "pulumi.com/timeoutSeconds": "90",
    }
    assert plain(sync.object) == {"application": "shop", "triggers": [made["spec"]], "waitTimeout": 90}
    assert list(sync.dependencies) == ["urn:pulumi:test::face::kubernetes:argoproj.io/v1alpha1:Application::shop"]
    assert {child.parent, sync.parent} == {answer.urn}


@pytest.mark.parametrize("switch", ["wait", "autoSync"])
def test_nothing_is_awaited_without_automatic_sync_or_when_told_so(provider: Provider, switch):
    provider.monitor.registered.clear()
    provider.construct("Application", {**APPLICATION, switch: False})
    assert "gitops:index:Sync" not in provider.monitor.registered
    made = plain(registered(provider, "kubernetes:argoproj.io/v1alpha1:Application").object)
    assert list(made["metadata"]["annotations"]) == ["pulumi.com/patchFieldManager"]


def test_argocd_is_one_resource(provider: Provider):
    provider.construct("ArgoCD", {"version": "3.5.7", "waitTimeout": 120})
    made = plain(registered(provider, "gitops:index:Controller").object)
    assert made == {"controller": "argocd", "version": "3.5.7", "waitTimeout": 120}


def test_a_preview_goes_on_with_a_url_that_is_not_known_yet(provider: Provider):
    provider.construct("Application", {**APPLICATION, "url": UNKNOWN}, dryRun=True)
    assert plain(registered(provider, "kubernetes:argoproj.io/v1alpha1:Application").object)["spec"] == UNKNOWN


@pytest.mark.parametrize(
    ("kind", "inputs"), [("ArgoCD", {}), ("Repository", {"url": URL}), ("Application", APPLICATION)]
)
def test_half_of_an_explicit_cluster_is_refused(provider: Provider, kind, inputs):
    with pytest.raises(grpc.RpcError) as caught:
        provider.construct(kind, inputs, providers={"kubernetes": KUBERNETES})
    assert property_errors(caught.value) == {"providers": "a kubernetes provider needs a gitops provider beside it"}


@pytest.mark.parametrize("providers", [{"gitops": GITOPS}, {"gitops": GITOPS, "kubernetes": KUBERNETES}])
def test_children_go_to_the_cluster_of_the_providers(provider: Provider, providers):
    provider.construct("ArgoCD", {}, providers=providers)
    assert registered(provider, "gitops:index:Controller").provider == GITOPS


def test_a_wrong_input_of_a_component_is_told_without_a_traceback(provider: Provider):
    with pytest.raises(grpc.RpcError) as caught:
        provider.construct("Application", {"url": URL, "path": "apps/shop"})
    assert list(property_errors(caught.value)) == ["destinationNamespace"]
    with pytest.raises(grpc.RpcError) as caught:
        provider.construct("Application", {**APPLICATION, "path": "../other"})
    assert "'../other' is not a folder in the repository" in str(caught.value)
    assert "Traceback" not in str(caught.value)
    assert "File " not in str(caught.value)


@pytest.mark.sandbox  # brings the CLI
def test_the_schema_is_one_that_pulumi_accepts(tmp_path, provider: Provider):
    import subprocess

    from pulumi_gitops.sandbox import tool_path

    file = tmp_path / "schema.json"
    file.write_text(json.dumps(provider.schema()))
    done = subprocess.run(
        [tool_path("pulumi"), "schema", "check", str(file)],
        env={"PATH": "", "HOME": str(tmp_path), "PULUMI_SKIP_UPDATE_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


FLUX_REPOSITORY = {"controller": "flux", "url": URL}


def test_names_are_known_in_a_preview_whatever_the_inputs_are(provider: Provider):
    inputs = {**FLUX_REPOSITORY, "url": UNKNOWN, "password": secret(UNKNOWN), "namespace": UNKNOWN}
    provider.construct("Repository", inputs, dryRun=True)
    source = plain(registered(provider, "kubernetes:source.toolkit.fluxcd.io/v1:GitRepository").object)
    credentials = plain(registered(provider, "kubernetes:core/v1:Secret").object)
    assert source["metadata"]["name"] == "shop"
    assert source["metadata"]["namespace"] == source["spec"] == UNKNOWN
    assert credentials["metadata"]["name"] == "repo-shop"


def test_flux_is_one_resource(provider: Provider):
    provider.construct("Flux", {"components": ["source-controller"], "concurrency": 3, "lockFile": "/x/gitops.lock"})
    assert plain(registered(provider, "gitops:index:Controller").object) == {
        "controller": "flux",
        "components": ["source-controller"],
        "concurrency": 3,
        "lockFile": "/x/gitops.lock",
    }


@pytest.mark.parametrize(
    ("kind", "inputs", "property_path", "reason"),
    [
        ("Repository", {"url": URL, "pasword": "x"}, "pasword", "did you mean password?"),
        ("Repository", {"url": URL, "password": 5}, "password", "has to be text"),
        ("Repository", {"url": URL, "branch": "main"}, "branch", "Argo CD has no option branch"),
        ("Repository", {**FLUX_REPOSITORY, "noProxy": "x"}, "noProxy", "Flux has no option no_proxy"),
        ("Repository", {**FLUX_REPOSITORY, "type": secret("git")}, "type", "has to be a plain value"),
        ("Application", {**APPLICATION, "createNamespace": secret(True)}, "create_namespace", "plain value"),
        ("Notification", {}, "type", "is required"),
        ("ApplicationSet", {"generators": {}, "template": {}}, "generators", "has to be a list"),
        ("Cluster", {"metadata": {"vpc": 1}}, 'metadata["vpc"]', "has to be text"),
    ],
)
def test_wrong_inputs_are_reported_at_their_property(provider: Provider, kind, inputs, property_path, reason):
    with pytest.raises(grpc.RpcError) as caught:
        provider.construct(kind, inputs)
    found = property_errors(caught.value)
    assert list(found) == [property_path]
    assert reason in found[property_path]


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        ("Repository", {"url": URL, "controller": "argo"}, "unknown controller 'argo'; known: argocd, flux"),
        ("Project", {"controller": "flux"}, "Flux has no projects"),
        ("Notification", {"controller": "argocd", "type": "slack"}, "argocd-notifications-cm"),
        ("Cluster", {"server": "http://x"}, "'http://x' is not an https:// URL"),
        (
            "Application",
            {"destinationNamespace": "shop", "url": URL, "helm": {"chart": "x", "chrt": 1}},
            "helm has no option chrt",
        ),
        (
            "Repository",
            {**FLUX_REPOSITORY, "password": secret(None)},
            "Repository shop: there is nothing to put into its Secret: an input is an output without a value",
        ),
    ],
)
def test_what_the_engine_refuses_is_told_in_its_words(provider: Provider, kind, inputs, message):
    with pytest.raises(grpc.RpcError) as caught:
        provider.construct(kind, inputs)
    assert message in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_names_of_other_languages_are_translated_in_a_chart_but_not_in_its_values(provider: Provider):
    values = {"valueFiles": 1, "a_b": {"replicas": 3}}
    chart = {"chart": "shop", "valueFiles": ["x.yaml"], "releaseName": "web", "values": secret(values)}
    provider.construct(
        "Application", {"url": "https://charts.example.com", "destinationNamespace": "shop", "helm": chart}
    )
    made = plain(registered(provider, "kubernetes:argoproj.io/v1alpha1:Application").object)
    assert made["spec"][0] == "secret"
    helm = made["spec"][1]["source"]["helm"]
    assert helm == {"valueFiles": ["x.yaml"], "releaseName": "web", "valuesObject": values}


def test_names_of_other_languages_are_translated_in_a_layer_selector(provider: Provider):
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
    url = "oci://registry.example.com/charts/shop"
    provider.construct("Repository", {**FLUX_REPOSITORY, "type": "oci", "url": url, "layerSelector": layer})
    made = plain(registered(provider, "kubernetes:source.toolkit.fluxcd.io/v1:OCIRepository").object)
    assert made["spec"]["layerSelector"] == layer


def test_what_a_chart_in_a_registry_consists_of_is_known_in_a_preview_before_its_version_is(provider: Provider):
    inputs = {
        "controller": "flux",
        "url": "oci://registry.example.com/charts/shop",
        "destinationNamespace": "shop",
        "helm": {"version": UNKNOWN},
    }
    provider.construct("Application", inputs, dryRun=True)
    source = plain(registered(provider, "kubernetes:source.toolkit.fluxcd.io/v1:OCIRepository").object)
    release = plain(registered(provider, "kubernetes:helm.toolkit.fluxcd.io/v2:HelmRelease").object)
    assert source["metadata"]["name"] == release["metadata"]["name"] == "shop"
