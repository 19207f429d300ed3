# SPDX-License-Identifier: Apache-2.0
"""Argo CD manages itself: installed by push, handed over, upgraded by a commit, taken back, removed.

All with Argo CD's own application-controller at work. At no time do two tools own a field of one of its objects.
"""

from __future__ import annotations

import uuid

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.controllers import ControllerSpec, InstalledController, InstallState
from pulumi_gitops.core.controllers.argocd import self_managed
from pulumi_gitops.core.deploy import handover
from pulumi_gitops.core.errors import GitAuthError, OwnershipError, RemovalRefusedError
from pulumi_gitops.core.git import Credentials, commit_files, read_tip
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.yamlio import dump_all

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

PASSWORD = "canary-4718-password"
LOGIN = Credentials("ci", PASSWORD)
OURS, ARGO = "pulumi-gitops", "argocd-controller"
APPLICATION = ObjectRef("argoproj.io", "v1alpha1", "Application", "argocd", "argocd")
SERVER = ObjectRef("apps", "v1", "Deployment", "argocd", "argocd-server")
CONTROLLER = ObjectRef("apps", "v1", "StatefulSet", "argocd", "argocd-application-controller")
METRICS = ObjectRef("", "v1", "Service", "argocd", "argocd-metrics")
KEYS = ObjectRef("", "v1", "ConfigMap", "argocd", "argocd-gpg-keys-cm")
MORE = [{"target": {"kind": "Deployment", "name": "argocd-server"}, "patch": {"spec": {"replicas": 2}}}]


class Installation:
    """Argo CD on the sandbox, and the repository that it may manage itself from."""

    def __init__(self, cluster, url):
        self.cluster, self.url = cluster, url

    def spec(self, *, itself=True, password=PASSWORD, application="argocd", **options):
        place = {"url": self.url, "username": "ci", "password": password, "application": application}
        return ControllerSpec(self_manage=place if itself else None, wait_timeout=90.0, **options)

    def install(self, *, check=False, **options):
        return controllers.install(self.cluster, self.spec(**options), check=check)

    @property
    def tip(self):
        return read_tip(self.url, "main", credentials=LOGIN)

    def owners(self, **options):
        """Return which appliers the objects have: each its own."""
        objects = controllers.controller_release(ControllerSpec(**options))[0].objects
        lives = [self.cluster.get(ObjectRef.of(obj)) for obj in objects]
        return {
            tuple(sorted(e["manager"] for e in live["metadata"]["managedFields"] if e["operation"] == "Apply"))
            for live in lives
        }

    def until(self, ref, condition):
        """Wait until an object fulfils a condition."""
        events = self.cluster.watch(
            ref.api_version, ref.kind, namespace=ref.namespace, field_selector=f"metadata.name={ref.name}", timeout=60
        )
        assert any(condition(event.object) for event in events), f"{ref} never got there"


@pytest.fixture
def argocd(sandbox, cluster):
    """A repository for it; Argo CD is gone afterwards."""
    url = sandbox.create_repository(f"itself-{uuid.uuid4().hex[:6]}", username="ci", password=PASSWORD)
    yield Installation(cluster, url)
    controllers.uninstall(cluster, ControllerSpec())


class Killed(BaseException):
    """Nothing of ours runs after this."""


