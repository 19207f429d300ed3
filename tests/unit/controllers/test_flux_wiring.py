# SPDX-License-Identifier: Apache-2.0
"""Specs become the objects that Flux reads; what belongs to another controller is refused by name."""

from __future__ import annotations

import json

import pytest

from pulumi_gitops.core.controllers import (
    ApplicationSetSpec,
    ApplicationSpec,
    ClusterSpec,
    NotificationSpec,
    ProjectSpec,
    RepositorySpec,
    application_objects,
    repository_objects,
)
from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.redact import redact

URL = "https://git.example.com/config.git"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0LWtleS1ieXRlcw==\n-----END OPENSSH PRIVATE KEY-----\n"
HOST = "git.example.com ssh-ed25519 AAAA"
DIGEST = "sha256:" + 64 * "a"
CHART_LAYER = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
ARTIFACT = {"url": "", "path": "", "repository": "web", "repository_type": "oci"}


def repository(**options):
    return repository_objects(RepositorySpec(**{"controller": "flux", "name": "config", "url": URL, **options}))


def application(**options):
    defaults = {"controller": "flux", "name": "shop", "url": URL, "path": "apps/shop", "destination_namespace": "shop"}
    return application_objects(ApplicationSpec(**{**defaults, **options}))


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({"username": "ci", "password": "s3cr3t-word"}, {"username": "ci", "password": "s3cr3t-word"}),
        ({"password": "s3cr3t-word"}, {"username": "git", "password": "s3cr3t-word"}),
        ({"bearer_token": "t0ken-of-ci"}, {"bearerToken": "t0ken-of-ci"}),
        (
            {"url": "ssh://git@git.example.com/c.git", "ssh_private_key": KEY, "known_hosts": HOST},
            {"identity": KEY, "known_hosts": HOST},
        ),
        (
            {"github_app_id": "1", "github_app_installation_id": "2", "github_app_private_key": KEY},
            {"githubAppID": "1", "githubAppInstallationID": "2", "githubAppPrivateKey": KEY},
        ),
        ({"ca_cert": "PEM"}, {"ca.crt": "PEM"}),
    ],
)  # fmt: skip
def test_every_kind_of_credentials_is_a_secret_that_the_source_names(options, data):
    secret, source = repository(**options)
    assert secret["stringData"] == data
    assert source["spec"]["secretRef"] == {"name": secret["metadata"]["name"]}
    assert (source["kind"], source["metadata"]["namespace"]) == ("GitRepository", "flux-system")
    assert source["spec"].get("provider") == ("github" if "github_app_id" in options else None)


def test_a_public_repository_needs_no_secret_and_follows_main():
    [source] = repository()
    assert source["spec"] == {"url": URL, "interval": "1m", "ref": {"branch": "main"}}


@pytest.mark.parametrize(
    ("options", "ref"),
    [({"branch": "prod"}, {"branch": "prod"}), ({"tag": "v1"}, {"tag": "v1"}), ({"semver": ">=1"}, {"semver": ">=1"})],
)
def test_a_source_follows_what_it_is_told(options, ref):
    assert repository(**options)[-1]["spec"]["ref"] == ref


def test_the_short_form_of_an_ssh_url_is_written_as_flux_reads_it():
    source = repository(url="git@git.example.com:team/config.git", ssh_private_key=KEY, known_hosts=HOST)[-1]
    assert source["spec"]["url"] == "ssh://git@git.example.com/team/config.git"


def test_helm_and_oci_repositories_are_sources_of_their_own_kinds():
    [helm] = repository(type="helm", url="https://charts.example.com")
    [oci] = repository(type="oci", url="oci://registry.example.com/manifests", tag="1.2.3")
    assert (helm["kind"], oci["kind"]) == ("HelmRepository", "OCIRepository")
    assert oci["spec"]["ref"] == {"tag": "1.2.3"}
    [pinned] = repository(type="oci", url="oci://registry.example.com/manifests", commit=DIGEST)
    assert pinned["spec"]["ref"] == {"digest": DIGEST}


def test_a_registry_of_charts_is_an_oci_helm_repository():
    [source] = repository(type="helm", url="oci://registry.example.com/charts")
    assert source["spec"]["type"] == "oci"


