# SPDX-License-Identifier: Apache-2.0
"""What reading a manifest gives, and which texts are refused with the place of the problem."""

from __future__ import annotations

import pytest

from pulumi_gitops.core import yamlio, yamlread
from pulumi_gitops.core.errors import ManifestError

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n"


def refused(text, **kwargs):
    with pytest.raises(ManifestError) as caught:
        yamlio.load_documents(text, source="app.yaml", **kwargs)
    return caught.value


def test_documents_in_order_without_the_empty_ones():
    assert yamlio.load_documents("---\n---\na: 1\n---\n# only a comment\n---\n- 2\n...\n") == [{"a": 1}, [2]]


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "null\n"])
def test_nothing_in_nothing_out(text):
    assert yamlio.load_documents(text) == []


def test_strings_that_stock_parsers_turn_into_dates_and_base_60_numbers_stay_strings():
    text = "time: 22:22\nday: 2020-01-01\nequals: =\nport: '8080'\n"
    assert yamlio.load_documents(text) == [{"time": "22:22", "day": "2020-01-01", "equals": "=", "port": "8080"}]


@pytest.mark.parametrize(
    ("number", "value"), [("1.0", 1), ("1e3", 1000), ("0o17", 15), ("017", 15), ("08", 8), ("0.5", 0.5), ("-0x1F", -31)]
)
def test_whole_numbers_become_integers_as_api_fields_need_them(number, value):
    (loaded,) = yamlio.load_documents(f"- {number}")
    assert loaded == [value]
    assert type(loaded[0]) is type(value)


def test_json_is_accepted_also_several_values_in_a_row():
    assert yamlio.load_documents('{"a": 1.0}\n{"a": "\\ud83d\\ude00\\/"}') == [{"a": 1}, {"a": "😀/"}]


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfa: x\r\nb: |\r\n  1\r\n  2\r\n",
        "\ufeffa: x\nb: |\n  1\n  2\n".encode("utf-16-le"),
        "\ufeffa: x\nb: |\n  1\n  2\n".encode("utf-16-be"),
    ],
    ids=["utf-8 with BOM and CRLF", "utf-16-le", "utf-16-be"],
)
def test_files_written_on_windows_are_read(data):
    assert yamlio.load_documents(data) == [{"a": "x", "b": "1\n2\n"}]


def test_a_changed_alias_does_not_change_its_anchor():
    (loaded,) = yamlio.load_documents("base: &base {env: [a]}\ncopy: *base\n")
    loaded["copy"]["env"].append("b")
    assert loaded["base"] == {"env": ["a"]}


def test_merge_keys_count_where_they_stand():
    text = "base: &base {x: 1, y0: 2}\nfirst: {x: 9, <<: *base}\nlast: {<<: *base, x: 9}\n"
    (loaded,) = yamlio.load_documents(text)
    assert loaded["first"] == {"x": 1, "y0": 2}
    assert loaded["last"] == {"x": 9, "y0": 2}


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2\n", 4, 3, "duplicate key 'c'"),
        ("a: 1\n'a': 2\n", 2, 1, "duplicate key 'a'"),
        ('{"a": 1,\n "a": 2}', 2, 2, "duplicate key 'a'"),
        ("data:\n  on: x\n", 2, 3, "'on' means true"),
        ("1: x\n", 1, 1, "'1' means 1"),
        ("? [a]\n: x\n", 1, 3, "a key has to be a string"),
        ("a: !!python/object/apply:os.system ['true']\n", 1, 4, "!!python/object/apply:os.system is not allowed"),
        ("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n", 1, 4, "!vault is not allowed"),
        ("a: !!binary aGk=\n", 1, 4, "!!binary is not allowed"),
        ("a: !!int x\n", 1, 4, "!!int"),
        ("a: .nan\n", 1, 4, "not a number that JSON"),
        ("a: [1, -.inf]\n", 1, 8, "not a number that JSON"),
        ('{"a": NaN,\n "b": .inf}', 2, 7, "not a number that JSON"),
        ("a: *nothing\n", 1, 4, "no anchor &nothing"),
        ("a: &a [*a]\n", 1, 8, "contains itself"),
        ("a: {<<: 1}\n", 1, 9, "needs a mapping"),
        ("a: 1\n\tb: 2\n", 2, 1, "not valid YAML"),
        ("a: [1\nb: 2\n", 2, 2, "not valid YAML"),
        ("a: 1\nb: \x07\n", 2, 4, "control characters"),
    ],
)
def test_refused_with_file_line_and_column(text, line, column, words):
    error = refused(text)
    assert words in error.message
    assert (error.line, error.column) == (line, column)
    assert error.message.startswith(f"app.yaml:{line}:{column}: ")


