# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops sandbox`` on sandboxes that have a record and a process, but no control plane."""

from __future__ import annotations

import io
import json
import os
import stat
import sys

import pytest

from pulumi_gitops.cli import main
from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.sandbox import cli, state
from pulumi_gitops.sandbox.processes import Command, ProcessId, kill, spawn
from pulumi_gitops.sandbox.state import State

ME = ProcessId.of(os.getpid())
GONE = ProcessId(ME.pid, ME.started - 1)
PASSWORD = "canary-Tr0ub4dor&3"
PORTS = {"kube-apiserver": 1, "git": 2}


@pytest.fixture(autouse=True)
def _no_sandboxes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def made():
    """Make a sandbox of one process that sleeps; it stays until taken down unless it has an owner."""
    sandboxes = []

    def made(name="default", *, owner=None):
        folder = state.root() / name
        for sub in (folder, folder / "git", folder / "logs"):
            sub.mkdir(mode=0o700, parents=True)
        record = State(folder=folder, nodes=1, argocd=False, owner=owner, ports=PORTS, tokens={"admin": PASSWORD})
        sandboxes.append(record)
        command = Command("etcd", (sys.executable, "-c", "import time; time.sleep(600)"), {})
        record.processes["etcd"] = spawn(command, folder=folder, log=folder / "logs" / "etcd.log")
        record.save()
        return record

    yield made
    for record in sandboxes:
        kill(record.processes.values())


