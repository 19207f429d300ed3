# SPDX-License-Identifier: Apache-2.0
"""Flux, wired by the engine on its real controllers: credentials, revisions, healing, pruning, its own words."""

from __future__ import annotations

import dataclasses
import uuid

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.deploy import delete_objects, read_release
from pulumi_gitops.core.errors import InputError, OwnershipError, RemovalRefusedError, SyncFailedError
from pulumi_gitops.core.git import Credentials, commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.support.registry import Registry

from .conftest import PASSWORD, web

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

VERSION = "2.9.2"


def controller(**options):
    return controllers.ControllerSpec(name="flux", version=VERSION, manifests=str(flux_manifest()), **options)


@pytest.fixture(scope="module")
def flux(cluster):
    """Flux in its usual namespace, gone after the module."""
    yield controllers.install(cluster, controller())
    controllers.uninstall(cluster, controller())


@pytest.fixture(scope="module")
def repository(sandbox, cluster, flux):
    """A repository with a password that Flux knows; gone after the module."""
    url = sandbox.create_repository(f"flux-{uuid.uuid4().hex[:6]}", username="ci", password=PASSWORD)
    commit_files(url, "main", files={"README.md": "x"}, message="begin", credentials=Credentials("ci", PASSWORD))
    spec = controllers.RepositorySpec(controller="flux", name="config", url=url, username="ci", password=PASSWORD)
    controllers.apply_repository(cluster, spec)
    yield spec
    controllers.remove_repository(cluster, spec)


class Service:
    """A service of one test: its folder in the repository, its application, its namespace."""

    def __init__(self, cluster, repository):
        self.cluster, self.repository = cluster, repository
        self.name = f"svc-{uuid.uuid4().hex[:6]}"
        self.deployment = ObjectRef("apps", "v1", "Deployment", self.name, "web")

    def commit(self, **files):
        named = {f"apps/{self.name}/{name}.yaml": content for name, content in files.items()}
        login = Credentials("ci", PASSWORD)
        return commit_files(self.repository.url, "main", files=named, message="change", credentials=login).commit

    def spec(self, **options):
        defaults = {
            "controller": "flux",
            "name": self.name,
            "repository": "config",
            "path": f"apps/{self.name}",
            "destination_namespace": self.name,
            "create_namespace": True,
            "wait_timeout": 60.0,
        }
        return controllers.ApplicationSpec(**{**defaults, **options})

    def apply(self, **options):
        return controllers.apply_application(self.cluster, self.spec(**options))

    def sync(self, revision=None, **options):
        spec = controllers.SyncSpec(controller="flux", name=self.name, revision=revision, wait_timeout=60.0)
        return controllers.sync(self.cluster, spec, **options)


@pytest.fixture
def service(cluster, repository):
    made = Service(cluster, repository)
    made.commit(web=web(2))
    yield made
    # First, so that nobody waits for it.
    cluster.delete(ObjectRef("", "v1", "Namespace", "", made.name))
    controllers.remove_application(cluster, made.spec())


def test_it_is_installed_by_a_release_and_a_second_run_changes_nothing(cluster, flux):
    assert (flux.version, flux.namespace) == (VERSION, "flux-system")
    again = controllers.install(cluster, controller())
    assert not again.changed
    found = controllers.installed(cluster, "flux")
    assert (found.version, found.state) == (VERSION, controllers.InstallState.MANAGED)
    assert read_release(cluster, "flux", "flux-system").drift == {}


def test_an_application_is_synced_to_the_newest_commit_and_a_second_run_changes_nothing(cluster, service):
    commit = service.commit(web=web(3))
    result = service.apply()
    assert (result.revision, result.sync, result.health) == (commit, "Synced", "Healthy")
    assert cluster.get(service.deployment)["spec"]["replicas"] == 3
    assert not service.apply().changed
    assert not service.apply(wait=False).changed


