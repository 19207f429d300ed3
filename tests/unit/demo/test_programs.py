# SPDX-License-Identifier: Apache-2.0
"""Programs that the demo runs: their output is passed on, their failure is an error, Ctrl-C ends them."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from pulumi_gitops.core import redact
from pulumi_gitops.core.errors import ProcessError
from pulumi_gitops.demo import programs
from pulumi_gitops.demo.programs import Tools, environment, stream

PYTHON = sys.executable


@pytest.fixture
def run(tmp_path):
    """Run Python code as the demo runs a tool; returns the lines that were passed on."""

    def run(code, *, say=None, **options):
        lines = []

        def note(line):
            lines.append(line)
            if say:
                say(line)

        run.lines = lines
        stream([PYTHON, "-c", code], env=dict(os.environ), cwd=tmp_path, say=note, **options)
        return lines

    return run


def interrupt(_):
    raise KeyboardInterrupt


def test_output_and_errors_arrive_line_by_line_without_secrets(run):
    redact.register("canary-4715-password")
    code = "import sys; print('one\\n\\n' + sys.stdin.read()); sys.stdout.flush(); print('two', file=sys.stderr)"
    assert run(code, stdin="canary-4715-password") == ["one", redact.redact("canary-4715-password"), "two"]
    assert "canary" not in run.lines[1]


def test_a_program_that_fails_is_named_with_its_exit_code(run):
    with pytest.raises(ProcessError, match=rf"{Path(PYTHON).name} failed with exit code 3") as caught:
        run("import sys; sys.exit('4' and 3)")
    assert caught.value.hint == "What it said is above."


def test_a_program_that_reads_nothing_is_no_other_error(run):
    with pytest.raises(ProcessError, match="exit code 3"):
        run("import os; os.close(0); os._exit(3)", stdin="x" * 1_000_000)


def test_a_program_that_is_missing_is_named(tmp_path):
    with pytest.raises(ProcessError, match="no-such-program can not be started: No such file"):
        stream(["no-such-program"], env={"PATH": ""}, cwd=tmp_path, say=print)


def test_ctrl_c_reaches_the_program_once_and_it_may_end_its_work(run, tmp_path):
    code = """
import os, signal, time
count = []
signal.signal(signal.SIGINT, lambda *_: count.append(1))
print("ready", flush=True)
while not count:
    time.sleep(0.01)
time.sleep(0.2)
print("x" * 200_000, flush=True)
open("interrupts", "w").write(str(len(count)))
"""
    with pytest.raises(KeyboardInterrupt):
        run(code, say=lambda line: interrupt(line) if line == "ready" else None)
    assert (tmp_path / "interrupts").read_text() == "1"
    assert run.lines == ["ready", f"interrupted; waiting for {Path(PYTHON).name} to end ..."]


def test_ctrl_c_ends_a_program_that_does_not_listen_and_its_children(run, monkeypatch):
    monkeypatch.setattr(programs, "_GRACE_SECONDS", 0.3)
    code = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdout=subprocess.DEVNULL)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
    with pytest.raises(KeyboardInterrupt):
        run(code, say=interrupt)
    pids = [int(pid) for pid in run.lines[0].split()]
    deadline = time.monotonic() + 30
    while any(_runs(pid) for pid in pids):
        assert time.monotonic() < deadline, "it is still running"
        time.sleep(0.02)


def test_a_terminals_interrupt_of_our_group_does_not_reach_the_program_a_second_time(run):
    """The CLI of Pulumi leaves its plugins behind when it is interrupted twice."""
    code = "import os; print(os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid())"
    assert run(code) == ["True True"]


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_settings_of_the_user_for_other_clusters_and_stacks_are_left_out(monkeypatch):
    for name in ("K8S_AUTH_HOST", "ANSIBLE_CONFIG", "PULUMI_STACK", "PULUMI_ACCESS_TOKEN", "PULUMI_GITOPS_CACHE"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("HOME", "/home/me")
    found = environment({"KUBECONFIG": "ours"})
    assert {name for name, value in found.items() if value == "theirs"} == {"PULUMI_GITOPS_CACHE"}
    assert (found["HOME"], found["KUBECONFIG"]) == ("/home/me", "ours")


# --- Pulumi ----------------------------------------------------------------------------------------------------------

FAKE_PULUMI = """\
#!{python}
import os, sys
from pathlib import Path
with Path({calls!r}).open("a") as file:
    print(*sys.argv[1:], file=file)
if sys.argv[1:3] == ["stack", "output"]:
    print("a warning of the CLI", file=sys.stderr)
    print('{{"version": "3.5.7"}}')
"""


@pytest.fixture
def tools(tmp_path):
    """Tools with a Pulumi CLI that notes how it is called."""

    def tools(context=""):
        for name in ("pulumi", "pulumi-resource-kubernetes"):
            program = tmp_path / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(FAKE_PULUMI.format(python=PYTHON, calls=str(tmp_path / "calls")))
            program.chmod(0o755)
        return Tools({"PATH": str(tmp_path / "bin")}, tmp_path, context)

    return tools


def test_another_context_leads_both_providers_there(tools, tmp_path):
    """Whatever context is the current one of the kubeconfig."""
    given = tools("staging")
    assert given.pulumi_up({}, {}, say=print) == {"version": "3.5.7"}
    given.pulumi_up({"url": "u"}, {"password": "canary-4716"}, say=print)
    calls = (tmp_path / "calls").read_text()
    assert calls.count("config set gitops:context staging\n") == 1
    assert calls.count("config set kubernetes:context staging\n") == 1
    assert calls.index("kubernetes:context") < calls.index("\nup ")
    assert "config set url u\nconfig set --secret password\n" in calls
    assert "canary" not in calls


def test_nothing_is_destroyed_before_there_was_an_update(tools, tmp_path):
    tools().pulumi_destroy(say=print)
    assert not (tmp_path / "calls").exists()
    tools().pulumi_up({}, {}, say=print)
    tools().pulumi_destroy(say=print)
    assert "destroy --yes" in (tmp_path / "calls").read_text()


def test_a_missing_cli_is_said_with_the_way_out(tmp_path):
    (tmp_path / "program").mkdir()
    with pytest.raises(Exception, match="the Pulumi CLI is not on PATH") as caught:
        Tools({"PATH": ""}, tmp_path).pulumi_destroy(say=print)
    assert "sandbox build pulumi" in caught.value.hint


def test_an_interrupt_while_the_signal_is_passed_on_kills_the_program(run, monkeypatch):
    """The second Ctrl-C of somebody who does not want to wait."""

    def communicate(process, timeout):
        raise KeyboardInterrupt

    monkeypatch.setattr("subprocess.Popen.communicate", communicate)
    code = "import os, signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print(os.getpid(), flush=True)\n"
    with pytest.raises(KeyboardInterrupt):
        run(code + "time.sleep(600)", say=interrupt)
    pid = int(run.lines[0])
    deadline = time.monotonic() + 30
    while _runs(pid):
        assert time.monotonic() < deadline, "it is still running"
        time.sleep(0.02)
