# SPDX-License-Identifier: Apache-2.0
"""History, rollback, lock and audit trail of a release on a real API server."""

from __future__ import annotations

import threading

import pytest

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import Origin, deploy, list_releases, read_release, rollback
from pulumi_gitops.core.deploy.locking import ReleaseLock
from pulumi_gitops.core.deploy.model import ignore_progress
from pulumi_gitops.core.errors import (
    LockedError,
    RevisionNotFoundError,
    RollbackFailedError,
    RolledBackError,
)
from pulumi_gitops.core.objects import ObjectRef
from tests.support.manifests import actions, config, config_ref, deployment, job, release, secret

pytestmark = pytest.mark.sandbox

ORIGIN = Origin(face="ansible", user="ann", pipeline="https://ci.example.com/7", commit="1f3c9a2")


def stuck(name: str = "web") -> dict:
    """A Deployment whose pods fit on no node."""
    obj = deployment(name, image="registry.example.com/web:9")
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    return obj


def test_a_rollback_restores_exactly_what_was_and_is_itself_a_revision(cluster, namespace):
    deploy(cluster, release(namespace, config(), config("old"), secret(key="first-value"), origin=ORIGIN))
    deploy(cluster, release(namespace, config(color="red"), config("new"), secret(key="second-value")))
    foretold = rollback(cluster, "shop", namespace, check=True)
    assert cluster.get(config_ref(namespace))["data"] == {"color": "red"}
    result = rollback(cluster, "shop", namespace, origin=Origin(face="cli"))
    assert actions(result) == actions(foretold)
    assert actions(result) == {
        "ConfigMap web": "configure",
        "ConfigMap old": "create",
        "ConfigMap new": "prune",
        "Secret web": "configure",
    }
    assert (result.revision, result.rolled_back_to) == (3, 1)
    assert cluster.get(config_ref(namespace))["data"] == {"color": "blue"}
    assert cluster.find(config_ref(namespace, "new")) is None
    live = cluster.get(ObjectRef("", "v1", "Secret", namespace, "web"))
    assert live["data"] == {"key": "Zmlyc3QtdmFsdWU="}
    state = read_release(cluster, "shop", namespace)
    assert [(r.number, r.status, r.rolled_back_to) for r in state.revisions] == [
        (1, "deployed", 0),
        (2, "deployed", 0),
        (3, "deployed", 1),
    ]
    first = state.revisions[0]
    assert (first.face, first.user, first.pipeline, first.commit) == (
        "ansible",
        "ann",
        "https://ci.example.com/7",
        "1f3c9a2",
    )
    assert rollback(cluster, "shop", namespace, to=1).changed is False


def test_what_can_not_be_rolled_back_to_is_named(cluster, namespace):
    with pytest.raises(RevisionNotFoundError, match="there is no release shop"):
        rollback(cluster, "shop", namespace)
    deploy(cluster, release(namespace, config()))
    with pytest.raises(RevisionNotFoundError, match="no earlier revision"):
        rollback(cluster, "shop", namespace)
    with pytest.raises(RevisionNotFoundError, match="no revision 7") as caught:
        rollback(cluster, "shop", namespace, to=7)
    assert "1 (deployed)" in caught.value.hint


def test_without_secrets_in_the_history_a_rollback_leaves_them_as_they_are_and_says_so(cluster, namespace):
    more = {"history_secrets": False}
    deploy(cluster, release(namespace, config(), secret(key="first-value"), **more))
    deploy(cluster, release(namespace, config(color="red"), secret(key="second-value"), **more))
    result = rollback(cluster, "shop", namespace)
    kept = next(change for change in result.changes if change.ref.kind == "Secret")
    assert "history_secrets" in kept.reason
    live = cluster.get(ObjectRef("", "v1", "Secret", namespace, "web"))
    assert live["data"] == {"key": "c2Vjb25kLXZhbHVl"}
    assert "web" in {item.ref.name for item in read_release(cluster, "shop", namespace).inventory}
    cluster.delete(ObjectRef.of(live))
    with pytest.raises(RevisionNotFoundError, match=f"Secret {namespace}/web"):
        rollback(cluster, "shop", namespace, to=2)


def test_a_failed_deployment_goes_back_by_itself_and_tells_both(cluster, namespace):
    deploy(cluster, release(namespace, deployment(), config()))
    with pytest.raises(RolledBackError) as caught:
        deploy(cluster, release(namespace, stuck(), config("new"), wait_timeout=3, rollback_on_failure=True))
    assert "rolled back to revision 1 (now revision 3)" in caught.value.message
    assert f"Deployment {namespace}/web" in caught.value.message
    assert caught.value.details["failure"]["code"] == "deploy.not_ready"
    live = cluster.get(ObjectRef("apps", "v1", "Deployment", namespace, "web"))
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/web:1"
    assert cluster.find(config_ref(namespace, "new")) is None
    state = read_release(cluster, "shop", namespace)
    assert [(r.number, r.status) for r in state.revisions] == [(1, "deployed"), (2, "failed"), (3, "deployed")]
    assert state.drift == {}
    reasons = {e["reason"] for e in cluster.list("v1", "Event", namespace=namespace) if "shop" in e["message"]}
    assert {"Deployed", "DeployFailed", "RolledBack"} <= reasons


