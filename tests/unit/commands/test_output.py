# SPDX-License-Identifier: Apache-2.0
"""What is printed and written: whole, readable, without secrets and without surprises for a terminal."""

from __future__ import annotations

import json
import os
import stat

import pytest

from pulumi_gitops.commands.output import clean, in_columns, say, say_json, show_error, write_file
from pulumi_gitops.core import redact
from pulumi_gitops.core.errors import InputError, NotReadyError


def test_escape_sequences_of_others_do_not_reach_the_terminal():
    text = "pod web: \x1b[31mred\x1b[0m \x9b2J \x07\r\n\tlast\x7f"
    assert clean(text) == "pod web: �[31mred�[0m �2J �\n\tlast�"


def test_json_stays_json_when_what_it_holds_is_masked(capsys):
    redact.register('ca"nary\\secret')
    say_json(
        {"message": 'token: abc"def', "list": ('a ca"nary\\secret', 1, None, True), "nested": {"url": "a://u:p@h"}}
    )
    assert json.loads(capsys.readouterr().out) == {
        "message": 'token: ***"def',
        "list": ["a ***", 1, None, True],
        "nested": {"url": "a://***@h"},
    }


def test_the_details_of_an_error_are_masked_too(capsys):
    redact.register("canary-secret")
    error = NotReadyError("canary-secret", hint="no canary-secret", details={"objects": [{"logs": ["canary-secret"]}]})
    show_error(error, as_json=True)
    said = capsys.readouterr()
    assert "canary" not in said.out + said.err
    assert json.loads(said.out)["error"]["details"] == {"objects": [{"logs": ["***"]}]}
    assert said.err == "error: ***\nno ***\n"


def test_a_reader_that_has_seen_enough_ends_the_printing_only(monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr("sys.stdout", stream)
        say("text")
        say("more")
        say_json({"a": "b"})
        stream.write("the interpreter writes at its end")


def test_columns_are_as_wide_as_what_is_in_them():
    assert in_columns([("A", "LONG"), ("longer", "b")]) == "A       LONG\nlonger  b"


@pytest.mark.parametrize("existing", [True, False])
def test_a_private_file_is_for_its_user_alone_even_if_it_was_not_before(existing, tmp_path):
    path = tmp_path / "plan.json"
    if existing:
        path.write_text("something longer than the new content")
        path.chmod(0o644)
    write_file(str(path), "plan", option="--out", private=True)
    assert path.read_text() == "plan"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_may_be_a_pipe(tmp_path):
    reading, writing = os.pipe()
    write_file(f"/dev/fd/{writing}", "plan", option="--out", private=True)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == "plan"


def test_a_file_that_can_not_be_written_is_an_error_that_names_option_and_file(tmp_path):
    with pytest.raises(InputError, match=r"--report: .*/missing/plan.md can not be written: No such file"):
        write_file(str(tmp_path / "missing" / "plan.md"), "plan", option="--report")
