# SPDX-License-Identifier: Apache-2.0
"""Flux bootstrapped and wired by Pulumi programs, with Flux's own controllers at work: the shipped examples."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.controllers import catalog, download
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.git import Credentials, commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "pulumi"
VERSION = "2.9.2"
PASSWORD = "canary-4731-password"
WEBHOOK = "https://hooks.example.com/canary-4731-webhook"


@pytest.fixture
def example(stack) -> Callable:
    """Bring an example to the stack's folder, with Flux's manifests where a download of before would have left them."""

    def start(name: str):
        shutil.copytree(EXAMPLES / name, stack.folder, dirs_exist_ok=True)
        # No module carries the released file; the composition has its place, with a lock file that says so.
        content = flux_manifest().read_bytes()
        download.write_cache(content)
        url = catalog.controller("flux").url(VERSION)
        Lock(stack.folder / "gitops.lock").put(url, download.sha256(content))
        stack.pulumi("stack", "init", "dev")
        return stack

    return start


def commit(url: str, folder: Path, credentials: Credentials = Credentials(), **changed: str | None) -> str:  # noqa: B008
    """Commit what the config repository of an example holds; `changed` are files with other content (None: gone)."""
    files = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*.yaml")}
    files |= {path: content for path, content in changed.items() if content is not None}
    gone = [path for path, content in changed.items() if content is None]
    files = {path: content for path, content in files.items() if path not in gone}
    done = commit_files(url, "main", files=files, delete=gone, message="Change", credentials=credentials)
    return done.commit


def deployment(cluster: Cluster, environment: str) -> dict:
    return cluster.get(ref("Deployment", "shop", f"shop-{environment}"))


def eventually(check: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


GROUPS = {
    "Deployment": ("apps", "v1"),
    "GitRepository": ("source.toolkit.fluxcd.io", "v1"),
    "Kustomization": ("kustomize.toolkit.fluxcd.io", "v1"),
    "Provider": ("notification.toolkit.fluxcd.io", "v1beta3"),
}


def ref(kind: str, name: str, namespace: str = "flux-system") -> ObjectRef:
    return ObjectRef(*GROUPS[kind], kind, namespace, name)


def test_two_environments_are_delivered_rotated_corrected_and_removed(example, cluster, sandbox):
    folder = EXAMPLES / "flux" / "config-repository"
    url = sandbox.create_repository("environments", "ci", PASSWORD)
    credentials = Credentials("ci", PASSWORD)
    first = commit(url, folder, credentials)
    running = example("flux")
    running.pulumi("config", "set-all", "--plaintext", f"url={url}", "--plaintext", "username=ci")
    for key, value in {"password": PASSWORD, "webhook": WEBHOOK}.items():
        running.pulumi("config", "set", "--secret", key, stdin=value)

    said = running.up()
    assert running.outputs() == {"flux": VERSION, "staging": first, "production": first}
    assert deployment(cluster, "staging")["spec"]["template"]["spec"]["containers"][0]["image"].endswith("shop:1.1")
    assert deployment(cluster, "production")["status"]["readyReplicas"] == 3
    assert cluster.get(ref("Provider", "alerts"))["spec"]["secretRef"] == {"name": "notification-alerts"}
    state = running.state()
    assert "openAPIV3Schema" not in state, "digests, not manifests"
    again = running.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", "--diff")
    for text in (said, again, state):
        assert PASSWORD not in text
        assert WEBHOOK not in text

    # Another password: the Secret is replaced, what refers to it stays; nothing is left of the old one.
    source = cluster.get(ref("GitRepository", "config"))
    secret = ObjectRef("", "v1", "Secret", "flux-system", "repo-config")
    before = cluster.get(secret)["metadata"]["uid"]
    running.pulumi("config", "set", "--secret", "password", stdin="canary-4731-other")
    said = running.up()
    assert cluster.get(secret)["metadata"]["uid"] != before
    assert cluster.get(ref("GitRepository", "config"))["metadata"]["uid"] == source["metadata"]["uid"]
    assert "canary-4731-other" not in said

    # It was a wrong one. Whoever waits for the next change is told in the controller's own words.
    program = (running.folder / "__main__.py").read_text()
    (running.folder / "__main__.py").write_text(program.replace('"environments/staging"', '"environments/none"'))
    wrong = running.up(check=False)
    assert "GitRepository config" in wrong
    assert "authentication required" in wrong
    assert "check the credentials of the repository" in wrong
    running.pulumi("config", "set", "--secret", "password", stdin=PASSWORD)
    wrong = running.up(check=False)
    assert "Kustomization shop-staging" in wrong
    assert "path not found" in wrong

    # What failed is tried again. A sync also heals what was done by hand, and prunes what has left the repository.
    (running.folder / "__main__.py").write_text(program)
    web, service = (folder / "base" / "shop.yaml").read_text().split("---\n")
    assert "kind: Service" in service
    second = commit(url, folder, credentials, **{"base/shop.yaml": web})
    cluster.patch(ref("Deployment", "shop", "shop-staging"), {"spec": {"replicas": 7}})
    running.up()
    assert running.outputs()["staging"] == second
    assert deployment(cluster, "staging")["spec"]["replicas"] == 1
    assert cluster.find(ObjectRef("", "v1", "Service", "shop-staging", "shop")) is None

    running.pulumi("destroy", "--yes")
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "flux-system")) is None
    crd = ObjectRef(
        "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "gitrepositories.source.toolkit.fluxcd.io"
    )
    assert cluster.find(crd) is None
    for environment in ("staging", "production"):
        assert cluster.find(ObjectRef("", "v1", "Namespace", "", f"shop-{environment}")) is None


def test_facts_about_the_cluster_reach_the_manifests(example, cluster, sandbox):
    url = sandbox.create_repository("bridge")
    commit(url, EXAMPLES / "cluster-metadata" / "config-repository")
    running = example("cluster-metadata")
    running.pulumi("config", "set", "url", url)
    running.up()
    shop = ObjectRef("", "v1", "ConfigMap", "shop", "shop")
    assert cluster.get(shop)["data"] == {
        "cluster": "production",
        "region": "eu-central-1",
        "database": "shop.db.example.com",
    }
    before = cluster.get(ref("Kustomization", "shop"))["metadata"]["uid"]
    running.pulumi("up", "--yes", "--skip-preview", "-c", "database=other.db.example.com")
    assert cluster.get(ref("Kustomization", "shop"))["metadata"]["uid"] == before, "what refers to the facts stays"
    requested = {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "now"}}}
    cluster.patch(ref("Kustomization", "shop"), requested)
    eventually(lambda: cluster.get(shop)["data"]["database"] == "other.db.example.com", "the fact reaches the manifest")
