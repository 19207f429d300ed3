# SPDX-License-Identifier: Apache-2.0
"""Argo CD wired to its full depth by Pulumi programs: projects, credential templates, clusters, an app of apps."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import pytest

from pulumi_gitops.core.git import Credentials, commit_files
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "pulumi" / "argocd-apps"
PASSWORD = "canary-4741-password"
TOKEN = "canary-4741-token"


@pytest.fixture
def no_services(cluster):
    """The namespaces that the example's applications make stay when these are removed, as Argo CD has it."""
    yield
    for name in ("shop", "billing"):
        cluster.delete(ObjectRef("", "v1", "Namespace", "", name))


@pytest.mark.usefixtures("no_services")
def test_an_app_of_apps_is_delivered_within_its_project(stack, cluster, sandbox, namespace):
    url = sandbox.create_repository(f"apps-{namespace}", "ci", PASSWORD)
    folder = EXAMPLE / "config-repository"
    files = {
        str(path.relative_to(folder)): path.read_text().replace("https://git.example.com/config.git", url)
        for path in folder.rglob("*.yaml")
    }
    credentials = Credentials("ci", PASSWORD)
    first = commit_files(url, "main", files=files, message="Start", credentials=credentials).commit
    shutil.copytree(EXAMPLE, stack.folder, dirs_exist_ok=True)
    stack.pulumi("stack", "init", "dev")
    stack.pulumi("config", "set-all", "--plaintext", f"url={url}", "--plaintext", "username=ci")
    stack.pulumi("config", "set", "--secret", "password", stdin=PASSWORD)

    said = stack.up()
    assert stack.outputs() == {"argocd": "3.5.7", "revision": first, "health": "Healthy"}
    for name in ("shop", "billing"):
        service = cluster.get(ObjectRef("apps", "v1", "Deployment", name, name))
        assert service["status"]["readyReplicas"] == 2
    template = cluster.get(ObjectRef("", "v1", "Secret", "argocd", "repo-git-server"))
    assert template["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repo-creds"

    # What is done by hand is undone; with the file of an application its objects go, when a Sync brings the commit.
    shop = ObjectRef("apps", "v1", "Deployment", "shop", "shop")
    cluster.patch(shop, {"spec": {"replicas": 7}})
    healed = cluster.watch("apps/v1", "Deployment", namespace="shop", field_selector="metadata.name=shop", timeout=60)
    assert any(event.object["spec"]["replicas"] == 2 for event in healed)
    second = commit_files(
        url, "main", files={}, delete=["apps/billing.yaml"], message="Less", credentials=credentials
    ).commit

    # A cluster's facts are annotations of its Secret; the credentials in it are secrets of Pulumi.
    program = (stack.folder / "__main__.py").read_text()
    more = """
gitops.Cluster(
    "production",
    {
        "server": "https://production.example.com",
        "token": config.require_secret("token"),
        "labels": {"stage": "production"},
        "metadata": {"vpc": pulumi.Output.from_input("vpc-1")},
        "project": project.name,
    },
    opts=pulumi.ResourceOptions(depends_on=[argocd]),
)
gitops.ApplicationSet(
    "shops",
    {
        "generators": [{"clusters": {"selector": {"matchLabels": {"stage": "none"}}}}],
        "template": {
            "metadata": {"name": "shop-{{.name}}"},
            "spec": {
                "project": project.name,
                "source": {"repoURL": url, "path": "shop", "targetRevision": "main"},
                "destination": {"server": "{{.server}}", "namespace": "shop"},
            },
        },
        "preserve_resources": True,
    },
    opts=pulumi.ResourceOptions(depends_on=[argocd]),
)
latest = gitops.Sync("latest", {"application": apps.name, "revision": config.require("commit")})
pulumi.export("synced", latest.revision)
"""
    (stack.folder / "__main__.py").write_text(program + more)
    stack.pulumi("config", "set", "--secret", "token", stdin=TOKEN)
    stack.pulumi("config", "set", "commit", second)
    said += stack.up()
    assert stack.outputs()["synced"] == second
    assert cluster.find(ObjectRef("apps", "v1", "Deployment", "billing", "billing")) is None
    found = cluster.get(ObjectRef("", "v1", "Secret", "argocd", "cluster-production"))
    assert found["metadata"]["labels"]["stage"] == "production"
    assert found["metadata"]["annotations"]["vpc"] == "vpc-1"
    assert json.loads(base64.b64decode(found["data"]["config"]))["bearerToken"] == TOKEN
    made = cluster.get(ObjectRef("argoproj.io", "v1alpha1", "ApplicationSet", "argocd", "shops"))
    assert made["spec"]["template"]["spec"]["project"] == "services"
    again = stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--diff")
    for text in (said, again, stack.state()):
        assert PASSWORD not in text
        assert TOKEN not in text

    stack.pulumi("destroy", "--yes")
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "argocd")) is None
    for name in ("shop", "billing"):
        assert cluster.find(ObjectRef("apps", "v1", "Deployment", name, name)) is None, "Argo CD has removed it"
