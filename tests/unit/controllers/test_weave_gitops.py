# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps: what Flux is told to install, who logs in, and which options and versions there are."""

from __future__ import annotations

import base64

import bcrypt
import pytest

from pulumi_gitops.core.controllers import (
    ApplicationSpec,
    ClusterSpec,
    ControllerSpec,
    NotificationSpec,
    RepositorySpec,
    SyncSpec,
    catalog,
    controller_release,
)
from pulumi_gitops.core.controllers.traits import dependents
from pulumi_gitops.core.controllers.weave_gitops import admin, chart
from pulumi_gitops.core.controllers.weave_gitops import by_flux as by_flux_module
from pulumi_gitops.core.controllers.weave_gitops.by_flux import explained
from pulumi_gitops.core.deploy import Action, Change, DeployResult
from pulumi_gitops.core.deploy.order import ranks, removal_order
from pulumi_gitops.core.errors import InputError, NotReadyError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.redact import redact

PASSWORD = "canary-2f91b7d0"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


def spec(**options):
    return ControllerSpec(name="weave_gitops", **options)


def by_flux(**options):
    release, version = controller_release(spec(method="helm_release", **options))
    source, declared = release.objects
    return source["spec"], declared["spec"], version


# --- where the chart comes from --------------------------------------------------------------------------------------


def test_the_chart_of_a_version_is_in_the_registry_of_upstream_or_in_a_mirror_of_either_kind():
    known = catalog.controller("weave_gitops")
    assert (known.default_version, known.versions, known.release) == ("0.38.0", ("0.38.0",), "weave-gitops")
    assert chart.chart_url("0.38.0", None) == "oci://ghcr.io/weaveworks/charts/weave-gitops:4.0.36"
    assert chart.chart_url("0.38.0", "oci://mirror.example.com/x/") == "oci://mirror.example.com/x/weave-gitops:4.0.36"
    assert (
        chart.chart_url("0.38.0", "https://charts.example.com") == "https://charts.example.com/weave-gitops-4.0.36.tgz"
    )


@pytest.mark.parametrize("method", ["manifests", "helm_release"])
def test_another_version_has_to_come_with_its_chart(method):
    with pytest.raises(InputError, match=r"version 0\.39\.0-rc\.2 of Weave GitOps is not in the catalog") as caught:
        controller_release(spec(method=method, version="0.39.0-rc.2"))
    assert "manifests" in caught.value.hint


# --- what Flux is told -----------------------------------------------------------------------------------------------


def test_flux_installs_the_chart_of_upstream_under_the_name_that_we_would_give_it():
    source, declared, version = by_flux()
    assert version == "0.38.0"
    assert (source["url"], source["ref"]) == ("oci://ghcr.io/weaveworks/charts/weave-gitops", {"tag": "4.0.36"})
    assert declared["chartRef"] == {"kind": "OCIRepository", "name": "weave-gitops"}
    assert (declared["releaseName"], declared["targetNamespace"]) == ("weave-gitops", "flux-system")
    assert "values" not in declared


@pytest.mark.parametrize("mirror", [None, "https://charts.example.com"], ids=["registry", "repository"])
def test_the_release_comes_after_its_source_and_goes_before_it(mirror):
    release, _ = controller_release(spec(method="helm_release", mirror=mirror))
    source, declared = (ObjectRef.of(obj).key for obj in release.objects)
    order = ranks(release.objects)
    assert order[source] < order[declared]
    going = removal_order(release.objects)
    assert going[declared] < going[source]


def test_flux_installs_the_chart_that_manifests_or_a_mirror_name():
    source, declared, version = by_flux(
        manifests="oci://registry.example.com:5000/a/b/weave:4.0.37-rc.1", version="0.39.0"
    )
    assert (source["url"], version) == ("oci://registry.example.com:5000/a/b/weave", "0.39.0")
    assert (source["ref"], declared["chartRef"]["kind"]) == ({"tag": "4.0.37-rc.1"}, "OCIRepository")
    source, declared, _ = by_flux(mirror="https://charts.example.com/")
    assert source["url"] == "https://charts.example.com"
    assert declared["chart"]["spec"] == {
        "chart": "weave-gitops",
        "version": "4.0.36",
        "sourceRef": {"kind": "HelmRepository", "name": "weave-gitops"},
    }


@pytest.mark.parametrize(
    "manifests", ["charts/weave-gitops", "https://example.com/a.tgz", "oci://example.com/weave-gitops"]
)
def test_what_flux_can_not_fetch_is_refused(manifests):
    with pytest.raises(InputError, match="it is Flux that fetches the chart"):
        controller_release(spec(method="helm_release", manifests=manifests))


