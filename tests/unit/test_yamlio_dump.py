# SPDX-License-Identifier: Apache-2.0
"""What is written reads back as the same values, with this reader and with stock YAML parsers."""

from __future__ import annotations

import enum

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pulumi_gitops.core import yamlio, yamlread
from pulumi_gitops.core.errors import InputError

# Bits that make YAML scalars look like something else.
_MARKUP = [": ", " #", "- ", "? ", "---", "...", "<<", *"'\"\\|>%@`!&*{[,~="]
_SPACE = ["\n", " ", "  ", "\t", "\r", "\r\n", "\x85", "\u2028", "\ufeff", "\x00", "\x7f"]
_TRICKY = st.sampled_from([*_MARKUP, *_SPACE, *"01e_xy😀"])
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.lists(_TRICKY, max_size=6).map("".join)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    # Whole floats from 2**53 on become the integer that Go prints for them, which Python does not call equal.
    | st.floats(-(2**53), 2**53)
    | st.floats(2**63, allow_infinity=False)
    | _TEXT
    | st.from_regex(r"[-+]?[0-9._]{1,4}([eExXoObB:][-+]?[0-9a-f_]{0,4})?", fullmatch=True)
)
JSON_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4), max_leaves=12
)


@given(JSON_VALUES)
def test_what_is_written_reads_back_the_same(value):
    assert yamlio.load_documents(yamlio.dump([value])) == [[value]]


@given(JSON_VALUES)
def test_a_machine_without_libyaml_reads_and_writes_the_same(value):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yamlread, "_Loader", yaml.Loader)
        patch.setattr(yamlio, "_Dumper", yaml.Dumper)
        assert yamlio.load_documents(yamlio.dump([value])) == [[value]]


@given(_TEXT)
def test_a_string_stays_that_string_for_stock_parsers(text):
    assert yaml.load(yamlio.dump({"key": text}), yaml.SafeLoader) == {"key": text}
    assert yaml.load(yamlio.dump({"key": text}), yaml.CSafeLoader) == {"key": text}


@pytest.mark.parametrize(
    "text",
    "y n Y N yes No on OFF true ~ null 1e3 12e03 1.0e3 +12e3 1E5 1_0e3 .5e1 08 -08 012345678 0o17 0O17 0x1F 0b11 22:22 "
    "2020-01-01 = << .inf .NaN 1_000 1. +.5 123 -1".split(),
)
def test_strings_that_look_like_something_else_are_quoted(text):
    assert yamlio.dump({"tag": text}) == f'tag: "{text}"\n'


@pytest.mark.parametrize(
    "text", ["web", "1.2.3", "v1.0", "10.0.0.1", "registry.example.com/shop:1.0", "12ab", "a b", "yes!"]
)
def test_ordinary_strings_are_not_quoted(text):
    assert yamlio.dump({"tag": text}) == f"tag: {text}\n"


def test_layout_is_that_of_a_hand_written_manifest():
    value = {"kind": "A", "args": ["x", {"b": 1, "a": None}], "empty": {}, "none": [], "script": "set -e\nrun it\n"}
    assert yamlio.dump(value) == (
        "kind: A\nargs:\n- x\n- b: 1\n  a: null\nempty: {}\nnone: []\nscript: |\n  set -e\n  run it\n"
    )


def test_long_lines_are_not_folded():
    assert yamlio.dump({"a": "word " * 100 + "end"}).count("\n") == 1


def test_several_documents():
    assert yamlio.dump_all([{"a": 1}, {"b": 2}]) == "---\na: 1\n---\nb: 2\n"
    assert yamlio.dump_all([]) == ""


def test_subclasses_are_written_as_their_base():
    class Colour(enum.StrEnum):
        RED = "red"

    assert yamlio.dump({Colour.RED: Colour.RED, "t": (1,)}) == "red: red\nt:\n- 1\n"


@pytest.mark.parametrize(
    "value", [{"a": float("nan")}, [float("-inf")], {"a": object()}, {1: "a"}, {"a": b"x"}, ["\ud800"]]
)
def test_what_json_has_no_form_for_is_refused(value):
    with pytest.raises(InputError):
        yamlio.dump(value)


def test_a_value_that_contains_itself_is_refused():
    value: list = []
    value.append(value)
    with pytest.raises(InputError, match="contains itself"):
        yamlio.dump(value)