@pytest.fixture
def call(capsys):
    """Run the command; returns exit code, output and what it says on standard error."""

    def call(*arguments):
        code = main(["sandbox", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def crash(record):
    """End the process of a sandbox as a crash would, after it has said something."""
    (record.folder / "logs" / "etcd.log").write_text("".join(f"line {n}\n" for n in range(100)))
    kill(record.processes.values())


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_without_any_sandbox(call):
    assert call("status") == (0, "no sandbox is up\n", "")
    assert call("status", "--json") == (0, "[]\n", "")


def test_status_lists_all_sandboxes_and_how_long_they_stay(call, made):
    stays, ends, left = made("stays"), made("ends", owner=ME), made("left", owner=GONE)
    code, said, _ = call("status")
    assert code == 0
    lines = {line.partition(":")[0]: line for line in said.splitlines() if not line.startswith(" ")}
    assert list(lines) == ["ends", "left", "stays"]
    assert "ends with the process that started it" in lines["ends"]
    assert "left behind" in lines["left"]
    assert lines["stays"].endswith(" MB")
    for record in (stays, ends, left):
        assert f"pid {record.processes['etcd'].pid}\n" in said


def test_status_can_be_asked_of_one(call, made):
    made("one")
    made("other")
    assert "other" not in call("status", "--name", "one")[1]


def test_status_as_json_tells_all_but_credentials(call, made):
    pid = made("one").processes["etcd"].pid
    code, said, _ = call("status", "--json")
    (one,) = json.loads(said)
    assert code == 0
    assert one["processes"] == [{"name": "etcd", "pid": pid, "alive": True}]
    assert (one["name"], one["server"], one["git_url"]) == ("one", "https://127.0.0.1:1", "http://127.0.0.1:2")
    assert PASSWORD not in said


def test_status_shows_the_last_lines_of_what_has_died_and_fails(call, made):
    crash(made())
    code, said, _ = call("status")
    assert code == 1
    assert "DEAD" in said
    assert "etcd of default has died" in said
    assert said.splitlines()[-20:] == [f"line {n}" for n in range(80, 100)]
    code, said, _ = call("status", "--json")
    assert (code, json.loads(said)[0]["processes"][0]["alive"]) == (1, False)


# --- down ------------------------------------------------------------------------------------------------------------


def test_down_leaves_neither_process_nor_folder(call, made):
    record, other = made(), made("other")
    assert call("down") == (0, "sandbox default is down\n", "")
    assert not record.processes["etcd"].alive
    assert not record.folder.exists()
    assert other.processes["etcd"].alive


def test_down_of_one_that_has_crashed(call, made):
    record = made()
    crash(record)
    assert call("down") == (0, "sandbox default is down\n", "")
    assert not record.folder.exists()


def test_down_all_spares_those_that_a_running_process_uses(call, made):
    first, second, used = made("a"), made("b"), made("used", owner=ME)
    assert call("down", "--all") == (0, "sandbox a is down\nsandbox b is down\n", "")
    assert not first.folder.exists()
    assert not second.folder.exists()
    assert used.processes["etcd"].alive


@pytest.mark.parametrize("arguments", [("--all",), ("--name", "one"), ("--name", "missing")])
def test_every_down_removes_what_a_killed_owner_has_left(call, made, arguments):
    made("one")
    left = made("left", owner=GONE)
    code, said, _ = call("down", *arguments)
    assert "sandbox left is down, it was left behind\n" in said
    assert code == (1 if "missing" in arguments else 0)
    assert not left.processes["etcd"].alive
    assert not left.folder.exists()


def test_down_takes_a_name_or_all(call, capsys):
    with pytest.raises(SystemExit, match="64"):
        call("down", "--name", "one", "--all")
    assert "not allowed with" in capsys.readouterr().err


# --- one that is not there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", [("down",), ("env",), ("status",), ("logs", "etcd"), ("repo", "create", "config")], ids=lambda a: a[0]
)
@pytest.mark.parametrize("name", ["missing", "../state", ""])
def test_a_sandbox_that_is_not_there_is_an_error_that_helps(call, made, arguments, name):
    code, said, complaint = call(*arguments, "--name", name)
    assert (code, said) == (1, "")
    assert complaint.startswith(f"error: there is no sandbox {name!r}\n")
    assert f"pulumi-gitops sandbox up --name {name}" in complaint
    made("other")
    assert "Up are: other." in call(*arguments, "--name", name)[2]


def test_up_refuses_what_can_not_be(call):
    code, _, complaint = call("up", "--name", "No Such")
    assert code == 1
    assert complaint.startswith("error: 'No Such' can not be the name of a sandbox")
    code, _, complaint = call("up", "--nodes", "0")
    assert code == 1
    assert "nodes" in complaint


@pytest.mark.parametrize(
    ("arguments", "controllers"),
    [
        ((), set()),
        (("--with", "argocd"), {"argocd"}),
        (("--with", "flux"), {"flux"}),
        (("--with", "flux", "--with", "argocd"), {"argocd", "flux"}),
        (("--with", "flux", "--with", "weave_gitops"), {"flux", "weave_gitops"}),
        (("--with", "flux", "--with", "flux_operator"), {"flux", "flux_operator"}),
    ],
)
def test_up_runs_the_controllers_that_are_asked_for(call, monkeypatch, arguments, controllers):
    asked = {}

    def start(name, **options):
        asked.update(options)
        raise SandboxError("that will do")

    monkeypatch.setattr("pulumi_gitops.sandbox.sandbox.Sandbox.start", start)
    assert call("up", *arguments)[0] == 1
    assert {name for name in ("argocd", "flux", "weave_gitops", "flux_operator") if asked[name]} == controllers


def test_build_of_an_unknown_tool(call):
    code, _, complaint = call("build", "nginx")
    assert code == 1
    assert "nginx" in complaint


# --- logs ------------------------------------------------------------------------------------------------------------


def test_logs_are_printed_as_they_are_but_for_secrets(call, made):
    (made().folder / "logs" / "etcd.log").write_text(f"started\ntoken {PASSWORD}\nno newline")
    code, said, _ = call("logs", "etcd")
    assert code == 0
    assert said.startswith("started\ntoken ")
    assert said.endswith("\nno newline")
    assert PASSWORD not in said


def test_logs_of_a_tool_that_is_not_there_name_those_that_are(call, made):
    made()
    code, _, complaint = call("logs", "nginx")
    assert code == 1
    assert "known: etcd" in complaint


# --- repositories ----------------------------------------------------------------------------------------------------


def test_repo_create_prints_the_url(call, made):
    folder = made().folder
    assert call("repo", "create", "config") == (0, "http://127.0.0.1:2/config.git\n", "")
    assert (folder / "git" / "config.git" / "HEAD").read_text() == "ref: refs/heads/main\n"
    code, _, complaint = call("repo", "create", "config")
    assert code == 1
    assert "there is a repository 'config' already" in complaint


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_repo_create_reads_the_password_from_a_file_or_a_pipe(call, made, source, tmp_path, monkeypatch):
    folder = made().folder
    path = "-"
    if source == "stdin":
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\n"))
    else:
        path = str(tmp_path / "password")
        (tmp_path / "password").write_text(f"{PASSWORD}\n")
    code, said, _ = call("repo", "create", "private", "--username", "ci", "--password-file", path)
    assert (code, said) == (0, "http://127.0.0.1:2/private.git\n")
    (login,) = [file for file in folder.rglob("private.git/*") if file.is_file() and "canary" in file.read_text()]
    assert json.loads(login.read_bytes()) == {"username": "ci", "password": PASSWORD}
    assert stat.S_IMODE(login.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe"], ids=["missing", "empty", "blank", "binary"])
def test_repo_create_without_a_readable_password_creates_nothing(call, made, content, tmp_path):
    folder = made().folder
    path = tmp_path / "password"
    if content is not None:
        path.write_bytes(content)
    code, _, complaint = call("repo", "create", "private", "--username", "ci", "--password-file", str(path))
    assert code == 1
    assert str(path) in complaint
    assert list((folder / "git").iterdir()) == []


def test_repo_create_wants_a_whole_login(call, made):
    folder = made().folder
    code, _, complaint = call("repo", "create", "private", "--username", "ci")
    assert code == 1
    assert "both a user name and a password" in complaint
    assert list((folder / "git").iterdir()) == []


def test_a_folder_too_long_for_argo_cds_sockets_is_refused_before_anything_is_built(call, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ("x" * 100)))
    code, _, complaint = call("up", "--with", "argocd")
    assert code == 1
    assert "sandboxes/default is " in complaint
    assert "too long for the sockets of Argo CD" in complaint
    assert "XDG_STATE_HOME puts the sandboxes elsewhere" in complaint


# --- what to type ----------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The command beside a made-up Python, in a folder that no search path knows."""
    folder = tmp_path / "a clone" / ".venv" / "bin"
    folder.mkdir(parents=True)
    command = folder / "pulumi-gitops"
    command.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return command


def test_hints_name_the_command_as_a_shell_finds_it(installed, monkeypatch, tmp_path):
    assert cli.own_command() == "'a clone/.venv/bin/pulumi-gitops'"
    monkeypatch.chdir(installed.parents[1])
    assert cli.own_command() == "bin/pulumi-gitops"
    (elsewhere := tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(elsewhere)
    assert cli.own_command() == f"'{installed}'"
    monkeypatch.setenv("PATH", str(installed.parent))
    assert cli.own_command() == "pulumi-gitops"
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "pulumi-gitops").touch(mode=0o755)  # another one
    assert cli.own_command().endswith("/.venv/bin/pulumi-gitops'")


def test_without_an_installed_command_hints_call_python(installed):
    installed.unlink()
    assert cli.own_command() == f"'{sys.executable}' -m pulumi_gitops"
