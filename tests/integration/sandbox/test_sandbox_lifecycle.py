# SPDX-License-Identifier: Apache-2.0
"""Start and end of sandboxes: side by side, without traces, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from pulumi_gitops.core.errors import InputError, SandboxError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import Sandbox, startup
from pulumi_gitops.sandbox.processes import ProcessId, marked

pytestmark = pytest.mark.sandbox

MARKER = ObjectRef("", "v1", "ConfigMap", "default", "marker")
SETTINGS = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": "marker"}}


def ports(sandbox):
    return [int(url.rpartition(":")[2]) for url in (sandbox.server, sandbox.git_url)]


def refused(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


def alive(pids):
    return [pid for pid in pids if ProcessId.of(pid)]


def test_two_sandboxes_side_by_side_know_nothing_of_each_other(connected):
    with Sandbox.start() as first, Sandbox.start() as second:
        assert first.name != second.name
        assert set(ports(first)).isdisjoint(ports(second))
        connected(first).create(SETTINGS)
        assert connected(first).find(MARKER) is not None
        assert connected(second).find(MARKER) is None
        first.stop()
        assert connected(second).find(MARKER) is None
        assert all(process.alive for process in second.processes())


def test_nothing_is_left_after_a_stop():
    with Sandbox.start(argocd=True) as sandbox:
        pids = [process.pid for process in sandbox.processes()]
        sandbox.create_repository("config")
    assert alive(pids) == []
    assert marked(sandbox.folder) == []
    assert all(refused(port) for port in ports(sandbox))
    assert not sandbox.folder.exists()
    assert Sandbox.find(sandbox.name) is None
    for pid in pids:  # not even as zombies
        assert not Path(f"/proc/{pid}").exists()
    sandbox.stop()


def test_what_an_owner_that_was_killed_left_behind_is_cleaned_by_the_next_start(owner):
    process, facts = owner("orphan")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert alive(facts["pids"]) == facts["pids"]
    with Sandbox.start("orphan") as again:
        assert alive(facts["pids"]) == []
        assert str(again.folder) == facts["folder"]


def test_a_stop_of_another_one_cleans_up_too(owner, running):
    other = Sandbox.start("other")
    process, facts = owner("orphan")
    process.send_signal(signal.SIGKILL)
    process.wait()
    other.stop()
    assert alive(facts["pids"]) == []
    assert not Path(facts["folder"]).exists()
    assert all(process.alive for process in running.processes())


def test_a_detached_sandbox_outlives_its_starter_until_it_is_stopped(owner, connected):
    process, facts = owner("detached", detach=True)
    process.communicate("\n")
    assert process.returncode == 0
    Sandbox.start("passing").stop()
    found = Sandbox.find("detached")
    assert found.detached
    assert connected(found).version
    found.stop()
    assert alive(facts["pids"]) == []
    assert not Path(facts["folder"]).exists()


def test_a_folder_without_a_record_is_cleaned_away(running):
    damaged = running.folder.with_name("damaged")
    damaged.mkdir()
    (damaged / "state.json").write_text("{")
    Sandbox.start("passing").stop()
    assert not damaged.exists()


def test_a_dead_process_is_seen_and_can_be_restarted_with_its_data(connected):
    with Sandbox.start() as sandbox:
        cluster = connected(sandbox)
        cluster.create(SETTINGS)
        for name in ("kube-apiserver", "etcd", "kube-controller-manager"):
            sandbox.stop_process(name)
            assert [process.name for process in sandbox.processes() if not process.alive] == [name]
            with pytest.raises(SandboxError, match=f"{name} has died; its last lines:\n.+") as caught:
                sandbox.wait_ready()
            assert caught.value.details == {"tool": name}
            sandbox.restart_process(name)
            sandbox.wait_ready()
            assert cluster.find(MARKER) is not None
        with pytest.raises(InputError, match=r"no process 'nginx'; known: etcd, "):
            sandbox.stop_process("nginx")


def test_a_tool_that_dies_at_the_start_is_reported_with_its_last_lines_and_nothing_is_left(
    tmp_path, monkeypatch, state_home
):
    broken = tmp_path / "bin" / "kube-scheduler"
    broken.parent.mkdir()
    broken.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "if '--version' in sys.argv: sys.exit(print('Kubernetes v1.36.0'))\n"
        "print('panic: this one is broken')\n"
        "sys.exit(2)\n"
    )
    broken.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(broken.parent))
    with pytest.raises(SandboxError, match="kube-scheduler has died") as caught:
        Sandbox.start("broken")
    assert "panic: this one is broken" in caught.value.message
    assert Sandbox.find("broken") is None
    folder = state_home / "pulumi-gitops" / "sandboxes" / "broken"
    assert not folder.exists()
    assert marked(folder) == []


def test_a_port_that_was_taken_meanwhile_is_replaced(monkeypatch):
    free_ports = startup.free_ports
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        answers = iter([lambda found: found | {"kube-apiserver": number}])
        monkeypatch.setattr(startup, "free_ports", lambda names: next(answers, dict)(free_ports(names)))
        with Sandbox.start() as sandbox:
            assert number not in ports(sandbox)
            assert all(process.alive for process in sandbox.processes())


def test_an_interrupted_start_leaves_nothing(monkeypatch):
    def interrupt(state):
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(startup, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        Sandbox.start("interrupted")
    assert Sandbox.find("interrupted") is None


def test_it_is_up_again_under_the_same_name(connected):
    for _ in range(2):
        with Sandbox.start("again") as sandbox:
            cluster = connected(sandbox)
            assert cluster.find(MARKER) is None
            cluster.create(SETTINGS)
