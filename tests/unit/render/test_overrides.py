# SPDX-License-Identifier: Apache-2.0
"""Overrides: what they change, that they change nothing else, and what they refuse."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.objects import pod_template_of
from pulumi_gitops.core.render import Overrides, apply_overrides, repository_of, set_images


def workload(kind="Deployment", name="web", *, api="apps/v1", image="registry.example.com/web:1", **spec):
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "containers": [{"name": name, "image": image}],
            "initContainers": [{"name": "prepare", "image": "registry.example.com/prepare@sha256:" + "0" * 64}],
        },
    }
    body = {"selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    if kind == "CronJob":
        body = {"jobTemplate": {"spec": {"template": template}}}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": body}


def config(name="web", namespace=""):
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "b"}}


def applied(*objects, **overrides):
    before = copy.deepcopy(objects)
    result = apply_overrides(objects, Overrides(**overrides))
    assert objects == before, "what was given stays as it was"
    return result


def leaves(value, path=()):
    """Every scalar with its path; empty containers count."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [leaf for key, item in items for leaf in leaves(item, (*path, key))]
    return found or [(path, repr(value))]


def changed(before, after):
    return {path for path, _ in set(leaves(before)) ^ set(leaves(after))}


# --- properties ------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["web", "shop", "db", "image", "replicas"])
REPOSITORIES = st.sampled_from(["web", "registry.example.com/web", "registry.example.com:5000/team/shop", "db"])
TAGS = st.sampled_from(["", ":1", ":v1.2-rc_3", "@sha256:" + "a" * 64])
REFERENCES = st.builds(lambda repository, tag: repository + tag, REPOSITORIES, TAGS)
CONTAINERS = st.lists(st.fixed_dictionaries({"name": NAMES, "image": REFERENCES, "args": st.lists(NAMES)}), max_size=3)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | NAMES | REFERENCES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES | st.just("containers"), inner, max_size=3),
    max_leaves=8,
)


KINDS = st.sampled_from(
    "v1 Pod,apps/v1 Deployment,apps/v1 StatefulSet,apps/v1 DaemonSet,batch/v1 CronJob,batch/v1 Job,x/v1 Rollout".split(
        ","
    )
)


@st.composite
def objects_with_pods(draw):
    api, kind = draw(KINDS).split()
    pod = {"containers": draw(CONTAINERS), "initContainers": draw(CONTAINERS), "extra": draw(JSON)}
    obj = {"apiVersion": api, "kind": kind, "metadata": {"name": draw(NAMES), "annotations": {"image": "web:1"}}}
    if kind == "Pod":
        return {**obj, "spec": pod}
    spec = {"template": {"spec": pod}, "image": draw(REFERENCES)}
    if draw(st.booleans()):
        spec["replicas"] = draw(st.integers(0, 5))
    return {**obj, "spec": {"jobTemplate": {"spec": spec}} if kind == "CronJob" else spec}


@st.composite
def other_objects(draw):
    return {"apiVersion": "v1", "kind": draw(NAMES), "metadata": {"name": draw(NAMES)}, "spec": draw(JSON)}


SETS = st.lists(objects_with_pods() | other_objects(), min_size=1, max_size=4)


def containers(objects):
    for number, obj in enumerate(objects):
        template = pod_template_of(obj)
        for part in ("initContainers", "containers"):
            for container in (template or {}).get("spec", {}).get(part) or []:
                yield number, container


@given(SETS, NAMES | REPOSITORIES, REFERENCES)
def test_an_image_changes_where_its_name_matches_and_nowhere_else(objects, name, reference):
    def matches(container):
        repository = repository_of(container["image"])
        return name in (container["name"], repository, repository.rpartition("/")[2])

    wanted = copy.deepcopy(objects)
    hits = [container for _, container in containers(wanted) if matches(container)]
    for container in hits:
        container["image"] = reference
    if not hits:
        with pytest.raises(InputError, match="matches no container"):
            set_images(objects, {name: reference})
    else:
        assert applied(*objects, images={name: reference}) == wanted


@given(SETS, NAMES, st.integers(0, 2**31 - 1))
def test_replicas_change_for_workloads_of_the_name_and_nowhere_else(objects, name, number):
    wanted = copy.deepcopy(objects)
    hits = 0
    for obj in wanted:
        spec = obj["spec"] if isinstance(obj["spec"], dict) else {}
        scaled = obj["kind"] in ("Deployment", "StatefulSet") or type(spec.get("replicas")) is int
        if scaled and obj["metadata"]["name"] == name:
            spec["replicas"] = number
            hits += 1
    if not hits:
        with pytest.raises(InputError, match="matches no workload"):
            applied(*objects, replicas={name: number})
    else:
        assert applied(*objects, replicas={name: number}) == wanted


