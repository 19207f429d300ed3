# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps on top of Flux: installed by us or by Flux, people log in by a Secret, removal leaves nothing.

Its server and Flux's controllers are the real ones. The user interface is not seen here, only its API.
"""

from __future__ import annotations

import base64
import uuid

import bcrypt
import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.controllers import ControllerSpec, InstallState
from pulumi_gitops.core.deploy import read_release
from pulumi_gitops.core.errors import ControllerMissingError, InputError, OwnershipError, RemovalRefusedError
from pulumi_gitops.core.git import commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import bin_dir, flux_manifest
from tests.support.registry import Registry
from tests.support.weave import Dashboard, chart, helm_repository

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

SYSTEM = "flux-system"
FLUX = "2.9.2"
PASSWORD, OTHER = "canary-51f0a7c2", "canary-8be2d940"
DEPLOYMENT = ObjectRef("apps", "v1", "Deployment", SYSTEM, "weave-gitops")
LOGIN = ObjectRef("", "v1", "Secret", SYSTEM, "cluster-user-auth")
SECRET = ObjectRef("", "v1", "Secret", SYSTEM, "dashboard")


@pytest.fixture(autouse=True)
def helm_on_path(monkeypatch):
    monkeypatch.setenv("PATH", str(bin_dir(["helm"])), prepend=":")


def dashboard(**options):
    """What the tests install: the chart of the tool, unless it says where Flux gets it."""
    source = {} if "mirror" in options else {"manifests": str(chart())}
    return ControllerSpec(name="weave_gitops", wait_timeout=90.0, **(source | options))


def test_without_flux_nothing_is_applied_and_a_check_says_what_would_be(cluster):
    with pytest.raises(ControllerMissingError, match="needs Flux, which is not installed"):
        controllers.install(cluster, dashboard(admin_secret="dashboard"))
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", SYSTEM)) is None
    planned = controllers.install(cluster, dashboard(admin_secret="dashboard"), check=True)
    assert DEPLOYMENT in {change.ref for change in planned.changes}
    assert controllers.installed(cluster, "weave_gitops") is None


@pytest.fixture(scope="module")
def flux(cluster, sandbox):
    """Flux, and a server of Weave GitOps that will follow its Deployment; gone after the module."""
    sandbox.follow("weave_gitops")
    spec = ControllerSpec(name="flux", version=FLUX, manifests=str(flux_manifest()))
    yield controllers.install(cluster, spec)
    controllers.uninstall(cluster, spec)


@pytest.fixture
def application(cluster, sandbox, flux, namespace):
    """A Kustomization that Flux has applied."""
    url = sandbox.create_repository(f"weave-{uuid.uuid4().hex[:6]}")
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: blue}}\n"
    commit_files(url, "main", files={"apps/settings.yaml": manifest}, message="begin")
    spec = controllers.ApplicationSpec(
        controller="flux",
        name=namespace,
        url=url,
        path="apps",
        destination_namespace=namespace,
        create_namespace=True,
        wait_timeout=60.0,
    )
    controllers.apply_application(cluster, spec)
    yield spec
    controllers.remove_application(cluster, spec)


@pytest.fixture
def secret(cluster, flux):
    """Write the Secret that people log in by; returns nothing."""

    def write(**data):
        cluster.delete(SECRET)
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        metadata = {"name": SECRET.name, "namespace": SYSTEM}
        cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": encoded})

    yield write
    cluster.delete(SECRET)


def there(cluster):
    """What is in the namespace, but for pods and what Kubernetes and Flux make by themselves all the time."""
    kinds = ("v1/Secret", "v1/ServiceAccount", "v1/Service", "apps/v1/Deployment", "apps/v1/ReplicaSet")
    kinds += ("networking.k8s.io/v1/NetworkPolicy", "rbac.authorization.k8s.io/v1/Role")
    kinds += ("rbac.authorization.k8s.io/v1/RoleBinding", "rbac.authorization.k8s.io/v1/ClusterRole")
    kinds += ("rbac.authorization.k8s.io/v1/ClusterRoleBinding", "source.toolkit.fluxcd.io/v1/HelmRepository")
    kinds += ("source.toolkit.fluxcd.io/v1/HelmChart", "helm.toolkit.fluxcd.io/v2/HelmRelease")
    found = set()
    for kind in kinds:
        for obj in cluster.list(*kind.rsplit("/", 1)):
            if obj["metadata"].get("namespace", SYSTEM) == SYSTEM:
                found.add(f"{kind} {obj['metadata']['name']}")
    return found


def test_people_log_in_by_the_secret_and_see_what_flux_does(cluster, sandbox, application, secret):
    secret(password=PASSWORD)
    before = there(cluster)
    spec = dashboard(admin_secret=SECRET.name)
    planned = controllers.install(cluster, spec, check=True)
    assert there(cluster) == before
    result = controllers.install(cluster, spec)
    assert (result.version, result.namespace) == ("0.38.0", SYSTEM)
    assert {change.ref for change in planned.changes} == {change.ref for change in result.changes if change.changed}
    assert PASSWORD not in repr(result)
    assert not controllers.install(cluster, spec).changed
    found = controllers.installed(cluster, "weave_gitops")
    assert (found.version, found.namespace, found.state) == ("0.38.0", SYSTEM, InstallState.MANAGED)
    assert read_release(cluster, "weave-gitops", SYSTEM).drift == {}

    person = Dashboard(sandbox)
    assert not person.login("admin", OTHER)
    assert person.login("admin", PASSWORD)
    assert person.names("Kustomization") == [f"{SYSTEM}/{application.name}"]
    assert person.names("GitRepository") == [f"{SYSTEM}/{application.name}"]

    # Another user with another password, given as a hash: it is taken as it is.
    hashed = bcrypt.hashpw(OTHER.encode(), bcrypt.gensalt(4)).decode()
    secret(username="ann", password=hashed)
    assert controllers.install(cluster, spec, check=True).changed
    assert person.login("admin", PASSWORD)
    rotated = controllers.install(cluster, spec)
    assert LOGIN in {change.ref for change in rotated.changes if change.changed}
    assert base64.b64decode(cluster.get(LOGIN)["data"]["password"]).decode() == hashed
    assert not Dashboard(sandbox).login("admin", PASSWORD)
    ann = Dashboard(sandbox)
    assert ann.login("ann", OTHER)
    assert ann.names("Kustomization") == [f"{SYSTEM}/{application.name}"]
    # The same password in clear fits the hash that is there.
    secret(username="ann", password=OTHER)
    assert not controllers.install(cluster, spec).changed

    controllers.remove_application(cluster, application)
    with pytest.raises(RemovalRefusedError, match=f"Weave GitOps in namespace {SYSTEM} needs it"):
        controllers.uninstall(cluster, ControllerSpec(name="flux"))
    with pytest.raises(OwnershipError, match="by method manifests, which can not be changed to helm_release"):
        controllers.install(cluster, dashboard(method="helm_release", mirror="https://charts.example.com"))
    planned = controllers.uninstall(cluster, ControllerSpec(name="weave_gitops"), check=True)
    assert cluster.find(DEPLOYMENT) is not None
    removed = controllers.uninstall(cluster, ControllerSpec(name="weave_gitops"))
    assert {change.ref for change in removed.changes} == {change.ref for change in planned.changes}
    assert LOGIN in {change.ref for change in removed.changes}
    assert controllers.installed(cluster, "weave_gitops") is None
    assert controllers.installed(cluster, "flux") is not None
    assert {name for name in there(cluster) if "ReplicaSet" not in name} <= before


def test_what_is_wrong_with_the_secret_is_said_before_anything_is_applied(cluster, secret):
    spec = dashboard(admin_secret=SECRET.name)
    with pytest.raises(InputError, match=f"there is no Secret {SYSTEM}/dashboard"):
        controllers.install(cluster, spec)
    secret(username="ann")
    with pytest.raises(InputError, match="has nothing under password"):
        controllers.install(cluster, spec)
    secret(password="tiny-pw")
    with pytest.raises(InputError, match="shorter than"):
        controllers.install(cluster, spec)
    assert cluster.find(DEPLOYMENT) is None
    assert cluster.find(LOGIN) is None


def test_a_login_that_somebody_else_made_stays_when_the_dashboard_goes(cluster, sandbox, flux):
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    data = {
        key: base64.b64encode(value.encode()).decode() for key, value in (("username", "bob"), ("password", hashed))
    }
    metadata = {"name": LOGIN.name, "namespace": SYSTEM}
    cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    try:
        user = {"create": True, "createSecret": False, "username": "bob"}
        registry = {"registry": "registry.example.com/mirror", "image_pull_secret": "mirror"}
        scaled = {"target": {"kind": "Deployment"}, "patch": {"spec": {"replicas": 2}}}
        controllers.install(cluster, dashboard(values={"adminUser": user}, patches=[scaled], **registry))
        spec = cluster.get(DEPLOYMENT)["spec"]
        pod = spec["template"]["spec"]
        assert spec["replicas"] == 2
        assert pod["containers"][0]["image"] == "registry.example.com/mirror/weaveworks/wego-app:v0.38.0"
        assert pod["imagePullSecrets"] == [{"name": "mirror"}]
        assert Dashboard(sandbox).login("bob", PASSWORD)
        controllers.uninstall(cluster, ControllerSpec(name="weave_gitops"))
        assert cluster.get(LOGIN)["data"] == data
    finally:
        cluster.delete(LOGIN)


def test_flux_installs_the_chart_and_takes_it_away(cluster, sandbox, secret, tmp_path):
    secret(password=PASSWORD)
    before = there(cluster)
    scaled = {"target": {"kind": "Deployment"}, "patch": {"spec": {"replicas": 2}}}
    with helm_repository(tmp_path) as url:
        options = {"method": "helm_release", "mirror": url, "admin_secret": SECRET.name, "patches": [scaled]}
        options |= {"registry": "registry.example.com/mirror", "image_pull_secret": "mirror"}
        spec = dashboard(**options)
        assert controllers.install(cluster, spec, check=True).changed
        assert there(cluster) == before
        result = controllers.install(cluster, spec)
        assert {item.ref.kind for item in result.inventory} == {"HelmRepository", "HelmRelease"}
        again = controllers.install(cluster, spec)
        assert [(str(change.ref), change.fields) for change in again.changes if change.changed] == []
        live = cluster.get(DEPLOYMENT)
        assert live["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] == "weave-gitops"
        assert live["spec"]["replicas"] == 2
        pod = live["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == "registry.example.com/mirror/weaveworks/wego-app:v0.38.0"
        assert pod["imagePullSecrets"] == [{"name": "mirror"}]
        assert Dashboard(sandbox).login("admin", PASSWORD)

        secret(username="ann", password=OTHER)
        assert controllers.install(cluster, spec).changed
        ann = Dashboard(sandbox)
        assert ann.login("ann", OTHER)
        assert ann.names("Kustomization") == []
        # 0.38.0 is older than what Flux serves now, as the documentation says.
        for kind in ("HelmRelease", "HelmRepository", "OCIRepository", "Bucket"):
            (problem,) = ann.problems(kind)
            assert problem.startswith(f'no matches for kind "{kind}" in version')
        found = controllers.installed(cluster, "weave_gitops")
        assert (found.version, found.state) == ("0.38.0", InstallState.MANAGED)
        with pytest.raises(OwnershipError, match="by method helm_release"):
            controllers.install(cluster, dashboard())
        with pytest.raises(RemovalRefusedError, match="HelmRelease flux-system/weave-gitops"):
            controllers.uninstall(cluster, ControllerSpec(name="flux"))
        controllers.uninstall(cluster, ControllerSpec(name="weave_gitops"))
    assert {name for name in there(cluster) if "ReplicaSet" not in name} <= before


def test_another_version_of_the_chart_replaces_the_one_that_flux_has_installed(cluster, flux):
    page = ObjectRef("", "v1", "ConfigMap", SYSTEM, "page")
    template = "{apiVersion: v1, kind: ConfigMap, metadata: {name: page}, data: {colour: %s}}"
    with Registry() as registry:

        def release(version):
            # From a registry, and a chart of our own: upstream has published one version only.
            manifests = f"oci://{registry.address}/charts/weave-gitops:{version}"
            return dashboard(method="helm_release", manifests=manifests, version=version)

        for number, colour in (("1.0.0", "blue"), ("1.1.0", "red")):
            registry.push_chart("charts/weave-gitops", number, {"page.yaml": template % colour})
            result = controllers.install(cluster, release(number))
            assert cluster.get(page)["data"] == {"colour": colour}
            assert controllers.installed(cluster, "weave_gitops").version == number
            assert not controllers.install(cluster, release(number)).changed
        assert {item.ref.kind for item in result.inventory} == {"OCIRepository", "HelmRelease"}
        # Lower ones are as good.
        controllers.install(cluster, release("1.0.0"))
        assert cluster.get(page)["data"] == {"colour": "blue"}
        controllers.uninstall(cluster, ControllerSpec(name="weave_gitops"))
    assert cluster.find(page) is None