def test_oci_artifacts_are_pulled_with_a_pull_secret_and_certificates_in_one_of_their_own():
    login, certificates, source = repository(
        type="oci", url="oci://registry.example.com:5000/manifests", password="s3cr3t-word", ca_cert="PEM"
    )
    assert login["type"] == "kubernetes.io/dockerconfigjson"
    assert json.loads(login["stringData"][".dockerconfigjson"]) == {
        "auths": {"registry.example.com:5000": {"username": "git", "password": "s3cr3t-word"}}
    }
    assert certificates["stringData"] == {"ca.crt": "PEM"}
    assert source["spec"]["secretRef"] == {"name": "repo-config"}
    assert source["spec"]["certSecretRef"] == {"name": "certs-config"}


def test_an_application_has_a_source_of_its_own_or_reads_from_a_connected_repository():
    source, own = application(create_namespace=False)
    assert source["kind"] == "GitRepository"
    assert own["spec"]["sourceRef"] == {"kind": "GitRepository", "name": "shop"}
    assert own["spec"]["path"] == "./apps/shop"
    assert own["spec"]["targetNamespace"] == "shop"
    namespace, shared = application(repository="config", url="", create_namespace=True)
    assert namespace["kind"] == "Namespace"
    assert shared["spec"]["sourceRef"]["name"] == "config"


@pytest.mark.parametrize(
    ("revision", "ref"),
    [
        ("HEAD", {"branch": "main"}),
        ("prod", {"branch": "prod"}),
        ("tag:v1.2", {"tag": "v1.2"}),
        ("semver:1.x", {"semver": "1.x"}),
        ("refs/pull/1/head", {"name": "refs/pull/1/head"}),
        ("a" * 40, {"commit": "a" * 40}),
    ],
)
def test_a_revision_is_written_as_users_say_it(revision, ref):
    assert application(revision=revision)[0]["spec"]["ref"] == ref


@pytest.mark.parametrize(
    ("revision", "ref"),
    [
        ("HEAD", {"tag": "latest"}),
        ("1.2.3", {"tag": "1.2.3"}),
        ("tag:1.2.3", {"tag": "1.2.3"}),
        ("semver:1.x", {"semver": "1.x"}),
        ("sha256:" + 64 * "a", {"digest": "sha256:" + 64 * "a"}),
    ],
)
def test_a_folder_may_come_from_oci_artifacts(revision, ref):
    source, own = application(url="oci://registry.example.com/manifests", revision=revision)
    assert (source["kind"], source["spec"]["ref"]) == ("OCIRepository", ref)
    assert own["spec"]["sourceRef"] == {"kind": "OCIRepository", "name": "shop"}
    [shared] = application(url="", repository="artifacts", repository_type="oci")
    assert shared["spec"]["sourceRef"] == {"kind": "OCIRepository", "name": "artifacts"}


@pytest.mark.parametrize(
    ("url", "helm", "ref"),
    [
        ("oci://registry.example.com/charts/web", {"version": "1.2.3"}, {"tag": "1.2.3"}),
        ("oci://registry.example.com/charts/web", {"version": "1.2.3-rc.1+b2"}, {"tag": "1.2.3-rc.1_b2"}),
        ("oci://registry.example.com/charts/web", {"version": ">=1 <2"}, {"semver": ">=1 <2"}),
        ("oci://registry.example.com/charts/web", {"version": "1.2"}, {"semver": "1.2"}),
        ("oci://registry.example.com/charts/web", {"version": 1.2}, {"semver": "1.2"}),
        ("oci://registry.example.com/charts/web", {"version": DIGEST}, {"digest": DIGEST}),
        ("oci://registry.example.com/charts/web", {"values": {}}, {"semver": "*"}),
        ("oci://registry.example.com/charts", {"chart": "web", "version": "1.2.3"}, {"tag": "1.2.3"}),
        ("oci://registry.example.com/charts/", {"chart": "web"}, {"semver": "*"}),
    ],
)
def test_a_chart_in_a_registry_is_an_artifact_that_a_helm_release_refers_to(url, helm, ref):
    source, own = application(path="", url=url, helm={**helm, "values": {"replicas": 2}})
    assert (source["kind"], source["metadata"]["name"]) == ("OCIRepository", "shop")
    assert source["spec"] == {
        "url": "oci://registry.example.com/charts/web",
        "interval": "1m",
        "ref": ref,
        "layerSelector": CHART_LAYER,
    }
    assert own["kind"] == "HelmRelease"
    assert own["spec"]["chartRef"] == {"kind": "OCIRepository", "name": "shop"}
    assert "chart" not in own["spec"]
    assert own["spec"]["values"] == {"replicas": 2}


