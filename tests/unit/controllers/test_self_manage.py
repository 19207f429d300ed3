# SPDX-License-Identifier: Apache-2.0
"""What self-management asks for is checked before anything happens, and what goes to Git is the same every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_gitops.core.controllers import ControllerSpec
from pulumi_gitops.core.controllers.argocd.committed import Committed
from pulumi_gitops.core.controllers.self_manage import SelfManage, logged_in
from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.git import CommitResult, FileChange
from pulumi_gitops.core.git.repository import Entry
from pulumi_gitops.core.yamlio import load_manifests

PLACE = {"url": "https://git.example.com/config.git"}
PASSWORD = "canary-4717-password"


def obj(kind: str, name: str, component: str = "", **content: object) -> dict:
    labels = {"app.kubernetes.io/component": component} if component else {}
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": labels}, **content}


OBJECTS = [
    obj("Deployment", "argocd-server", "server"),
    obj("StatefulSet", "argocd-application-controller", "application-controller"),
    obj("ConfigMap", "argocd-cm", data={"url": "https://argocd.example.com"}),
    obj("Secret", "argocd-secret"),
    obj("ClusterRole", "system:argocd"),
    obj("ClusterRole", "system-argocd"),
]


class FakeTree:
    """The files of a branch."""

    def __init__(self, files, links=()):
        self._files, self._links = files, links

    def paths(self):
        return (*self._files, *self._links)

    def entry(self, path):
        return Entry("120000" if path in self._links else "100644", "0" * 40)

    def read(self, paths):
        return {path: self._files[path] for path in paths}


def test_only_a_url_is_needed():
    assert SelfManage.of({**PLACE, "branch": None}) == SelfManage(
        url=PLACE["url"], branch="main", path="argocd", application="argocd"
    )


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({}, "url is missing"),
        ({**PLACE, "folder": "x"}, "no option folder"),
        ({"url": "https://ci:canary-4717-password@git.example.com/config.git"}, "carries credentials"),
        ({"url": "git@git.example.com:config.git"}, "URL"),
        ({**PLACE, "path": "../argocd"}, "relative path"),
        ({**PLACE, "path": ""}, "path"),
        ({**PLACE, "branch": "-x"}, "not a branch"),
        ({**PLACE, "application": "Argo CD"}, "can not be the name"),
    ],
)
def test_what_is_no_place_for_manifests_is_refused(given, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        ControllerSpec(self_manage=given)
    assert PASSWORD not in str(caught.value)


def test_the_server_of_the_repository_is_verified_as_argo_cd_does_it():
    place = SelfManage.of(PLACE)
    with logged_in(place, {"git.example.com": "PEM", "other.example.com": "other"}) as trusting:
        assert Path(trusting.credentials.ca_cert).read_text() == "PEM"
    assert not Path(trusting.ca_cert).exists()
    with logged_in(place, {"other.example.com": "other"}) as trusting:
        assert trusting is place
    with pytest.raises(InputError, match="no option ca_cert"):
        SelfManage.of({**PLACE, "ca_cert": "/etc/ca.pem"})


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"name": "flux"}, "Flux has no option self_manage"),
        ({"wait": False}, "self_manage needs wait"),
        ({"profile": "ha-namespaced"}, "not for the profile"),
        ({"config": {"argocd-cm": {"application.resourceTrackingMethod": "label"}}}, "tracking method"),
    ],
)
def test_what_it_can_not_be_combined_with_is_refused(options, complaint):
    with pytest.raises(InputError, match=complaint):
        ControllerSpec(**options, self_manage=PLACE)


def test_the_password_is_not_shown():
    spec = ControllerSpec(self_manage={**PLACE, "password": PASSWORD})
    assert PASSWORD not in repr(spec)
    assert PASSWORD not in repr(SelfManage.of(spec.self_manage))


def test_every_object_has_a_file_and_the_same_one_in_any_order():
    first = Committed.of(OBJECTS, "clusters/one")
    assert sorted(first.files) == [
        "clusters/one/clusterrole-system-argocd-2.yaml",
        "clusters/one/clusterrole-system-argocd.yaml",
        "clusters/one/configmap-argocd-cm.yaml",
        "clusters/one/deployment-argocd-server.yaml",
        "clusters/one/secret-argocd-secret.yaml",
        "clusters/one/statefulset-argocd-application-controller.yaml",
    ]
    assert Committed.of(list(reversed(OBJECTS)), "clusters/one").files == first.files
    [written] = load_manifests(first.files["clusters/one/deployment-argocd-server.yaml"])
    assert written == OBJECTS[0], "what no guard is needed for is as it was rendered"


def test_argo_cd_does_not_prune_what_it_needs_to_repair_itself():
    guarded = {
        found["metadata"]["name"]
        for found in Committed.of(OBJECTS, "argocd").objects.values()
        if "Prune=false" in found["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-options", "")
    }
    assert guarded == {"argocd-application-controller", "argocd-cm", "argocd-secret"}
    options = {"argocd.argoproj.io/sync-options": "Replace=true,Prune=false"}
    own = {**OBJECTS[2], "metadata": {"name": "argocd-cm", "annotations": options}}
    [kept] = Committed.of([own], "argocd").objects.values()
    assert kept["metadata"]["annotations"] == {
        "argocd.argoproj.io/sync-options": "Replace=true,Prune=false,Delete=false",
        "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    }


@pytest.mark.parametrize(
    "leaky",
    [
        obj("Secret", "argocd-secret", data={"admin.password": "eA=="}),
        obj("ConfigMap", "argocd-cm", data={"dex.config": f"clientSecret: {PASSWORD}"}),
    ],
    ids=["a Secret with content", "the password itself"],
)
def test_no_secret_gets_into_a_file(leaky):
    with pytest.raises(InputError, match="would write a secret to the repository: ") as caught:
        Committed.of([leaky], "argocd", [PASSWORD, None])
    assert PASSWORD not in str(caught.value)
    assert "$secret-name:key" in caught.value.hint


def test_only_files_of_an_earlier_commit_are_removed():
    committed = Committed.of(OBJECTS[:1], "argocd")
    before = Committed.of(OBJECTS[:2], "argocd").files
    foreign = {"argocd/ingress.yaml": b"kind: Ingress\n", "apps/shop.yaml": next(iter(before.values()))}
    edited = committed.edit(FakeTree({**before, **foreign}, links=("argocd/link.yaml",)))
    assert edited == {**committed.files, "argocd/statefulset-argocd-application-controller.yaml": None}


def test_a_commit_is_told_object_by_object():
    gone = obj("Service", "argocd-metrics", "metrics")
    old = [obj("Deployment", "argocd-server", "server", spec={"replicas": 1}), OBJECTS[1], gone]
    new = [obj("Deployment", "argocd-server", "server", spec={"replicas": 2}), OBJECTS[2]]
    before, committed = Committed.of(old, "argocd").files, Committed.of(new, "argocd")
    changes = tuple(
        FileChange(path, *((files[path].decode() if path in files else None) for files in (before, committed.files)))
        for path in sorted({*before, *committed.files})
    )
    told = committed.changes(CommitResult("c" * 40, "main", tuple(c.path for c in changes), True, 1, changes))
    assert [(str(change.action), change.ref.name, change.reason) for change in told.values()] == [
        ("create", "argocd-cm", "committed: argocd/configmap-argocd-cm.yaml"),
        ("configure", "argocd-server", "committed: argocd/deployment-argocd-server.yaml"),
        ("prune", "argocd-metrics", "removed: argocd/service-argocd-metrics.yaml"),
        (
            "configure",
            "argocd-application-controller",
            "removed: argocd/statefulset-argocd-application-controller.yaml; Argo CD leaves the object in place",
        ),
    ]
    [configured] = [change for change in told.values() if change.ref.name == "argocd-server"]
    assert [str(field) for field in configured.fields] == [".spec.replicas: 1 -> 2"]
