# SPDX-License-Identifier: Apache-2.0
"""The examples of a Release run as they are."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest

from pulumi_gitops.core.deploy import read_release
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "pulumi"


@pytest.fixture
def example(stack, namespace):
    """Bring an example to the stack's folder; it deploys into the namespace of the test."""
    from pulumi_gitops.sandbox import bin_dir

    stack.env["PATH"] = os.pathsep.join([str(bin_dir(["helm", "kustomize"])), stack.env["PATH"]])

    def start(name: str, stack_name: str):
        shutil.copytree(EXAMPLES / name, stack.folder, dirs_exist_ok=True)
        stack.pulumi("stack", "init", stack_name)
        stack.pulumi("config", "set", "namespace", namespace)
        return stack

    return start


def shop(cluster, namespace: str) -> dict:
    return cluster.get(ObjectRef("apps", "v1", "Deployment", namespace, "shop"))


def image(deployment: dict) -> str:
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def test_plain_manifests_with_overrides(example, cluster, namespace):
    running = example("yaml", "dev")
    running.up()
    deployed = shop(cluster, namespace)
    assert deployed["spec"]["replicas"] == 2
    assert deployed["metadata"]["labels"]["example.com/team"] == "shop"
    running.pulumi("up", "--yes", "--skip-preview", "-c", "image=registry.example.com/shop:1.1")
    assert image(shop(cluster, namespace)) == "registry.example.com/shop:1.1"
    assert running.outputs()["revision"] == 2


def test_the_overlay_of_the_stack(example, cluster, namespace):
    example("kustomize", "production").up()
    deployed = shop(cluster, namespace)
    assert deployed["spec"]["replicas"] == 3
    assert image(deployed) == "registry.example.com/shop:1.1"


def test_a_chart_with_a_secret_value(example, cluster, namespace):
    running = example("helm", "dev")
    running.pulumi("config", "set", "--secret", "password", stdin="canary-4720-password")
    said = running.pulumi("up", "--yes", "--diff")
    assert shop(cluster, namespace)["spec"]["replicas"] == 2
    assert cluster.get(ObjectRef("", "v1", "Secret", namespace, "shop"))["data"]["password"]
    assert "canary-4720-password" not in said + running.state()


def test_two_stages_with_an_approval(example, cluster, namespace):
    running = example("approval", "production")
    assert "deployed only with an approval" in running.up(check=False)
    shown = running.pulumi("preview", "--diff")
    digest = re.search(r"plan digest (sha256:\S+) \(4 to create\)", shown)
    assert digest, shown
    running.pulumi("up", "--yes", "--skip-preview", "-c", f"planDigest={digest[1]}", "-c", "approvedBy=ann")
    assert running.outputs() == {"revision": 1, "plan digest": digest[1]}
    assert read_release(cluster, "shop", namespace).revisions[0].approved_by == "ann"
