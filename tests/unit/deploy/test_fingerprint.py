# SPDX-License-Identifier: Apache-2.0
"""The digest of a plan: it moves with what the plan was made against, and with nothing else."""

from __future__ import annotations

import copy
import itertools

import pytest

from pulumi_gitops.core.deploy.fingerprint import ABSENT, plan_digest, plan_objects
from pulumi_gitops.core.deploy.model import Action, Change, PlannedObject
from pulumi_gitops.core.deploy.planning import Step
from pulumi_gitops.core.deploy.pruning import Removal
from pulumi_gitops.core.objects import ObjectRef

OURS = "pulumi-gitops"
WANTED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "front"}},
    "spec": {
        "replicas": 2,
        "selector": {},
        "containers": [{"name": "web", "image": "web:2", "ports": [{"containerPort": 80}]}],
        "args": ["a"],
        "conditions": [{"name": {"a": 1}, "x": 1}],
    },
}
OUR_FIELDS = {"f:spec": {"f:replicas": {}, "f:paused": {}}}
LIVE = {
    **WANTED,
    "metadata": {
        **WANTED["metadata"],
        "uid": "u1",
        "resourceVersion": "1",
        "generation": 3,
        "annotations": {"theirs": "x"},
        "managedFields": [
            {"manager": OURS, "operation": "Apply", "time": "t0", "apiVersion": "apps/v1", "fieldsV1": OUR_FIELDS},
            {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:minReadySeconds": {}}}},
        ],
    },
    "spec": {
        "replicas": 1,
        "paused": True,
        "minReadySeconds": 5,
        "selector": {"app": "web"},
        "containers": [
            {"name": "web", "image": "web:1", "pull": "Always", "ports": [{"containerPort": 80, "protocol": "TCP"}]},
            {"name": "sidecar", "image": "proxy:1"},
        ],
        "args": ["a"],
        "conditions": [{"name": {"a": 1}, "x": 2}],
    },
    "status": {"readyReplicas": 1},
}


def digest(live=LIVE, wanted=WANTED, action=Action.CONFIGURE, **more):
    step = Step(Change(action, ObjectRef.of(wanted)), wanted, live, sends=True, **more)
    return plan_digest(plan_objects([step], []))


def at(obj, path, value):
    """A copy with one value set; None removes it."""
    obj = copy.deepcopy(obj)
    *steps, last = path
    node = obj
    for step in steps:
        node = node[step]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return obj


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["metadata", "uid"], "u2"),
        (["metadata", "labels", "tier"], "back"),
        (["metadata", "managedFields", 0, "fieldsV1"], {"f:spec": {"f:replicas": {}}}),
        (["metadata", "managedFields", 0], None),
        (["spec", "replicas"], 4),
        (["spec", "replicas"], None),
        (["spec", "replicas"], True),
        (["spec", "paused"], False),
        (["spec", "selector", "app"], "other"),
        (["spec", "containers", 0, "image"], "web:0"),
        (["spec", "containers", 0], None),
        (["spec", "containers", 0, "ports", 0], None),
        (["spec", "args"], ["a", "b"]),
        (["spec", "conditions", 0, "x"], 3),
    ],
)
def test_it_moves_with_the_object_our_entry_and_the_values_of_fields_that_we_set_or_remove(path, value):
    assert digest(at(LIVE, path, value)) != digest()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["status"], {"readyReplicas": 7}),
        (["metadata", "resourceVersion"], "2"),
        (["metadata", "generation"], 4),
        (["metadata", "annotations", "theirs"], "y"),
        (["metadata", "managedFields", 0, "time"], "t1"),
        (["metadata", "managedFields", 1], None),
        (["spec", "minReadySeconds"], 9),
        (["spec", "containers", 0, "pull"], "Never"),
        (["spec", "containers", 1, "image"], "proxy:2"),
        (["spec", "containers", 1], None),
    ],
)
def test_it_does_not_move_with_the_status_versions_times_and_fields_of_others(path, value):
    assert digest(at(LIVE, path, value)) == digest()


def test_it_moves_with_what_would_be_sent_and_with_what_happens():
    wanted = at(WANTED, ["spec", "replicas"], 3)
    digests = [digest(), digest(wanted=wanted), digest(None), digest(action=Action.RECREATE), digest(takes_over=True)]
    assert len(set(digests)) == len(digests)


def test_what_an_adoption_would_remove_counts_as_ours():
    moved = at(LIVE, ["spec", "minReadySeconds"], 9)
    assert digest(moved, takes_over=True) != digest(takes_over=True)
    assert digest(at(LIVE, ["metadata", "annotations", "theirs"], "y"), takes_over=True) == digest(takes_over=True)


@pytest.mark.parametrize("action", [Action.UNCHANGED, Action.HANDED_OVER])
def test_an_object_that_stays_as_it_is_may_move_in_the_cluster(action):
    for live, wanted in itertools.product([LIVE, at(LIVE, ["metadata", "uid"], "u2"), None], [WANTED]):
        step = Step(Change(action, ObjectRef.of(wanted)), wanted, live)
        assert plan_objects([step], []) == (PlannedObject("apps/Deployment/shop/web", action, "", ""),)


def test_objects_are_sorted_and_those_that_go_count_by_their_uid():
    gone = Change(Action.PRUNE, ObjectRef("", "v1", "ConfigMap", "shop", "old"))
    new = Step(Change(Action.CREATE, ObjectRef.of(WANTED)), WANTED, None, sends=True)
    found = plan_objects([new], [Removal(gone, "u9")])
    assert [planned.key for planned in found] == ["ConfigMap/shop/old", "apps/Deployment/shop/web"]
    assert (found[0].action, found[0].sent, found[0].live) == ("prune", "", "u9")
    assert found[1].live == ABSENT
    assert plan_digest(found) != plan_digest(plan_objects([new], [Removal(gone, "u8")]))


def test_the_value_of_a_secret_moves_the_digest_without_being_in_it_or_in_a_plain_hash_of_it():
    def secret(value):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "uid": "u"}, "data": {"k": value}}

    def planned(live, wanted):
        return plan_objects([Step(Change(Action.CONFIGURE, ObjectRef.of(wanted)), wanted, live, sends=True)], [])

    [one], [two] = planned(secret("eA=="), secret("eQ==")), planned(secret("eg=="), secret("eQ=="))
    assert one.sent == two.sent
    assert one.live != two.live
    config = {**secret("eQ=="), "kind": "ConfigMap"}
    assert planned(config, config)[0].sent != one.sent
