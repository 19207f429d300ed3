# SPDX-License-Identifier: Apache-2.0
"""The order of objects: what others need comes first, and goes last."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy.order import STAGES, is_deployed, ranks, removal_order, stage_of
from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.objects import ObjectRef

WAVE, DEPENDS, HOOK = "argocd.argoproj.io/sync-wave", "config.kubernetes.io/depends-on", "argocd.argoproj.io/hook"


def thing(name, kind="Deployment", *, on=(), namespace="shop", **annotations):
    names = {"wave": WAVE, "hook": HOOK, "helm": "helm.sh/hook", "weight": "helm.sh/hook-weight"}
    found = {names[name]: value for name, value in annotations.items()}
    if on:
        found[DEPENDS] = ", ".join(on)
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": namespace, "annotations": found}}


def entry(name, kind="Deployment"):
    return f"/namespaces/shop/{kind}/{name}"


def sequence(*objects):
    """Names in the order of their groups, those of one group sorted and joined."""
    found = ranks(objects)
    by_rank = sorted((rank, key.split("/")[-1]) for key, rank in found.items())
    groups = itertools.groupby(by_rank, key=lambda pair: pair[0])
    return [" ".join(name for _, name in group) for _, group in groups]


@st.composite
def graphs(draw, *, cycles):
    """Objects with waves and dependencies; without cycles each depends only on earlier ones."""
    count = draw(st.integers(1, 8))
    edges = {}
    for number in range(count):
        others = st.sets(st.integers(0, count - 1)) if cycles else st.sets(st.integers(0, max(0, number - 1)))
        edges[number] = draw(others) if cycles or number else set()
    waves = st.integers(-3, 3).map(str)
    objects = [thing(str(n), on=[entry(str(d)) for d in edges[n]], wave=draw(waves)) for n in range(count)]
    return draw(st.permutations(objects)), edges


@settings(max_examples=200, deadline=None)
@given(graphs(cycles=False))
def test_dependencies_come_before_what_depends_on_them_and_waves_are_kept_where_they_can_be(graph):
    objects, edges = graph
    found = {int(key.split("/")[-1]): rank for key, rank in ranks(objects).items()}
    for number, dependencies in edges.items():
        assert all(found[dependency] < found[number] for dependency in dependencies)
    for obj in objects:
        number, wave = int(obj["metadata"]["name"]), int(obj["metadata"]["annotations"][WAVE])
        assert found[number] >= (wave, 0)
        if not edges[number]:
            assert found[number] == (wave, 0)


@settings(max_examples=200, deadline=None)
@given(graphs(cycles=True))
def test_circles_are_named_and_everything_else_is_ordered(graph):
    objects, edges = graph
    reachable = {n: set(edges[n]) for n in edges}
    for _ in edges:
        reachable = {n: found | {d for m in found for d in edges[m]} for n, found in reachable.items()}
    if not any(n in found for n, found in reachable.items()):
        assert len(ranks(objects)) == len(objects)
        return
    with pytest.raises(InputError, match="dependencies go round") as caught:
        ranks(objects)
    circle = [int(key.split("/")[-1]) for key in caught.value.message.split(": ")[1].split(" -> ")]
    assert circle[0] == circle[-1]
    assert all(after in edges[before] for before, after in itertools.pairwise(circle))
    assert ranks(objects, strict=False).keys() == ranks([thing(str(n)) for n in edges]).keys()


@settings(max_examples=200, deadline=None)
@given(graphs(cycles=False))
def test_removal_is_the_exact_reverse_of_applying(graph):
    objects, _ = graph
    rank, removal = ranks(objects), removal_order(objects)
    for one, other in itertools.product(rank, repeat=2):
        assert (rank[one] < rank[other]) == (removal[one] > removal[other])


def test_a_chain_may_be_longer_than_pythons_stack_is_deep():
    names = [f"{n:04}" for n in range(3000)]
    chain = [thing(names[0]), *(thing(n, on=[entry(m)]) for m, n in itertools.pairwise(names))]
    found = ranks(chain[::-1])
    assert [found[f"Deployment/shop/{name}"] for name in names] == [(0, level) for level in range(3000)]


def test_hooks_come_before_and_after_all_waves_with_an_order_of_their_own():
    assert sequence(
        thing("last", hook="PostSync", wave="-9999999999"),
        thing("later", hook="PostSync, Skip"),
        thing("max", wave="9999999999"),
        thing("zero"),
        thing("plus", wave="+1"),
        thing("weighted", helm="pre-install,pre-upgrade", weight="-5"),
        thing("waved", helm="pre-install", weight="-9", wave="7"),
        thing("pre", hook="PreSync"),
        thing("light", weight="99"),
        thing("min", wave="-9999999999"),
    ) == ["weighted", "pre", "waved", "min", "light zero", "plus", "max", "last", "later"]


@pytest.mark.parametrize("wave", ["soon", "1.5", "1_0", " 1", "99999999999", "-", ["1"]])
def test_what_is_not_a_wave_is_refused_and_does_not_stop_a_removal(wave):
    with pytest.raises(InputError, match=r"Deployment shop/a: .* is not a wave") as caught:
        ranks([thing("a", wave=wave)])
    assert WAVE in caught.value.hint
    with pytest.raises(InputError) as caught:
        ranks([thing("a", helm="pre-install", weight="x")])
    assert "helm.sh/hook-weight" in caught.value.hint
    assert removal_order([thing("a", wave=wave)]) == {"Deployment/shop/a": (0, 0, -2)}


@pytest.mark.parametrize(
    "text", ["/namespaces/shop/Deployment/other", "Deployment/a", "a", "a,b", "/namespaces//a", ","]
)
def test_a_dependency_that_is_not_in_the_set_is_refused_and_does_not_stop_a_removal(text):
    objects = [thing("a"), thing("b", on=[text])]
    with pytest.raises(InputError, match=r"Deployment shop/b depends on .*which is not in the set"):
        ranks(objects)
    assert len(removal_order(objects)) == 2


def test_dependencies_are_written_as_for_cli_utils():
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "system:x"}}
    needs = thing("web", on=["rbac.authorization.k8s.io/ClusterRole/system:x", entry("conf", "ConfigMap")])
    assert sequence(needs, thing("conf", "ConfigMap"), role) == ["conf system:x", "web"]


def test_a_definition_can_not_depend_on_what_comes_after_it():
    namespace = thing("new", "Namespace", namespace="", on=[entry("a")])
    with pytest.raises(InputError, match="Namespace/new can not depend on Deployment/shop/a"):
        ranks([namespace, thing("a")])
    crd = thing("w", "CustomResourceDefinition", namespace="")
    assert ranks([thing("new", "Namespace", namespace="", on=["/CustomResourceDefinition/w"]), crd])


def test_within_a_group_definitions_come_first_and_webhooks_last_and_go_the_other_way_round():
    kinds = "Namespace ConfigMap ServiceAccount StorageClass Deployment Widget ValidatingWebhookConfiguration".split()
    assert [stage_of(kind) for kind in kinds] == [0, 1, 1, 1, 2, 2, 3]
    assert max(map(stage_of, kinds)) < STAGES
    objects = [thing("x", kind, wave="-9999999999" if kind == "Deployment" else "0") for kind in kinds]
    order = removal_order(objects)
    gone = sorted(objects, key=lambda obj: order[ObjectRef.of(obj).key])
    assert gone[0]["kind"] == "ValidatingWebhookConfiguration"
    assert [obj["kind"] for obj in gone][-2:] == ["Deployment", "Namespace"]


@pytest.mark.parametrize(
    ("annotations", "deployed"),
    [
        ({}, True),
        ({"helm.sh/hook": "pre-install,pre-upgrade"}, True),
        ({"helm.sh/hook": "test"}, False),
        ({"helm.sh/hook": "pre-delete, post-delete"}, False),
        ({"argocd.argoproj.io/hook": "Sync"}, True),
        ({"argocd.argoproj.io/hook": "Skip"}, False),
        ({"argocd.argoproj.io/hook": "SyncFail,PostSync"}, True),
    ],
)
def test_hooks_for_other_occasions_belong_to_no_deployment(annotations, deployed):
    obj = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x", "annotations": annotations}}
    assert is_deployed(obj) is deployed
