# SPDX-License-Identifier: Apache-2.0
"""Argo CD's processes run while Argo CD is installed, restart when they die, and finish their work before they stop."""

from __future__ import annotations

import json
import urllib.request

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.core.git import commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import Sandbox
from pulumi_gitops.sandbox.processes import ProcessId, marked

from .conftest import eventually

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

NAMESPACE = "delivery"  # not the usual one: they follow Argo CD wherever it is installed
INSTALLATION = controllers.ControllerSpec(namespace=NAMESPACE)
WORKLOAD = ObjectRef("apps", "v1", "StatefulSet", NAMESPACE, "argocd-application-controller")
SETTINGS = ObjectRef("", "v1", "ConfigMap", "shop", "settings")
SERVER = ObjectRef("apps", "v1", "Deployment", NAMESPACE, "argocd-server")
APPLICATION_SETS = ObjectRef("apps", "v1", "Deployment", NAMESPACE, "argocd-applicationset-controller")
OPTIONAL = {SERVER.name, APPLICATION_SETS.name}
TOOLS = {"argocd-redis", "argocd-repo-server", "argocd-application-controller"} | OPTIONAL


def tools(sandbox):
    """Argo CD's processes that are running: name -> number."""
    return {process.name: process.pid for process in sandbox.processes() if process.name in TOOLS and process.alive}


def all_run(sandbox):
    return set(tools(sandbox)) == TOOLS


@pytest.fixture(scope="module")
def gitops(state_home):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        sandbox = Sandbox.start("gitops", argocd=True)
    yield sandbox
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        sandbox.stop()


@pytest.fixture
def cluster(gitops, connected):
    """The cluster with Argo CD installed and its processes running."""
    cluster = connected(gitops)
    controllers.install(cluster, INSTALLATION)
    eventually(lambda: all_run(gitops))
    return cluster


@pytest.fixture(scope="module")
def application(gitops):
    """An application that brings one ConfigMap into the namespace `shop`."""
    manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: blue}\n"
    url = gitops.create_repository("config")
    commit_files(url, "main", files={"shop/settings.yaml": manifest}, message="start")
    return controllers.ApplicationSpec(
        name="shop",
        url=url,
        path="shop",
        destination_namespace="shop",
        namespace=NAMESPACE,
        create_namespace=True,
        wait_timeout=60.0,
    )


def api_version(sandbox):
    """What Argo CD's API says of its version; "" while it does not answer."""
    try:
        with urllib.request.urlopen(f"{sandbox.argocd_server_url}/api/version", timeout=5) as answer:
            return json.load(answer)["Version"]
    except OSError:
        return ""


def test_before_an_installation_only_the_follower_runs(gitops):
    assert tools(gitops) == {}
    with pytest.raises(SandboxError, match="no API of Argo CD"):
        _ = gitops.argocd_server_url
    assert "argocd-follower" in [process.name for process in gitops.processes()]


def test_what_is_committed_arrives_in_less_memory_than_promised(gitops, cluster, application):
    result = controllers.apply_application(cluster, application)
    assert (result.sync, result.health) == ("Synced", "Healthy")
    assert cluster.get(SETTINGS)["data"] == {"colour": "blue"}
    eventually(lambda: api_version(gitops).startswith("v3.5.7"))
    assert gitops.memory_bytes() < 1.5e9


def test_server_and_applicationset_controller_run_while_their_own_deployments_are_there(gitops, cluster):
    others = {name: pid for name, pid in tools(gitops).items() if name not in OPTIONAL}
    for ref in (SERVER, APPLICATION_SETS):
        cluster.patch(ref, {"spec": {"replicas": 0}})
        eventually(lambda name=ref.name: name not in tools(gitops))
    assert tools(gitops) == others
    with pytest.raises(SandboxError, match="no API of Argo CD"):
        _ = gitops.argocd_server_url
    for ref in (SERVER, APPLICATION_SETS):
        cluster.patch(ref, {"spec": {"replicas": 1}})
    eventually(lambda: all_run(gitops))
    assert others.items() <= tools(gitops).items()


@pytest.mark.parametrize("name", sorted(TOOLS - OPTIONAL))
def test_one_that_dies_is_started_again_and_the_log_says_so(gitops, cluster, application, name):
    before = tools(gitops)[name]
    said = gitops.logs("argocd-follower").count(f"{name} has died")
    gitops.stop_process(name)
    eventually(lambda: all_run(gitops) and tools(gitops)[name] != before)
    assert gitops.logs("argocd-follower").count(f"{name} has died and is started again") == said + 1
    controllers.apply_application(cluster, application)


def test_scaled_to_zero_they_stop_and_come_back(gitops, cluster):
    cluster.patch(WORKLOAD, {"spec": {"replicas": 0}})
    eventually(lambda: tools(gitops) == {})
    cluster.patch(WORKLOAD, {"spec": {"replicas": 1}})
    eventually(lambda: all_run(gitops))


def test_after_its_removal_they_finish_the_applications_and_then_stop(gitops, cluster, application):
    controllers.apply_application(cluster, application)
    running = tools(gitops)
    cluster.delete(WORKLOAD)
    eventually(lambda: cluster.find(WORKLOAD) is None)
    controllers.remove_application(cluster, application)
    assert cluster.find(SETTINGS) is None
    eventually(lambda: tools(gitops) == {})
    assert not [pid for pid in running.values() if ProcessId.of(pid)]


def test_a_stop_ends_them_too(gitops, cluster):
    """The last test: it stops the sandbox of this file."""
    running = tools(gitops)
    gitops.stop()
    assert not [pid for pid in running.values() if ProcessId.of(pid)]
    assert marked(gitops.folder) == []
    assert not gitops.folder.exists()
