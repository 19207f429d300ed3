# SPDX-License-Identifier: Apache-2.0
"""The GitOps loop by playbook: bootstrap Argo CD, wire a repository, commit, sync, remove; all of it real."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

CANARY = "canary-e45d02b8"
# Secrets come from variables: Ansible quotes the lines of the playbook around a task that fails.
SECRETS = {"git_password": CANARY, "wrong_password": "canary-52ab77fd"}
ARGOCD = ObjectRef("", "v1", "Namespace", "", "argocd")
CONTENT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {replicas: '%s'}\n"


@pytest.fixture
def repository(sandbox, namespace):
    """URL of an empty repository that wants a password."""
    return sandbox.create_repository(namespace, username="ci", password=CANARY)


@pytest.fixture
def git(repository):
    """Options of the module files for that repository."""
    return {"url": repository, "branch": "main", "username": "ci", "password": "{{ git_password }}"}


@pytest.fixture
def removed(ansible, namespace):
    """Take everything away afterwards, however the test ends."""
    yield
    ansible(
        [
            task("application", name="shop", state="absent", wait_timeout=60),
            task("repository", name="config", state="absent"),
            task("controller", name="argocd", state="absent"),
        ]
    )


def test_files_are_committed_once(ansible, git):
    commit = [task("files", **git, message="Say hello", files={"apps/hello.yaml": CONTENT % 1})]
    checked = ansible(commit, "--check", "--diff", "-vvv", **SECRETS)
    assert checked["files"]["changed_paths"] == ["apps/hello.yaml"]
    assert [entry["after_header"] for entry in checked["files"]["diff"]] == ["apps/hello.yaml"]
    assert "+data: {replicas: '1'}" in checked.output
    assert checked["files"]["commit"] == ""  # nothing was pushed: the repository is still empty

    first = ansible(commit, **SECRETS)["files"]
    assert (first["branch"], first["changed_paths"]) == ("main", ["apps/hello.yaml"])
    second = ansible(commit, **SECRETS)
    assert second.changed == []
    assert second["files"]["commit"] == first["commit"]

    delete = task("files", **git, commit_message="Say goodbye", delete=["apps/hello.yaml", "apps/never-there.yaml"])
    assert ansible([delete], **SECRETS)["files"]["changed_paths"] == ["apps/hello.yaml"]
    assert CANARY not in checked.output


def test_errors_of_git_are_told_apart_and_never_show_the_password(ansible, git):
    def attempt(name, /, **options):
        files = {"a.yaml": CONTENT % 1}
        return task("files", name, **(git | {"message": "m", "files": files} | options), _ignore_errors=True)

    done = ansible(
        [
            task("files", "first", **git, message="m", files={"README.md": "Config"}),
            attempt("password", password="{{ wrong_password }}"),
            attempt("branch", branch="nowhere"),
            attempt("unreachable", url="http://127.0.0.1:1/config.git"),
            attempt("credentials in the URL", url="http://ci:{{ wrong_password }}@127.0.0.1:1/config.git"),
            attempt("both messages", commit_message="m"),
        ],
        "-vvv",
        **SECRETS,
    )
    assert {name: result.get("code") for name, result in done.tasks} == {
        "first": None,
        "password": "git.auth",
        "branch": "git.branch_not_found",
        "unreachable": "git.unreachable",
        "credentials in the URL": "input.invalid",
        "both messages": "input.invalid",
    }
    assert "nowhere" in done["branch"]["msg"]
    assert not [secret for secret in SECRETS.values() if secret in done.output]


def test_the_gitops_loop(ansible, cluster, git, repository, namespace, removed):
    settings = ObjectRef("", "v1", "ConfigMap", namespace, "settings")
    wiring = {"url": repository, "username": "ci", "repository": "config"}
    application = {"application": "shop", "path": "apps/shop", "destination_namespace": namespace}
    environment = {"GIT_PASSWORD": CANARY}

    def commit(replicas):
        files = {"apps/shop/settings.yaml": CONTENT % replicas}
        return task("files", **git, message=f"{replicas} replicas", files=files, _register="committed")

    ansible([commit(1)], **SECRETS)

    checked = ansible("iac.gitops.bootstrap", "--check", **wiring, **application, environment=environment)
    assert checked.changed == ["Install the controller", "Wire the config repository", "Declare the application"]
    assert cluster.find(ARGOCD) is None

    bootstrap = ansible("iac.gitops.bootstrap", "-vvv", **wiring, **application, environment=environment)
    assert bootstrap["Install the controller"]["namespace"] == "argocd"
    declared = bootstrap["Declare the application"]
    assert (declared["sync"], declared["health"]) == ("Synced", "Healthy")
    assert cluster.get(settings)["data"] == {"replicas": "1"}
    assert f"shop Synced and Healthy at {declared['revision']}" in bootstrap.output
    again = ansible("iac.gitops.bootstrap", "--diff", "-vvv", **wiring, **application, environment=environment)
    assert again.changed == []

    update = [commit(5), task("sync", name="shop", revision="{{ committed.commit }}")]
    updated = ansible(update, **SECRETS)
    assert updated.changed == ["files", "sync"]
    assert updated["sync"]["revision"] == updated["files"]["commit"] != declared["revision"]
    assert cluster.get(settings)["data"] == {"replicas": "5"}
    assert ansible(update, **SECRETS).changed == []

    wrong = ansible(
        [
            task("sync", "revision", name="shop", revision="0" * 40, wait_timeout=5, _ignore_errors=True),
            task("sync", "application", name="no-such-application", _ignore_errors=True),
            task(
                "application",
                "path",
                name="lost",
                url=repository,
                path="nowhere",
                destination_namespace=namespace,
                _ignore_errors=True,
            ),
            task("application", "gone", name="lost", state="absent"),
        ]
    )
    assert wrong["revision"]["code"] in ("controller.sync_failed", "controller.sync_timeout")
    assert "no-such-application" in wrong["application"]["msg"]
    assert wrong["path"]["code"] == "controller.sync_failed"
    assert "nowhere" in wrong["path"]["msg"]

    remove = [
        task("application", name="shop", state="absent"),
        task("repository", name="config", state="absent"),
        task("controller", name="argocd", state="absent"),
    ]
    assert ansible(remove[:2], "--check").changed == ["application", "repository"]
    refused = ansible([remove[2]], expect=2)["controller"]
    assert (refused["code"], cluster.find(settings) is None) == ("controller.removal_refused", False)
    assert ansible(remove).changed == ["application", "repository", "controller"]
    assert cluster.find(settings) is None
    assert cluster.find(ARGOCD) is None
    assert ansible(remove).changed == []
    assert CANARY not in checked.output + bootstrap.output + again.output
