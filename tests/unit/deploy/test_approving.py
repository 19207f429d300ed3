# SPDX-License-Identifier: Apache-2.0
"""Approvals: what was approved is let through, and everything that can not be told counts as not approved."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy import Approval, Plan, PlannedObject, read_plan_file, write_plan_file
from pulumi_gitops.core.deploy.approving import check_approval
from pulumi_gitops.core.deploy.fingerprint import ABSENT, plan_digest
from pulumi_gitops.core.errors import ApprovalMissingError, InputError, PlanMovedError, SourceUnavailableError

RELEASE = "shop/web"
OBJECTS = (
    PlannedObject("ConfigMap/shop/a", "configure", "s1", "l1"),
    PlannedObject("ConfigMap/shop/b", "create", "s2", ABSENT),
    PlannedObject("ConfigMap/shop/c", "unchanged", "", ""),
)
DIGEST = plan_digest(OBJECTS)


def made(objects=OBJECTS, **more):
    values = {"release": "web", "namespace": "shop", "revision": 3, "changes": (), "set_digest": "sha256:set"}
    return Plan(**{**values, "digest": plan_digest(objects), "objects": objects, **more})


@pytest.fixture
def path(tmp_path):
    write_plan_file(made(), tmp_path / "plan.json")
    return tmp_path / "plan.json"


def check(approval, objects=OBJECTS, release=RELEASE):
    check_approval(approval, release, plan_digest(objects), objects)


def created(**ago):
    return (dt.datetime.now(dt.UTC) - dt.timedelta(**ago)).isoformat()


def test_the_plan_of_a_file_is_let_through_with_all_that_is_asked_for(path):
    check(read_plan_file(path, required=True, approved_by="ann", max_age=60))
    check(Approval())
    check(Approval(approved_by="ann"))
    check(Approval(plan_digest=DIGEST))
    check(Approval(plan_digest=DIGEST, created=created(minutes=-1), max_age=60))  # clocks differ


@pytest.mark.parametrize(
    ("approval", "told"),
    [
        (Approval(required=True), "lacks a plan"),
        (Approval(required=True, approved_by="ann"), "lacks a plan"),
        (Approval(required=True, plan_digest=DIGEST), "lacks a name"),
        (Approval(required=True, plan_digest=DIGEST, approved_by=" \n"), "lacks a name"),
        (Approval(plan_digest=DIGEST, max_age=60), "does not tell when"),
        (Approval(plan_digest=DIGEST, max_age=60, created="yesterday"), "does not tell when"),
        (Approval(plan_digest=DIGEST, max_age=60, created="2026-01-01"), "does not tell when"),
        (Approval(plan_digest=DIGEST, max_age=60, created="2026-01-01T00:00:00"), "does not tell when"),
        (Approval(plan_digest=DIGEST, max_age=60, created=created(minutes=2)), r"is \d+ s old, 60 are allowed"),
        (Approval(plan_digest=DIGEST, max_age=60, created=created(days=-1)), "made in the future"),
        (Approval(plan_digest=DIGEST, max_age=float("nan"), created=created(minutes=2)), r"is \d+ s old"),
    ],
)
def test_what_is_missing_too_old_or_can_not_be_told_counts_as_not_approved(approval, told):
    with pytest.raises(ApprovalMissingError, match=told):
        check(approval)


def test_the_plan_of_another_release_is_refused_even_with_the_same_digest():
    with pytest.raises(PlanMovedError, match="made for release shop/other, not for shop/web"):
        check(Approval(plan_digest=DIGEST, release="shop/other"))


@pytest.mark.parametrize("digest", ["sha256:", DIGEST.upper(), DIGEST[:-1], f"{DIGEST}\n", "None"])
def test_a_digest_that_is_not_exactly_that_of_the_plan_is_refused(digest):
    with pytest.raises(PlanMovedError) as caught:
        check(Approval(plan_digest=digest))
    assert caught.value.details == {"approved": digest, "plan_digest": DIGEST, "moved": []}
    assert "a digest alone does not say" in caught.value.hint


def moved(path, *objects):
    with pytest.raises(PlanMovedError) as caught:
        check(read_plan_file(path), objects)
    assert all(line in caught.value.message for line in caught.value.details["moved"][:20])
    return caught.value.details["moved"]


def test_a_refusal_says_for_each_object_what_moved(path):
    a, b, c = OBJECTS
    change = dataclasses.replace
    assert moved(path, change(a, sent="s9"), b, c) == ["ConfigMap/shop/a: what would be sent differs"]
    assert moved(path, change(a, live="l9"), b, c) == ["ConfigMap/shop/a: it changed in the cluster meanwhile"]
    assert moved(path, change(a, action="create", live=ABSENT), b, c) == [
        "ConfigMap/shop/a: configure became create, it was deleted meanwhile"
    ]
    assert moved(path, change(a, action="unchanged", sent="", live=""), b, c) == [
        "ConfigMap/shop/a: configure became unchanged"
    ]
    assert moved(path, a, change(b, action="unchanged", sent="", live=""), c) == [
        "ConfigMap/shop/b: create became unchanged, it was created meanwhile"
    ]
    assert moved(path, a, b, PlannedObject("Secret/shop/d", "prune", "", "u1")) == [
        "ConfigMap/shop/c: was in the plan (unchanged) and is not any more",
        "Secret/shop/d: was not in the plan",
    ]


def test_a_refusal_names_no_more_than_twenty_objects_and_counts_the_rest(path):
    many = [PlannedObject(f"ConfigMap/shop/x{n:02}", "create", "s", ABSENT) for n in range(31)]
    with pytest.raises(PlanMovedError, match=r"x19: was not in the plan\n- and 11 more") as caught:
        check(read_plan_file(path), (*OBJECTS, *many))
    assert len(caught.value.details["moved"]) == 31


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
planned = st.builds(PlannedObject, key=texts, action=texts, sent=texts, live=texts)


@settings(max_examples=100, deadline=None)
@given(st.lists(planned, max_size=4, unique_by=lambda found: found.key), texts, texts)
def test_what_is_read_from_a_plan_file_is_what_was_written(tmp_path_factory, objects, name, namespace):
    path = tmp_path_factory.mktemp("plans") / "plan.json"
    plan = made(tuple(objects), release=name, namespace=namespace)
    write_plan_file(plan, path)
    approval = read_plan_file(path, approved_by="ann", max_age=60)
    assert approval.plan_digest == plan.digest
    assert approval.objects == {o.key: (o.action, o.sent, o.live) for o in objects}
    assert (approval.release, approval.approved_by, approval.required) == (f"{namespace}/{name}", "ann", False)
    check_approval(approval, f"{namespace}/{name}", plan.digest, plan.objects)


def edited(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    "values",
    [
        {"digest": ""},
        {"digest": None},
        {"digest": "sha256:" + "0" * 64},
        {"objects": []},
        {"objects": [{"key": "k", "action": "a", "sent": "s", "live": "\ud800"}]},
        {"objects": [{"key": "k"}]},
        {"objects": None},
        {"objects": {"key": "k"}},
        {"format": 2},
    ],
)
def test_a_plan_file_that_is_not_as_it_was_made_approves_nothing(path, values):
    edited(path, **values)
    with pytest.raises(InputError, match=r"is not a plan file|was changed after it was made|has format 2"):
        read_plan_file(path)


@pytest.mark.parametrize("name", ["format", "objects", "digest", "release", "namespace", "created"])
def test_a_plan_file_without_one_of_its_parts_approves_nothing(path, name):
    content = json.loads(path.read_text())
    del content[name]
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not a plan file"):
        read_plan_file(path)


@pytest.mark.parametrize("text", ["", "{", "null", "[]", '"text"', "[" * 100_000, "{}"])
def test_what_is_not_a_plan_file_approves_nothing(path, text):
    path.write_text(text)
    with pytest.raises(InputError, match="is not a plan file"):
        read_plan_file(path)


def test_a_plan_file_that_can_not_be_read_or_written_is_told_with_its_path(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name in ("missing", "binary", "with\0null"):
        with pytest.raises(SourceUnavailableError, match="can not be read"):
            read_plan_file(tmp_path / name)
    for name in ("no/folder", "with\0null"):
        with pytest.raises(InputError, match="can not be written"):
            write_plan_file(made(), tmp_path / name)
