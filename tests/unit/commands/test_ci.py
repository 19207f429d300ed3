# SPDX-License-Identifier: Apache-2.0
"""Groups, summaries and commands of CI systems."""

from __future__ import annotations

import io
import re

import pytest

from pulumi_gitops.commands.ci import append_summary, log_group, without_workflow_commands


def grouped(stream=None):
    stream = stream or io.StringIO()
    with log_group("deploy shop/shop", stream):
        stream.write("work\n")
    return stream.getvalue()


def test_a_log_group_of_github_holds_what_is_printed_meanwhile(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert grouped() == "::group::deploy shop/shop\nwork\n::endgroup::\n"


def test_a_section_of_gitlab_holds_what_is_printed_meanwhile(monkeypatch):
    monkeypatch.setenv("GITLAB_CI", "true")
    section = re.escape("pulumi_gitops_deploy_shop_shop")
    assert re.fullmatch(
        rf"\x1b\[0Ksection_start:\d+:{section}\r\x1b\[0Kdeploy shop/shop\n"
        rf"work\n\x1b\[0Ksection_end:\d+:{section}\r\x1b\[0K\n",
        grouped(),
    )


def test_elsewhere_there_is_no_group():
    assert grouped() == "work\n"


def test_a_group_ends_when_the_work_fails(monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    stream = io.StringIO()
    with pytest.raises(ValueError, match="broken"), log_group("deploy", stream):
        raise ValueError("broken")
    assert stream.getvalue().endswith("::endgroup::\n")


def test_a_summary_is_appended_to(tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("earlier\n\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert append_summary("### Plan\n") == append_summary("### Result") == ""
    assert summary.read_text() == "earlier\n\n### Plan\n\n### Result\n\n"


def test_a_summary_that_can_not_be_written_is_told_and_nothing_more(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "missing" / "summary.md"))
    assert "can not be written: No such file or directory" in append_summary("### Plan")


def test_without_a_summary_nothing_happens():
    assert append_summary("### Plan") == ""


COMMANDS = (
    "::set-env name=PATH::/tmp",
    "  ::add-path::/tmp",
    "\u00a0::add-path::/tmp",
    "log: ##[add-path]/tmp",
    "####[add-path]/tmp",
    "first\n::stop-commands::x\n\t::error::y",
)


@pytest.mark.parametrize("text", COMMANDS)
def test_the_text_of_others_holds_no_command_for_github(text, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    shown = without_workflow_commands(text)
    # As the runner reads a line: white space is passed over before `::`, `##[` counts wherever it stands.
    assert not any(line.strip().startswith("::") or "##[" in line for line in shown.split("\n"))
    assert shown.replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", ["a::b", "::", "std::string x", "# [x]", "- ::1 is a host"])
def test_what_is_no_command_stays_as_it_is(text, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert without_workflow_commands(text) == text


@pytest.mark.parametrize("text", COMMANDS)
def test_elsewhere_texts_stay_as_they_are(text):
    assert without_workflow_commands(text) == text
