# SPDX-License-Identifier: Apache-2.0
"""The demo, on a cluster that it did not start itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

PASSWORD = "canary-4714-password"


def run_demo(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "pulumi_gitops", "demo", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=400, check=False)


def test_the_story_runs_on_another_cluster_and_cleans_up_behind_itself(sandbox, cluster):
    from pulumi_gitops.sandbox import bin_dir

    sandbox.create_repository("config", "ci", PASSWORD)
    env = {**os.environ, **sandbox.env(), "GIT_USERNAME": "ci", "GIT_PASSWORD": PASSWORD}
    tools = bin_dir(["pulumi", "pulumi-language-python"])
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), str(tools), env["PATH"]])
    context = subprocess.run(
        ["kubectl", "config", "current-context"], env=env, capture_output=True, text=True, check=True
    ).stdout.strip()
    done = run_demo("--context", context, "--git-url", sandbox.git_url, env=env)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for expected in ("revision 1, 4 objects, ready", "Synced, Healthy at", "5/5 ready", "healed to 5", "2/2 ready"):
        assert expected in said
    assert PASSWORD not in said
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "argocd")) is None
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "billing")) is None
    crd = ObjectRef("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "applications.argoproj.io")
    assert cluster.find(crd) is None


def test_an_exported_kubeconfig_alone_leads_the_demo_nowhere():
    done = run_demo("--git-url", "https://git.example.com/team", env={**os.environ, "KUBECONFIG": "/nowhere"})
    assert done.returncode == 1
    assert "CONTEXT and GIT_URL go together" in done.stderr
