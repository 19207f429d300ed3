# SPDX-License-Identifier: Apache-2.0
"""Real Argo CD: what is committed arrives, what is wrong is said quickly and in the controller's words."""

from __future__ import annotations

import base64
import gzip

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.errors import (
    ControllerError,
    InputError,
    OwnershipError,
    RemovalBlockedError,
    RemovalRefusedError,
    SyncFailedError,
)
from pulumi_gitops.core.git import Credentials, commit_files
from pulumi_gitops.core.objects import ObjectRef
from tests.support.argocdapi import ArgoCDApi, RefusedError

from .conftest import PASSWORD, web

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def test_a_commit_arrives_in_the_cluster(service):
    messages = []
    first = service.apply(progress=lambda step: messages.append(step.message))
    assert (first.sync, first.health, first.changed) == ("Synced", "Healthy", True)
    assert service.replicas() == 2
    assert messages[-1].startswith(f"Application {service.name}: Synced/Healthy at {first.revision[:7]}")
    commit = service.commit(web=web(5))
    result = service.sync(commit)
    assert result == controllers.SyncResult(commit, "Synced", "Healthy", changed=True)
    assert service.replicas() == 5


def test_a_second_run_changes_nothing(service, cluster, repository):
    service.apply()
    assert not service.apply().changed
    assert not service.sync().changed
    assert not service.sync(service.sync().revision[:8]).changed
    assert not any(change.changed for change in controllers.apply_repository(cluster, repository))


def test_a_hand_edit_is_healed_or_synced_on_request(service, cluster):
    service.apply(self_heal=False)
    cluster.patch(service.deployment, {"spec": {"replicas": 7}})
    # Argo CD follows the cluster with a small delay: a refresh before it has seen the edit finds nothing to do.
    service.until(service.application, lambda app: app["status"]["sync"]["status"] == "OutOfSync")
    assert service.sync().changed
    assert service.replicas() == 2
    service.apply(self_heal=True)
    cluster.patch(service.deployment, {"spec": {"replicas": 7}})
    service.until(service.deployment, lambda deployment: deployment["spec"]["replicas"] == 2)


def test_without_auto_sync_nothing_moves_until_asked_and_old_commits_can_be_asked_for(service):
    old = service.sync().revision if service.apply().changed else ""
    service.apply(auto_sync=False)
    new = service.commit(web=web(3))
    assert service.replicas() == 2
    assert service.sync(new).revision == new
    assert service.replicas() == 3
    assert service.sync(old).revision == old
    assert service.replicas() == 2
    assert service.sync("main").revision == new


def test_a_fix_does_not_wait_for_the_retries_of_what_it_fixes(service):
    service.apply()
    bad = service.commit(web=web(-1))
    spec = controllers.SyncSpec(name=service.name, revision=bad, wait_timeout=8.0)
    with pytest.raises(ControllerError, match="must be greater than or equal to 0"):
        controllers.sync(service.cluster, spec)
    good = service.commit(web=web(4))
    assert service.sync(good).revision == good
    assert service.replicas() == 4


def test_check_mode_changes_nothing(service, cluster):
    spec = service.spec()
    predicted = controllers.apply_application(cluster, spec, check=True)
    assert [change.action for change in predicted.changes] == ["create"]
    assert service.sync(check=True).changed
    assert cluster.find(service.application) is None
    service.apply()
    assert not service.sync(check=True).changed
    assert controllers.remove_application(cluster, spec, check=True).changed
    assert cluster.find(service.application) is not None


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"path": "apps/nothing-here"}, "app path does not exist", "path"),
        ({"revision": "no-such-branch"}, "unable to resolve 'no-such-branch' to a commit SHA", "branch"),
        ({"project": "no-such-project"}, "project no-such-project which does not exist", "AppProject"),
        ({"destination_namespace": "no-such-namespace", "create_namespace": False}, "not found", "create_namespace"),
    ],
)
def test_what_is_wrong_is_said_in_the_controllers_words(service, options, message, hint):
    with pytest.raises(ControllerError, match=message) as caught:
        service.apply(**{"wait_timeout": 15.0, **options})
    assert hint in caught.value.hint
    assert controllers.remove_application(service.cluster, service.spec()).changed


def test_a_wrong_password_is_said_and_not_shown(service, cluster, repository):
    wrong = controllers.RepositorySpec(
        name="config", url=repository.url, username="ci", password="wrong-horse-battery-staple"
    )
    changes = controllers.apply_repository(cluster, wrong)
    try:
        assert "wrong-horse" not in str([change.diff() for change in changes])
        assert PASSWORD not in str([change.diff() for change in changes])
        with pytest.raises(SyncFailedError, match=r"authentication|401|Unauthorized") as caught:
            service.apply()
        assert "password" in caught.value.hint
        assert "wrong-horse" not in str(caught.value) + str(caught.value.as_dict())
    finally:
        controllers.apply_repository(cluster, repository)
    assert service.apply().sync == "Synced"