def test_a_first_deployment_that_fails_has_nothing_to_go_back_to_and_says_so(cluster, namespace):
    with pytest.raises(RollbackFailedError, match="no earlier revision"):
        deploy(cluster, release(namespace, stuck(), wait_timeout=2, rollback_on_failure=True))


def test_a_second_run_waits_for_the_lock_then_names_the_holder(cluster, namespace):
    deploy(cluster, release(namespace, config()))
    with ReleaseLock(cluster, "shop", namespace, timeout=1, progress=ignore_progress):
        with pytest.raises(LockedError, match=r"is being deployed by .+@") as caught:
            deploy(cluster, release(namespace, config(color="red"), lock_timeout=1))
        assert caught.value.details["holder"]
        assert deploy(cluster, release(namespace, config())).changed is False  # nothing to write needs no lock
    assert deploy(cluster, release(namespace, config(color="red"))).changed
    assert cluster.list("coordination.k8s.io/v1", "Lease", namespace=namespace) == []


def test_the_lock_of_a_dead_holder_elsewhere_expires(cluster, namespace):
    deploy(cluster, release(namespace, config()))
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "pulumi-gitops.shop", "namespace": namespace},
        "spec": {"holderIdentity": "bob@elsewhere/1/x", "leaseDurationSeconds": 2},
    }
    cluster.create(lease)
    assert deploy(cluster, release(namespace, config(color="red"))).changed


@pytest.mark.slow
@pytest.mark.parametrize("runs", [2, 8])
def test_runs_at_the_same_time_follow_each_other(sandbox, cluster, namespace, runs):
    deploy(cluster, release(namespace, config()))
    outcomes = []

    def run(number: int) -> None:
        with connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig))) as own:
            outcomes.append(deploy(own, release(namespace, config(color=str(number)), config(f"c{number}"))))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(runs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.revision for outcome in outcomes) == list(range(2, runs + 2))
    state = read_release(cluster, "shop", namespace)
    names = {item.ref.name for item in state.inventory}
    assert len(names) == 2
    live = {obj["metadata"]["name"] for obj in cluster.list("v1", "ConfigMap", namespace=namespace)}
    assert live - {"kube-root-ca.crt"} == names
    assert state.drift == {}


def test_waves_and_dependencies_are_applied_one_after_the_other(cluster, namespace):
    wave = "argocd.argoproj.io/sync-wave"
    first = job(**{wave: "-1"})
    second = deployment()
    third = config(
        "last", annotations={"config.kubernetes.io/depends-on": f"apps/namespaces/{namespace}/Deployment/web"}
    )
    seen = []
    deploy(cluster, release(namespace, third, second, first), progress=lambda p: seen.append((p.phase, p.message)))
    order = [message.split()[1:3] for phase, message in seen if phase == "apply" and "Namespace" not in message]
    assert [kind for kind, _ in order] == ["Job", "Deployment", "ConfigMap"]
    ready = [
        i for i, (phase, message) in enumerate(seen) if phase == "wait" and "Job" in message and "ready" in message
    ]
    applied = [i for i, (phase, message) in enumerate(seen) if phase == "apply" and "Deployment" in message]
    assert ready[0] < applied[0]


def test_all_releases_of_a_namespace_are_listed(cluster, namespace):
    deploy(cluster, release(namespace, config()))
    deploy(cluster, release(namespace, config("b"), name="other"))
    found = list_releases(cluster, namespace)
    assert [(state.name, state.revision, state.status) for state in found] == [
        ("other", 1, "deployed"),
        ("shop", 1, "deployed"),
    ]


def test_a_rollback_leaves_the_fields_that_the_release_leaves_to_others(cluster, namespace):
    ignored = {"ignore_fields": ["Deployment:/spec/replicas"], "wait": False}
    deploy(cluster, release(namespace, deployment(replicas=1), **ignored))
    ref = ObjectRef("apps", "v1", "Deployment", namespace, "web")
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": namespace}}
    cluster.apply({**theirs, "spec": {"replicas": 4}}, force=True, field_manager="kube-controller-manager")
    deploy(cluster, release(namespace, deployment(replicas=1, image="registry.example.com/web:2"), **ignored))
    rollback(cluster, "shop", namespace, wait=False)
    live = cluster.get(ref)
    assert live["spec"]["replicas"] == 4
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/web:1"
