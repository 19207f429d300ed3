# SPDX-License-Identifier: Apache-2.0
"""docs/cli.md shows the real help and the real exit codes. ``UPDATE_DOCS=1`` writes the help blocks anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pulumi_gitops.cli import main
from pulumi_gitops.commands.exits import ExitCode

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
BLOCK = re.compile(r"<!-- help: (?P<command>\w+) -->\n(?P<text>.*?)<!-- end -->", re.DOTALL)
COMMANDS = ("plan", "deploy", "rollback", "status", "history", "remove")


@pytest.fixture
def block(capsys, monkeypatch):
    """Return the block that shows the help of a command."""
    monkeypatch.setenv("COLUMNS", "112")
    monkeypatch.setenv("NO_COLOR", "1")

    def block(command):
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        return f"```\n$ pulumi-gitops {command} --help\n{capsys.readouterr().out}```\n"

    return block


def test_the_help_in_the_documentation_is_the_real_one(block):
    text = DOCS.read_text(encoding="utf-8")
    if os.environ.get("UPDATE_DOCS"):
        text = BLOCK.sub(lambda m: f"<!-- help: {m['command']} -->\n{block(m['command'])}<!-- end -->", text)
        DOCS.write_text(text, encoding="utf-8")
    shown = {found["command"]: found["text"] for found in BLOCK.finditer(text)}
    assert tuple(shown) == COMMANDS
    for command in COMMANDS:
        assert shown[command] == block(command), "UPDATE_DOCS=1 pytest tests/unit/commands/test_docs.py mends it"


def test_every_exit_code_is_documented():
    section = DOCS.read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    told = {int(code) for row in re.findall(r"(?m)^\| ([\d, ]+) \|", section) for code in row.split(",")}
    assert told == set(ExitCode)
