# SPDX-License-Identifier: Apache-2.0
"""Plans on a real API server: what stands in the way is shown with its object, approvals hold or fail closed."""

from __future__ import annotations

import dataclasses
import json
import uuid

import pytest

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import (
    Action,
    Approval,
    Ownership,
    deploy,
    plan,
    read_plan_file,
    read_release,
    write_plan_file,
)
from pulumi_gitops.core.errors import (
    ApprovalMissingError,
    ConflictError,
    ImmutableFieldError,
    OwnershipError,
    PlanMovedError,
    PruneRefusedError,
)
from pulumi_gitops.core.objects import ObjectRef
from tests.support.manifests import actions, config, config_ref, custom_kind, deployment, job, release, secret

pytestmark = pytest.mark.sandbox


@pytest.fixture
def made(cluster, namespace):
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    return namespace


def test_conflicts_and_blocked_objects_are_shown_and_the_rest_of_the_plan_stands(cluster, made):
    deploy(cluster, release(made, config("taken"), config("other")))
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "taken", "namespace": made}}
    cluster.apply({**theirs, "data": {"color": "red"}}, force=True, field_manager="kube-controller-manager")
    typo = deployment("typo")
    typo["spec"]["replcas"] = 2
    found = plan(cluster, release(made, config("taken"), config("other", color="green"), config("new"), typo))
    assert actions(found) == {
        "ConfigMap taken": "conflict",
        "ConfigMap other": "configure",
        "ConfigMap new": "create",
        "Deployment typo": "blocked",
    }
    by_name = {change.ref.name: change for change in found.changes}
    assert [(c.field, c.manager) for c in by_name["taken"].conflicts] == [(".data.color", "kube-controller-manager")]
    assert "replcas" in by_name["typo"].reason
    assert [str(field) for field in by_name["other"].fields] == [".data.color: blue -> green"]
    assert len(found.refused) == 2


def test_a_webhook_that_can_not_be_reached_is_shown_with_its_object_and_the_rest_of_the_plan_stands(cluster, made):
    webhook = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"hook-{made}"},
        "webhooks": [
            {
                "name": "hook.example.com",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "NoneOnDryRun",
                "failurePolicy": "Fail",
                "clientConfig": {"url": "https://127.0.0.1:9/validate"},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": made}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
                ],
            }
        ],
    }
    cluster.create(webhook)
    try:
        found = plan(cluster, release(made, config(), secret(key="x-secret-value")))
    finally:
        cluster.delete(ObjectRef.of(webhook))
    assert actions(found)["Secret web"] == "create"
    blocked = next(change for change in found.changes if change.ref.kind == "ConfigMap")
    assert blocked.action is Action.BLOCKED
    assert "hook.example.com" in blocked.reason


def test_somebody_who_may_only_read_gets_a_plan_that_says_which_right_is_missing(sandbox, cluster, made):
    deploy(cluster, release(made, config(), config("same")))
    name = f"reader-{uuid.uuid4().hex[:6]}"
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
        "subjects": [{"kind": "User", "name": "nobody", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    cluster.create({**role, "rules": [rule]})
    cluster.create(binding)
    try:
        with connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig_for("nobody")))) as reader:
            found = plan(reader, release(made, config(color="red"), config("same"), config("new")))
    finally:
        cluster.delete(ObjectRef.of(binding))
        cluster.delete(ObjectRef.of(role))
    assert actions(found) == {"ConfigMap web": "blocked", "ConfigMap same": "unchanged", "ConfigMap new": "blocked"}
    assert all("cannot patch resource" in change.reason for change in found.refused)


def test_what_can_not_be_changed_in_place_is_refused_or_recreated_when_that_is_allowed(cluster, made):
    deploy(cluster, release(made, deployment()))
    moved = deployment()
    moved["spec"]["selector"]["matchLabels"] = moved["spec"]["template"]["metadata"]["labels"] = {"app": "moved"}
    with pytest.raises(ImmutableFieldError, match="recreate"):
        deploy(cluster, release(made, moved))
    before = cluster.get(ObjectRef("apps", "v1", "Deployment", made, "web"))["metadata"]["uid"]
    result = deploy(cluster, release(made, moved, recreate=True))
    assert actions(result) == {"Deployment web": "recreate"}
    assert cluster.get(ObjectRef("apps", "v1", "Deployment", made, "web"))["metadata"]["uid"] != before
    assert deploy(cluster, release(made, moved, recreate=True)).changed is False


