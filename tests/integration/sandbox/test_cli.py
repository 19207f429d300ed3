# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops sandbox`` from a shell: a control plane that stays between commands."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from pulumi_gitops.sandbox import Sandbox
from pulumi_gitops.sandbox.processes import ProcessId, marked

from .conftest import eventually

pytestmark = pytest.mark.sandbox

COMMAND = (sys.executable, "-m", "pulumi_gitops", "sandbox")


def environment():
    """The user's: behind a proxy, which does not lead to this machine (there is none)."""
    given = {name: value for name, value in os.environ.items() if name.lower() != "no_proxy"}
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:1")
    return {**given, **proxies, "PYTHONPATH": os.pathsep.join(sys.path)}


def call(*arguments, stdin="", code=0):
    """Run one action in a process of its own; returns what it prints."""
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment(), input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.fixture(scope="module")
def up(state_home):
    """A sandbox that one command has started, and what that command printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        said = call("up", "--name", "cli", "--nodes", "2", "--json")
    yield json.loads(said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(state_home))
        call("down", "--name", "cli")


def test_up_tells_what_is_there_but_no_credentials(up):
    sandbox = Sandbox.find("cli")
    assert up["kubeconfig"] == str(sandbox.kubeconfig)
    assert (up["name"], up["server"], up["git_url"]) == ("cli", sandbox.server, sandbox.git_url)
    assert up["detached"]
    assert {process["name"] for process in up["processes"]} >= {"etcd", "kube-apiserver", "git-server"}
    assert all(process["alive"] for process in up["processes"])
    assert sandbox.token not in json.dumps(up)


def test_a_second_up_of_the_name_is_refused(up):
    complaint = call("up", "--name", "cli", code=1)
    assert "error: the sandbox 'cli' is up already" in complaint
    assert all(process.alive for process in Sandbox.find("cli").processes())


def test_env_leads_a_shell_to_the_cluster_and_to_git(up, tmp_path):
    call("repo", "create", "shell", "--name", "cli")
    script = """
        eval "$("$@" env --name cli)"
        kubectl get nodes --output name
        git ls-remote --symref "$GIT_URL/shell.git" && echo git-answers
    """
    shell = ["sh", "-euc", script, "sh", *COMMAND]
    said = subprocess.run(shell, env=environment(), cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.count("node/") == 2
    assert "git-answers" in said
    variables = json.loads(call("env", "--name", "cli", "--json"))
    assert (variables["KUBECONFIG"], variables["GIT_URL"]) == (up["kubeconfig"], up["git_url"])


def test_a_repository_with_a_login_is_served_by_the_running_server(up, tmp_path):
    url = call(
        "repo", "create", "private", "--name", "cli", "--username", "ci", "--password-file", "-", stdin="canary\n"
    )
    env = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_GLOBAL": os.devnull}
    with_login = url.strip().replace("://", "://ci:canary@")
    assert subprocess.run(["git", "ls-remote", with_login], env=env, capture_output=True, check=False).returncode == 0
    refused = subprocess.run(["git", "ls-remote", url.strip()], env=env, capture_output=True, text=True, check=False)
    assert "could not read Username" in refused.stderr
    assert "canary" not in call("logs", "git-server", "--name", "cli")


def test_status_and_logs_tell_what_has_died(up):
    assert "kube-apiserver" in call("status", "--name", "cli")
    sandbox = Sandbox.find("cli")
    sandbox.stop_process("kube-scheduler")
    try:
        done = subprocess.run([*COMMAND, "status"], env=environment(), capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "kube-scheduler of cli has died; its last lines:" in done.stdout
        assert done.stdout.rstrip().splitlines()[-1] in call("logs", "kube-scheduler", "--name", "cli")
    finally:
        sandbox.restart_process("kube-scheduler")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_an_up_that_is_ended_half_way_leaves_nothing(end):
    """Ctrl-C cleans up by itself; what a kill leaves is removed by the next command."""
    name = f"cut-{end.name.lower()}"
    with subprocess.Popen([*COMMAND, "up", "--name", name], env=environment(), stderr=subprocess.PIPE) as process:
        sandbox = eventually(lambda: (found := Sandbox.find(name)) and found.processes() and found)
        pids = [one.pid for one in sandbox.processes()]
        process.send_signal(end)
        complaint = process.communicate()[1]
    assert b"Traceback" not in complaint
    if end is signal.SIGINT:
        assert process.returncode == 130
    else:
        assert process.returncode == -signal.SIGKILL
        assert f"sandbox {name} is down" in call("down", "--name", name)
    assert not sandbox.folder.exists()
    assert marked(sandbox.folder) == []
    assert not any(ProcessId.of(pid) for pid in pids)
