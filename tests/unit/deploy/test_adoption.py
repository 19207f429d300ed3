# SPDX-License-Identifier: Apache-2.0
"""What is left to others stays as it is, and what tools left behind becomes ours, on paper. Servers are in the
integration tests."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy import IgnoredField
from pulumi_gitops.core.deploy.adoption import _merge, leave_ignored, left_behind, take_over, taken_over

OURS, OTHER, TOOL = "pulumi-gitops", "kube-controller-manager", "kubectl-client-side-apply"


def entry(manager, fields, operation="Apply", **more):
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields, **more}


def deployment(spec, *entries, **metadata):
    managed = {"managedFields": list(entries)} if entries else {}
    metadata = {"name": "web", "namespace": "shop", **metadata, **managed}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def left(payload, live, *ignored):
    return leave_ignored(payload, live, [IgnoredField.parse(text) for text in ignored])["spec"]


REPLICAS = {"f:spec": {"f:replicas": {}}}


def test_a_field_of_another_manager_is_not_sent():
    live = deployment({"replicas": 4}, entry(OURS, {"f:spec": {"f:paused": {}}}), entry(OTHER, REPLICAS, "Update"))
    wanted = deployment({"replicas": 1, "paused": True})
    assert left(wanted, live, "/spec/replicas") == {"paused": True}
    assert wanted["spec"] == {"replicas": 1, "paused": True}, "what was given stays as it was"
    shared = deployment({"replicas": 4}, entry(OURS, REPLICAS), entry(OTHER, REPLICAS, "Update"))
    assert left(wanted, shared, "/spec/replicas") == {"paused": True}, "we let go of what somebody else looks after"
    assert left(wanted, live, "Deployment/other:/spec/replicas", "Service:/spec/replicas") == wanted["spec"]


def test_a_field_that_only_we_own_is_sent_as_it_is_even_if_the_set_no_longer_names_it():
    live = deployment({"replicas": 4}, entry(OURS, REPLICAS))
    assert left(deployment({"replicas": 1}), live, "/spec/replicas") == {"replicas": 4}
    assert left(deployment({}), live, "/spec/replicas") == {"replicas": 4}


def test_a_field_of_a_tool_that_ran_once_is_sent_as_it_is_since_an_adoption_would_remove_it():
    live = deployment({"replicas": 4}, entry(TOOL, REPLICAS, "Update"))
    assert left(deployment({}), live, "/spec/replicas") == {"replicas": 4}
    scaled = deployment({"replicas": 4}, entry("kubectl", REPLICAS, "Update", subresource="scale"))
    assert left(deployment({"replicas": 1}), scaled, "/spec/replicas") == {}


def test_what_does_not_exist_yet_is_created_with_what_the_set_says():
    assert left(deployment({"replicas": 1}), None, "/spec/replicas") == {"replicas": 1}
    hook = {"name": "b", "clientConfig": {"caBundle": "given"}}
    live = deployment({"webhooks": [{"name": "a"}]})
    for now in (live, deployment({})):
        assert left(deployment({"webhooks": [hook]}), now, "/spec/webhooks/0/clientConfig/caBundle") == {
            "webhooks": [hook]
        }


def test_items_of_lists_are_found_by_their_name_and_not_by_their_place():
    bundle = {"f:clientConfig": {"f:caBundle": {}}}
    fields = {"f:spec": {"f:webhooks": {'k:{"name":"b"}': bundle}}}
    live = deployment(
        {"webhooks": [{"name": "a", "clientConfig": {"caBundle": "A"}}, {"name": "b", "clientConfig": {}}]},
        entry(OURS, {"f:spec": {"f:webhooks": {'k:{"name":"a"}': {".": {}, "f:name": {}, **bundle}}}}),
        entry("cert-injector", fields, "Update"),
    )
    live["spec"]["webhooks"][1]["clientConfig"]["caBundle"] = "B"
    new, b, a = ({"name": name, "clientConfig": {"caBundle": "mine"}} for name in ("new", "b", "a"))
    rules = [f"/spec/webhooks/{n}/clientConfig/caBundle" for n in range(4)]
    assert left(deployment({"webhooks": [new, b, a]}), live, *rules)["webhooks"] == [
        new,
        {"name": "b", "clientConfig": {}},
        {"name": "a", "clientConfig": {"caBundle": "A"}},
    ]


def test_whole_items_that_others_own_are_left_out_without_moving_the_rest():
    items = [{"name": name} for name in "abc"]
    fields = {"f:spec": {"f:containers": {f'k:{{"name":"{name}"}}': {".": {}} for name in "ab"}}}
    live = deployment({"containers": items}, entry("injector", fields, "Update"))
    wanted = deployment({"containers": copy.deepcopy(items)})
    assert left(wanted, live, "/spec/containers/0", "/spec/containers/1") == {"containers": [{"name": "c"}]}


def test_a_part_of_what_is_owned_only_as_a_whole_is_sent_as_it_is():
    live = deployment({"rules": [{"host": "theirs"}]}, entry("ui", {"f:spec": {"f:rules": {}}}, "Update"))
    wanted = deployment({"rules": [{"host": "ours", "path": "/"}]})
    assert left(wanted, live, "/spec/rules/0/host") == {"rules": [{"host": "theirs", "path": "/"}]}
    assert left(deployment({"rules": [{"path": "/"}]}), live, "/spec/rules/0/host") == {"rules": [{"path": "/"}]}


@pytest.mark.parametrize("pointer", ["/spec/x/y", "/spec/list/7/x", "/spec/list/²", "/spec/list/-", "/spec/none/x"])
def test_pointers_to_nowhere_change_nothing(pointer):
    wanted = deployment({"list": [1], "none": None})
    live = deployment({"list": [2], "none": None}, entry(OURS, {"f:spec": {"f:list": {}}}))
    assert left(wanted, live, pointer) == wanted["spec"]


# --- a model of server-side apply on maps ----------------------------------------------------------------------------

keys = st.sampled_from("abc")
paths = st.lists(keys, min_size=1, max_size=3).map(tuple)


def tree(leaves):
    """A map with these leaves; a leaf above another one is left out."""
    result: dict = {}
    for path, value in leaves.items():
        if any(path == other[: len(path)] for other in leaves if other != path):
            continue
        node = result
        for step in path[:-1]:
            node = node.setdefault(step, {})
        node[path[-1]] = value
    return result


def leaves_of(value, path=()):
    if not isinstance(value, dict):
        return {path: value}
    return {k: v for key, below in value.items() for k, v in leaves_of(below, (*path, key)).items()}


def field_set(members):
    result: dict = {}
    for path in members:
        node = result
        for step in path:
            node = node.setdefault(f"f:{step}", {})
    return {"f:spec": result} if result else {}


@st.composite
def owned_objects(draw):
    spec = tree(draw(st.dictionaries(paths, st.just("live"), max_size=5)))
    owners = {path: draw(st.sets(st.sampled_from([OURS, OTHER, TOOL]))) for path in leaves_of(spec)}
    entries = [
        entry(manager, field_set([path for path, managers in owners.items() if manager in managers]))
        for manager in (OURS, OTHER, TOOL)
    ]
    return deployment(spec, *entries)


def applied(payload, live):
    """What a server makes of an apply: what we owned alone and do not send goes."""
    mine, others = set(), set()
    for found in live["metadata"]["managedFields"]:
        (mine if found["manager"] == OURS else others).update(members(found["fieldsV1"]))
    sent = leaves_of(payload["spec"])
    before = leaves_of(live["spec"])
    gone = {path for path in before if ("spec", *path) in mine - others and path not in sent}
    return {**{path: value for path, value in before.items() if path not in gone}, **sent}


def members(fields, path=()):
    """The paths of a field set, after the format's own rules."""
    found = {path} if path and (not fields or "." in fields) else set()
    for key, below in fields.items():
        if key != ".":
            found |= members(below, (*path, key.removeprefix("f:")))
    return found


