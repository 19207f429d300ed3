# SPDX-License-Identifier: Apache-2.0
"""The local no-op check never calls a changed object unchanged: the API server is the judge."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.cluster import FIELD_MANAGER
from pulumi_gitops.core.deploy.fields import surely_unchanged
from pulumi_gitops.core.objects import ObjectRef

pytestmark = pytest.mark.sandbox

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"a": "1", "b": "2"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {
                        "name": "one",
                        "image": "registry.example.com/one:1",
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    },
                    {"name": "two", "image": "registry.example.com/two:1", "args": ["x", "y"]},
                ]
            },
        },
    },
}
POLICY: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web"},
    "spec": {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]},
}
SERVICE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web", "tier": "front"}, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]},
}
CONFIG: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "web", "annotations": {"example.com/note": "x"}},
    "data": {"a": "1", "b.c": "2", "d_e": ""},
}
OBJECTS = [DEPLOYMENT, POLICY, SERVICE, CONFIG]


@pytest.fixture(scope="module")
def place(cluster):
    name = "fields-test"
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.delete(ObjectRef("", "v1", "Namespace", "", name))


def placed(obj: dict[str, Any], namespace: str) -> dict[str, Any]:
    return {**copy.deepcopy(obj), "metadata": {**copy.deepcopy(obj["metadata"]), "namespace": namespace}}


def is_unchanged_for_the_server(cluster, payload) -> bool:
    """A dry-run apply that leaves every field, ours and the others', as it is."""
    live = cluster.get(ObjectRef.of(payload))
    after = cluster.apply(payload, dry_run=True, force=True)
    for obj in (live, after):
        obj["metadata"].pop("resourceVersion")
        obj["metadata"].pop("generation", None)
        for entry in obj["metadata"]["managedFields"]:
            entry.pop("time", None)
    return live == after


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: obj["kind"])
def test_what_was_just_applied_is_recognised_without_a_request(cluster, place, obj):
    payload = placed(obj, place)
    cluster.apply(payload, force=True)
    assert surely_unchanged(payload, cluster.get(ObjectRef.of(payload)), FIELD_MANAGER)


def change(obj: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    result = copy.deepcopy(obj)
    node: Any = result
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = to
    return result


CONTAINERS = DEPLOYMENT["spec"]["template"]["spec"]["containers"]
BREAKERS = {
    "selector emptied": change(POLICY, "spec", "podSelector", to={}),
    "selector loses a key": change(SERVICE, "spec", "selector", to={"app": "web"}),
    "containers swapped": change(
        DEPLOYMENT, "spec", "template", "spec", "containers", to=[CONTAINERS[1], CONTAINERS[0]]
    ),
    "env swapped": change(
        DEPLOYMENT, "spec", "template", "spec", "containers", 0, "env", to=list(reversed(CONTAINERS[0]["env"]))
    ),
    "label dropped": change(DEPLOYMENT, "metadata", "labels", to={"a": "1"}),
    "key added": change(CONFIG, "data", to={**CONFIG["data"], "new": ""}),
}


@pytest.mark.parametrize("changed", BREAKERS.values(), ids=BREAKERS)
def test_known_traps_are_put_to_the_server(cluster, place, changed):
    original = next(obj for obj in OBJECTS if obj["kind"] == changed["kind"])
    cluster.apply(placed(original, place), force=True)
    payload = placed(changed, place)
    assert not surely_unchanged(payload, cluster.get(ObjectRef.of(payload)), FIELD_MANAGER)


def test_a_field_that_another_manager_took_is_put_to_the_server(cluster, place):
    payload = placed(CONFIG, place)
    cluster.apply(payload, force=True)
    theirs = change(placed(CONFIG, place), "data", to={"a": "9"})
    del theirs["metadata"]["annotations"]
    cluster.apply(theirs, force=True, field_manager="somebody")
    theirs["data"] = {"a": "1"}
    cluster.apply(theirs, field_manager="somebody")
    live = cluster.get(ObjectRef.of(payload))
    assert live["data"] == CONFIG["data"]
    assert not surely_unchanged(payload, live, FIELD_MANAGER), "the same values, but no longer ours"


def paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [prefix] if prefix else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += paths(item, (*prefix, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += paths(item, (*prefix, index))
    return found


@st.composite
def mutations(draw) -> tuple[dict[str, Any], dict[str, Any]]:
    original = draw(st.sampled_from(OBJECTS))
    part = draw(st.sampled_from(["spec", "data", "metadata"]))
    result = copy.deepcopy(original)
    if part not in result:
        part = "metadata"
    steps = [p for p in paths(result[part]) if p != ("name",)]
    if not steps:
        return original, result
    *way, last = draw(st.sampled_from(steps))
    node: Any = result[part]
    for step in way:
        node = node[step]
    how = draw(st.sampled_from(["drop", "replace", "reverse"]))
    if how == "drop":
        del node[last]
    elif how == "reverse" and isinstance(node[last], list):
        node[last] = list(reversed(node[last]))
    else:
        node[last] = draw(st.sampled_from(["", "other", 0, 1, True, [], {}]))
    return original, result


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(case=mutations())
def test_unchanged_means_unchanged_for_the_server(cluster, place, case):
    original, mutated = case
    cluster.apply(placed(original, place), force=True)
    payload = placed(mutated, place)
    live = cluster.get(ObjectRef.of(payload))
    if surely_unchanged(payload, live, FIELD_MANAGER):
        assert is_unchanged_for_the_server(cluster, payload)
