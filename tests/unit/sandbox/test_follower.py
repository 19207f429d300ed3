# SPDX-License-Identifier: Apache-2.0
"""Which installation of Argo CD is served, told from the events of its workload."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.cluster import DELETED, Event
from pulumi_gitops.core.errors import ClusterUnreachableError, NotFoundError, UnknownKindError
from pulumi_gitops.sandbox.follower import Installations, unfinished


def event(namespace, *, change="MODIFIED", replicas=1, uid=None, **metadata):
    metadata = {"uid": uid or f"uid-of-{namespace}", "namespace": namespace, **metadata}
    return Event(change, {"kind": "StatefulSet", "metadata": metadata, "spec": {"replicas": replicas}})


@pytest.fixture
def seen():
    installations = Installations()
    installations.take(event("argocd"))
    return installations


def test_nothing_is_served_before_an_installation():
    assert Installations().namespace == ""


def test_the_first_installation_is_served_until_it_is_removed(seen):
    seen.take(event("second"))
    assert seen.namespace == "argocd"
    seen.take(event("argocd", change=DELETED))
    assert seen.namespace == "second"


def test_a_workload_that_is_being_deleted_counts_as_removed(seen):
    seen.take(event("argocd", deletionTimestamp="2026-01-01T00:00:00Z"))
    assert (seen.namespace, seen.removed) == ("", {"argocd"})


def test_a_workload_at_zero_is_not_served_and_not_removed(seen):
    seen.take(event("argocd", replicas=0))
    assert (seen.namespace, seen.removed) == ("", set())
    seen.take(event("argocd", replicas=1))
    assert seen.namespace == "argocd"


def test_a_new_installation_in_the_same_namespace_is_served_again(seen):
    seen.take(event("argocd", change=DELETED))
    seen.take(event("argocd", uid="another"))
    assert (seen.namespace, seen.removed) == ("argocd", set())


class Applications:
    """A cluster that answers one question."""

    def __init__(self, answer):
        self.answer = answer

    def list(self, api_version, kind, *, namespace):
        assert (api_version, kind, namespace) == ("argoproj.io/v1alpha1", "Application", "argocd")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], False),
        ([{"metadata": {"name": "a"}}], False),
        ([{"metadata": {"name": "a"}}, {"metadata": {"name": "b", "finalizers": ["x"]}}], True),
        (UnknownKindError("no CRD"), False),
        (NotFoundError("no CRD any more"), False),
        (ClusterUnreachableError("restarts"), True),
    ],
)
def test_work_is_left_while_an_application_has_a_finalizer(answer, expected):
    assert unfinished(Applications(answer), "argocd") is expected