def test_a_vault_tag_gets_a_hint_about_ansible():
    assert "Ansible" in refused("a: !vault x\n").hint


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [(b"\x7fELF\x02\x01\x00\x00\xff", 1, 9), (b"a: 1\nb: caf\xe9\n", 2, 7), (b"a: \x00\n", 1, 4), ("a: \udc80", 1, 4)],
)
def test_binary_content_is_named_as_such(data, line, column):
    error = refused(data)
    assert (error.line, error.column) == (line, column)


def test_a_huge_input_is_refused_before_it_is_parsed(monkeypatch):
    monkeypatch.setattr(yamlio, "MAX_BYTES", 2 * 2**20)
    assert "3 MiB is too large, the limit is 2 MiB" in refused(b"[" * (3 * 2**20)).message


@pytest.mark.parametrize("text", ["[" * 5000 + "]" * 5000, "[" * 100_000, "- " * 100_000, "a: {" * 5000])
def test_deep_nesting_is_refused(text):
    assert "nested deeper" in refused(text).message


def test_depth_that_is_allowed_is_read_from_json_and_yaml():
    text = "[" * yamlread.MAX_DEPTH + "]" * yamlread.MAX_DEPTH
    assert yamlio.load_documents(text) == yamlio.load_documents("# YAML\n" + text)


def test_an_alias_bomb_is_refused():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert "aliases expand to more than" in refused("\n".join(levels)).message


def test_anchors_of_one_document_are_unknown_in_the_next():
    assert refused("a: &x 1\n---\nb: *x\n").line == 3


# --- manifests -------------------------------------------------------------------------------------------------------


def test_lists_are_replaced_by_their_items():
    text = "kind: List\napiVersion: v1\nitems:\n- " + CONFIG_MAP.replace("\n", "\n  ") + "\n---\n" + CONFIG_MAP
    assert [m["kind"] for m in yamlio.load_manifests(text)] == ["ConfigMap", "ConfigMap"]


def test_items_of_a_typed_list_get_their_kind_as_with_kubectl():
    text = "kind: SecretList\napiVersion: v1\nitems: [{metadata: {name: a}}]\n"
    assert yamlio.load_manifests(text) == [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}]


def test_a_kind_that_ends_with_list_but_has_no_items_is_an_object():
    text = "kind: AllowList\napiVersion: example.com/v1\nmetadata: {name: a}\n"
    assert yamlio.load_manifests(text)[0]["kind"] == "AllowList"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello\n", "is a string, not a Kubernetes object"),
        ("- a\n", "is a list, not a Kubernetes object"),
        ("kind: A\nmetadata: {name: a}\n", "has no apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "has no kind"),
        ("apiVersion: 1\nkind: A\nmetadata: {name: a}\n", "has a apiVersion that is the number 1"),
        ("apiVersion: v1\nkind: A\n", "(A) has no metadata.name"),
        ("apiVersion: v1\nkind: A\nmetadata: {name: 12e3}\n", "(A) has a metadata.name that is the number 12000"),
        ("apiVersion: v1\nkind: A\nmetadata: {generateName: a-}\n", "(A) uses metadata.generateName"),
    ],
)
def test_what_is_not_an_object_is_refused_with_document_number_and_place(text, words):
    with pytest.raises(ManifestError) as caught:
        yamlio.load_manifests(CONFIG_MAP + "---\n" + text, source="app.yaml")
    assert caught.value.message.startswith("app.yaml:6:1: document 2 ")
    assert words in caught.value.message
    assert caught.value.hint


def test_a_bad_item_of_a_list_is_named():
    with pytest.raises(ManifestError, match=r"document 1, items\[1\] \(A\) has no metadata.name"):
        yamlio.load_manifests(
            "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: A, metadata: {name: a}},"
            " {apiVersion: v1, kind: A}]}"
        )