# --- images ----------------------------------------------------------------------------------------------------------

WORKERS = {
    "apiVersion": "example.com/v1",
    "kind": "Cluster",
    "metadata": {"name": "c"},
    "spec": {
        "image": "registry.example.com/engine:1",
        "workers": [{"name": "a", "image": "worker:1"}, {"name": "b", "image": "worker:1"}, {"name": "c"}],
        "sidecars": ["registry.example.com/log:1", "registry.example.com/proxy:1"],
        "size": 3,
    },
}


def test_images_of_custom_kinds_change_at_their_paths():
    paths = ["spec.image", "spec.workers[].image", "spec.sidecars[]"]
    images = {"engine": "engine:2", "a": "special:2", "worker": "worker:2", "registry.example.com/proxy": "proxy:2"}
    obj, web = applied(WORKERS, workload(), images=images, image_paths=paths)
    assert obj["spec"]["image"] == "engine:2"
    assert [worker.get("image") for worker in obj["spec"]["workers"]] == ["special:2", "worker:2", None]
    assert obj["spec"]["sidecars"] == ["registry.example.com/log:1", "proxy:2"]
    assert web == workload()


@pytest.mark.parametrize("path", ["spec.imag", "spec.size", "spec.workers.image", "spec.image[]", "spec.workers[]"])
def test_a_path_that_leads_to_no_image_is_an_error_that_lists_likely_ones(path):
    with pytest.raises(InputError, match="leads to no text in any object") as caught:
        applied(WORKERS, images={"engine": "engine:2"}, image_paths=[path])
    assert "spec.image, spec.workers[].image" in caught.value.hint
    assert caught.value.details["property"] == "image_paths"


@pytest.mark.parametrize("path", ["", ".", "spec..image", "spec.[]", "[].image", "spec image", "spec[0].image"])
def test_a_path_that_is_none_is_an_error(path):
    with pytest.raises(InputError, match="is not a path"):
        applied(WORKERS, image_paths=[path])


# --- replicas --------------------------------------------------------------------------------------------------------


def test_a_kind_chooses_among_workloads_of_one_name():
    objects = (workload(), workload("StatefulSet"), workload("Rollout", api="argoproj.io/v1alpha1", replicas=1))
    assert [o["spec"].get("replicas") for o in applied(*objects, replicas={"web": 4})] == [4, 4, 4]
    result = applied(*objects, replicas={"StatefulSet/web": 2, "web": "3"})
    assert [o["spec"].get("replicas") for o in result] == [3, 2, 3], "templates of Ansible make texts of numbers"


def test_replicas_that_match_nothing_list_what_there_is():
    objects = (workload(), workload("DaemonSet", "agent"), config("plain"))
    with pytest.raises(InputError, match="agent, plain matches no workload") as caught:
        applied(*objects, replicas={"agent": 1, "plain": 1, "web": 1})
    assert caught.value.hint == "Workloads with replicas: Deployment/web."
    assert caught.value.details["property"] == "replicas"


@pytest.mark.parametrize("number", [-1, True, 1.5, "two", "-1", "", None, 2**31, "\u0663"])
def test_a_number_of_replicas_is_a_whole_number(number):
    with pytest.raises(InputError, match="is not a number of replicas"):
        applied(workload(), replicas={"web": number})


# --- labels and annotations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["labels", "annotations"])
def test_labels_and_annotations_go_on_objects_and_pod_templates_and_nowhere_else(part):
    objects = (workload(), workload("CronJob", "job", api="batch/v1"), config(), workload("StatefulSet", "db"))
    objects[2]["metadata"][part] = {"old": "1", "team": "a"}
    objects[3]["spec"]["template"]["metadata"] = None
    result = applied(*objects, **{part: {"team": "shop", "example.com/build": "17"}})
    paths = {tuple(path[:-2]) for path in changed(list(objects), result)}
    templates = {(1, "spec", "jobTemplate", "spec", "template"), (0, "spec", "template")}
    assert {path for path in paths if path} >= {(0, "metadata"), *((*t, "metadata") for t in templates)}
    assert all("selector" not in path for path in changed(list(objects), result))
    assert result[2]["metadata"][part] == {"old": "1", "team": "shop", "example.com/build": "17"}
    assert result[3]["spec"]["template"]["metadata"] == {part: {"team": "shop", "example.com/build": "17"}}
    assert result[0]["spec"]["selector"] == objects[0]["spec"]["selector"]


SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"tier": "front"}}}
POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web"},
    "spec": {"podSelector": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}},
}


@pytest.mark.parametrize(
    ("labels", "selected_by"),
    [({"app": "other"}, "Deployment web"), ({"tier": "front"}, "Service web"), ({"zone": "a"}, "NetworkPolicy web")],
)
def test_a_label_that_would_change_what_a_selector_selects_is_refused(labels, selected_by):
    with pytest.raises(InputError, match=f"would change what {selected_by} selects"):
        applied(workload(), SERVICE, POLICY, labels=labels)
    applied(workload(), SERVICE, POLICY, labels={"app": "web"})  # what it is already


@pytest.mark.parametrize(
    "overrides",
    [
        {"labels": {"a b": "x"}},
        {"labels": {"/x": "x"}},
        {"labels": {"Example.com/x": "x"}},
        {"labels": {"x" * 64: "x"}},
        {"labels": {"x": "a b"}},
        {"labels": {"x": "x" * 64}},
        {"labels": {"x": "x\n"}},
        {"labels": {"x": 1.2}},
        {"labels": {1: "x"}},
        {"annotations": {"x": True}},
        {"annotations": {"": "x"}},
        {"namespace": "Shop"},
        {"namespace": "a.b"},
        {"images": {"web": "two words"}},
    ],
)
def test_values_that_kubernetes_would_refuse_are_refused_before_anything_else(overrides):
    with pytest.raises(InputError) as caught:
        applied(**overrides)  # no objects: nothing could match
    assert caught.value.details["property"] == next(iter(overrides))
    assert "matches" not in caught.value.message


def test_texts_of_any_kind_are_annotations_and_empty_labels_are_labels():
    (result,) = applied(config(), annotations={"note": "two words\n\u00e9"}, labels={"x": ""})
    assert result["metadata"]["annotations"] == {"note": "two words\n\u00e9"}
    assert result["metadata"]["labels"] == {"x": ""}


# --- namespace -------------------------------------------------------------------------------------------------------


def test_a_namespace_replaces_the_one_that_is_named_and_is_followed_by_references():
    def subjects(namespace):
        return [
            {"kind": "ServiceAccount", "name": "web", "namespace": namespace},
            {"kind": "ServiceAccount", "name": "prometheus", "namespace": "monitoring"},
            {"kind": "Group", "name": "team"},
        ]

    def objects(namespace):
        service = {"name": "web", "namespace": namespace}
        rbac, admission = "rbac.authorization.k8s.io/v1", "admissionregistration.k8s.io/v1"
        crd = {"conversion": {"webhook": {"clientConfig": {"service": dict(service)}}}}
        named = {"name": "web", "namespace": namespace}
        return [
            config("web", namespace),
            config("nameless"),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}},
            {"apiVersion": rbac, "kind": "RoleBinding", "metadata": named, "subjects": subjects(namespace)},
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": "x"},
                "subjects": subjects(namespace),
            },
            {"apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": {"name": "empty"}, "subjects": None},
            {
                "apiVersion": admission,
                "kind": "ValidatingWebhookConfiguration",
                "metadata": {"name": "x"},
                "webhooks": [{"clientConfig": {"service": dict(service)}}, {"clientConfig": {"url": "https://x"}}],
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": "x"},
                "spec": {"service": dict(service)},
            },
            {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": "x"},
                "spec": crd,
            },
        ]

    assert applied(*objects("shop"), namespace="shop-staging") == objects("shop-staging")
    assert applied(*objects("shop"), namespace="shop") == objects("shop")


def test_two_objects_that_would_become_one_are_refused():
    with pytest.raises(InputError, match="ConfigMap a/x and ConfigMap b/x would become one object in c") as caught:
        applied(config("x", "a"), config("x", "b"), namespace="c")
    assert "a, b" in caught.value.hint


def test_a_namespace_that_replaces_nothing_is_an_error():
    with pytest.raises(InputError, match="no object of this set names a namespace") as caught:
        applied(config(), namespace="shop")
    assert "where the release goes" in caught.value.hint


def test_no_overrides_change_nothing():
    objects = [workload(), config()]
    result = apply_overrides(objects, Overrides())
    assert result == objects
    assert result[0] is not objects[0]
