# SPDX-License-Identifier: Apache-2.0
"""The command ``pulumi-gitops``: what it prints and returns, whatever a command does."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pulumi_gitops.cli import main
from pulumi_gitops.core import __version__, redact
from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.sandbox.sandbox import Sandbox

COMMANDS = ("plan", "deploy", "rollback", "status", "history", "remove", "demo", "sandbox")
HEAVY = ("cryptography", "git", "grpc", "kubernetes", "pulumi", "urllib3", "yaml")


@pytest.fixture(autouse=True)
def _no_sandboxes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def failing(monkeypatch):
    """Let every command that looks for sandboxes end with an exception."""

    def failing(exception):
        def fail():
            raise exception

        monkeypatch.setattr(Sandbox, "all", fail)

    return failing


def run(*arguments, **options):
    """Run Python as a user would, where the package can be imported."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run([sys.executable, *arguments], env=env, text=True, check=False, **options)


def test_the_module_is_the_command():
    done = run("-m", "pulumi_gitops", "--version", stdout=subprocess.PIPE)
    assert (done.returncode, done.stdout) == (0, f"pulumi-gitops {__version__}\n")


def test_help_names_all_commands(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(f"\n    {command} " in said for command in COMMANDS)
    with pytest.raises(SystemExit, match="0"):
        main(["sandbox", "--help"])
    said = capsys.readouterr().out
    for action in ("up", "down", "status", "env", "logs", "build", "repo"):
        assert f"\n    {action} " in said


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["sandbox"], ["sandbox", "up", "--nodes", "many"]])
def test_wrong_arguments_end_with_64_and_the_usage(arguments, capsys):
    """2, which argparse uses, says that something would change."""
    with pytest.raises(SystemExit, match="64"):
        main(arguments)
    assert capsys.readouterr().err.startswith("usage: pulumi-gitops")


def test_an_error_is_a_message_and_a_hint_without_a_traceback(failing, capsys):
    redact.register("canary-secret")
    failing(SandboxError("it says canary-secret", hint="Do not say canary-secret."))
    assert main(["sandbox", "status"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    message, hint = said.err.splitlines()
    assert message.startswith("error: it says ")
    assert hint.startswith("Do not say ")
    assert "canary" not in said.err


def test_an_error_without_a_hint_is_one_line(failing, capsys):
    failing(SandboxError("it broke"))
    assert main(["sandbox", "status"]) == 1
    assert capsys.readouterr().err == "error: it broke\n"


def test_ctrl_c_ends_with_130_and_says_nothing(failing, capsys):
    failing(KeyboardInterrupt())
    assert main(["sandbox", "status"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_seen_enough_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = run("-m", "pulumi_gitops", "sandbox", "status", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_does_not_wait_for_what_only_commands_need():
    code = (
        "import json, sys; from pulumi_gitops.cli import build_parser; build_parser().format_help(); "
        f"print(json.dumps([m for m in {HEAVY} if m in sys.modules]))"
    )
    assert json.loads(run("-c", code, stdout=subprocess.PIPE).stdout) == []
