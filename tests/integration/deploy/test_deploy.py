# SPDX-License-Identifier: Apache-2.0
"""A release on a real API server: what the user gets from deploy, check mode, prune and removal."""

from __future__ import annotations

import copy

import pytest

from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect
from pulumi_gitops.core.deploy import (
    Action,
    DeployResult,
    ForceConflicts,
    ReleaseSpec,
    deploy,
    plan,
    read_release,
    remove,
)
from pulumi_gitops.core.errors import (
    ConflictError,
    EmptySetError,
    ForbiddenError,
    InputError,
    InvalidObjectError,
    NotReadyError,
    OwnershipError,
    UnknownKindError,
)
from pulumi_gitops.core.objects import KubeObject, ObjectRef
from pulumi_gitops.core.render import set_images
from tests.support.manifests import custom_kind

pytestmark = pytest.mark.sandbox

CANARY = "canary-4713-secret"


def deployment(name: str = "web", *, replicas: int = 1, **pod: object) -> KubeObject:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": "registry.example.com/web:1"}], **pod},
            },
        },
    }


def config(name: str = "web", **data: str) -> KubeObject:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data or {"color": "blue"}}


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "stringData": {"key": CANARY}}


def spec(namespace: str, *objects: KubeObject, **more: object) -> ReleaseSpec:
    return ReleaseSpec(**{"name": "shop", "namespace": namespace, "objects": objects, "wait_timeout": 60, **more})


def actions(result: DeployResult) -> dict[str, str]:
    return {str(change.ref): str(change.action) for change in result.changes}


def config_ref(namespace: str, name: str = "web") -> ObjectRef:
    return ObjectRef("", "v1", "ConfigMap", namespace, name)


def versions(cluster: Cluster, namespace: str) -> dict[str, str]:
    found = {}
    for api, kind in (("v1", "ConfigMap"), ("v1", "Secret"), ("apps/v1", "Deployment")):
        for obj in cluster.list(api, kind, namespace=namespace):
            found[ObjectRef.of(obj).key] = obj["metadata"]["resourceVersion"]
    return found


def test_a_second_run_writes_nothing(cluster, namespace):
    wanted = spec(namespace, deployment(), config(), SECRET)
    first = deploy(cluster, wanted)
    assert first.revision == 1
    assert first.changed
    before = versions(cluster, namespace)
    second = deploy(cluster, wanted)
    assert (second.revision, second.changed, second.digest) == (1, False, first.digest)
    assert versions(cluster, namespace) == before


def test_a_change_touches_only_what_changed_and_what_leaves_the_set_is_pruned(cluster, namespace):
    deploy(cluster, spec(namespace, deployment(), config(), config("old")))
    objects = set_images([deployment(), config()], {"web": "registry.example.com/web:2"})
    result = deploy(cluster, spec(namespace, *objects))
    assert result.revision == 2
    assert actions(result) == {
        f"Deployment {namespace}/web": "configure",
        f"ConfigMap {namespace}/web": "unchanged",
        f"ConfigMap {namespace}/old": "prune",
    }
    assert cluster.find(config_ref(namespace, "old")) is None


def test_check_mode_changes_nothing_and_foretells_the_run_for_a_set_with_its_own_crd_and_namespace(cluster, namespace):
    crd, widget = custom_kind(f"{namespace}.example.com")
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    wanted = spec(namespace, widget, config(), crd, own)
    foretold = deploy(cluster, wanted, check=True)
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None
    assert cluster.find(ObjectRef.of(crd)) is None
    done = deploy(cluster, wanted)
    assert actions(done) == actions(foretold)
    assert deploy(cluster, wanted).changed is False
    removed = remove(cluster, "shop", namespace)
    assert removed.changed
    assert cluster.find(ObjectRef.of(crd)) is None
    assert remove(cluster, "shop", namespace).changed is False


def test_removal_leaves_no_object_record_or_created_namespace(cluster, namespace):
    deploy(cluster, spec(namespace, deployment(), SECRET))
    remove(cluster, "shop", namespace, delete_namespace=True)
    assert read_release(cluster, "shop", namespace) is None
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None


def test_a_namespace_that_is_being_deleted_is_told_so_and_not_called_a_missing_right(cluster, namespace):
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    held = {**config(), "metadata": {"name": "web", "namespace": namespace, "finalizers": ["example.com/hold"]}}
    cluster.create(own)
    cluster.create(held)
    cluster.delete(ObjectRef.of(own))
    try:
        with pytest.raises(InputError, match=f"namespace {namespace} of release shop is being deleted"):
            plan(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=[config()]))
        with pytest.raises(ForbiddenError, match="terminated") as caught:
            cluster.create({**config("late"), "metadata": {"name": "late", "namespace": namespace}})
        assert "run again when it is gone" in caught.value.hint
    finally:
        cluster.patch(ObjectRef.of(held), {"metadata": {"finalizers": None}})


def test_a_hand_edit_is_drift_and_is_put_back(cluster, namespace):
    wanted = spec(namespace, config())
    deploy(cluster, wanted)
    cluster.patch(config_ref(namespace), {"data": {"color": "red"}})
    state = read_release(cluster, "shop", namespace)
    assert state.drift == {config_ref(namespace).key: "changed"}
    assert deploy(cluster, wanted).changed
    assert cluster.get(config_ref(namespace))["data"] == {"color": "blue"}
    assert read_release(cluster, "shop", namespace).drift == {}


