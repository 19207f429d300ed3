# SPDX-License-Identifier: Apache-2.0
"""A run that is killed at any request is finished by the next one, with the same end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.deploy import deploy, read_release, remove, rollback
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.render import as_objects
from tests.support.apiproxy import ApiProxy, Kill
from tests.support.manifests import config_ref, release

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

BEFORE = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: '1'}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b}, data: {x: '1'}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {key: first-value}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: c}}
"""
AFTER = """
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: '2'}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {key: second-value}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: d}, data: {x: '1'}}
"""
# More than any of these runs needs; the loops end with the first run that is not hit.
_MOST_REQUESTS = 60


@pytest.fixture
def proxy(sandbox, tmp_path) -> Iterator[ApiProxy]:
    with ApiProxy(sandbox.kubeconfig, tmp_path) as running:
        yield running


def killed_at(proxy: ApiProxy, number: int, *arguments: str, forwarded: bool) -> bool:
    """Run the driver and kill it at its n-th request; tell whether it made so many."""
    proxy.heal()
    proxy.forget()
    driver = [sys.executable, str(Path(__file__).parent / "kill_driver.py"), str(proxy.kubeconfig), *arguments]
    process = subprocess.Popen(driver, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    rule = proxy.inject(Kill(lambda _: os.kill(process.pid, signal.SIGKILL), forwarded=forwarded), nth=number)
    output, _ = process.communicate(timeout=60)
    proxy.heal()
    assert process.returncode == (-signal.SIGKILL if rule.hits else 0), output.decode()
    return bool(rule.hits)


def everything(cluster: Cluster, namespace: str) -> dict[str, object]:
    """Return what there is in the namespace that a release can have made, apart from events and the lock.

    A run that is killed while it gives the lock back leaves it; the next one that has something to write takes it over.
    """
    found = {}
    for kind in ("ConfigMap", "Secret", "ServiceAccount"):
        for obj in cluster.list("v1", kind, namespace=namespace):
            name = obj["metadata"]["name"]
            if name not in ("kube-root-ca.crt", "default"):
                found[f"{kind} {name}"] = None if name.startswith("pulumi-gitops.") else obj.get("data")
    return found


def check_all_ends(
    cluster: Cluster,
    namespace: str,
    proxy: ApiProxy,
    arguments: list[str],
    start: Callable[[], object],
    finish: Callable[[], object],
) -> None:
    """Kill a run at every request, before and after the API server has seen it, and compare the ends."""
    start()
    finish()
    expected = everything(cluster, namespace)
    hits = 0
    for number in range(1, _MOST_REQUESTS):
        start()
        if not killed_at(proxy, number, namespace, *arguments, forwarded=bool(number % 2)):
            break
        hits += 1
        finish()
        state = read_release(cluster, "shop", namespace)
        assert (state.status, state.drift) == ("deployed", {}), f"killed at request {number}"
        assert everything(cluster, namespace) == expected, f"killed at request {number}"
        assert len({revision.number for revision in state.revisions}) == len(state.revisions)
    assert 20 <= hits < _MOST_REQUESTS - 1


def test_a_deployment_with_prune_that_is_killed_anywhere_ends_the_same(cluster, namespace, proxy):
    def start() -> None:
        deploy(cluster, release(namespace, *as_objects(BEFORE)))

    def finish() -> None:
        deploy(cluster, release(namespace, *as_objects(AFTER)))

    check_all_ends(cluster, namespace, proxy, ["deploy", AFTER], start, finish)
    assert cluster.find(config_ref(namespace, "b")) is None


def test_a_rollback_that_is_killed_anywhere_ends_the_same(cluster, namespace, proxy):
    def start() -> None:
        if read_release(cluster, "shop", namespace) is not None:
            remove(cluster, "shop", namespace)
        deploy(cluster, release(namespace, *as_objects(BEFORE)))
        deploy(cluster, release(namespace, *as_objects(AFTER)))

    def finish() -> None:
        rollback(cluster, "shop", namespace, to=1)

    check_all_ends(cluster, namespace, proxy, ["rollback"], start, finish)
    assert cluster.find(ObjectRef("", "v1", "ServiceAccount", namespace, "c")) is not None


def test_a_removal_that_was_interrupted_goes_on(cluster, namespace, proxy):
    deploy(cluster, release(namespace, *as_objects(BEFORE)))
    cluster.delete(config_ref(namespace, "a"))
    cluster.delete(ObjectRef("", "v1", "Secret", namespace, "s"))
    assert remove(cluster, "shop", namespace).changed
    assert everything(cluster, namespace) == {}
