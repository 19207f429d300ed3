# SPDX-License-Identifier: Apache-2.0
"""The record of a sandbox: private, complete or absent, and honest about who may still be using it."""

from __future__ import annotations

import json
import os
import stat
import sys
import time

import pytest

from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.sandbox import state
from pulumi_gitops.sandbox.processes import Command, ProcessId, spawn
from pulumi_gitops.sandbox.state import State

ME = ProcessId.of(os.getpid())
GONE = ProcessId(ME.pid, ME.started - 1)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "pulumi-gitops" / "sandboxes"


@pytest.fixture
def record(tmp_path):
    return State(folder=tmp_path, nodes=2, argocd=True, owner=ME, ports={"etcd": 1}, tokens={"admin": "canary"})


def test_what_is_saved_is_loaded(record, tmp_path):
    record.processes = {"etcd": ME}
    record.save()
    assert state.load(tmp_path) == record
    record.owner = None
    record.save()
    assert state.load(tmp_path) == record


@pytest.mark.parametrize(
    "names",
    [(), ("argocd",), ("flux",), ("argocd", "flux"), ("flux", "weave_gitops"), ("flux", "flux_operator")],
    ids="-".join,
)
def test_the_controllers_that_are_followed_are_known_afterwards(tmp_path, names):
    State(folder=tmp_path, nodes=1, **({"argocd": False} | dict.fromkeys(names, True)), owner=ME).save()
    assert state.load(tmp_path).controllers == names


def test_nobody_else_can_read_a_record(record, tmp_path):
    record.save()
    assert [(path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir()] == [("state.json", 0o600)]
    assert "canary" not in repr(record)


def test_a_record_of_a_newer_version_is_no_damaged_one(record, tmp_path):
    record.save()
    path = tmp_path / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "invented_later": True}))
    assert state.load(tmp_path) == record


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b'{"owner": 1, "processes": {}}'])
def test_a_damaged_record_is_none(tmp_path, content):
    (tmp_path / "state.json").write_bytes(content)
    assert state.load(tmp_path) is None


def test_an_owned_sandbox_is_abandoned_when_its_owner_has_died(record):
    assert not record.abandoned
    record.owner = GONE
    record.processes = {"etcd": ME}
    assert record.abandoned


def test_a_detached_sandbox_is_abandoned_when_none_of_its_processes_is_left(record):
    record.owner = None
    record.processes = {"etcd": GONE, "kwok": ME}
    assert not record.abandoned
    record.processes = {"etcd": GONE}
    assert record.abandoned


def test_sandboxes_live_where_the_user_keeps_state(home, monkeypatch, tmp_path):
    assert state.root() == home
    monkeypatch.setenv("XDG_STATE_HOME", "relative")  # the specification: to be ignored
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state.root() == tmp_path / ".local" / "state" / "pulumi-gitops" / "sandboxes"


def test_only_the_user_can_list_the_sandboxes(home):
    assert state.folders() == []
    with state.locked():
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_one_process_at_a_time_makes_or_removes_sandboxes(home, tmp_path):
    log = tmp_path / "log"
    code = (
        "from pulumi_gitops.sandbox import state\n"
        "print('other waits', flush=True)\n"
        "with state.locked(): print('other has it', flush=True)\n"
    )
    env = {"XDG_STATE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    with state.locked():
        other = spawn(Command("other", (sys.executable, "-c", code), env), folder=tmp_path / "other", log=log)
        while not log.read_text():
            assert other.alive
            time.sleep(0.02)
        with log.open("a") as file:
            file.write("we had it\n")
    os.waitpid(other.pid, 0)
    assert log.read_text() == "other waits\nwe had it\nother has it\n"


def test_a_folder_that_can_not_be_used_is_an_error_with_the_way_out(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(SandboxError, match="can not be used") as caught, state.locked():
        pass
    assert "XDG_STATE_HOME" in caught.value.hint


def test_a_tree_without_rights_is_removed_and_what_links_lead_to_is_not(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    tree = tmp_path / "tree"
    (tree / "closed" / "inner").mkdir(parents=True)
    (tree / "closed" / "inner" / "file").touch()
    (tree / "link").symlink_to(outside)
    (tree / "closed" / "inner").chmod(0)
    (tree / "closed").chmod(0)
    state.remove_tree(tree)
    state.remove_tree(tree)
    assert not tree.exists()
    assert (outside / "file").exists()
