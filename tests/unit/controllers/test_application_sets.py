# SPDX-License-Identifier: Apache-2.0
"""A wait for an ApplicationSet: what it says of before does not count, errors end it in the controller's words."""

from __future__ import annotations

import copy
import time

import pytest

from pulumi_gitops.core.cluster import Event
from pulumi_gitops.core.controllers import ApplicationSetSpec, SyncSpec, applications, apply_application_set, sync
from pulumi_gitops.core.controllers.argocd import application_sets
from pulumi_gitops.core.controllers.argocd.application_sets import REFRESH_ANNOTATION, read
from pulumi_gitops.core.deploy import Action, Change
from pulumi_gitops.core.errors import (
    ConflictError,
    ControllerError,
    ForbiddenError,
    InputError,
    SyncFailedError,
    SyncTimeoutError,
)
from pulumi_gitops.core.objects import ObjectRef

BROKEN = 'failed to execute go template {{.nope}}: map has no entry for key "nope"'
DONE = object()
SPEC = ApplicationSetSpec(
    name="shop", generators=[{"list": {}}], template={"metadata": {"name": "x"}, "spec": {"project": "default"}}
)


def conditions(error=""):
    kinds = {"ErrorOccurred": bool(error), "ResourcesUpToDate": not error}
    return [{"type": kind, "status": str(holds), "message": error} for kind, holds in kinds.items()]


