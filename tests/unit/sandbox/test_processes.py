# SPDX-License-Identifier: Apache-2.0
"""Processes that outlive their starter: found again, stopped for sure, and never mistaken for another one."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.sandbox import processes
from pulumi_gitops.sandbox.processes import Command, ProcessId, kill, kill_all, marked, memory_bytes, spawn, tail

SLEEP = "import signal; print('up', flush=True); signal.pause()"


@pytest.fixture
def start(tmp_path):
    """Start Python code as a process of the sandbox `tmp_path`; nothing of it is left afterwards."""

    def start(code=SLEEP, **env):
        return spawn(Command("tool", (sys.executable, "-c", code), env), folder=tmp_path, log=tmp_path / "tool.log")

    yield start
    kill_all(tmp_path)


def ended(process):
    """Wait for a child to end, and leave it a zombie."""
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_a_process_is_alive_until_it_is_killed(start):
    process = start()
    assert ProcessId.of(process.pid) == process
    assert process.alive
    kill([process])
    assert not process.alive
    assert ProcessId.of(process.pid) is None


def test_a_number_that_belongs_to_another_process_now_is_not_killed(start):
    process = start()
    before = dataclasses.replace(process, started=process.started - 1)
    assert not before.alive
    kill([before])
    assert process.alive


def test_killing_what_has_ended_is_fine(start):
    process = start()
    kill([process, process])
    kill([process])


def test_a_child_that_died_by_itself_is_dead_and_let_go_when_it_is_killed(start):
    process = start("pass")
    ended(process)
    assert not process.alive
    kill([process])
    with pytest.raises(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)


def test_one_that_is_just_being_started_is_found(tmp_path, monkeypatch):
    """The kernel shows no environment for it yet, as for its own threads, which have no executable."""
    for pid in ("41", "42"):
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "environ").touch()
        (tmp_path / pid / "stat").write_text(f"{pid} (tool) S {' 7' * 30}")
    (tmp_path / "42" / "exe").symlink_to(sys.executable)
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    mark = f"A=1\0{processes.MARK}=/sandbox\0"
    monkeypatch.setattr(processes.time, "sleep", lambda _: (tmp_path / "42" / "environ").write_text(mark))
    assert [process.pid for process in processes.marked(Path("/sandbox"))] == [42]


def test_the_name_of_a_program_can_not_confuse_the_start_time(start, tmp_path):
    named = tmp_path / "a) S 1 (b"
    named.symlink_to(sys.executable)
    process = spawn(Command("odd", (str(named), "-c", SLEEP), {}), folder=tmp_path, log=tmp_path / "odd.log")
    assert ProcessId.of(process.pid) == process
    assert process.started >= ProcessId.of(os.getpid()).started


def test_a_child_that_got_the_number_of_a_dead_process_is_left_to_its_parent(start):
    child = start("pass")
    ended(child)
    kill([dataclasses.replace(child, started=child.started - 1)])
    assert os.waitpid(child.pid, 0)[0] == child.pid


def test_a_program_that_ignores_polite_signals_is_killed(start):
    process = start("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()")
    kill([process])
    assert not process.alive


def test_one_that_does_not_end_is_an_error_that_names_it(start, monkeypatch):
    process = start()
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda *_: None)
    with pytest.raises(SandboxError, match=str(process.pid)):
        kill([process], timeout=0.01)
    assert process.alive


def test_every_process_of_a_sandbox_is_found_without_a_record_and_no_other_one(start, tmp_path):
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}])"
    parent = start(child)
    other = tmp_path / "other"
    stranger = spawn(Command("tool", (sys.executable, "-c", SLEEP), {}), folder=other, log=tmp_path / "stranger.log")
    try:
        while "up" not in tail(tmp_path / "tool.log"):
            time.sleep(0.02)
        found = marked(tmp_path)
        assert parent in found
        assert len(found) == 2
        assert marked(other) == [stranger]
        kill_all(tmp_path)
        assert marked(tmp_path) == []
        assert stranger.alive
    finally:
        kill_all(other)


def test_a_process_is_cut_off_from_its_starter(start, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    process = start("import os; print(os.getsid(0) == os.getpid(), os.environ, open(0).read() == '')")
    ended(process)
    output = tail(tmp_path / "tool.log")
    assert output.startswith("True ")
    assert output.endswith(" True")
    assert "canary" not in output
    assert (tmp_path / "tool.log").stat().st_mode & 0o777 == 0o600


def test_output_is_appended_to_the_log(start, tmp_path):
    for text in ("first", "second"):
        ended(start(f"print({text!r})"))
    assert tail(tmp_path / "tool.log") == "first\nsecond"


def test_users_proxy_settings_do_not_hide_the_loopback(start, tmp_path, monkeypatch):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "internal.example.com")
    ended(start("import os; print(os.environ['no_proxy'], os.environ['NO_PROXY'])"))
    wanted = "internal.example.com,127.0.0.1,localhost"
    assert tail(tmp_path / "tool.log") == f"{wanted} {wanted}"


def test_a_program_that_is_missing_is_an_error_that_names_it(tmp_path):
    with pytest.raises(SandboxError, match="etcd can not be started: No such file"):
        spawn(Command("etcd", (str(tmp_path / "missing"),), {}), folder=tmp_path, log=tmp_path / "etcd.log")


def test_the_tail_of_a_log_is_its_last_20_lines(tmp_path):
    log = tmp_path / "log"
    assert tail(log) == ""
    log.write_bytes(b"\n".join(str(n).encode() for n in range(100)) + b"\ncaf\xe9\n")
    assert tail(log).splitlines() == [*map(str, range(81, 100)), "caf\ufffd"]


def test_memory_counts_live_processes_only(start):
    process = start()
    assert memory_bytes([process]) > 0
    kill([process])
    assert memory_bytes([process]) == 0
