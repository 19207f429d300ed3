# SPDX-License-Identifier: Apache-2.0
"""What comes out of plans and deployments, in the forms that all faces share."""

from __future__ import annotations

import json

import pytest

from pulumi_gitops.core.deploy import Action, Change, DeployResult, FieldOwner, Plan
from pulumi_gitops.core.errors import ConflictError, ForbiddenError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.yamlio import load_manifests

REF = ObjectRef("", "v1", "ConfigMap", "shop", "web")
BEFORE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": "canary-1", "on": "yes"}}
AFTER = {**BEFORE, "data": {"a": "canary-2"}}
CHANGING = {Action.CREATE, Action.CONFIGURE, Action.RECREATE, Action.PRUNE, Action.DELETE}
CONFLICT = Change(
    Action.CONFLICT,
    REF,
    BEFORE,
    AFTER,
    "a field belongs to another manager",
    (FieldOwner(".data.a", "kubectl"),),
    ConflictError("a field belongs to another manager"),
)
BLOCKED = Change(Action.BLOCKED, REF, reason="no right", error=ForbiddenError("no right"))


def plan(*changes):
    return Plan("web", "shop", 1, changes, "sha256:set", "sha256:plan")


@pytest.mark.parametrize("action", Action)
def test_the_cluster_changes_with_some_actions_and_not_with_others(action):
    change = Change(action, REF)
    assert change.changed is (action in CHANGING)
    for whole in (plan(Change(Action.UNCHANGED, REF), change), DeployResult(1, "sha256:set", (change,))):
        assert whole.changed is (action in CHANGING)


def test_an_empty_plan_changes_and_refuses_nothing():
    assert (plan().changed, plan().refused, plan().counts()) == (False, (), {})


def test_a_plan_counts_by_action_and_knows_what_a_deployment_would_refuse():
    found = plan(CONFLICT, Change(Action.CREATE, REF), BLOCKED, Change(Action.CREATE, REF))
    assert found.counts() == {"blocked": 1, "conflict": 1, "create": 2}
    assert list(found.counts()) == sorted(found.counts())
    assert found.refused == (CONFLICT, BLOCKED)


def test_a_change_is_named_with_its_reason():
    assert str(Change(Action.PRUNE, REF)) == "prune ConfigMap shop/web"
    assert str(BLOCKED) == "blocked ConfigMap shop/web (no right)"


def test_the_json_form_of_a_change_has_a_reason_and_conflicts_only_if_there_are_any():
    named = {"kind": "ConfigMap", "namespace": "shop", "name": "web"}
    assert Change(Action.CREATE, REF).as_dict() == {"action": "create", **named}
    assert json.loads(json.dumps(CONFLICT.as_dict())) == {
        "action": "conflict",
        **named,
        "reason": "a field belongs to another manager",
        "conflicts": [{"field": ".data.a", "manager": "kubectl"}],
    }


def test_fields_change_only_in_an_object_that_is_there_before_and_after():
    change = Change(Action.CONFIGURE, REF, BEFORE, AFTER)
    assert [str(field) for field in change.fields] == [".data.a: canary-1 -> canary-2", ".data.on: - yes"]
    assert Change(Action.CREATE, REF, None, AFTER).fields == Change(Action.PRUNE, REF, BEFORE, None).fields == ()


def test_a_diff_holds_both_versions_as_yaml_that_kubernetes_reads_back_and_nothing_for_one_that_is_missing():
    entry = Change(Action.CONFIGURE, REF, BEFORE, AFTER).diff()
    assert entry["before_header"] == entry["after_header"] == "ConfigMap shop/web (configure)"
    assert [load_manifests(entry[side]) for side in ("before", "after")] == [[BEFORE], [AFTER]]
    assert Change(Action.CREATE, REF, None, AFTER).diff()["before"] == ""
    assert Change(Action.DELETE, REF, BEFORE, None).diff()["after"] == ""


def test_the_json_form_of_a_result_lists_what_changed_and_counts_the_rest():
    changes = (Change(Action.UNCHANGED, REF), Change(Action.CREATE, REF), Change(Action.HANDED_OVER, REF))
    found = json.loads(json.dumps(DeployResult(3, "sha256:set", changes, plan_digest="sha256:plan").as_dict()))
    assert (found["revision"], found["digest"], found["plan_digest"]) == (3, "sha256:set", "sha256:plan")
    assert [change["action"] for change in found["changes"]] == ["create"]
    assert found["counts"] == {"create": 1, "handed_over": 1, "unchanged": 1}


def test_what_is_printed_of_changes_by_chance_holds_no_contents():
    assert "canary" not in repr(CONFLICT) + repr(plan(CONFLICT)) + repr(DeployResult(1, "sha256:set", (CONFLICT,)))