def test_a_job_that_changed_is_run_again_and_one_that_did_not_is_left_alone(cluster, made):
    deploy(cluster, release(made, job(), wait=False))
    assert deploy(cluster, release(made, job(), wait=False)).changed is False
    again = deploy(cluster, release(made, job(image="registry.example.com/migrate:2"), wait=False))
    assert actions(again) == {"Job migrate": "recreate"}


def test_a_plan_that_was_approved_is_deployed_and_one_that_moved_is_refused_naming_what_moved(cluster, made, tmp_path):
    deploy(cluster, release(made, config(), config("old")))
    wanted = release(made, config(color="green"), config("new"))
    write_plan_file(plan(cluster, wanted), tmp_path / "plan.json")
    approval = read_plan_file(tmp_path / "plan.json", required=True, approved_by="ann", max_age=600)

    cluster.patch(config_ref(made), {"data": {"color": "red"}})
    with pytest.raises(PlanMovedError) as caught:
        deploy(cluster, dataclasses.replace(wanted, approval=approval))
    assert caught.value.details["moved"] == [f"ConfigMap/{made}/web: it changed in the cluster meanwhile"]
    with pytest.raises(PlanMovedError, match="what would be sent differs"):
        deploy(cluster, release(made, config(color="black"), config("new"), approval=approval))
    assert cluster.find(config_ref(made, "new")) is None

    write_plan_file(plan(cluster, wanted), tmp_path / "plan.json")
    approval = read_plan_file(tmp_path / "plan.json", required=True, approved_by="ann", max_age=600)
    cluster.patch(config_ref(made), {"metadata": {"labels": {"seen-by": "somebody"}}})  # not ours: does not matter
    result = deploy(cluster, dataclasses.replace(wanted, approval=approval))
    assert result.plan_digest == approval.plan_digest
    assert actions(result)["ConfigMap old"] == "prune"
    latest = read_release(cluster, "shop", made).revisions[-1]
    assert (latest.approved_by, latest.plan_digest) == ("ann", approval.plan_digest)


def test_without_an_approval_that_is_needed_nothing_is_touched(cluster, made):
    wanted = release(made, config(), approval=Approval(required=True))
    with pytest.raises(ApprovalMissingError, match="lacks a plan"):
        deploy(cluster, wanted)
    digest = plan(cluster, wanted).digest
    with pytest.raises(ApprovalMissingError, match="lacks a name"):
        deploy(cluster, dataclasses.replace(wanted, approval=Approval(required=True, plan_digest=digest)))
    assert cluster.find(config_ref(made)) is None
    approved = Approval(required=True, plan_digest=digest, approved_by="ann")
    assert deploy(cluster, dataclasses.replace(wanted, approval=approved)).revision == 1
    assert deploy(cluster, wanted).changed is False  # nothing to do needs no approval


def test_a_plan_of_a_set_with_its_own_namespace_and_crd_has_the_digest_of_its_deployment(cluster, namespace):
    crd, widget = custom_kind(f"{namespace}.example.com")
    own = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    wanted = release(namespace, widget, crd, own, config())
    digest = plan(cluster, wanted).digest
    approved = Approval(required=True, plan_digest=digest, approved_by="ann")
    try:
        assert deploy(cluster, dataclasses.replace(wanted, approval=approved)).plan_digest == digest
    finally:
        cluster.delete(ObjectRef.of(crd))


def test_a_plan_file_holds_no_secret(cluster, made, tmp_path):
    write_plan_file(plan(cluster, release(made, secret(key="canary-4713"))), tmp_path / "plan.json")
    text = (tmp_path / "plan.json").read_text()
    assert "canary" not in text
    assert "Y2FuYXJ5" not in text
    assert json.loads(text)["objects"][0]["action"] == "create"