@settings(max_examples=200, deadline=None)
@given(owned_objects(), st.dictionaries(paths, st.just("wanted"), max_size=5), paths, st.booleans())
def test_an_ignored_field_is_after_an_apply_what_it_was_before(live, wanted, pointer, adopt):
    payload = leave_ignored(deployment(tree(wanted)), live, [IgnoredField("/spec/" + "/".join(pointer))])
    before, after = leaves_of(live["spec"]), applied(payload, taken_over(live) if adopt else live)

    def below(leaves):
        return {path: value for path, value in leaves.items() if path[: len(pointer)] == pointer}

    blocked = any(pointer[: len(path)] == path for path in (*before, *leaves_of(tree(wanted))) if path != pointer)
    if not blocked:  # a text where the pointer expects a map
        assert below(after) == below(before)


# --- taking over -----------------------------------------------------------------------------------------------------

field_sets = st.sets(st.lists(keys, min_size=1, max_size=4).map(tuple))


def canonical(members_):
    """The FieldsV1 form of a set of paths."""
    result: dict = {}
    for path in members_:
        node = result
        for step in path:
            node = node.setdefault(f"f:{step}", {})
    for path in members_:
        node = result
        for step in path:
            node = node[f"f:{step}"]
        if node:
            node["."] = {}
    return result


