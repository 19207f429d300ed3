# SPDX-License-Identifier: Apache-2.0
"""What of a set is applied at the same time, and what is not."""

from __future__ import annotations

import threading

import pytest

from pulumi_gitops.core.deploy.applying import apply_steps
from pulumi_gitops.core.deploy.model import Action, Change, ignore_progress
from pulumi_gitops.core.deploy.planning import Step
from pulumi_gitops.core.errors import ApplyError, ForbiddenError
from pulumi_gitops.core.objects import ObjectRef

CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Thing", "plural": "things"},
        "versions": [{"name": "v1", "served": True, "storage": True}],
    },
}


class Cluster:
    """Takes applies, and nothing else: whoever waits for something fails."""

    def __init__(self, *, meet=0, kinds=("Deployment",)):
        self.kinds = kinds
        self.applied: list[str] = []
        self.services = 0
        self.most_services = 0
        self._lock = threading.Lock()
        self._meeting = threading.Barrier(meet, timeout=10) if meet else None

    def apply(self, obj, *, force):
        ref = ObjectRef.of(obj)
        with self._lock:
            self.applied.append(str(ref))
            self.services += ref.kind == "Service"
            self.most_services = max(self.most_services, self.services)
        if ref.name.startswith("refused"):
            raise ForbiddenError(f"apply {ref}: not allowed", status=403)
        if self._meeting and ref.kind in self.kinds:
            self._meeting.wait()
        with self._lock:
            self.services -= ref.kind == "Service"
        return obj


def creation(kind, name, api_version="v1"):
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}
    return Step(Change(Action.CREATE, ObjectRef.of(obj)), obj, None, sends=True)


def test_new_services_are_made_one_after_the_other_while_everything_else_goes_on():
    services = [creation("Service", f"s{i}") for i in range(8)]
    deployments = [creation("Deployment", f"d{i}", "apps/v1") for i in range(4)]
    cluster = Cluster(meet=4)  # the Deployments wait for each other: they are applied at the same time or not at all
    assert len(apply_steps(cluster, [*services, *deployments], ignore_progress)) == 12
    assert cluster.most_services == 1


def test_a_service_that_is_refused_keeps_none_of_the_others_back():
    steps = [creation("Service", name) for name in ("refused-1", "fine", "refused-2")]
    cluster, done = Cluster(), {}
    with pytest.raises(ApplyError, match="2 of 3 objects failed"):
        apply_steps(cluster, steps, ignore_progress, done=done)
    assert list(done) == ["Service/shop/fine"]


def test_a_definition_that_nothing_of_the_set_uses_is_not_awaited_by_those_who_do_not_wait():
    crd = Step(Change(Action.CREATE, ObjectRef.of(CRD)), CRD, None, sends=True)
    cluster = Cluster()
    apply_steps(cluster, [creation("ConfigMap", "c"), crd], ignore_progress, wait=False)
    assert sorted(cluster.applied) == ["ConfigMap shop/c", "CustomResourceDefinition things.example.com"]
    with pytest.raises(AttributeError):
        apply_steps(cluster, [creation("Thing", "t", "example.com/v1"), crd], ignore_progress, wait=False)
    assert "Thing shop/t" not in cluster.applied


def test_what_workloads_refer_to_goes_along_with_definitions_and_workloads_come_after_them():
    crd = Step(Change(Action.CREATE, ObjectRef.of(CRD)), CRD, None, sends=True)
    steps = [
        creation("Deployment", "d", "apps/v1"),
        creation("ConfigMap", "c"),
        creation("Service", "s"),
        crd,
        creation("Namespace", "n"),
    ]
    along = ("CustomResourceDefinition", "ConfigMap", "Service")
    cluster = Cluster(meet=3, kinds=along)  # these three wait for each other
    apply_steps(cluster, steps, ignore_progress, wait=False)
    kinds = [name.split()[0] for name in cluster.applied]
    assert (kinds[0], set(kinds[1:-1]), kinds[-1]) == ("Namespace", set(along), "Deployment")
