# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps on Flux by a Pulumi program: the shipped example, its API, another password, and its removal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.controllers import catalog, download
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.git import commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest
from tests.support.weave import Dashboard, chart_url, helm_repository, packed

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "pulumi" / "weave-gitops"
SYSTEM = "flux-system"
DEPLOYMENT = ObjectRef("apps", "v1", "Deployment", SYSTEM, "weave-gitops")
PASSWORD, OTHER = "canary-4742-password", "canary-4742-other"


@pytest.fixture
def example(stack, sandbox):
    """The example in the stack's folder, with a lock file that says what earlier downloads brought.

    No module carries Flux's released file; the composition has its place. The chart is the released one.
    """
    sandbox.follow("weave_gitops")
    shutil.copytree(EXAMPLE, stack.folder, dirs_exist_ok=True)
    known = {catalog.controller("flux").url("2.9.2"): flux_manifest().read_bytes(), chart_url(): packed()}
    for url, content in known.items():
        download.write_cache(content)
        Lock(stack.folder / "gitops.lock").put(url, download.sha256(content))
    stack.pulumi("stack", "init", "dev")
    return stack


@pytest.fixture
def application(sandbox, namespace):
    """An application that Flux can sync."""
    url = sandbox.create_repository(namespace)
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: blue}}\n"
    commit_files(url, "main", files={"apps/settings.yaml": manifest}, message="begin")
    return controllers.ApplicationSpec(
        controller="flux",
        name=namespace,
        url=url,
        path="apps",
        destination_namespace=namespace,
        create_namespace=True,
        wait_timeout=60.0,
    )


def test_people_log_in_and_see_what_flux_does_and_a_refresh_notices_another_password(
    example, application, cluster, sandbox, tmp_path
):
    example.pulumi("config", "set", "--secret", "password", stdin=PASSWORD)
    said = example.up()
    assert example.outputs() == {"flux": "2.9.2", "dashboard": "0.38.0"}
    again = example.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--diff")
    controllers.apply_application(cluster, application)
    person = Dashboard(sandbox)
    assert not person.login("admin", OTHER)
    assert person.login("admin", PASSWORD)
    assert person.names("Kustomization") == [f"{SYSTEM}/{application.name}"]
    controllers.remove_application(cluster, application)

    # The program says no more than the name of the Secret, so its content counts from the next refresh on.
    example.pulumi("config", "set", "--secret", "password", stdin=OTHER)
    example.up()
    assert Dashboard(sandbox).login("admin", PASSWORD)
    refreshed = example.pulumi("up", "--yes", "--skip-preview", "--refresh", "--diff")
    assert "cluster-user-auth" in refreshed
    assert not Dashboard(sandbox).login("admin", PASSWORD)
    assert Dashboard(sandbox).login("admin", OTHER)
    example.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
    state = example.state()
    for text in (said, again, refreshed, state):
        assert PASSWORD not in text
        assert OTHER not in text
    installed = next(
        entry["inputs"]
        for entry in json.loads(state)["deployment"]["resources"]
        if entry["type"] == "gitops:index:Controller" and entry["inputs"]["controller"] == "weave_gitops"
    )
    assert "ciphertext" in installed["values"]

    # Flux takes over: what was installed goes first. The mirror is only as nobody reaches upstream from here.
    charts = tmp_path / "charts"
    charts.mkdir()
    with helm_repository(charts) as url:
        main = example.folder / "__main__.py"
        main.write_text(main.read_text().replace('"method": method,', f'"method": method, "mirror": "{url}",'))
        example.pulumi("config", "set", "method", "helm_release")
        before = cluster.get(DEPLOYMENT)["metadata"]["uid"]
        previewed = example.pulumi("preview", "--diff")
        assert "HelmRelease/flux-system/weave-gitops" in previewed
        assert cluster.get(DEPLOYMENT)["metadata"]["uid"] == before
        replaced = example.up()
        labels = cluster.get(DEPLOYMENT)["metadata"]["labels"]
        assert labels["helm.toolkit.fluxcd.io/name"] == "weave-gitops"
        assert Dashboard(sandbox).login("admin", OTHER)
        again = example.pulumi("up", "--yes", "--skip-preview", "--refresh", "--expect-no-changes")
        assert not [text for text in (previewed, replaced, again, example.state()) if OTHER in text]
    example.pulumi("destroy", "--yes", "--skip-preview")
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", SYSTEM)) is None
    roles = cluster.list("rbac.authorization.k8s.io/v1", "ClusterRole")
    assert not [role for role in roles if role["metadata"]["name"].startswith(("wego", "weave"))]