@settings(max_examples=200, deadline=None)
@given(field_sets, field_sets)
def test_merged_field_sets_are_the_union_of_both(one, other):
    into, fields = canonical(one), canonical(other)
    before = copy.deepcopy(fields)
    _merge(into, fields)
    assert into == canonical(one | other)
    assert members(into) == one | other
    assert fields == before


class Recorder:
    def __init__(self):
        self.patches = []

    def patch(self, ref, body, *, content_type):
        self.patches.append((str(ref), body, content_type))


def test_fields_of_tools_become_ours_in_one_patch_that_holds_only_for_what_was_read():
    theirs = entry(TOOL, {"f:spec": {"f:replicas": {}, "f:paused": {}}}, "Update", time="t1")
    own = entry(OURS, {"f:spec": {"f:replicas": {}}}, time="t0")
    controller = entry(OTHER, {"f:spec": {"f:x": {}}}, "Update")
    scaled = entry("kubectl", REPLICAS, "Update", subresource="scale")
    nameless = {"operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {}}
    live = deployment({}, theirs, controller, own, scaled, nameless, resourceVersion="7", uid="u1")
    before = copy.deepcopy(live)
    cluster = Recorder()
    assert left_behind(live) == (TOOL,)
    take_over(cluster, live)
    [(ref, patch, content_type)] = cluster.patches
    assert (ref, content_type) == ("Deployment shop/web", "application/json-patch+json")
    merged = {**own, "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}}}
    assert [(p["op"], p["path"], p["value"]) for p in patch] == [
        ("test", "/metadata/uid", "u1"),
        ("replace", "/metadata/managedFields", [merged, controller, scaled, nameless]),
        ("replace", "/metadata/resourceVersion", "7"),
    ]
    assert live == before


def test_a_controller_of_flux_is_not_taken_for_the_tool_whose_name_it_begins_with():
    finalizer = {"f:metadata": {"f:finalizers": {}}}
    assert left_behind(deployment({}, entry("helm-controller", finalizer, "Update"))) == ()


def test_what_we_do_not_own_yet_becomes_ours_and_nothing_is_patched_in_vain():
    live = deployment({}, entry("helm", REPLICAS, "Update"), entry("OpenAPI-Generator", {}, "Update"))
    assert left_behind(live) == ("OpenAPI-Generator", "helm")
    [ours] = taken_over(live)["metadata"]["managedFields"]
    assert (ours["manager"], ours["operation"], ours["apiVersion"]) == (OURS, "Apply", "apps/v1")
    assert ours["fieldsV1"] == REPLICAS
    cluster = Recorder()
    for foreign in (deployment({}), deployment({}, entry(OTHER, REPLICAS)), deployment({}, entry(OURS, REPLICAS))):
        take_over(cluster, foreign)
    assert cluster.patches == []
