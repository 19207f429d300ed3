# SPDX-License-Identifier: Apache-2.0
"""Waiting for Application objects of a set, with the real application controller."""

from __future__ import annotations

import uuid

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.deploy import State, readiness, rules_gitops
from pulumi_gitops.core.deploy.waiting import Target, wait_ready
from pulumi_gitops.core.errors import NotReadyError
from pulumi_gitops.core.git import commit_files
from pulumi_gitops.core.objects import KubeObject, ObjectRef
from pulumi_gitops.core.yamlio import dump
from tests.support.manifests import config, deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


@pytest.fixture(scope="module")
def repository(sandbox, cluster):
    """The URL of a repository with two folders, and an Argo CD that is gone after the module."""
    controllers.install(cluster, controllers.ControllerSpec())
    url = sandbox.create_repository(f"waiting-{uuid.uuid4().hex[:6]}")
    files = {"one/web.yaml": dump(deployment(replicas=2)), "two/config.yaml": dump(config())}
    commit_files(url, "main", files=files, message="two folders")
    yield url
    controllers.uninstall(cluster, controllers.ControllerSpec())


@pytest.fixture
def application(cluster, repository, namespace):
    """Return a function that applies the test's Application with a path; it is gone afterwards."""

    def apply(path: str) -> KubeObject:
        source = {"repoURL": repository, "path": path, "targetRevision": "main"}
        options = {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]}
        place = {"server": "https://kubernetes.default.svc", "namespace": namespace}
        return cluster.apply(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {
                    "name": namespace,
                    "namespace": "argocd",
                    "finalizers": ["resources-finalizer.argocd.argoproj.io"],
                },
                "spec": {"project": "default", "source": source, "destination": place, "syncPolicy": options},
            }
        )

    yield apply
    ref = ObjectRef("argoproj.io", "v1alpha1", "Application", "argocd", namespace)
    cluster.delete(ref)
    events = cluster.watch(ref.api_version, ref.kind, namespace="argocd", timeout=60)
    assert any(event.type == "DELETED" and event.object["metadata"]["name"] == namespace for event in events)


def test_an_application_is_ready_when_its_present_spec_is_synced_and_healthy(cluster, application):
    told: list[str] = []
    for path in ("one", "two", "one"):
        live = application(path)
        assert not readiness(live).ready, "the status of the spec before counts"
        found = wait_ready(cluster, [Target.of(live)], timeout=60, progress=lambda step: told.append(step.message))
        assert found[0].state is State.CURRENT
        synced = cluster.get(ObjectRef.of(live))["status"]
        assert synced["sync"]["comparedTo"]["source"]["path"] == path
        assert (synced["sync"]["status"], synced["health"]["status"]) == ("Synced", "Healthy")
    assert any("NotReconciled" in message for message in told)


def test_a_path_that_is_not_there_ends_the_wait_with_the_controllers_words(cluster, application, monkeypatch):
    monkeypatch.setattr(rules_gitops, "_ERROR_SECONDS", 2.0)
    wait_ready(cluster, [Target.of(application("one"))], timeout=60, progress=lambda _: None)
    wrong = application("no-such-folder")
    with pytest.raises(NotReadyError, match="no-such-folder: app path does not exist"):
        wait_ready(cluster, [Target.of(wrong)], timeout=60, progress=lambda _: None)
    assert wait_ready(cluster, [Target.of(application("two"))], timeout=60, progress=lambda _: None)
