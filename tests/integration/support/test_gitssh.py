# SPDX-License-Identifier: Apache-2.0
"""Git over SSH without OpenSSH: the server of the tests, and the client that stands in where there is none."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.standins import ssh_client
from tests.support.gitssh import SshGitServer, new_key


@pytest.fixture
def server(tmp_path):
    bare = tmp_path / "repositories" / "config.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", bare], check=True)
    with SshGitServer(bare.parent) as running:
        yield running


@pytest.fixture
def git(server, tmp_path):
    """Run git with a key of its own, which the server accepts, and the client that stands in."""
    private, public = new_key()
    server.accepted.add(public)
    key, hosts = tmp_path / "key", tmp_path / "known_hosts"
    key.touch(mode=0o600)
    key.write_text(private)
    hosts.write_text(server.known_hosts)
    ssh_client.install(tmp_path)
    author = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    ssh = f"{tmp_path}/ssh -i {key} -o StrictHostKeyChecking=yes -o UserKnownHostsFile={hosts}"
    env = {**os.environ, **author, "GIT_SSH_COMMAND": ssh}

    def run(*arguments):
        return subprocess.run(["git", *arguments], env=env, capture_output=True, text=True, check=False, timeout=60)

    return run


def test_a_repository_is_pushed_and_cloned(git, server, tmp_path):
    work, copy = tmp_path / "work", tmp_path / "copy"
    git("init", "--quiet", "--initial-branch=main", str(work))
    (work / "large").write_bytes(os.urandom(3_000_000))
    git("-C", str(work), "add", "large")
    git("-C", str(work), "commit", "--quiet", "--message", "Large")
    pushed = git("-C", str(work), "push", server.url("config"), "main")
    assert pushed.returncode == 0, pushed.stderr
    cloned = git("clone", "--quiet", server.url("config"), str(copy))
    assert cloned.returncode == 0, cloned.stderr
    assert (copy / "large").read_bytes() == (work / "large").read_bytes()
    assert len(server.used) == 2
    missing = git("ls-remote", server.url("nowhere"))
    assert "does not appear to be a git repository" in missing.stderr


def test_neither_an_unknown_key_nor_a_changed_host_passes(git, server):
    server.accepted.clear()
    assert "Permission denied (publickey)" in git("ls-remote", server.url("config")).stderr
    server.change_host_key()
    assert "Host key verification failed" in git("ls-remote", server.url("config")).stderr
    assert server.used == []
