# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/reference are what the code says."""

from __future__ import annotations

import dataclasses
import re
import shutil

import pytest

from pulumi_gitops.core.delivery import ReleaseOptions
from scripts import gen_docs


@pytest.fixture
def root(tmp_path):
    """A copy of the generated pages in a folder of their own."""
    shutil.copytree(gen_docs.ROOT / gen_docs.FOLDER, tmp_path / gen_docs.FOLDER)
    return tmp_path


def test_the_reference_is_up_to_date(capsys):
    assert gen_docs.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_is_out_of_date_is_named_and_left_alone_until_it_is_to_be_written(root, capsys):
    page = root / gen_docs.FOLDER / "release-options.md"
    right = page.read_text(encoding="utf-8")
    wrong = right.replace("| `wait_timeout` | `300` |", "| `wait_timeout` | `299` |")
    assert wrong != right
    page.write_text(wrong, encoding="utf-8")

    assert gen_docs.main(["--check"], root=root) == 1
    assert "docs/reference/release-options.md is out of date" in capsys.readouterr().out
    assert page.read_text(encoding="utf-8") == wrong

    assert gen_docs.main([], root=root) == 0
    assert page.read_text(encoding="utf-8") == right
    assert gen_docs.main(["--check"], root=root) == 0


def test_what_is_written_by_hand_stays(root):
    page = root / gen_docs.FOLDER / "errors.md"
    page.write_text("by hand\n<!-- generated: errors -->\nold\n<!-- end -->\nby hand, too\n", encoding="utf-8")

    assert gen_docs.main([], root=root) == 0

    text = page.read_text(encoding="utf-8")
    assert text.startswith("by hand\n<!-- generated: errors -->\n")
    assert text.endswith("<!-- end -->\nby hand, too\n")
    assert "old" not in text.splitlines()
    assert "| `deploy.plan_moved` | `PlanMovedError` | 4 |" in text


@pytest.mark.parametrize("text", ["", "<!-- generated: errors -->\n", "<!-- generated: options -->\n<!-- end -->"])
def test_a_page_that_lost_its_marks_is_an_error(text):
    with pytest.raises(ValueError, match="generated: errors"):
        gen_docs.renewed(text, "errors", "content")


def test_every_option_is_told_with_its_default_and_its_argument():
    rows = re.findall(r"(?m)^\| `(\w+)` \| (\S+) \| (.+?) \| (.+) \|$", gen_docs.options_table())
    assert [name for name, *_ in rows] == [field.name for field in dataclasses.fields(ReleaseOptions)]
    told = {name: (default, argument) for name, default, argument, _ in rows}
    assert told["name"][0] == "required"
    assert told["prune"] == ("`true`", "`--prune`, `--no-prune`")
    assert told["ownership"] == ("`adopt_if_unowned`", "`--ownership`")
    assert told["images"] == ("none", "`--image`")
    assert all(meaning.endswith(".") for *_, meaning in rows)


def test_every_error_is_told_once():
    codes = re.findall(r"(?m)^\| `([\w.]+)` \|", gen_docs.errors_table())
    assert len(codes) == len(set(codes))
    assert {"input.unsafe_source", "process.missing", "cluster.forbidden", "deploy.rolled_back"} <= set(codes)