def test_check_mode_changes_nothing(cluster, service):
    result = controllers.apply_application(cluster, service.spec(), check=True)
    assert [str(change.action) for change in result.changes] == ["create", "create"]
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", service.name)) is None


def test_a_commit_is_synced_a_hand_edit_healed_and_what_left_the_folder_pruned(cluster, service):
    service.commit(web=web(2), extra="{apiVersion: v1, kind: ConfigMap, metadata: {name: extra}, data: {a: '1'}}\n")
    service.apply()
    commit = service.commit(web=web(4))
    result = service.sync(commit)
    assert (result.revision, result.changed) == (commit, True)
    assert cluster.get(service.deployment)["spec"]["replicas"] == 4
    cluster.patch(service.deployment, {"spec": {"replicas": 7}})
    service.sync()
    assert cluster.get(service.deployment)["spec"]["replicas"] == 4
    path = f"apps/{service.name}/extra.yaml"
    login = Credentials("ci", PASSWORD)
    commit_files(service.repository.url, "main", files={}, delete=[path], message="remove", credentials=login)
    service.sync()
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", service.name, "extra")) is None
    assert service.sync(check=True).changed is False


def test_removal_takes_what_it_deployed_and_the_namespace_that_was_made_for_it_with_it(cluster, service):
    namespace = ObjectRef("", "v1", "Namespace", "", service.name)
    service.apply()
    neighbour = service.spec(name=f"{service.name}-2", auto_sync=False)
    controllers.apply_application(cluster, neighbour)
    assert "Namespace" not in str(controllers.remove_application(cluster, service.spec(), check=True).changes)
    assert not [change for change in service.apply().changes if change.changed]
    removed = controllers.remove_application(cluster, neighbour)
    assert [change.ref.kind for change in removed.changes] == ["Kustomization"], "it was made for another one"
    removed = controllers.remove_application(cluster, service.spec())
    assert [change.ref.kind for change in removed.changes] == ["Kustomization", "Namespace"]
    assert cluster.find(namespace) is None
    assert not controllers.remove_application(cluster, service.spec()).changed


def test_what_others_have_made_under_its_name_is_left_alone(cluster, service):
    chart = {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}
    foreign = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": service.name, "namespace": "flux-system"},
        "spec": {"interval": "10m", "suspend": True, "chart": {"spec": chart}},
    }
    ref = ObjectRef.of(foreign)
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": service.name}})
    cluster.create(foreign)
    try:
        service.apply()
        removed = controllers.remove_application(cluster, service.spec())
        assert [change.ref.kind for change in removed.changes] == ["Kustomization"], "the namespace was there before"
        with pytest.raises(OwnershipError, match="was not made by pulumi-gitops"):
            controllers.remove_application(cluster, service.spec())
        labels = {"app.kubernetes.io/managed-by": "pulumi-gitops", "applyset.kubernetes.io/part-of": "applyset-a-v1"}
        cluster.patch(ref, {"metadata": {"labels": labels}})
        chart = {"path": "", "repository": None, "url": "https://charts.example.com", "helm": {"chart": "web"}}
        with pytest.raises(OwnershipError, match="belongs to a release"):
            controllers.remove_application(cluster, service.spec())
        with pytest.raises(OwnershipError, match="belongs to a release"):
            service.apply(**chart)
        assert cluster.find(ref) is not None
    finally:
        delete_objects(cluster, [ref])