class ArgoCD:
    """Holds one set; its controller answers each request to look at it, one answer after the other; None is silence."""

    def __init__(self, *answers, before=None, replicas=1, rights=True):
        self.answers, self.replicas, self.rights = list(answers), replicas, rights
        status = {} if before is None else {"conditions": conditions(before)}
        metadata = {"name": "shop", "namespace": "argocd", "uid": "set", "annotations": {}, "resourceVersion": "1"}
        self.set = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": metadata}
        self.set["status"] = status
        self.asked, self.made = [], []

    def _shown(self):
        self.set["metadata"]["resourceVersion"] += "1"
        return copy.deepcopy(self.set)

    def find(self, ref):
        return copy.deepcopy(self.set) if ref.kind == "ApplicationSet" else {}

    def list(self, api_version, kind, **_):
        if kind == "Deployment":
            return [{"spec": {"replicas": self.replicas}}]
        owner = {"ownerReferences": [{"uid": "set"}]}
        names = [{"name": name, "namespace": "argocd", **owner} for name in self.made]
        strangers = {"name": "another", "namespace": "argocd"}
        return [{"apiVersion": api_version, "kind": kind, "metadata": found} for found in [*names, strangers]]

    get = find

    def patch(self, ref, body, *, subresource=""):
        if subresource:
            if not self.rights:
                raise ForbiddenError("no", status=403, reason="Forbidden")
            self.set["status"].update(body["status"])
            return self._shown()
        [(name, value)] = body["metadata"]["annotations"].items()
        self.set["metadata"]["annotations"][name] = value
        assert name == REFRESH_ANNOTATION
        self.asked.append(value)
        return self._shown()

    def watch(self, *_, timeout, **__):
        yield Event("ADDED", copy.deepcopy(self.set))
        answer = self.answers.pop(0) if self.answers else None
        if answer is None:
            return
        self.set["status"]["conditions"] = conditions("" if answer is DONE else answer)
        if answer is DONE:
            self.set["metadata"]["annotations"].pop(REFRESH_ANNOTATION, None)
            self.made = ["shop-b", "shop-a"]
        yield Event("MODIFIED", self._shown())


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """No pause lasts, but the clock says that it did."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    unchanged = Change(Action.UNCHANGED, applications.application_set_ref("shop", "argocd"))
    monkeypatch.setattr(applications, "_apply", lambda *_, **__: (unchanged,))


def test_it_ends_when_the_applications_are_made_and_names_them():
    argocd = ArgoCD(DONE)
    assert apply_application_set(argocd, SPEC).applications == ("shop-a", "shop-b")
    assert len(argocd.asked) == 1


def test_being_up_to_date_before_does_not_count():
    argocd = ArgoCD(before="")
    with pytest.raises(SyncTimeoutError, match="not made its applications within 300 s"):
        apply_application_set(argocd, SPEC)


@pytest.mark.parametrize(("action", "asked"), [(Action.CREATE, 0), (Action.CONFIGURE, 1)])
def test_after_a_change_it_looks_twice_as_the_first_look_may_have_begun_before(monkeypatch, action, asked):
    """The first time it is asked by the very request that changes the set."""

    def change(cluster, *_, **__):
        cluster.set["metadata"]["annotations"][REFRESH_ANNOTATION] = "with the change"
        return (Change(action, applications.application_set_ref("shop", "argocd")),)

    monkeypatch.setattr(applications, "_apply", change)
    argocd = ArgoCD(DONE, DONE)
    assert apply_application_set(argocd, SPEC).applications == ("shop-a", "shop-b")
    assert len(argocd.asked) == asked


def test_an_error_of_before_does_not_count_either():
    argocd = ArgoCD(DONE, before=BROKEN)
    assert apply_application_set(argocd, SPEC).applications == ("shop-a", "shop-b")


def test_an_error_that_goes_away_when_it_is_asked_again_is_none():
    argocd = ArgoCD("application references project shop which does not exist", DONE)
    assert apply_application_set(argocd, SPEC).applications == ("shop-a", "shop-b")
    assert len(set(argocd.asked)) == 2


@pytest.mark.parametrize("rights", [True, False])
def test_one_that_stays_is_told_in_the_words_of_the_controller(rights):
    argocd = ArgoCD(BROKEN, BROKEN, before=BROKEN, rights=rights)
    with pytest.raises(SyncFailedError, match="has no entry for key") as caught:
        apply_application_set(argocd, SPEC)
    assert "!unsafe" in caught.value.hint


def test_a_hiccup_may_last_half_a_minute():
    hiccup = "rpc error: code = Unavailable desc = connection refused"
    began = time.monotonic()
    assert apply_application_set(ArgoCD(*[hiccup] * 9, DONE), SPEC).applications
    assert time.monotonic() - began < 30
    with pytest.raises(SyncFailedError, match="Unavailable"):
        apply_application_set(ArgoCD(*[hiccup] * 20), SPEC)


def test_an_error_at_the_end_of_the_time_is_told_and_not_that_time_is_up():
    spec = SyncSpec(kind="application_set", name="shop", wait_timeout=5)
    with pytest.raises(SyncFailedError, match="Unavailable"):
        sync(ArgoCD(*["code = Unavailable"] * 20), spec)


def test_nothing_is_awaited_without_the_controller_or_when_it_is_not_wanted():
    for argocd in (ArgoCD(replicas=0), ArgoCD()):
        spec = SPEC if argocd.replicas == 0 else ApplicationSetSpec(
            name="shop", generators=SPEC.generators, template=SPEC.template, wait=False
        )  # fmt: skip
        assert apply_application_set(argocd, spec).applications == ()
        assert argocd.asked == []


def test_a_sync_of_a_set_tells_whether_it_made_other_applications():
    spec = SyncSpec(kind="application_set", name="shop")
    argocd = ArgoCD(DONE, DONE, DONE, DONE)  # it looks twice: one that was looking may have missed the newest commit
    assert sync(argocd, spec, check=True).changed
    assert argocd.asked == []
    assert sync(argocd, spec).changed
    assert not sync(argocd, spec).changed
    assert not sync(argocd, spec, check=True).changed


def test_a_set_that_is_deleted_meanwhile_ends_the_wait():
    class Gone(ArgoCD):
        def watch(self, *_, **__):
            yield Event("DELETED", self.set)

    with pytest.raises(ControllerError, match="was deleted while waiting"):
        apply_application_set(Gone(), SPEC)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "project"}, "none of application, application_set"),
        ({"kind": "application_set", "revision": "main"}, "has no revision"),
        ({"kind": "application_set", "controller": "flux"}, "is of Argo CD"),
    ],
)
def test_only_argo_cd_has_sets_and_they_have_no_revision(options, message):
    with pytest.raises(InputError, match=message):
        SyncSpec(name="shop", **options)


# As the controller writes the generators and the template of SPEC back.
EMPTY = {"metadata": {}, "spec": {"destination": {}, "project": ""}}
WRITTEN = {
    "generators": [{"list": {"elements": [], "template": EMPTY}}],
    "template": {"metadata": {"name": "x"}, "spec": {"project": "default", "destination": {}}},
    "goTemplate": True,
    "goTemplateOptions": ["missingkey=error"],
}


class Declared:
    """A cluster that holds what was applied; fields that another manager owns conflict unless they are forced."""

    def __init__(self, owner=""):
        self.live, self.owner, self.forced = None, owner, []

    def find(self, ref):
        return copy.deepcopy(self.live)

    def apply(self, cluster, objects, *, check, force=False):
        if self.owner and not force:
            raise ConflictError("", status=409, details={"conflicts": [{"field": ".spec", "manager": self.owner}]})
        [obj] = objects
        self.forced.append(force)
        self.live = copy.deepcopy(obj)
        return (Change(Action.CONFIGURE, ObjectRef.of(obj)),)


@pytest.fixture
def declare(monkeypatch):
    """Declare sets in a cluster; returns what changed."""

    def run(cluster, **options):
        monkeypatch.setattr(application_sets, "apply_objects", cluster.apply)
        given = {"name": "shop", "generators": SPEC.generators, "template": SPEC.template, **options}
        changes = application_sets.declare(cluster, ApplicationSetSpec(**given).objects(), check=False)
        return [str(change.action) for change in changes]

    return run


def test_what_the_controller_has_written_into_a_set_is_no_difference(declare):
    cluster = Declared()
    assert declare(cluster) == ["configure"]
    cluster.live["spec"] = copy.deepcopy(WRITTEN)
    assert declare(cluster) == ["unchanged"]
    cluster.live["spec"]["template"]["spec"]["project"] = "another"
    assert declare(cluster) == ["configure"]


def test_taking_away_what_was_empty_is_a_difference_all_the_same(declare):
    cluster = Declared()
    automated = {"spec": {"project": "default", "syncPolicy": {"automated": {"enabled": False}}}}
    assert declare(cluster, template={**SPEC.template, **automated}) == ["configure"]
    assert declare(cluster) == ["configure"]


@pytest.mark.parametrize("owner", ["argocd", "argocd-applicationset-controller"])
def test_fields_that_the_controller_has_taken_are_taken_back_with_a_change(declare, owner):
    cluster = Declared(owner)
    assert declare(cluster) == ["configure"]
    assert cluster.forced == [True]


def test_who_awaits_a_set_asks_for_it_with_the_change_and_forgets_an_error_of_before(monkeypatch):
    cluster, forgotten = Declared(), []
    monkeypatch.setattr(application_sets, "apply_objects", cluster.apply)
    cluster.patch = lambda ref, body, *, subresource: forgotten.append((body, subresource))
    application_sets.declare(cluster, SPEC.objects(), check=False, ask=True)
    first = cluster.live["metadata"]["annotations"][REFRESH_ANNOTATION]
    assert forgotten == []
    cluster.live |= {"status": {"conditions": conditions(BROKEN)}, "spec": {}}
    application_sets.declare(cluster, SPEC.objects(), check=True, ask=True)
    assert REFRESH_ANNOTATION not in cluster.live["metadata"]["annotations"]
    assert forgotten == []
    cluster.live |= {"status": {"conditions": conditions(BROKEN)}, "spec": {}}
    application_sets.declare(cluster, SPEC.objects(), check=False, ask=True)
    assert cluster.live["metadata"]["annotations"][REFRESH_ANNOTATION] not in ("", first)
    assert forgotten == [({"status": {"conditions": None}}, "status")]


def test_fields_of_somebody_else_are_not_taken(declare):
    with pytest.raises(ConflictError):
        declare(Declared("kubectl-edit"))


def test_without_a_status_nothing_is_known():
    status = read({"metadata": {"name": "shop"}})
    assert (status.done, status.error, status.refreshing) == (False, "", False)