def test_a_connected_repository_may_be_the_chart_and_then_says_which_version():
    selected = {"media_type": CHART_LAYER["mediaType"], "operation": CHART_LAYER["operation"]}
    [source] = repository(
        type="oci", url="oci://registry.example.com/charts/web", semver="1.x", layer_selector=selected
    )
    assert (source["spec"]["ref"], source["spec"]["layerSelector"]) == ({"semver": "1.x"}, CHART_LAYER)
    [own] = application(path="", url="", repository="config", repository_type="oci", helm={"values": {}})
    assert own["spec"]["chartRef"] == {"kind": "OCIRepository", "name": "config"}
    [own] = application(path="", url="", repository="config", helm={"chart": "web", "version": "1.2.3"})
    assert own["spec"]["chart"]["spec"]["sourceRef"] == {"kind": "HelmRepository", "name": "config"}
    assert "chartRef" not in own["spec"]


def test_options_of_flux_reach_the_kustomization():
    spec = application(
        depends_on=["base"],
        substitute={"color": "blue"},
        substitute_from=[{"kind": "ConfigMap", "name": "cluster-prod"}],
        decryption={"provider": "sops", "secret": "age"},
        service_account="shop",
        auto_sync=False,
        timeout="2m",
        health_checks=[{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop"}],
    )[-1]["spec"]
    assert spec["dependsOn"] == [{"name": "base"}]
    assert spec["postBuild"]["substituteFrom"] == [{"kind": "ConfigMap", "name": "cluster-prod"}]
    assert spec["decryption"] == {"provider": "sops", "secretRef": {"name": "age"}}
    assert (spec["suspend"], spec["timeout"], spec["serviceAccountName"]) == (True, "2m", "shop")
    assert spec["wait"] is False


def test_a_chart_is_a_helm_release():
    source, chart = application(
        path="",
        url="https://charts.example.com",
        helm={"chart": "web", "version": "1.2.3", "values": {"replicas": 2}},
        remediation=3,
        drift_detection="enabled",
    )
    assert source["kind"] == "HelmRepository"
    assert chart["spec"]["chart"]["spec"]["version"] == "1.2.3"
    assert chart["spec"]["values"] == {"replicas": 2}
    assert chart["spec"]["upgrade"] == {"remediation": {"retries": 3}}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: application(project="team"), "Flux has no option project"),
        (lambda: application(substitute={"replicas": 3}), "application shop: substitute replicas is not a text"),
        (lambda: application(repository="a", repository_type="helm"), "repository_type 'helm' is none of git, oci"),
        (lambda: application(url="git@git.example.com:a", path="", helm={"chart": "a"}), "do not come over SSH"),
        (lambda: application(path="", helm={"chart": "a"}, drift_detection="on"), "drift_detection 'on' is none of"),
        (lambda: ApplicationSetSpec(name="a", generators=[{"list": {}}], sync_policy="never",
                                    template={"metadata": {"name": "a"}, "spec": {"project": "a"}}),
         "sync_policy 'never' is none of"),
        (lambda: application(remediation=3), "a folder, for Flux, has no option remediation"),
        (lambda: application(repository="config", url="", revision="prod"),
         "revision is not for a folder of a connected repository"),
        (lambda: application(path="", helm={"chart": "a"}, revision="1.2.3"), "revision is not for a chart"),
        (lambda: application(path="", helm={"chart": "a"}, substitute={"a": "b"}),
         "a chart, for Flux, has no option substitute"),
        (lambda: application(helm={"values": {"a": 1}}), "helm has no chart"),
        (lambda: application(**{**ARTIFACT, "repository_type": "git"}, helm={"values": {}}), "helm has no chart"),
        (lambda: application(**ARTIFACT, helm={"chart": "web"}), "helm.chart is not for a repository of type oci"),
        (lambda: application(**ARTIFACT, helm={"version": "1.2.3"}), "helm.version is not for a repository of type"),
        (lambda: application(**ARTIFACT, helm={"values": {}}, substitute={"a": "b"}),
         "a chart, for Flux, has no option substitute"),
        (lambda: application(**ARTIFACT, helm={"values": {}}, revision="1.2.3"), "revision is not for a chart"),
        (lambda: application(**ARTIFACT), "path '' is not a folder"),
        (lambda: application(url="oci://registry.example.com/web", helm={"values": {}}), "path and helm exclude each"),
        (lambda: application(helm={"chart": "web"}), "path and helm.chart exclude each"),
        (lambda: ApplicationSpec(name="a", url="oci://registry.example.com/web", destination_namespace="a",
                                 helm={"version": "1.2.3"}), "path '' is not a folder"),
        (lambda: repository(layer_selector={"operation": "copy"}), "type git, for Flux, has no option layer_selector"),
        (lambda: repository(type="helm", layer_selector={"operation": "copy"}), "helm, for Flux, has no option layer"),
        (lambda: repository(type="oci", url="oci://registry.example.com/a", commit=40 * "a"), "not the digest of an"),
        (lambda: repository(type="oci", url="oci://registry.example.com/a", layer_selector={"operation": "move"}),
         "layer_selector operation 'move' is none of extract, copy"),
        (lambda: repository(type="oci", url="oci://registry.example.com/a", layer_selector={"mediaType": "x"}),
         "layer_selector has no option mediaType"),
        (lambda: RepositorySpec(name="config", url=URL, layer_selector={"operation": "copy"}),
         "Argo CD has no option layer_selector"),
        (lambda: application(path="", helm={"chart": "a", "value_files": ["a"]}), "helm has no option value_files"),
        (lambda: repository(type="helm", proxy="http://proxy.example.com"), "type helm, for Flux, has no option proxy"),
        (lambda: repository(type="oci", url="oci://registry.example.com/a", branch="a"),
         "type oci, for Flux, has no option branch"),
        (lambda: application(sync_options=["Validate=false"]), "Flux has no option sync_options"),
        (lambda: repository(template=True), "Flux has no option template"),
        (lambda: repository(url="ssh://git@git.example.com/c.git"), "SSH URL needs ssh_private_key"),
        (lambda: repository(ssh_private_key=KEY), "ssh_private_key needs an SSH URL"),
        (lambda: repository(url="git@git.example.com:a.git", ssh_private_key=KEY), "known_hosts is missing"),
        (lambda: repository(proxy="proxy.example.com:3128"), "proxy is not a URL"),
        (lambda: repository(password="word-1234", bearer_token="token-1234"), "exclude each other"),
        (lambda: repository(github_app_id="1"), "a GitHub App needs"),
        (lambda: repository(branch="a", tag="b"), "branch and tag exclude each other"),
        (lambda: repository(interval="soon"), "is not a duration"),
        (lambda: RepositorySpec(name="config", url=URL, ca_cert="PEM"), "Argo CD has no option ca_cert"),
        (lambda: ApplicationSpec(name="a", url=URL, path="a", destination_namespace="a", interval="1m"),
         "Argo CD has no option interval"),
        (lambda: ProjectSpec(controller="flux", name="team"), "Flux has no projects"),
        (lambda: NotificationSpec(controller="argocd", name="x", type="slack"), "are no objects of their own"),
        (lambda: ClusterSpec(controller="flux", name="prod", token="token-1234"), "Flux has no option token"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_credentials_are_known_to_be_secret_once_they_are_given():
    RepositorySpec(controller="flux", name="c", url=URL, bearer_token="very-secret-token")
    assert "very-secret" not in redact("the token is very-secret-token")


def test_facts_about_a_cluster_are_annotations_for_argo_cd_and_data_for_flux():
    facts = {"aws_account": "123", "vpc": "vpc-1"}
    [secret] = ClusterSpec(name="prod", labels={"env": "prod"}, metadata=facts, token="token-1234").objects()
    assert secret["metadata"]["annotations"] == facts
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "cluster"
    [data] = ClusterSpec(controller="flux", name="prod", metadata=facts).objects()
    assert data["data"] == {"cluster_name": "prod", **facts}


def test_a_notification_keeps_token_and_address_in_a_secret():
    secret, provider, alert = NotificationSpec(
        name="chat", type="generic", address="https://hooks.example.com/secret-path", severity="error"
    ).objects()
    assert secret["stringData"] == {"address": "https://hooks.example.com/secret-path"}
    assert "address" not in provider["spec"]
    assert alert["spec"]["eventSeverity"] == "error"
    assert {source["kind"] for source in alert["spec"]["eventSources"]} >= {"Kustomization", "GitRepository"}