def killed(monkeypatch, place, name, number, run):
    """Let a run end at the n-th call of a function, as if the process were killed there."""
    calls, function = [], getattr(place, name)

    def call(*arguments, **options):
        calls.append(name)
        if len(calls) == number:
            raise Killed
        return function(*arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(place, name, call)
        with pytest.raises(Killed):
            run()


# Where a run is killed: at which call of what.
ENTERING = (
    (self_managed, "commit_edit", 2),
    (self_managed, "apply_objects", 1),
    (self_managed, "Wait", 1),
    (self_managed, "hand_over", 1),
    (Cluster, "apply", 20),  # in the middle of the handing over
    (handover.records, "write", 1),
)
LEAVING = (
    (self_managed, "take_back", 1),
    (Cluster, "apply", 20),  # in the middle of taking them
    (Cluster, "apply", 80),  # in the middle of taking them from Argo CD
    (self_managed, "delete_objects", 2),  # with nothing left but the Application
)


@pytest.fixture
def small(tmp_path):
    """A file with as much of Argo CD as it takes to sync: what is done to all of it takes less time."""
    objects = controllers.controller_release(ControllerSpec())[0].objects
    needed = ("application-controller", "redis", "repo-server", None)
    kept = [obj for obj in objects if obj["metadata"].get("labels", {}).get("app.kubernetes.io/component") in needed]
    path = tmp_path / "small.yaml"
    path.write_text(dump_all(kept))
    return str(path)


@pytest.fixture
def upgrade(tmp_path):
    """Options for manifests with one more replica, without one object that is pruned and one that is not."""
    objects = controllers.controller_release(ControllerSpec())[0].objects
    path = tmp_path / "upgrade.yaml"
    path.write_text(dump_all(obj for obj in objects if ObjectRef.of(obj) not in (METRICS, KEYS)))
    return {"manifests": str(path), "patches": MORE}


def named(result):
    """The objects that changed: action and name."""
    return {(str(change.action), change.ref.name) for change in result.changes if change.changed}


def test_it_is_handed_over_once_upgraded_by_a_commit_healed_and_taken_back(argocd, upgrade, monkeypatch):
    with pytest.raises(GitAuthError):
        argocd.install(password="canary-4718-wrong")
    assert controllers.installed(argocd.cluster) is None, "bad credentials fail before anything is touched"
    planned = argocd.install(check=True)
    assert ("create", "argocd-server") in named(planned)
    assert controllers.installed(argocd.cluster) is None

    first = argocd.install()
    assert first.changed
    assert (first.version, first.revision, first.commit) == ("3.5.7", 1, argocd.tip)
    # Argo CD's own server may be faster with the first project.
    project = {("create", "default")}
    assert named(planned) - project == named(first) - project, "check mode tells what is done"
    assert argocd.owners() == {(ARGO,)}
    status = argocd.cluster.get(APPLICATION)["status"]
    assert (status["sync"]["status"], status["health"]["status"]) == ("Synced", "Healthy")
    assert {part["status"] for part in status["resources"]} == {"Synced"}
    assert controllers.installed(argocd.cluster) == InstalledController("3.5.7", "argocd", InstallState.MANAGED)

    # As a run with a password would have left it that is not needed any more.
    metadata = {"name": "repo-old-self", "namespace": "argocd", "labels": {"pulumi-gitops/self-managed": "argocd"}}
    argocd.cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    assert named(argocd.install()) == {("delete", "repo-old-self")}
    second = argocd.install()
    assert (second.changed, second.revision, second.commit) == (False, 1, first.commit)
    assert {str(change.action) for change in second.changes} == {"handed_over", "unchanged"}
    with pytest.raises(OwnershipError, match="manages itself by the Application argocd"):
        argocd.install(application="other")

    # An upgrade is a commit, which Argo CD applies. What others have in the folder is theirs.
    note = {"argocd/README.md": "Ours.\n"}
    commit_files(argocd.url, "main", files=note, message="Explain", credentials=LOGIN)
    before = argocd.tip
    planned = argocd.install(check=True, **upgrade)
    assert named(planned) == {("configure", "argocd-server"), ("prune", METRICS.name), ("configure", KEYS.name)}
    assert argocd.tip == before
    upgraded = argocd.install(**upgrade)
    assert named(upgraded) == named(planned)
    assert argocd.cluster.find(METRICS) is None
    assert argocd.cluster.find(KEYS), "Argo CD keeps what it may need"
    assert (upgraded.revision, upgraded.commit) == (2, argocd.tip)
    assert argocd.cluster.get(SERVER)["spec"]["replicas"] == 2
    assert argocd.owners(**upgrade) == {(ARGO,)}

    # A hand edit is healed, without us.
    argocd.cluster.patch(SERVER, {"spec": {"replicas": 5}})
    argocd.until(SERVER, lambda live: live["spec"]["replicas"] == 2)
    assert not argocd.install(**upgrade).changed

    # Left out, everything is deployed by push again, however often the run is killed, and nothing restarts.
    workload = argocd.cluster.get(CONTROLLER)
    planned = argocd.install(check=True, itself=False, **upgrade)
    assert {("delete", "argocd"), ("configure", "argocd-server")} <= named(planned)
    assert argocd.owners(**upgrade) == {(ARGO,)}
    for place, name, number in LEAVING:
        killed(monkeypatch, place, name, number, lambda: argocd.install(itself=False, **upgrade))
    argocd.install(itself=False, **upgrade)
    assert argocd.cluster.find(APPLICATION) is None
    assert argocd.cluster.list("v1", "Secret", namespace="argocd", label_selector="pulumi-gitops/self-managed") == []
    assert argocd.owners(**upgrade) == {(OURS,)}
    after = argocd.cluster.get(CONTROLLER)
    assert after["metadata"]["uid"] == workload["metadata"]["uid"]
    assert after["metadata"]["generation"] == workload["metadata"]["generation"]
    assert not argocd.install(itself=False, **upgrade).changed


def test_a_run_that_is_killed_or_whose_application_is_deleted_is_completed_by_the_next_one(argocd, small, monkeypatch):
    for place, name, number in ENTERING:
        killed(monkeypatch, place, name, number, lambda: argocd.install(manifests=small))
    completed = argocd.install(manifests=small)
    assert (completed.revision, completed.commit) == (1, argocd.tip)
    assert argocd.owners(manifests=small) == {(ARGO,)}
    assert not argocd.install(manifests=small).changed

    argocd.cluster.delete(APPLICATION)
    assert named(argocd.install(manifests=small)) == {("create", "argocd")}
    assert argocd.owners(manifests=small) == {(ARGO,)}

    # It is removed with everything, even then, but only together with what it looks after.
    shop = controllers.ApplicationSpec(
        name="shop", url=argocd.url, path="argocd", destination_namespace="shop", auto_sync=False
    )
    controllers.apply_application(argocd.cluster, shop)
    with pytest.raises(RemovalRefusedError, match="it still looks after Application argocd/shop"):
        controllers.uninstall(argocd.cluster, ControllerSpec())
    assert argocd.owners(manifests=small) == {(ARGO,)}
    controllers.remove_application(argocd.cluster, shop)
    argocd.cluster.delete(APPLICATION)
    planned = controllers.uninstall(argocd.cluster, ControllerSpec(), check=True)
    assert ("delete", "argocd-repo-server") in named(planned)
    assert controllers.installed(argocd.cluster)
    removed = controllers.uninstall(argocd.cluster, ControllerSpec())
    assert named(removed) == named(planned)
    assert controllers.installed(argocd.cluster) is None
    assert argocd.cluster.find(ObjectRef("", "v1", "Namespace", "", "argocd")) is None
    crds = argocd.cluster.list("apiextensions.k8s.io/v1", "CustomResourceDefinition", metadata_only=True)
    assert [crd for crd in crds if "argoproj" in crd["metadata"]["name"]] == []
