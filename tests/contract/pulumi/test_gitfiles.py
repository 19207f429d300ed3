# SPDX-License-Identifier: Apache-2.0
"""The life of GitFiles by the provider's calls, on a real Git server."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from pulumi.runtime.proto import engine_pb2

from pulumi_gitops.core.git import Credentials, commit_files, read_files, read_tip
from pulumi_gitops.sandbox import GitServer
from tests.contract.pulumi.harness import Provider, plain, secret, wire

PASSWORD = "canary-84-password"
CREDENTIALS = Credentials("ci", PASSWORD)


@pytest.fixture
def url(tmp_path) -> Iterator[str]:
    """A repository with a file of somebody else."""
    with GitServer(tmp_path / "git") as server:
        made = server.create_repository("config", "ci", PASSWORD)
        commit_files(made, "main", files={"README.md": "theirs\n"}, message="Start", credentials=CREDENTIALS)
        yield made


def news(url: str, files: dict[str, str], **more) -> dict:
    return {"url": url, "username": "ci", "password": secret(PASSWORD), "files": files, **more}


def test_one_commit_per_update_and_only_its_own_files(provider: Provider, url):
    files = {"apps/a.yaml": "a: 1\n", "apps/b.yaml": "b: 1\n"}
    created = provider.create("GitFiles", news(url, files, message="Add the shop"))
    state = plain(created.properties)
    assert state["commit"] == read_tip(url, "main", credentials=CREDENTIALS)
    assert state["changedPaths"] == ["apps/a.yaml", "apps/b.yaml"]
    assert state["password"] == ("secret", PASSWORD)

    changed = {"apps/a.yaml": "a: 2\n", "apps/c.yaml": "c: 1\n"}
    updated = provider.update("GitFiles", created.id, created.properties, news(url, changed))
    assert plain(updated.properties)["changedPaths"] == ["apps/a.yaml", "apps/b.yaml", "apps/c.yaml"]
    found = read_files(url, "main", ["apps/a.yaml", "apps/b.yaml", "README.md"], credentials=CREDENTIALS).files
    assert found == {"apps/a.yaml": b"a: 2\n", "apps/b.yaml": None, "README.md": b"theirs\n"}

    provider.delete("GitFiles", created.id, updated.properties)
    found = read_files(url, "main", ["apps/a.yaml", "apps/c.yaml", "README.md"], credentials=CREDENTIALS).files
    assert found == {"apps/a.yaml": None, "apps/c.yaml": None, "README.md": b"theirs\n"}


def test_a_branch_is_started_and_a_secret_in_clear_committed_only_when_that_is_asked_for(provider: Provider, url):
    files = {"apps/secret.yaml": "{apiVersion: v1, kind: Secret, metadata: {name: a}, stringData: {a: b}}\n"}
    for more, message in ({}, "prod"), ({"createBranch": True}, "Secret"):
        with pytest.raises(grpc.RpcError, match=message):
            provider.create("GitFiles", news(url, files, branch="prod", **more))
    asked = news(url, files, branch="prod", createBranch=True, allowPlaintextSecret=True)
    created = provider.create("GitFiles", asked)
    assert plain(created.properties)["changedPaths"] == ["apps/secret.yaml"]
    assert read_files(url, "prod", ["README.md"], credentials=CREDENTIALS).files == {"README.md": b"theirs\n"}
    provider.delete("GitFiles", created.id, created.properties)
    assert read_files(url, "prod", list(files), credentials=CREDENTIALS).files == {"apps/secret.yaml": None}


def test_refresh_shows_what_somebody_else_committed(provider: Provider, url):
    files = {"same.yaml": "a: 1\n", "edited.yaml": "a: 1\n", "gone.yaml": secret("a: 1\n")}
    created = provider.create("GitFiles", news(url, files))
    inputs = provider.check("GitFiles", news(url, files)).inputs
    same = provider.read("GitFiles", created.id, inputs, created.properties)
    assert plain(same.inputs) == plain(inputs)

    commit_files(
        url, "main", files={"edited.yaml": "a: 9\n"}, delete=["gone.yaml"], message="By hand", credentials=CREDENTIALS
    )
    drifted = provider.read("GitFiles", created.id, inputs, created.properties)
    assert plain(drifted.inputs)["files"] == {"same.yaml": "a: 1\n", "edited.yaml": "a: 9\n"}
    assert plain(drifted.inputs)["password"] == ("secret", PASSWORD)


def test_files_that_are_there_already_are_taken_over_with_a_warning(provider: Provider, url):
    provider.create("GitFiles", news(url, {"README.md": "ours\n"}))
    provider.engine.wait_for(lambda r: r.severity == engine_pb2.WARNING and "README.md" in r.message)


def test_a_wrong_password_is_not_shown(provider: Provider, url):
    wrong = {**news(url, {"a": "1"}), "password": secret("canary-85-wrong-password")}
    with pytest.raises(grpc.RpcError) as caught:
        provider.create("GitFiles", wrong)
    assert "canary-85" not in caught.value.details()
    assert "Traceback" not in caught.value.details()
    assert all("canary-8" not in request.message for request in provider.engine.logged)


def test_a_branch_that_is_gone_takes_the_resource_with_it(provider: Provider, url):
    inputs = provider.check("GitFiles", news(url, {"a": "1"}, branch="gone")).inputs
    assert provider.read("GitFiles", f"{url}#gone", inputs, inputs).id == ""
    assert provider.read("GitFiles", f"{url}#main", wire({}), wire({})).id == "", "there is nothing to import"
