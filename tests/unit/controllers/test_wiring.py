# SPDX-License-Identifier: Apache-2.0
"""Specs become the objects that Argo CD reads; bad input is refused before anything is sent."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.controllers import (
    ApplicationSpec,
    ControllerSpec,
    RepositorySpec,
    SyncSpec,
    application_objects,
    repository_objects,
)
from pulumi_gitops.core.errors import GitOpsError, InputError
from pulumi_gitops.core.redact import redact

URL = "https://git.example.com/config.git"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n-----END OPENSSH PRIVATE KEY-----\n"
SSH = {"name": "config", "url": "ssh://git@git.example.com/config.git", "ssh_private_key": KEY}
APP = {"github_app_id": "1", "github_app_installation_id": "2", "github_app_private_key": KEY}


def application(**options):
    defaults = {"name": "shop", "url": URL, "path": "apps/shop", "destination_namespace": "shop"}
    return ApplicationSpec(**{**defaults, **options})


def test_a_repository_is_a_secret_that_argocd_finds():
    [secret] = repository_objects(RepositorySpec(name="config", url=URL, username="ci", password="s3cr3t-token"))
    assert secret["metadata"]["name"] == "repo-config"
    assert secret["metadata"]["namespace"] == "argocd"
    assert secret["metadata"]["labels"]["argocd.argoproj.io/secret-type"] == "repository"
    assert secret["stringData"] == {"type": "git", "url": URL, "username": "ci", "password": "s3cr3t-token"}


def test_a_token_without_user_gets_one_because_argocd_needs_it():
    [secret] = repository_objects(RepositorySpec(name="config", url=URL, password="s3cr3t-token", namespace="gitops"))
    assert secret["stringData"]["username"] == "git"
    assert secret["metadata"]["namespace"] == "gitops"


def test_a_public_repository_has_no_credentials():
    [secret] = repository_objects(RepositorySpec(name="config", url=URL))
    assert secret["stringData"] == {"type": "git", "url": URL}


def test_a_password_is_redacted_from_now_on_and_not_in_the_spec_as_text():
    spec = RepositorySpec(name="config", url=URL, password="s3cr3t-token")
    assert "s3cr3t" not in repr(spec)
    assert redact("fatal: s3cr3t-token") == "fatal: ***"


def test_an_application_syncs_prunes_and_cleans_up_behind_itself():
    [app] = application_objects(application(revision="main", self_heal=True, create_namespace=True))
    assert app["metadata"]["finalizers"] == ["resources-finalizer.argocd.argoproj.io"]
    assert app["spec"] == {
        "project": "default",
        "source": {"repoURL": URL, "path": "apps/shop", "targetRevision": "main"},
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "syncOptions": ["ServerSideApply=true", "CreateNamespace=true"],
        },
    }


def test_without_auto_sync_the_wish_to_prune_is_kept_for_syncs_on_request():
    [app] = application_objects(application(auto_sync=False))
    assert app["spec"]["syncPolicy"]["automated"] == {"enabled": False, "prune": True, "selfHeal": False}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ControllerSpec(name="kargo"), "unknown controller 'kargo'; known: argocd, flux"),
        (lambda: ControllerSpec(namespace="Argo_CD"), "namespace 'Argo_CD'"),
        (lambda: ControllerSpec(checksum="md5:123"), "sha256"),
        (lambda: ControllerSpec(registry="https://registry.example.com"), "registry"),
        (lambda: ControllerSpec(image_pull_secret="-pull"), "image_pull_secret"),
        (lambda: ControllerSpec(wait_timeout=0), "wait_timeout"),
        (lambda: ControllerSpec(manifests="a.yaml", mirror="https://mirror.example.com"), "exclude each other"),
        (lambda: RepositorySpec(name="Config", url=URL), "name 'Config'"),
        (lambda: RepositorySpec(name="config", url="git@git.example.com:config.git"), "SSH URL needs ssh_private_key"),
        (lambda: RepositorySpec(name="config", url="https://ci:hunter2hunter2@git.example.com/c.git"), "credentials"),
        (lambda: RepositorySpec(name="config", url=URL, password="line\n"), "control character"),
        (lambda: RepositorySpec(name="config", url=URL, client_cert="PEM", client_key="x"), "only along with a login"),
        (lambda: RepositorySpec(name="config", url=URL, proxy="http://"), "proxy is not a URL"),
        (lambda: RepositorySpec(name="config", url=URL, **APP, proxy="http://proxy.example.com"), "needs a port"),
        (lambda: RepositorySpec(**SSH, proxy="http://proxy.example.com:3128"), "SOCKS proxies only"),
        (lambda: RepositorySpec(**SSH, proxy="socks5://proxy.example.com"), "needs a port"),
        (lambda: application(path="/apps"), "path"),
        (lambda: application(path="../apps"), "path"),
        (lambda: application(path=""), "path"),
        (lambda: application(revision=""), "revision"),
        (lambda: application(revision="--upload-pack=x"), "revision"),
        (lambda: application(destination_namespace="Shop"), "destination_namespace"),
        (lambda: application(name="a" * 254), "name"),
        (lambda: application(project="My Project"), "project"),
        (lambda: SyncSpec(name="shop", revision="a b"), "revision"),
    ],
)
def test_bad_input_is_refused(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert isinstance(caught.value, GitOpsError)
    assert "hunter2" not in str(caught.value)