def test_a_revision_that_the_branch_is_not_at_is_no_success(service):
    at = service.apply().revision
    with pytest.raises(SyncFailedError, match=f"main, which is at {at}, not at {'f' * 40}"):
        service.sync("f" * 40)
    with pytest.raises(InputError, match="follows main by itself"):
        service.sync("another-branch")


def test_an_unknown_revision_of_a_manual_application_is_said_in_the_controllers_words(service):
    service.apply()
    service.apply(auto_sync=False)
    with pytest.raises(SyncFailedError, match="f" * 40):
        service.sync("f" * 40)


def test_an_application_that_does_not_exist_is_named(cluster, argocd):
    with pytest.raises(ControllerError, match="there is no Application argocd/nobody"):
        controllers.sync(cluster, controllers.SyncSpec(name="nobody"))


def test_a_removed_application_takes_what_it_deployed_with_it(service, cluster):
    service.apply()
    assert controllers.remove_application(cluster, service.spec()).changed
    assert cluster.find(service.deployment) is None
    assert not controllers.remove_application(cluster, service.spec()).changed


def test_an_application_that_lost_its_project_says_so_instead_of_hanging(service):
    service.apply()
    with pytest.raises(SyncFailedError):
        service.apply(project="lost")
    with pytest.raises(RemovalBlockedError, match="AppProject lost does not exist"):
        controllers.remove_application(service.cluster, service.spec())
    service.apply()


# --- application sets ------------------------------------------------------------------------------------------------


def template(service, folder, name):
    """An application that syncs a folder into the namespace of the service."""
    return {
        "metadata": {"name": name},
        "spec": {
            "project": "default",
            "source": {"repoURL": service.url, "targetRevision": "main", "path": folder},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": service.name},
            "syncPolicy": {"automated": {"prune": False}, "syncOptions": ["CreateNamespace=true"]},
        },
    }


def settings(name):
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def application_set(service, cluster):
    """Declare sets of the service's name; gone afterwards, with their applications."""
    folders = f"{service.path}/{{{{.path.basename}}}}", f"{service.name}-{{{{.path.basename}}}}"
    default = {"name": service.name, "template": template(service, *folders), "wait_timeout": 60.0}

    def spec(**options):
        directories = [{"path": f"{service.path}/*"}]
        git = {"git": {"repoURL": service.url, "revision": "main", "directories": directories}}
        return controllers.ApplicationSetSpec(**{**default, "generators": [git], **options})

    yield spec
    controllers.remove_application_set(cluster, spec())


def commit_folders(service, **folders):
    files = {f"{service.path}/{name}/settings.yaml": settings(name) for name in folders}
    commit_files(service.url, "main", files=files, message="folders", credentials=Credentials("ci", PASSWORD))


def test_a_set_makes_an_application_for_each_folder_and_sees_new_ones_when_asked(service, cluster, application_set):
    commit_folders(service, one=1, two=1)
    first, names = application_set(), (f"{service.name}-one", f"{service.name}-two")
    assert controllers.apply_application_set(cluster, first, check=True).applications == ()
    made = controllers.apply_application_set(cluster, first)
    assert (made.applications, made.changed) == (names, True)
    for name in names:
        done = controllers.sync(cluster, controllers.SyncSpec(name=name, wait_timeout=60.0))
        assert (done.sync, done.health) == ("Synced", "Healthy")
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", service.name, "two"))

    commit_folders(service, zoo=1)
    anew = controllers.SyncSpec(name=service.name, kind="application_set", wait_timeout=60.0)
    assert controllers.sync(cluster, anew).changed
    # Argo CD has written its own form of the spec, and owns it now: no difference, and no obstacle.
    again = controllers.apply_application_set(cluster, first)
    assert (again.applications, again.changed) == ((*names, f"{service.name}-zoo"), False)
    listed = application_set(generators=[{"list": {"elements": [{"path": {"basename": "two"}}]}}])
    assert controllers.apply_application_set(cluster, listed).applications == (f"{service.name}-two",)
    assert not controllers.apply_application_set(cluster, listed).changed

    assert controllers.remove_application_set(cluster, first, check=True).changed
    removed = [change.ref.name for change in controllers.remove_application_set(cluster, first).changes]
    assert {service.name, f"{service.name}-two"} <= set(removed)
    assert not cluster.list("argoproj.io/v1alpha1", "Application", namespace="argocd")
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", service.name, "two")) is None
    assert not controllers.remove_application_set(cluster, first).changed