def test_a_field_of_a_controller_is_a_conflict_that_names_it(cluster, namespace):
    wanted = spec(namespace, config())
    deploy(cluster, wanted)
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": namespace}}
    cluster.apply({**theirs, "data": {"color": "red"}}, force=True, field_manager="kube-controller-manager")
    with pytest.raises(ConflictError, match=r"\.data\.color \(owned by kube-controller-manager\)"):
        deploy(cluster, wanted)
    deploy(cluster, spec(namespace, config(), force_conflicts=ForceConflicts.ALL))
    assert cluster.get(config_ref(namespace))["data"] == {"color": "blue"}


def test_what_belongs_to_another_release_is_refused_before_anything_is_applied(cluster, namespace):
    deploy(cluster, spec(namespace, config()))
    with pytest.raises(OwnershipError, match="another release"):
        deploy(cluster, spec(namespace, config(color="red"), config("new"), name="thief"))
    assert cluster.find(config_ref(namespace, "new")) is None


@pytest.mark.parametrize(
    ("part", "mark", "owner"),
    [
        ("annotations", {"argocd.argoproj.io/tracking-id": "shop:x"}, "Argo CD"),
        ("labels", {"kustomize.toolkit.fluxcd.io/name": "shop"}, "Flux"),
    ],
)
def test_what_a_controller_has_taken_is_handed_over_and_left_alone(cluster, namespace, part, mark, owner):
    deploy(cluster, spec(namespace, config(), config("other")))
    cluster.patch(config_ref(namespace), {"metadata": {part: mark}, "data": {"color": "theirs"}})
    result = deploy(cluster, spec(namespace, config(color="green"), config("other")))
    change = next(c for c in result.changes if c.ref == config_ref(namespace))
    assert change.action is Action.HANDED_OVER
    assert owner in change.reason
    assert cluster.get(config_ref(namespace))["data"] == {"color": "theirs"}


def test_an_object_that_lost_its_label_is_not_pruned(cluster, namespace):
    deploy(cluster, spec(namespace, config(), config("old")))
    cluster.patch(config_ref(namespace, "old"), {"metadata": {"labels": {"applyset.kubernetes.io/part-of": None}}})
    result = deploy(cluster, spec(namespace, config()))
    assert "left alone" in next(c.reason for c in result.changes if c.ref.name == "old")
    assert cluster.find(config_ref(namespace, "old")) is not None


def test_wrong_input_is_refused_with_nothing_applied(cluster, namespace):
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    typo = copy.deepcopy(deployment())
    typo["spec"]["replcas"] = 3
    cases = [
        (spec(namespace), EmptySetError, "empty"),
        (spec(namespace, config(), config()), InputError, "twice"),
        (spec(namespace, config(), typo), InvalidObjectError, "replcas"),
        (spec(namespace, config(), {"apiVersion": "no.example.com/v1", "kind": "No", "metadata": {"name": "x"}}),
         UnknownKindError, "No in no.example.com/v1"),
        (spec(namespace, {**config(), "metadata": {"name": "x", "namespace": "no-such-place"}}), InputError,
         "no-such-place"),
        (spec("no-such-place-either", config(), create_namespace=False), InputError, "create_namespace"),
        (spec(namespace, config(), name="Bad_Name"), InputError, "Bad_Name"),
    ]  # fmt: skip
    for wrong, kind, said in cases:
        with pytest.raises(kind) as caught:
            deploy(cluster, wrong)
        assert said in str(caught.value)
    names = {obj["metadata"]["name"] for obj in cluster.list("v1", "ConfigMap", namespace=namespace)}
    assert names <= {"kube-root-ca.crt"}


def test_what_is_not_ready_in_time_is_named_with_its_events(cluster, namespace):
    stuck = deployment(nodeSelector={"no": "such-node"})
    with pytest.raises(NotReadyError) as caught:
        deploy(cluster, spec(namespace, stuck, config(), wait_timeout=3))
    message = str(caught.value)
    assert f"Deployment {namespace}/web" in message
    assert "node affinity/selector" in message
    assert read_release(cluster, "shop", namespace).status == "failed"
    assert deploy(cluster, spec(namespace, deployment(), config())).revision == 2


def test_a_missing_right_is_named(sandbox, namespace, cluster):
    deploy(cluster, spec(namespace, config()))
    options = ConnectionOptions(kubeconfig=str(sandbox.kubeconfig_for("nobody")))
    with connect(options) as nobody, pytest.raises(ForbiddenError) as caught:
        deploy(nobody, spec(namespace, config()))
    message = str(caught.value)
    assert "cannot get resource" in message
    assert "secrets" in message
    assert namespace in message


def test_secrets_are_in_no_change_diff_or_message(cluster, namespace):
    seen: list[str] = []
    changed = {**SECRET, "stringData": {"key": CANARY + "-2"}}
    results = [
        deploy(cluster, spec(namespace, SECRET), progress=lambda p: seen.append(p.message)),
        plan(cluster, spec(namespace, changed)),
        deploy(cluster, spec(namespace, changed)),
    ]
    for result in results:
        for change in result.changes:
            seen += [str(change), repr(change), str(change.as_dict()), str(change.diff())]
    assert "*** (after)" in "".join(seen)
    assert CANARY not in "".join(seen)
