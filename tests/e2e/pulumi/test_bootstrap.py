# SPDX-License-Identifier: Apache-2.0
"""Argo CD bootstrapped, a repository wired and an application synced from a Pulumi program; Argo CD manages itself."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.git import Credentials, commit_files, read_tip
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

PASSWORD = "canary-4712-password"
PROGRAM = """
config = pulumi.Config()
argocd = gitops.ArgoCD("argocd", {{"version": "3.5.7", "self_manage": {{
    "url": "{url}", "username": "ci", "password": config.require_secret("password"),
}}}})
repository = gitops.Repository("config", {{
    "controller": "argocd", "url": "{url}", "username": "ci", "password": config.require_secret("password"),
}}, opts=pulumi.ResourceOptions(depends_on=[argocd]))
application = gitops.Application("shop", {{
    "controller": "argocd", "url": "{url}", "path": "apps/shop", "destination_namespace": "{namespace}",
    "create_namespace": True, "self_heal": True, "revision": "{revision}", "wait_timeout": 90,
}}, opts=pulumi.ResourceOptions(depends_on=[repository]))
pulumi.export("version", argocd.version)
pulumi.export("revision", application.revision)
"""
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: shop}}\ndata: {{color: {color}}}\n"


def test_bootstrap_wire_sync_and_remove(stack, cluster, sandbox, namespace):
    url = sandbox.create_repository(f"pulumi-{namespace}", "ci", PASSWORD)
    credentials = Credentials("ci", PASSWORD)

    def commit(color: str) -> str:
        files = {"apps/shop/shop.yaml": CONFIG_MAP.format(color=color)}
        return commit_files(url, "main", files=files, message=color, credentials=credentials, create_branch=True).commit

    first = commit("blue")
    stack.program(PROGRAM.format(url=url, namespace=namespace, revision="main"))
    stack.pulumi("config", "set", "--secret", "password", stdin=PASSWORD)
    said = stack.up()
    tip = read_tip(url, "main", credentials=credentials)
    assert tip != first, "Argo CD's own manifests were committed"
    assert stack.outputs() == {"version": "3.5.7", "revision": tip}
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "shop"))["data"] == {"color": "blue"}
    itself = cluster.get(ObjectRef("argoproj.io", "v1alpha1", "Application", "argocd", "argocd"))
    assert itself["status"]["sync"]["status"] == "Synced"
    again = stack.up()
    assert "unchanged" in again
    assert "created" not in again

    state = stack.state()
    assert len(state) < 100_000
    for text in (said, again, state, stack.pulumi("preview", "--diff")):
        assert PASSWORD not in text
    refreshed = stack.pulumi("refresh", "--yes", "--skip-preview")
    assert "gitops:index:Controller argocd updated" not in refreshed, "what Argo CD owns is no drift"

    stack.program(PROGRAM.format(url=url, namespace=namespace, revision="no-such-branch"))
    wrong = stack.up(check=False)
    assert "Application shop: Failed to load target state" in wrong, "the controller's own message"
    assert "no-such-branch" in wrong

    stack.program(PROGRAM.format(url=url, namespace=namespace, revision=first))
    stack.up()
    stack.pulumi("destroy", "--yes")
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "argocd")) is None
    crd = ObjectRef("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "applications.argoproj.io")
    assert cluster.find(crd) is None
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", namespace, "shop")) is None