def test_why_a_set_makes_no_applications_is_said_in_the_words_of_argo_cd_until_it_is_mended(
    service, cluster, application_set
):
    def refused(**options):
        with pytest.raises(SyncFailedError) as caught:
            controllers.apply_application_set(cluster, application_set(**options))
        return caught.value.message, caught.value.hint

    elements = [{"list": {"elements": [{"stage": "one"}]}}]
    listed = template(service, service.path, f"{service.name}-{{{{.stage}}}}")
    mistyped = template(service, service.path, f"{service.name}-{{{{.stag}}}}")
    message, hint = refused(generators=elements, template=mistyped)
    assert 'map has no entry for key "stag"' in message
    assert "!unsafe" in hint
    again, _ = refused(generators=elements, template=mistyped)
    assert again == message
    mended = controllers.apply_application_set(cluster, application_set(generators=elements, template=listed))
    assert mended.applications == (f"{service.name}-one",)

    nowhere = {"repoURL": f"{service.url}.nowhere", "revision": "main", "directories": [{"path": "*"}]}
    message, hint = refused(generators=[{"git": nowhere}])
    assert "repository not found" in message
    assert "URL" in hint
    lost = {**listed, "spec": {**listed["spec"], "project": "no-such-project"}}
    message, hint = refused(generators=elements, template=lost)
    assert "project no-such-project which does not exist" in message
    assert "AppProject" in hint


# --- the password of admin -------------------------------------------------------------------------------------------

SECRET = ObjectRef("", "v1", "Secret", "argocd", "argocd-admin")
HASHED = ObjectRef("", "v1", "Secret", "argocd", "argocd-secret")
INITIAL = ObjectRef("", "v1", "Secret", "argocd", "argocd-initial-admin-secret")


@pytest.fixture
def password(cluster, argocd):
    """Write a password into the Secret of the user; gone afterwards."""

    def write(value):
        obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET.name, "namespace": SECRET.namespace}}
        cluster.apply({**obj, "stringData": {"password": value}}, field_manager="somebody", force=True)

    yield write
    cluster.delete(SECRET)


def changed(result):
    return {change.ref: str(change.action) for change in result.changes if change.changed}


def test_the_password_of_admin_is_that_of_the_secret_and_argo_cd_takes_no_other(sandbox, cluster, service, password):
    service.apply()
    api, spec = ArgoCDApi(lambda: sandbox.argocd_server_url), controllers.ControllerSpec(admin_secret=SECRET.name)
    first, second = "canary-4716-first", "canary-4716-second"
    with pytest.raises(InputError, match="there is no Secret argocd/argocd-admin"):
        controllers.install(cluster, spec)
    made_up = base64.b64decode(cluster.get(INITIAL)["data"]["password"]).decode()
    api.until_it_takes(made_up)

    password(first)
    expected = {HASHED: "configure", INITIAL: "delete"}
    assert changed(controllers.install(cluster, spec, check=True)) == expected
    assert api.login(made_up)
    result = controllers.install(cluster, spec)
    assert changed(result) == expected
    token = api.until_it_takes(first)
    assert api.applications(token)[service.name] == "Synced"
    assert api.refuses(made_up)
    assert not controllers.install(cluster, spec).changed

    password(second)
    result = controllers.install(cluster, spec)
    assert changed(result) == {HASHED: "configure"}
    assert api.applications(api.until_it_takes(second))[service.name] == "Synced"
    assert api.refuses(first)
    with pytest.raises(RefusedError):  # the session of before has ended
        api.applications(token)
    assert not controllers.install(cluster, spec).changed
    assert not controllers.install(cluster, controllers.ControllerSpec()).changed
    assert cluster.find(INITIAL) is None

    hashed = base64.b64decode(cluster.get(HASHED)["data"]["admin.password"]).decode()
    told = str([change.diff() for change in result.changes]) + record_text(cluster)
    for hidden in (first, second, hashed):
        assert hidden not in told


def record_text(cluster):
    """All that the release's record holds, in clear."""
    found = [o for o in cluster.list("v1", "Secret", namespace="argocd") if o["metadata"]["name"].startswith("pulumi-")]
    parts = [base64.b64decode(value) for obj in found for value in obj["data"].values()]
    assert parts
    return "".join((gzip.decompress(p) if p[:2] == b"\x1f\x8b" else p).decode(errors="replace") for p in parts)


# --- removal ---------------------------------------------------------------------------------------------------------


def test_what_somebody_else_made_is_not_removed(cluster, argocd):
    foreign = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "repo-foreign", "namespace": "argocd"},
    }
    cluster.apply(foreign, field_manager="kubectl")
    spec = controllers.RepositorySpec(name="foreign", url="https://git.example.com/foreign.git")
    with pytest.raises(OwnershipError, match="repo-foreign was not made by pulumi-gitops"):
        controllers.remove_repository(cluster, spec)
    cluster.delete(ObjectRef.of(foreign))


def test_argocd_is_not_removed_while_it_looks_after_applications(service, cluster):
    service.apply()
    with pytest.raises(RemovalRefusedError, match=f"still looks after Application argocd/{service.name}"):
        controllers.uninstall(cluster, controllers.ControllerSpec())
    assert controllers.installed(cluster) is not None
