# SPDX-License-Identifier: Apache-2.0
"""Objects of one shape: one dry run speaks for those, and only those, in which it finds the same faults."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy.shapes import shape_of

BASE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
    "spec": {"replicas": 1, "containers": [{"name": "web", "image": "web:1"}], "nodeSelector": {"zone": "a"}},
}


def changed(*path, to):
    obj = copy.deepcopy(BASE)
    node = obj
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return obj


@pytest.mark.parametrize(
    "obj",
    [
        changed("metadata", "name", to="other"),
        changed("spec", "replicas", to=7),
        changed("metadata", "labels", to={"app": "other", "tier": "back"}),
        changed("spec", "nodeSelector", to={"disk": "ssd"}),
        changed("spec", "containers", to=[{"image": "a", "name": "a"}, {"name": "b", "image": "b"}]),
        dict(reversed(BASE.items())),
    ],
)
def test_objects_that_differ_in_values_only_have_one_shape(obj):
    assert shape_of(obj) == shape_of(BASE)


@pytest.mark.parametrize(
    "obj",
    [
        changed("apiVersion", to="apps/v1beta1"),
        changed("kind", to="StatefulSet"),
        changed("metadata", "namespace", to="other"),
        changed("metadata", "labels", to={"app": 1}),
        changed("spec", "replicas", to="1"),
        changed("spec", "replicas", to=True),
        changed("spec", "replicas", to=1.0),
        changed("spec", "replicas", to=None),
        changed("spec", "replica", to=1),
        changed("spec", "containers", to=[]),
        changed("spec", "containers", to=[{"name": "web", "image": "web:1"}, {"name": "web"}]),
        changed("spec", "containers", to={"name": "web", "image": "web:1"}),
        changed("spec", "nodeSelector", to="zone"),
    ],
)
def test_another_kind_namespace_field_or_type_is_another_shape(obj):
    assert shape_of(obj) != shape_of(BASE)


keys = st.text("ab:,{}'", max_size=4)
specs = st.recursive(
    st.sampled_from(["x", 1]), lambda inner: st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=2)
)


def fields(value):
    """What a shape stands for, told independently of the module."""
    if isinstance(value, dict):
        return frozenset((key, fields(below)) for key, below in value.items())
    if isinstance(value, list):
        return (frozenset(map(fields, value)),)
    return type(value)


@settings(max_examples=300, deadline=None)
@given(specs, specs)
def test_two_objects_have_one_shape_exactly_when_they_have_the_same_fields_and_types(one, other):
    shapes = [shape_of({**BASE, "spec": spec}) for spec in (one, other)]
    assert (shapes[0] == shapes[1]) is (fields(one) == fields(other))


def test_keys_that_look_like_several_fields_are_one_field():
    assert shape_of({**BASE, "spec": {"a:str,b": "x"}}) != shape_of({**BASE, "spec": {"a": "x", "b": "x"}})