def test_what_is_done_to_rendered_objects_otherwise_flux_is_told_in_its_words():
    operations = [{"op": "replace", "path": "/spec/replicas", "value": 2}]
    patches = [
        {"target": {"kind": "Deployment"}, "patch": {"spec": {"replicas": 2}}},
        {"target": {"kind": "Deployment", "name": "weave-gitops"}, "patch": operations},
    ]
    values = {"image": {"tag": "v0.38.0"}, "logLevel": "debug"}
    _, declared, _ = by_flux(
        registry="registry.example.com/m",
        image_pull_secret="mirror",
        values=values,
        admin_secret="dash",
        patches=patches,
    )
    assert declared["values"] == {
        "image": {"tag": "v0.38.0", "repository": "registry.example.com/m/weaveworks/wego-app"},
        "imagePullSecrets": [{"name": "mirror"}],
        "logLevel": "debug",
        "adminUser": {"create": True, "createSecret": False, "username": "admin"},
    }
    assert values == {"image": {"tag": "v0.38.0"}, "logLevel": "debug"}, "what was given stays as it was"
    merged, listed = declared["postRenderers"][0]["kustomize"]["patches"]
    assert merged["target"] == {"kind": "Deployment"}
    assert "replicas: 2" in merged["patch"]
    assert listed["target"]["name"] == "weave-gitops"
    assert "op: replace" in listed["patch"]
    with pytest.raises(InputError, match=r"patches\[1\] is not a patch with a target"):
        by_flux(patches=[{"patch": ""}])


def test_another_user_changes_who_has_the_rights_and_no_names_of_objects():
    subject = {"kind": "User", "name": "admin"}
    name = "admin-user-read-resources-cr"
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name}}
    other = {**binding, "metadata": {"name": "other"}, "subjects": [subject]}
    release, _ = controller_release(spec(method="helm_release", admin_secret="dash"))
    objects = [{**binding, "subjects": [subject]}, other, *release.objects]
    ann = chart.for_user(objects, "ann")
    assert [ObjectRef.of(obj) for obj in ann] == [ObjectRef.of(obj) for obj in objects]
    assert [obj["subjects"][0]["name"] for obj in ann[:2]] == ["ann", "admin"]
    assert ann[-1]["spec"]["values"]["adminUser"]["username"] == "ann"
    assert objects[-1]["spec"]["values"]["adminUser"]["username"] == "admin"


# --- what Flux says --------------------------------------------------------------------------------------------------


def unready(*, source="", release="", findings=()):
    told = {"HelmRepository": source, "HelmRelease": release}
    objects = [{"kind": kind, "message": message, "findings": list(findings)} for kind, message in told.items()]
    return NotReadyError("2 of 2 objects failed", hint="Run again.", details={"objects": objects[::-1]})


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ({"release": "no 'weave-gitops' chart with version matching '4.0.36' found"}, "is not there: check mirror"),
        (
            {"source": "GET http://registry/v2/x/manifests/9.9.9: MANIFEST_UNKNOWN: manifest unknown"},
            "is not",
        ),
        ({"findings": ["event Failed: failed to fetch index.yaml : 404 Not Found"]}, "is not there: check mirror"),
        ({"source": "GET https://ghcr.io/v2/...: 403 Forbidden"}, "logs in nowhere"),
        ({"source": "dial tcp: lookup charts.example.com: no such host", "release": "404"}, "from inside the cluster"),
        ({"release": "Helm upgrade failed for release x with chart y@1: values don't meet"}, "correct values"),
        ({"release": "Helm install failed for release x: services is forbidden: 403"}, "the API server complains"),
    ],
)
def test_what_flux_says_comes_with_what_to_do(told, hint):
    before = unready(**told)
    error = explained(before)
    assert (error.message, error.details) == (before.message, before.details)
    assert hint in error.hint
    assert error.hint.endswith(" Run again.")


def test_what_nobody_knows_of_stays_as_it_is():
    assert explained(unready(release="the moon is full")).hint == "Run again."


@pytest.mark.parametrize(
    ("options", "changed", "waited"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"wait": False}, True, False),
        ({"mirror": "https://charts.example.com"}, True, False),
    ],
    ids=["registry", "unchanged", "without waiting", "the HelmRelease has the version"],
)
def test_another_version_in_a_registry_is_waited_for_as_the_release_stays_ready_meanwhile(
    monkeypatch, options, changed, waited
):
    release, _ = controller_release(spec(method="helm_release", **options))
    changes = (Change(Action.CONFIGURE if changed else Action.UNCHANGED, ObjectRef.of(release.objects[0])),)
    result = DeployResult(revision=2, digest="", changes=changes)
    awaited = []
    monkeypatch.setattr(by_flux_module, "deploy", lambda *_, **__: result)
    monkeypatch.setattr(by_flux_module, "_try_again", lambda *_: None)
    monkeypatch.setattr(by_flux_module.Wait, "run", lambda wait: awaited.append((wait.ref.kind, wait.timeout)))
    assert by_flux_module.deploy_chart(None, release) is result
    assert awaited == ([("HelmRelease", 300.0)] if waited else [])
    by_flux_module.deploy_chart(None, release, check=True)
    assert len(awaited) == int(waited), "a check waits for nothing"