def test_prune_is_limited_and_guarded(cluster, made):
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    keep = config("kept", annotations={"helm.sh/resource-policy": "keep"})
    everything = release(made, config(), config("a"), config("b"), keep, claim, wait=False)
    deploy(cluster, everything)
    with pytest.raises(PruneRefusedError, match="2 objects would be removed, 1 are allowed"):
        deploy(cluster, release(made, config(), prune_limit=1, wait=False))
    result = deploy(cluster, release(made, config(), prune_limit=2, wait=False))
    assert actions(result) == {
        "ConfigMap web": "unchanged",
        "ConfigMap a": "prune",
        "ConfigMap b": "prune",
        "ConfigMap kept": "unchanged",
        "PersistentVolumeClaim data": "unchanged",
    }
    again = deploy(cluster, release(made, config(), prune_kinds=["PersistentVolumeClaim"], wait=False))
    assert actions(again)["PersistentVolumeClaim data"] == "prune"


def test_ownership_policies(cluster, made):
    theirs = {**config(color="red"), "metadata": {"name": "web", "namespace": made, "labels": {"old": "label"}}}
    cluster.apply(theirs, field_manager="kubectl")
    with pytest.raises(OwnershipError, match="belongs to no release"):
        deploy(cluster, release(made, config(), ownership=Ownership.MUST_MATCH))
    with pytest.raises(ConflictError, match="owned by kubectl"):
        deploy(cluster, release(made, config()))
    deploy(cluster, release(made, config(), ownership=Ownership.ADOPT))
    live = cluster.get(config_ref(made))
    assert live["data"] == {"color": "blue"}
    assert "old" not in live["metadata"]["labels"]
    assert {entry["manager"] for entry in live["metadata"]["managedFields"]} == {"pulumi-gitops"}
    assert deploy(cluster, release(made, config(), ownership=Ownership.ADOPT)).changed is False


def test_ignored_fields_are_left_to_whom_they_belong(cluster, made):
    wanted = release(made, deployment(replicas=1), ignore_fields=["Deployment:/spec/replicas"], wait=False)
    deploy(cluster, wanted)
    ref = ObjectRef("apps", "v1", "Deployment", made, "web")
    cluster.patch(ref, {"spec": {"replicas": 4}}, subresource="scale")
    assert deploy(cluster, wanted).changed is False
    new_image = deployment(replicas=1, image="registry.example.com/web:2")
    deploy(cluster, dataclasses.replace(wanted, objects=[new_image]))
    live = cluster.get(ref)
    assert live["spec"]["replicas"] == 4
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/web:2"


def test_what_leaves_the_set_without_prune_is_remembered_and_goes_when_prune_is_on_again(cluster, made):
    deploy(cluster, release(made, config(), secret("old", key="x-value")))
    kept = deploy(cluster, release(made, config(color="red"), prune=False))
    assert "prune is off" in next(change.reason for change in kept.changes if change.ref.kind == "Secret")
    assert {item.ref.name for item in kept.inventory} == {"web", "old"}
    assert actions(deploy(cluster, release(made, config(color="red"))))["Secret old"] == "prune"


def test_an_object_that_moved_to_another_release_is_forgotten_by_the_first(cluster, made):
    deploy(cluster, release(made, config(), config("moves")))
    label = {"applyset.kubernetes.io/part-of": None}
    cluster.patch(config_ref(made, "moves"), {"metadata": {"labels": label}})
    deploy(cluster, release(made, config("moves"), name="other"))
    deploy(cluster, release(made, config()))
    state = read_release(cluster, "shop", made)
    assert {item.ref.name for item in state.inventory} == {"web"}
    assert state.drift == {}
    assert read_release(cluster, "other", made).drift == {}


def test_a_plan_of_an_adoption_shows_what_the_takeover_removes(cluster, made):
    theirs = {**config(color="blue", old="gone"), "metadata": {"name": "web", "namespace": made}}
    cluster.apply(theirs, field_manager="kubectl")
    wanted = release(made, config(), ownership=Ownership.ADOPT)
    change = next(change for change in plan(cluster, wanted).changes if change.ref.name == "web")
    assert ".data.old: - gone" in [str(field) for field in change.fields]
    deploy(cluster, wanted)
    assert cluster.get(config_ref(made))["data"] == {"color": "blue"}
