# SPDX-License-Identifier: Apache-2.0
"""Flux by the real Flux Operator: it installs, takes over what is there, and goes after what it has installed."""

from __future__ import annotations

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.deploy import apply_objects, delete_objects, read_release
from pulumi_gitops.core.errors import NotReadyError, OwnershipError
from pulumi_gitops.core.objects import ObjectRef, labels_of
from pulumi_gitops.sandbox import flux_manifest, flux_operator_manifest

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

VERSION = "2.9.2"
NAMESPACE = "flux-system"
INSTANCE = ObjectRef("fluxcd.controlplane.io", "v1", "FluxInstance", NAMESPACE, "flux")
KUSTOMIZE = ObjectRef("apps", "v1", "Deployment", NAMESPACE, "kustomize-controller")
OPERATOR = ObjectRef("apps", "v1", "Deployment", NAMESPACE, "flux-operator")
PART_OF = "applyset.kubernetes.io/part-of"


def by_manifests(**options):
    return controllers.ControllerSpec(name="flux", version=VERSION, manifests=str(flux_manifest()), **options)


def by_operator(**options):
    given = {"version": VERSION, "manifests": str(flux_operator_manifest()), **options}
    return controllers.ControllerSpec(name="flux", method="operator", **given)


@pytest.fixture(scope="module", autouse=True)
def operator(sandbox):
    """The operator's process follows its Deployment."""
    sandbox.follow("flux_operator")


def arguments(cluster):
    [container] = cluster.get(KUSTOMIZE)["spec"]["template"]["spec"]["containers"]
    return container["args"]


def test_the_operator_takes_a_running_flux_over_and_takes_it_along_when_it_is_removed(cluster):
    controllers.install(cluster, by_manifests(components=["source-controller", "kustomize-controller"]))
    uid = cluster.get(KUSTOMIZE)["metadata"]["uid"]
    wanted = by_operator(log_level="debug", concurrency=7, network_policies=False)
    planned = controllers.install(cluster, wanted, check=True)
    actions = {str(change.ref): str(change.action) for change in planned.changes}
    assert actions[str(KUSTOMIZE)] == "handed_over"
    assert "prune" not in actions.values()
    assert cluster.find(INSTANCE) is None

    result = controllers.install(cluster, wanted)
    actions = {str(change.ref): str(change.action) for change in result.changes}
    assert (actions[str(INSTANCE)], actions[str(KUSTOMIZE)]) == ("create", "handed_over")
    live = cluster.get(KUSTOMIZE)
    assert (live["metadata"]["uid"], PART_OF in labels_of(live)) == (uid, False), "it was never gone, and is not ours"
    assert "pulumi-gitops" not in {entry["manager"] for entry in live["metadata"]["managedFields"]}
    assert {"--log-level=debug", "--concurrent=7"} <= set(arguments(cluster))
    assert not any(item.ref == KUSTOMIZE for item in read_release(cluster, "flux", NAMESPACE).inventory)

    again = controllers.install(cluster, wanted)
    assert not again.changed, again.changes
    assert controllers.installed(cluster, "flux").state is controllers.InstallState.MANAGED
    planned = controllers.uninstall(cluster, wanted, check=True)
    assert INSTANCE in [change.ref for change in planned.changes]
    controllers.uninstall(cluster, wanted)
    assert cluster.find(KUSTOMIZE) is None
    cluster.discovery.refresh()
    assert not cluster.serves(INSTANCE.api_version, INSTANCE.kind)
    assert not cluster.serves("kustomize.toolkit.fluxcd.io/v1", "Kustomization")
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", NAMESPACE)) is None, "it was made for Flux"


def test_the_operator_gives_flux_back_running_as_it_was(cluster):
    components = ["source-controller", "kustomize-controller"]
    controllers.install(cluster, by_operator(components=components, concurrency=7))
    uid = cluster.get(KUSTOMIZE)["metadata"]["uid"]
    wanted = by_manifests(components=components, log_level="error")
    try:
        planned = controllers.install(cluster, wanted, check=True)
        actions = {str(change.ref): str(change.action) for change in planned.changes}
        assert (actions[str(INSTANCE)], actions[str(KUSTOMIZE)]) == ("prune", "configure")
        assert "handed_over" not in actions.values()
        controllers.install(cluster, wanted)
        assert cluster.find(INSTANCE) is None
        assert cluster.find(OPERATOR) is None
        live = cluster.get(KUSTOMIZE)
        assert (live["metadata"]["uid"], PART_OF in labels_of(live)) == (uid, True)
        assert not {entry["manager"] for entry in live["metadata"]["managedFields"]} & {"flux-operator"}
        assert not any(label.startswith("fluxcd.controlplane.io/") for label in labels_of(live))
        assert "--log-level=error" in arguments(cluster)
        assert "--concurrent=7" not in arguments(cluster)
        again = controllers.install(cluster, wanted)
        assert not [change for change in again.changes if change.changed]
    finally:
        controllers.uninstall(cluster, wanted)
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", NAMESPACE)) is None
    cluster.discovery.refresh()
    assert not cluster.serves(INSTANCE.api_version, INSTANCE.kind)


def test_an_operator_that_somebody_else_has_installed_is_not_fought(cluster):
    mine = by_operator(components=["source-controller", "kustomize-controller"])
    release, _ = controllers.controller_release(mine)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    apply_objects(cluster, [namespace])
    apply_objects(cluster, release.objects, wait=True)
    try:
        with pytest.raises(OwnershipError, match="installed by Flux Operator") as refused:
            controllers.install(cluster, by_manifests())
        assert "method: operator" in refused.value.hint
        assert controllers.install(cluster, mine).changed
        assert not controllers.install(cluster, mine).changed
    finally:
        controllers.uninstall(cluster, mine)
        delete_objects(cluster, [ObjectRef.of(namespace)])


def test_what_the_operator_can_not_do_is_told_in_its_words(cluster):
    try:
        with pytest.raises(NotReadyError, match=r"no match found for semver: 1\.0\.0"):
            controllers.install(cluster, by_operator(version="1.0.0", wait_timeout=60.0))
        result = controllers.install(cluster, by_operator(components=["source-controller", "kustomize-controller"]))
        assert result.changed
        assert sorted(
            obj["metadata"]["name"] for obj in cluster.list("apps/v1", "Deployment", namespace=NAMESPACE)
        ) == ["flux-operator", "kustomize-controller", "source-controller"]
    finally:
        controllers.uninstall(cluster, by_operator())