# --- who logs in -----------------------------------------------------------------------------------------------------


class Cluster:
    """A cluster that holds Secrets in clear: name -> data."""

    def __init__(self, **secrets):
        self.data = {name.replace("_", "-"): data for name, data in secrets.items()}

    def find(self, ref):
        if ref.name not in self.data:
            return None
        data = {key: base64.b64encode(value.encode()).decode() for key, value in self.data[ref.name].items()}
        return {"metadata": {"name": ref.name, "namespace": ref.namespace}, "data": data}


@pytest.fixture
def applied(monkeypatch):
    """What is applied: data of the Secret in clear."""
    seen = []

    def apply_objects(cluster, objects, *, check):
        (obj,) = objects
        seen.append({key: base64.b64decode(value).decode() for key, value in obj["data"].items()})
        return (admin.Change(admin.Action.CREATE, ObjectRef.of(obj)),)

    monkeypatch.setattr(admin, "apply_objects", apply_objects)
    return seen


def login(*, check=False, **secrets):
    return admin.ensure_login(Cluster(**secrets), "dash", "flux-system", check=check)


def test_a_password_in_clear_becomes_a_hash_for_the_user_admin(applied):
    done = login(dash={"password": PASSWORD})
    assert done.username == "admin"
    assert [(change.ref.name, change.reason) for change in done.changes] == [
        ("cluster-user-auth", "the login of Secret dash")
    ]
    [data] = applied
    assert data["username"] == "admin"
    assert bcrypt.checkpw(PASSWORD.encode(), data["password"].encode())
    assert redact(f"{PASSWORD} {data['password']}") == "*** ***"


def test_a_hash_is_taken_as_it_is(applied):
    assert login(dash={"password": HASH, "username": "ann"}).username == "ann"
    assert applied == [{"username": "ann", "password": HASH}]


@pytest.mark.parametrize("password", [PASSWORD, HASH], ids=["clear", "hash"])
def test_a_hash_that_still_fits_is_kept(applied, password):
    there = {"username": "admin", "password": HASH}
    assert login(dash={"password": password}, cluster_user_auth=there).changes == ()
    assert applied == []


@pytest.mark.parametrize(
    "there",
    [
        {"username": "ann", "password": HASH},
        {"username": "admin", "password": bcrypt.hashpw(b"another", bcrypt.gensalt(4)).decode()},
        {"username": "admin", "password": PASSWORD},
        {"username": "admin"},
    ],
    ids=["user", "password", "clear", "nothing"],
)
def test_what_no_longer_fits_is_written_anew(applied, there):
    assert login(dash={"password": PASSWORD}, cluster_user_auth=there).changes
    assert len(applied) == 1


def test_without_the_secret_nothing_is_done_and_a_check_says_what_would_be(applied):
    with pytest.raises(InputError, match="there is no Secret flux-system/dash"):
        login()
    planned = login(check=True)
    assert planned.username == "admin"
    assert [change.reason for change in planned.changes] == ["from Secret dash, which is not there yet"]
    assert applied == []


# --- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"profile": "ha"}, "Weave GitOps has no option profile"),
        ({"components": ["source-controller"]}, "Weave GitOps has no option components"),
        ({"method": "operator"}, "method 'operator' of Weave GitOps is none of manifests, helm_release"),
        ({"method": "helm_release", "checksum": "a" * 64}, "not for method helm_release"),
        ({"method": "helm_release", "lock_file": "gitops.lock"}, "not for method helm_release"),
        ({"admin_secret": "cluster-user-auth"}, "which is Weave GitOps's own"),
        ({"admin_secret": "dash", "values": {"adminUser": {"username": "x"}}}, "adminUser.username is decided by"),
        ({"name": "argocd", "values": {"a": 1}}, "Argo CD has no option values"),
        ({"name": "argocd", "method": "helm_release"}, "Argo CD has no option method"),
        ({"name": "flux", "admin_secret": "dash"}, "Flux has no option admin_secret"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        ControllerSpec(**{"name": "weave_gitops", **options})


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (ApplicationSpec, {"name": "a", "url": "https://git.example.com/a", "path": "a", "destination_namespace": "a"}),
        (RepositorySpec, {"name": "a", "url": "https://git.example.com/a"}),
        (ClusterSpec, {"name": "a"}),
        (NotificationSpec, {"name": "a", "type": "generic"}),
        (SyncSpec, {"name": "a"}),
    ],
)
def test_what_is_wired_is_wired_to_flux(kind, options):
    with pytest.raises(InputError, match="Weave GitOps has no repositories and applications of its own") as caught:
        kind(controller="weave_gitops", **options)
    assert "controller flux" in caught.value.hint


def test_flux_is_needed_and_nothing_else_is():
    assert dependents("flux") == ["weave_gitops"]
    assert dependents("argocd") == dependents("weave_gitops") == []


def test_values_are_not_printed():
    assert PASSWORD not in repr(spec(values={"oidcSecret": {"clientSecret": PASSWORD}}))
