# SPDX-License-Identifier: Apache-2.0
"""Sandboxes in a place of their own, so that what these tests break and clean up is nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.sandbox import Sandbox, tool_path

_LISTEN = "0A"


@pytest.fixture(scope="session")
def state_home():
    """Value of XDG_STATE_HOME for all tests of this folder; it has no sandbox left at the end."""
    with tempfile.TemporaryDirectory() as folder:  # not pytest's own: they can be too long for sockets
        home = Path(folder)
        yield home
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("XDG_STATE_HOME", str(home))
            for sandbox in Sandbox.all():
                sandbox.stop()


@pytest.fixture(autouse=True)
def _own_state(state_home, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(state_home))


@pytest.fixture(scope="module")
def running(state_home):
    """A sandbox with two nodes for tests that leave it as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        sandbox = Sandbox.start("shared", nodes=2)
    yield sandbox
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        sandbox.stop()


@pytest.fixture
def connected():
    """Connect to a sandbox as one of its users; closed afterwards."""
    opened = []

    def connected(sandbox, user="admin"):
        opened.append(connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig_for(user)))))
        return opened[-1]

    yield connected
    for cluster in opened:
        cluster.close()


@pytest.fixture
def kubectl():
    """Run kubectl with a sandbox's own variables, as a user would; returns what it prints."""

    def kubectl(sandbox, *arguments, stdin=None):
        command = [str(tool_path("kubectl")), *arguments]
        env = {**os.environ, **sandbox.env()}
        done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return kubectl


def eventually(question, *, within=60.0):
    """Return the first true answer; fail when there is none for far longer than it ever takes."""
    deadline = time.monotonic() + within
    while not (answer := question()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return answer


def listening(pids):
    """Return the TCP ports on which processes listen: port -> address."""
    sockets = {
        link.readlink().name.removeprefix("socket:[").removesuffix("]")
        for pid in pids
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if str(link.readlink()).startswith("socket:[")
    }
    found = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in sockets:
                address, port = fields[1].split(":")
                found[int(port, 16)] = "127.0.0.1" if address == "0100007F" else address
    return found


@pytest.fixture
def owner():
    """Start a sandbox in a Python process of its own; returns the process and facts about the sandbox."""
    owners = []

    def owner(name, *, detach=False):
        code = (
            "import json, sys\n"
            "from pulumi_gitops.sandbox import Sandbox\n"
            f"sandbox = Sandbox.start({name!r}, detach={detach})\n"
            "facts = {'folder': str(sandbox.folder), 'pids': [process.pid for process in sandbox.processes()]}\n"
            "print(json.dumps(facts), flush=True)\n"
            "sys.stdin.read()\n"
        )
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        owners.append(process)
        line = process.stdout.readline()
        assert line, "the owner could not start its sandbox"
        return process, json.loads(line)

    yield owner
    for process in owners:
        process.kill()
        process.communicate()
