# SPDX-License-Identifier: Apache-2.0
"""What is told about a change: every difference and nothing else, in words that a reader can not mistake."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy.diff import FieldChange, field_changes, item_keys

leaves = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, "", "1", "a", "b", "x: y\n"])
names = st.sampled_from(["name", "port", "protocol", "key", "a", "b.c/d"])
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
objects = st.dictionaries(names, values, max_size=4)


def equal(a, b):
    """Equality of JSON values, told independently of the module."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


@settings(max_examples=500, deadline=None)
@given(objects, objects)
def test_there_are_changes_exactly_where_two_objects_differ(one, other):
    assert (field_changes(one, other) == ()) is equal(one, other)
    assert field_changes(one, copy.deepcopy(one)) == ()


@settings(max_examples=300, deadline=None)
@given(objects, st.data())
def test_a_single_changed_leaf_is_told_at_its_place_with_both_values(obj, data):
    places = [(holder, key) for holder in dicts_of(obj) for key, value in holder.items() if not is_container(value)]
    if not places:
        return
    holder, key = data.draw(st.sampled_from(places))
    before = copy.deepcopy(obj)
    old, holder[key] = holder[key], "the new value"
    changes = field_changes(before, obj)
    assert changes
    told = repr([(change.before, change.after) for change in changes])
    assert repr(old) in told
    assert "the new value" in told


def dicts_of(value):
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    for below in value if isinstance(value, list) else ():
        yield from dicts_of(below)


def is_container(value):
    return isinstance(value, dict | list)


def lines(before, after):
    return [str(change) for change in field_changes(before, after)]


def test_paths_are_those_of_the_api_server_and_name_the_items_of_lists():
    before = {"spec": {"containers": [{"name": "web", "image": "a"}, {"name": "old"}], "replicas": 1}}
    after = {"spec": {"containers": [{"name": "web", "image": "b"}, {"name": "new"}], "replicas": 1, "paused": True}}
    assert lines(before, after) == [
        '.spec.containers[name="web"].image: a -> b',
        '.spec.containers[name="old"]: - {"name": "old"}',
        '.spec.containers[name="new"]: + {"name": "new"}',
        ".spec.paused: + true",
    ]
    assert lines({"data": {"a.b/c": "1"}}, {"data": {}}) == ['.data["a.b/c"]: - "1"']


def test_items_of_one_name_are_told_apart_by_what_differs_and_defaults_of_the_server_do_not_make_another_item():
    mounts = [{"name": "data", "mountPath": "/a"}, {"name": "data", "mountPath": "/b"}]
    changed = [mounts[0], {**mounts[1], "readOnly": True}]
    assert lines({"volumeMounts": mounts}, {"volumeMounts": changed}) == [
        '.volumeMounts[mountPath="/b"].readOnly: + true'
    ]
    assert lines({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "protocol": "TCP"}]}) == [
        ".ports[containerPort=80].protocol: + TCP"
    ]


def test_a_new_order_alone_is_a_change():
    one, two = {"name": "one"}, {"name": "two"}
    assert lines({"env": [one, two]}, {"env": [two, one]}) == [
        '.env (order): ["name=\\"one\\"", "name=\\"two\\""] -> ["name=\\"two\\"", "name=\\"one\\""]'
    ]
    assert lines({"args": ["a", "b"]}, {"args": ["b", "a"]}) == ['.args: ["a", "b"] -> ["b", "a"]']


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (5, "5", '5 -> "5"'),
        (True, "true", 'true -> "true"'),
        (None, "null", 'null -> "null"'),
        ("", "a ", '"" -> "a "'),
        ("1.2.3", "grün", "1.2.3 -> grün"),
        ("a\r~~~~~\r", "\x1b[2Jx", r'"a\r~~~~~\r" -> "\u001b[2Jx"'),
        ("a\nb", "a\u202eb", r'"a\nb" -> "a\u202eb"'),
    ],
)
def test_values_can_not_be_mistaken_for_others_and_stay_on_one_printable_line(before, after, told):
    assert str(FieldChange(".x", before, after)) == f".x: {told}"


def test_of_a_long_value_the_line_shows_what_differs():
    text = "setting=value\n" * 100
    line = str(FieldChange(".data.conf", text + "color=red\n" + text, text + "color=blue\n" + text))
    assert "color=red" in line
    assert "color=blue" in line
    assert len(line) < 450


def test_the_json_form_leaves_out_the_side_that_does_not_exist():
    changes = field_changes({"a": None, "b": 1}, {"b": None, "c": 1})
    assert [change.as_dict() for change in changes] == [
        {"path": ".a", "before": None},
        {"path": ".b", "before": 1, "after": None},
        {"path": ".c", "after": 1},
    ]
    assert field_changes(None, {}) == field_changes({}, None) == ()


def test_only_lists_of_objects_with_distinct_keys_have_item_keys():
    assert item_keys([{"name": "a"}], [{"name": "a"}, {"name": "b"}]) == ("name",)
    assert item_keys([{"name": {"x": 1}}], [{"name": {"x": 2}}]) == ("name",)
    assert item_keys([{"name": "a"}, {"name": "a"}]) == ()
    assert item_keys([], []) == item_keys(["a"]) == item_keys([{"name": "a"}, "b"]) == item_keys([{"a": 1}]) == ()