def test_its_own_words_reach_the_user_with_what_to_do(cluster, service, sandbox):
    service.commit(web=web(2).replace("replicas: 2", "replicas: many"))
    with pytest.raises(SyncFailedError, match="expected numeric") as caught:
        service.apply()
    assert caught.value.hint
    with pytest.raises(SyncFailedError, match="no such file or directory") as caught:
        service.apply(path="apps/nowhere")
    assert "path" in caught.value.hint
    url = service.repository.url
    wrong = dataclasses.replace(service.repository, name="wrong", password="not-the-password")
    controllers.apply_repository(cluster, wrong)
    try:
        with pytest.raises(SyncFailedError, match="authentication") as caught:
            service.apply(repository="wrong")
        assert "not-the-password" not in str(caught.value)
        assert "credentials" in caught.value.hint
    finally:
        controllers.remove_application(cluster, service.spec())
        controllers.remove_repository(cluster, wrong)
    lost = dataclasses.replace(service.repository, name="lost", branch="nowhere", url=url)
    controllers.apply_repository(cluster, lost)
    try:
        with pytest.raises(SyncFailedError, match="nowhere") as caught:
            service.apply(repository="lost")
        assert "branch" in caught.value.hint
    finally:
        controllers.remove_application(cluster, service.spec())
        controllers.remove_repository(cluster, lost)


def test_a_rotated_kind_of_credentials_replaces_the_keys_of_the_secret(cluster, repository):
    ref = ObjectRef("", "v1", "Secret", "flux-system", "repo-rotated")
    spec = dataclasses.replace(repository, name="rotated")
    controllers.apply_repository(cluster, spec)
    assert set(cluster.get(ref)["data"]) == {"username", "password"}
    token = dataclasses.replace(spec, username=None, password=None, bearer_token="token-of-ci-1234")
    controllers.apply_repository(cluster, token)
    assert set(cluster.get(ref)["data"]) == {"bearerToken"}
    assert controllers.remove_repository(cluster, token)
    assert cluster.find(ref) is None


def test_a_branch_it_does_not_follow_is_refused(cluster, service):
    service.apply()
    with pytest.raises(InputError, match="follows main"):
        service.sync("prod")


def test_it_is_not_removed_while_it_looks_after_applications(cluster, service):
    service.apply()
    with pytest.raises(RemovalRefusedError, match=f"Kustomization flux-system/{service.name}"):
        controllers.uninstall(cluster, controller())


def test_facts_of_a_cluster_reach_the_manifests(cluster, service):
    facts = controllers.ClusterSpec(controller="flux", name=service.name, metadata={"color": "green"})
    controllers.apply_wiring(cluster, facts)
    service.commit(config="{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {color: '${color}'}}\n")
    service.apply(substitute_from=[{"kind": "ConfigMap", "name": f"cluster-{service.name}"}])
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", service.name, "c"))["data"] == {"color": "green"}
    assert controllers.remove_wiring(cluster, facts)


def test_a_notification_is_accepted_by_the_api_server_and_goes_without_a_trace(cluster, flux):
    spec = controllers.NotificationSpec(name="chat", type="generic", address="https://hooks.example.com/secret-path")
    assert controllers.apply_wiring(cluster, spec)
    assert not any(change.changed for change in controllers.apply_wiring(cluster, spec))
    assert len(controllers.remove_wiring(cluster, spec)) == 3


def test_a_folder_of_oci_artifacts_is_synced_with_the_password_of_the_registry_and_gone_with_the_application(
    cluster, flux
):
    name = f"svc-{uuid.uuid4().hex[:6]}"
    settings = ObjectRef("", "v1", "ConfigMap", name, "settings")
    text = "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: settings}}, data: {{color: {}}}}}\n"
    with Registry("ci", PASSWORD) as registry:
        registry.push("shop", "1.0.0", {"deploy/a.yaml": text.format("red")})
        repository = controllers.RepositorySpec(
            controller="flux", name=name, type="oci", url=f"oci://{registry.address}/shop", semver="1.x",
            username="ci", password=PASSWORD,
        )  # fmt: skip
        spec = controllers.ApplicationSpec(
            controller="flux", name=name, repository=name, repository_type="oci", path="deploy",
            destination_namespace=name, create_namespace=True, wait_timeout=60.0,
        )  # fmt: skip
        wrong = dataclasses.replace(repository, password="not-the-password")
        try:
            controllers.apply_repository(cluster, wrong)
            with pytest.raises(SyncFailedError, match=r"(?i)unauthorized") as caught:
                controllers.apply_application(cluster, spec)
            assert "credentials" in caught.value.hint
            controllers.apply_repository(cluster, repository)
            first = controllers.apply_application(cluster, spec)
            assert (first.sync, first.health) == ("Synced", "Healthy")
            pushed = registry.push("shop", "1.1.0", {"deploy/a.yaml": text.format("blue")})
            sync = controllers.SyncSpec(controller="flux", name=name, wait_timeout=60.0)
            assert controllers.sync(cluster, sync).revision == pushed.removeprefix("sha256:")
            assert cluster.get(settings)["data"] == {"color": "blue"}
        finally:
            controllers.remove_application(cluster, spec)
            assert len(controllers.remove_repository(cluster, repository)) == 2
            assert cluster.find(settings) is None
            cluster.delete(ObjectRef("", "v1", "Namespace", "", name))


SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {{name: settings}}
data: {{color: {}, size: "{{{{ .Values.size }}}}"}}
"""


def chart_of(color):
    """Return the templates of a chart with a ConfigMap."""
    return {"settings.yaml": SETTINGS.format(color)}


def chart_spec(name, **options):
    """Return an application that is a chart."""
    defaults = {"helm": {"values": {"size": 2}}, "destination_namespace": name, "create_namespace": True}
    return controllers.ApplicationSpec(
        controller="flux", name=name, **{**defaults, "wait_timeout": 60.0, "remediation": 3, **options}
    )


def test_a_chart_in_a_private_registry_follows_its_versions_is_healed_and_is_gone_with_the_application(cluster, flux):
    name = f"svc-{uuid.uuid4().hex[:6]}"
    settings = ObjectRef("", "v1", "ConfigMap", name, "settings")
    spec = chart_spec(name, repository=name, repository_type="oci", drift_detection="enabled")
    sync = controllers.SyncSpec(controller="flux", name=name, wait_timeout=60.0)
    with Registry("ci", PASSWORD) as registry:
        pushed = registry.push_chart("charts/web", "1.0.0", chart_of("red"))
        repository = controllers.RepositorySpec(
            controller="flux", name=name, type="oci", url=f"oci://{registry.address}/charts/web", semver="1.x",
            username="ci", password=PASSWORD,
            layer_selector={"media_type": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"},
        )  # fmt: skip
        try:
            controllers.apply_repository(cluster, dataclasses.replace(repository, password="not-the-password"))
            planned = controllers.apply_application(cluster, spec, check=True)
            assert [str(change.action) for change in planned.changes] == ["create", "create"]
            with pytest.raises(SyncFailedError, match="UNAUTHORIZED: authentication required") as caught:
                controllers.apply_application(cluster, spec)
            assert "credentials" in caught.value.hint
            assert "not-the-password" not in str(caught.value)
            controllers.apply_repository(cluster, repository)
            first = controllers.apply_application(cluster, spec)
            assert (f"sha256:{first.revision}", first.sync, first.health) == (pushed, "Synced", "Healthy")
            assert cluster.get(settings)["data"] == {"color": "red", "size": "2"}
            assert not controllers.apply_application(cluster, spec).changed
            # A tag can not hold the "+" of a version.
            pushed = registry.push_chart("charts/web", "1.1.0+build.7", chart_of("blue")).removeprefix("sha256:")
            result = controllers.sync(cluster, dataclasses.replace(sync, revision=pushed))
            assert (result.revision, result.changed) == (pushed, True)
            assert cluster.get(settings)["data"] == {"color": "blue", "size": "2"}
            assert controllers.sync(cluster, sync, check=True).changed is False
            cluster.patch(settings, {"data": {"color": "pink"}})
            controllers.sync(cluster, sync)
            assert cluster.get(settings)["data"]["color"] == "blue"
        finally:
            removed = controllers.remove_application(cluster, spec)
            assert [change.ref.kind for change in removed.changes] == ["HelmRelease", "Namespace"]
            assert len(controllers.remove_repository(cluster, repository)) == 2
            assert cluster.find(settings) is None


def test_a_chart_of_a_public_registry_has_a_source_of_its_own_by_version_range_or_digest(cluster, flux):
    name = f"svc-{uuid.uuid4().hex[:6]}"
    settings = ObjectRef("", "v1", "ConfigMap", "default", "settings")
    source = ObjectRef("source.toolkit.fluxcd.io", "v1", "OCIRepository", "flux-system", name)

    with Registry() as registry:
        registry.push_chart("charts/web", "1.0.0", chart_of("red"))
        pushed = registry.push_chart("charts/web", "1.1.0", chart_of("blue"))
        url = f"oci://{registry.address}/charts"
        charts = controllers.RepositorySpec(controller="flux", name=f"{name}-charts", type="helm", url=url)

        def declare(helm, **where):
            # Not a namespace of its own, whose deletion takes seconds.
            spec = chart_spec(
                name, helm=helm, destination_namespace="default", create_namespace=False, **(where or {"url": url})
            )
            return controllers.apply_application(cluster, spec)

        try:
            with pytest.raises(SyncFailedError, match="MANIFEST_UNKNOWN") as caught:
                declare({"chart": "web", "version": "7.0.0"})
            assert "version" in caught.value.hint
            declare({"chart": "web", "version": "1.0.0"})
            assert cluster.get(settings)["data"]["color"] == "red"
            newest = declare({"chart": "web", "version": "1.x"})
            assert f"sha256:{newest.revision}" == pushed
            assert cluster.get(settings)["data"]["color"] == "blue"
            assert declare({"version": pushed}, url=f"{url}/web").revision == newest.revision
            # Flux has no status for a registry of charts, and here it has to be told that there is no TLS.
            controllers.apply_repository(cluster, charts)
            cluster.patch(source._replace(kind="HelmRepository", name=charts.name), {"spec": {"insecure": True}})
            declare({"chart": "web", "version": "1.0.0"}, repository=charts.name)
            assert cluster.get(settings)["data"]["color"] == "red"
            assert cluster.find(source) is None, "it is not needed any more"
            declare({"chart": "web", "version": "1.1.0"})
        finally:
            removed = controllers.remove_application(cluster, chart_spec(name, url=url))
            assert [change.ref.kind for change in removed.changes] == ["HelmRelease", "OCIRepository"]
            controllers.remove_repository(cluster, charts)
        assert cluster.find(source) is None


def test_a_source_of_an_application_and_a_connected_repository_of_one_name_leave_each_other_alone(
    cluster, repository, service
):
    def application(name):
        return controllers.ApplicationSpec(
            controller="flux", name=name, url=repository.url, path="apps", destination_namespace=name, wait=False
        )

    with pytest.raises(OwnershipError, match="is a connected repository") as refused:
        controllers.apply_application(cluster, application("config"))
    assert "repository: config" in refused.value.hint
    controllers.apply_application(cluster, application(service.name))
    other = dataclasses.replace(repository, name=service.name)
    with pytest.raises(OwnershipError, match=f"is the source of the application {service.name}"):
        controllers.apply_repository(cluster, other)
    assert not controllers.remove_repository(cluster, other)
    source = ObjectRef("source.toolkit.fluxcd.io", "v1", "GitRepository", "flux-system", service.name)
    assert cluster.find(source) is not None
    controllers.remove_application(cluster, application("config"))
    assert cluster.find(source._replace(name="config")) is not None
    shared = dataclasses.replace(application(service.name), url="", repository="config")
    assert source in [change.ref for change in controllers.apply_application(cluster, shared).changes]
    going = cluster.find(source)  # with wait: false it may not have gone yet
    assert going is None or "deletionTimestamp" in going["metadata"]
    delete_objects(cluster, [source])  # waits
    assert cluster.find(source) is None, "it is not needed any more"
    controllers.apply_application(cluster, application(service.name))
    controllers.remove_application(cluster, application(service.name))
    assert cluster.find(source) is None
