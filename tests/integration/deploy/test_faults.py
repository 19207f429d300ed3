# SPDX-License-Identifier: Apache-2.0
"""What an unreliable API server does to a deployment: it converges, or it fails clearly and the next run converges."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect
from pulumi_gitops.core.deploy import deploy, read_release
from pulumi_gitops.core.errors import GitOpsError
from pulumi_gitops.core.objects import ObjectRef
from tests.support.apiproxy import Answer, ApiProxy, CutWatch, GoneInWatch, HalfBody, Meanwhile, Reset, Slow, Stale
from tests.support.manifests import actions, config, config_ref, custom_kind, deployment, release

pytestmark = pytest.mark.sandbox


@pytest.fixture
def proxy(sandbox, tmp_path) -> Iterator[ApiProxy]:
    with ApiProxy(sandbox.kubeconfig, tmp_path) as running:
        yield running


@pytest.fixture
def shaky(proxy) -> Iterator[Cluster]:
    """A connection through the proxy."""
    with connect(ConnectionOptions(kubeconfig=str(proxy.kubeconfig))) as connected:
        yield connected


def names(cluster: Cluster, namespace: str) -> set[str]:
    return {o["metadata"]["name"] for o in cluster.list("v1", "ConfigMap", namespace=namespace)} - {"kube-root-ca.crt"}


PASSING = {
    "429 with Retry-After": (Answer(429, retry_after=1), {"verb": "patch"}),
    "500 at an apply": (Answer(500), {"verb": "patch", "path": "configmaps/new\\?(?!.*dryRun)"}),
    "503 at the first requests": (Answer(503), {"times": 3}),
    "504 at a list": (Answer(504), {"verb": "list", "times": 2}),
    "reset before an apply": (Reset(), {"verb": "patch", "path": "configmaps/new\\?(?!.*dryRun)"}),
    "reset after an apply": (Reset(forwarded=True), {"verb": "patch", "path": "configmaps/new\\?(?!.*dryRun)"}),
    "half an answer to an apply": (HalfBody(), {"verb": "patch", "path": "configmaps/web\\?(?!.*dryRun)"}),
    "half an answer to a list": (HalfBody(), {"verb": "list"}),
    "half an answer to the record": (HalfBody(), {"verb": "patch", "path": "secrets/pulumi-gitops.shop"}),
    "reset after the record": (Reset(forwarded=True), {"verb": "patch", "path": "secrets/pulumi-gitops.shop"}),
    "reset after a deletion": (Reset(forwarded=True), {"verb": "delete", "path": "configmaps/old"}),
    "a slow answer": (Slow(1.0), {"verb": "patch"}),
    "a watch that is cut": (CutWatch(after=1), {"verb": "watch", "path": "deployments"}),
    "a watch that is cut inside an event": (CutWatch(after=1, inside=True), {"verb": "watch", "path": "deployments"}),
    "a watch that has expired": (GoneInWatch(after=1), {"verb": "watch", "path": "deployments"}),
    "410 when a watch begins": (Answer(410), {"verb": "watch", "path": "deployments"}),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_passing_fault_is_overcome_and_nothing_is_lost_or_doubled(cluster, namespace, proxy, shaky, name):
    deploy(cluster, release(namespace, config(), config("old"), deployment()))
    fault, where = PASSING[name]
    rule = proxy.inject(fault, **where)
    wanted = [config(color="red"), config("new"), deployment(replicas=2)]
    result = deploy(shaky, release(namespace, *wanted))
    assert rule.hits >= 1, "the fault did not happen: the test shows nothing"
    assert result.revision == 2
    assert names(cluster, namespace) == {"web", "new"}
    state = read_release(cluster, "shop", namespace)
    assert (state.status, state.drift, len(state.revisions)) == ("deployed", {}, 2)
    assert deploy(cluster, release(namespace, *wanted)).changed is False
    assert cluster.list("coordination.k8s.io/v1", "Lease", namespace=namespace) == []


@pytest.mark.parametrize("where", [{"path": "configmaps/new\\?(?!.*dryRun)"}, {"path": "secrets/pulumi-gitops.shop"}])
def test_a_lasting_fault_fails_clearly_and_the_next_run_converges(cluster, namespace, proxy, shaky, where):
    deploy(cluster, release(namespace, config(), config("old")))
    proxy.inject(Answer(403, message="not today"), verb="patch", times=0, **where)
    with pytest.raises(GitOpsError, match="not today"):
        deploy(shaky, release(namespace, config(color="red"), config("new")))
    proxy.heal()
    assert names(cluster, namespace) >= {"web", "old"}, "nothing may be pruned by a run that failed"
    deploy(shaky, release(namespace, config(color="red"), config("new")))
    assert names(cluster, namespace) == {"web", "new"}
    assert read_release(cluster, "shop", namespace).status == "deployed"


def test_a_kind_that_stale_discovery_does_not_know_yet_is_found(cluster, namespace, proxy, shaky):
    crd, widget = custom_kind(f"{namespace}.example.com")
    shaky.resource("v1", "ConfigMap")
    shaky.discovery.refresh()
    rule = proxy.inject(Stale(), path="^/apis(\\?|$)", times=2)
    try:
        result = deploy(shaky, release(namespace, widget, crd))
        assert rule.hits
        assert actions(result)["Widget w"] == "create"
    finally:
        cluster.delete(ObjectRef.of(crd))


def test_an_object_that_is_deleted_between_plan_and_apply_is_not_made_again_unseen(cluster, namespace, proxy, shaky):
    deploy(cluster, release(namespace, config()))
    proxy.inject(
        Meanwhile(lambda _: cluster.delete(config_ref(namespace))), verb="patch", path="configmaps/web\\?(?!.*dryRun)"
    )
    with pytest.raises(GitOpsError, match="web"):
        deploy(shaky, release(namespace, config(color="red")))
    assert cluster.find(config_ref(namespace)) is None
    assert actions(deploy(cluster, release(namespace, config(color="red")))) == {"ConfigMap web": "create"}


def test_what_is_handed_over_between_plan_and_prune_is_not_deleted_by_its_old_uid(cluster, namespace, proxy, shaky):
    deploy(cluster, release(namespace, config(), config("old")))

    def replaced(_: object) -> None:
        cluster.delete(config_ref(namespace, "old"))
        cluster.create({**config("old", color="theirs"), "metadata": {"name": "old", "namespace": namespace}})

    proxy.inject(Meanwhile(replaced), verb="delete", path="configmaps/old")
    deploy(shaky, release(namespace, config()))
    assert cluster.get(config_ref(namespace, "old"))["data"] == {"color": "theirs"}
