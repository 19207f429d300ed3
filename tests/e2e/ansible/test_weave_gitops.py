# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps on Flux by playbook: the shipped example, its API, another password, and its removal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pulumi_gitops.core.controllers import catalog, download
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.git import commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import bin_dir, flux_manifest
from tests.e2e.ansible.playbooks import task
from tests.support.weave import Dashboard, chart_url, packed

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLE = Path(__file__).parents[3] / "examples/ansible/weave-gitops"
SYSTEM = "flux-system"
PASSWORD, OTHER = "canary-77d01e5b", "canary-a94c3f28"
KUSTOMIZATION = {"controller": "flux", "wait_timeout": 60}


@pytest.fixture
def example(ansible, sandbox, tmp_path):
    """Run a playbook of the example, copied to a folder whose lock file says what earlier downloads brought.

    No module carries Flux's released file; the composition has its place. The chart is the released one.
    """
    sandbox.follow("weave_gitops")
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder)
    for url, content in {
        catalog.controller("flux").url("2.9.2"): flux_manifest().read_bytes(),
        chart_url(): packed(),
    }.items():
        download.write_cache(content)
        Lock(folder / "gitops.lock").put(url, download.sha256(content))
    path = f"{bin_dir(['helm'])}:{os.environ['PATH']}"

    def run(name, *arguments, password=PASSWORD, **options):
        environment = {"DASHBOARD_PASSWORD": password, "PATH": path}
        playbook = str(folder / name) if isinstance(name, str) else name
        return ansible(playbook, *arguments, environment=environment, **options)

    return run


@pytest.fixture
def application(sandbox, namespace):
    """The options of an application that Flux can sync."""
    url = sandbox.create_repository(namespace)
    manifest = "{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {colour: blue}}\n"
    commit_files(url, "main", files={"apps/settings.yaml": manifest}, message="Begin")
    return {"name": namespace, "url": url, "path": "apps", "destination_namespace": namespace, "create_namespace": True}


def test_people_log_in_and_see_what_flux_does_and_nothing_is_left_in_the_end(example, cluster, sandbox, application):
    name = application["name"]
    for method in ("manifests", "helm_release"):
        assert len(example("bootstrap.yml", "--check", dashboard_method=method).changed) == 3
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", SYSTEM)) is None

    done = example("bootstrap.yml", "-vvv")
    installed = done["Install the dashboard"]
    assert (installed["version"], installed["namespace"], installed["revision"]) == ("0.38.0", SYSTEM, 1)
    again = example("bootstrap.yml", "-vvv")
    assert again.changed == []
    declared = example([task("application", **KUSTOMIZATION, **application), task("controller_info")])
    info = declared["controller_info"]["controllers"]
    there = {"name": "weave_gitops", "version": "0.38.0", "namespace": SYSTEM, "state": "managed"}
    assert [one["name"] for one in info] == ["flux", "weave_gitops"]
    assert info[1] == there
    person = Dashboard(sandbox)
    assert not person.login("admin", OTHER)
    assert person.login("admin", PASSWORD)
    assert person.names("Kustomization") == [f"{SYSTEM}/{name}"]

    rotated = example("bootstrap.yml", "--diff", "-vvv", password=OTHER)
    assert rotated.changed == ["Keep the login of the dashboard", "Install the dashboard"]
    assert not Dashboard(sandbox).login("admin", PASSWORD)
    assert Dashboard(sandbox).login("admin", OTHER)
    for output in (done.output, again.output, rotated.output):
        assert PASSWORD not in output
        assert OTHER not in output

    gone = {**KUSTOMIZATION, **application, "state": "absent"}
    flux = task("controller", "Remove Flux", name="flux", state="absent", _ignore_errors=True)
    wired = task("repository", "Wire it", controller="weave_gitops", name="config", url=application["url"])
    refused = example([task("application", **gone), flux, wired], expect=2)
    assert refused["Remove Flux"]["code"] == "controller.removal_refused"
    assert "Weave GitOps in namespace flux-system needs it" in refused["Remove Flux"]["msg"]
    assert "value of controller must be one of: argocd, flux" in refused["Wire it"]["msg"]
    removed = example("remove.yml")
    assert len(removed.changed) == 3
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", SYSTEM)) is None
    left = [role["metadata"]["name"] for role in cluster.list("rbac.authorization.k8s.io/v1", "ClusterRole")]
    assert not [role for role in left if role.startswith(("wego", "weave"))]
