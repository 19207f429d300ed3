# SPDX-License-Identifier: Apache-2.0
"""What Argo CD is wired with, by playbook: projects, clusters, credential templates, application sets."""

from __future__ import annotations

import base64
import json

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.git import Credentials, commit_files, read_tip
from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task
from tests.support.argocdapi import ArgoCDApi

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

# Secrets come from variables: Ansible quotes the lines of the playbook around a task that fails.
SECRETS = {
    "git_password": "canary-b1946ac9",
    "wrong_password": "canary-591785b7",
    "edge_token": "canary-8d969eef",
    "admin_password": "canary-6f1ed002",
    "edge_key": "-----BEGIN RSA PRIVATE KEY-----\ncanary-2e9f8c1d\n-----END RSA PRIVATE KEY-----\n",
}
CANARIES = ("canary-6f1ed002", "canary-b1946ac9", "canary-591785b7", "canary-8d969eef", "canary-2e9f8c1d")
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s}\n"


@pytest.fixture(scope="module")
def argocd(cluster):
    """Argo CD in its usual namespace, gone after the module."""
    yield controllers.install(cluster, controllers.ControllerSpec())
    controllers.uninstall(cluster, controllers.ControllerSpec())


@pytest.fixture
def private(sandbox, cluster, argocd, namespace):
    """URL of a repository that wants a password, with a ConfigMap in the folder ``app``.

    What is wired under the namespace's name is gone afterwards, however the test ends.
    """
    url = sandbox.create_repository(namespace, username="ci", password=SECRETS["git_password"])
    login = Credentials("ci", SECRETS["git_password"])
    commit_files(url, "main", files={"app/settings.yaml": CONFIG % "blue"}, message="First", credentials=login)
    yield url
    application = {"url": url, "path": "app", "destination_namespace": namespace}
    controllers.remove_application(cluster, controllers.ApplicationSpec(name=namespace, **application))
    controllers.remove_repository(cluster, controllers.RepositorySpec(name=namespace, url=url))
    controllers.remove_wiring(cluster, controllers.ProjectSpec(name=namespace))


def argo(kind, name, namespace="argocd"):
    return ObjectRef("argoproj.io", "v1alpha1", kind, namespace, name)


def secret(name, namespace="argocd"):
    return ObjectRef("", "v1", "Secret", namespace, name)


def wiring(namespace, url):
    """Everything that a team needs, as variables of the role; the application has no repository of its own."""
    raw = "{%% raw %%}%s{%% endraw %%}"
    destination = {"server": "https://kubernetes.default.svc", "namespace": namespace}
    source = {"repoURL": url, "path": "app", "targetRevision": "main"}
    return {
        "bootstrap_projects": [
            {
                "name": namespace,
                "description": "One test",
                "source_repos": [url.rpartition("/")[0] + "/*"],
                "destinations": [destination],
                "cluster_resources": [{"group": "", "kind": "Namespace"}],
                "roles": [{"name": "reader", "policies": [f"p, proj:{namespace}:reader, applications, get, *, allow"]}],
                "sync_windows": [
                    {"kind": "allow", "schedule": "* * * * *", "duration": "24h", "applications": ["*"]},
                ],
                "orphaned_resources": True,
            }
        ],
        "bootstrap_clusters": [
            {
                "name": f"edge-{namespace}",
                "server": "https://edge.example.com:6443",
                "token": "{{ edge_token }}",
                "cluster_ca_cert": "PEM of the edge",
                "cluster_client_cert": "PEM of a client",
                "cluster_client_key": "{{ edge_key }}",
                "labels": {"stage": "edge"},
                "metadata": {"example.com/vpc": "vpc-1", "example.com/nodes": "{{ 3 | string }}"},
            }
        ],
        "bootstrap_repositories": [
            {
                "name": namespace,
                "url": url.rpartition("/")[0],
                "template": True,
                "username": "ci",
                "password": "{{ git_password }}",
            }
        ],
        "bootstrap_application_sets": [
            {
                "name": namespace,
                # An empty list: that controller of Argo CD, where it runs, has nothing to make.
                "generators": [{"list": {"elements": []}}],
                "template": {
                    "metadata": {"name": raw % "{{.stage}}"},
                    "spec": {"project": namespace, "source": source, "destination": destination},
                },
                "preserve_resources": True,
                "sync_policy": "create-update",
            }
        ],
        "bootstrap_applications": [
            {
                "name": namespace,
                "project": namespace,
                "url": url,
                "path": "app",
                "revision": "main",
                "destination_namespace": namespace,
                "create_namespace": True,
                "labels": {"team": "shop"},
                "retry": {"limit": 1},
                "sync_wave": 2,
            }
        ],
    }


def test_a_team_is_wired_by_the_role_once_and_gone_without_a_trace(ansible, cluster, argocd, private, namespace):
    role = {"roles": [{"role": "iac.gitops.bootstrap", "vars": wiring(namespace, private)}]}
    expected = {
        f"Project {namespace}": argo("AppProject", namespace),
        f"Cluster edge-{namespace}": secret(f"cluster-edge-{namespace}"),
        f"Repository {namespace}": secret(f"repo-{namespace}"),
        f"Application set {namespace}": argo("ApplicationSet", namespace),
        f"Application {namespace}": argo("Application", namespace),
    }

    checked = ansible([], "--check", "--diff", "-vvv", play=role, **SECRETS)
    assert checked.changed == list(expected)
    assert not [ref for ref in expected.values() if cluster.find(ref)]

    done = ansible([task("controller_info", name="argocd")], "--diff", "-vvv", play=role, **SECRETS)
    assert done.changed == list(expected)
    assert (done[f"Application {namespace}"]["sync"], done[f"Application {namespace}"]["health"]) == (
        "Synced",
        "Healthy",
    )
    there = {"name": "argocd", "version": argocd.version, "namespace": "argocd", "state": "managed"}
    assert done["controller_info"]["controllers"] == [there]
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "settings"))["data"] == {"colour": "blue"}

    edge = cluster.get(expected[f"Cluster edge-{namespace}"])
    assert edge["metadata"]["labels"]["stage"] == "edge"
    assert edge["metadata"]["annotations"]["example.com/nodes"] == "3"
    config = json.loads(base64.b64decode(edge["data"]["config"]))
    assert config["bearerToken"] == SECRETS["edge_token"]
    assert base64.b64decode(config["tlsClientConfig"]["keyData"]).decode() == SECRETS["edge_key"]
    made = cluster.get(expected[f"Application set {namespace}"])["spec"]
    assert made["template"]["metadata"]["name"] == "{{.stage}}"
    assert made["syncPolicy"] == {"preserveResourcesOnDeletion": True, "applicationsSync": "create-update"}
    template = cluster.get(expected[f"Repository {namespace}"])["metadata"]["labels"]
    assert template["argocd.argoproj.io/secret-type"] == "repo-creds"

    again = ansible([], "--diff", "-vvv", play=role, **SECRETS)
    assert again.changed == []
    assert not [canary for canary in CANARIES if canary in checked.output + done.output + again.output]

    remove = [
        task("application", name=namespace, state="absent"),
        task("application_set", name=namespace, state="absent"),
        task("repository", name=namespace, state="absent"),
        task("cluster", name=f"edge-{namespace}", state="absent"),
        task("project", name=namespace, state="absent"),
    ]
    assert ansible(remove, "--check").changed == [entry["name"] for entry in remove]
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", namespace, "settings"))
    twice = [{**entry, "name": f"{entry['name']} again"} for entry in remove]
    assert ansible([*remove, *twice]).changed == [entry["name"] for entry in remove]
    assert not [ref for ref in expected.values() if cluster.find(ref)]
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", namespace, "settings")) is None


def test_what_argocd_does_not_allow_or_can_not_read_is_said_in_its_own_words(
    ansible, cluster, argocd, private, namespace
):
    application = {
        "name": namespace,
        "project": namespace,
        "url": private,
        "path": "app",
        "revision": "main",
        "destination_namespace": namespace,
        "create_namespace": True,
        "wait_timeout": 60,
    }
    access = {"name": namespace, "url": private, "username": "ci"}

    def folders(name, url=private, key="basename", **options):
        source = {"repoURL": private, "path": "app", "targetRevision": "main"}
        made = {"project": namespace, "source": source, "destination": allowed}
        git = {"repoURL": url, "revision": "main", "directories": [{"path": "*"}]}
        title = f"{namespace}-{{{{.path.{key}}}}}"
        template = {"metadata": {"name": "{% raw %}" + title + "{% endraw %}"}, "spec": made}
        more = {"name": namespace, "generators": [{"git": git}], "template": template, **options}
        return task("application_set", name, wait_timeout=60, **more)

    allowed = {"namespace": namespace, "server": "https://kubernetes.default.svc"}
    elsewhere = {"namespace": "elsewhere", "server": "https://kubernetes.default.svc"}
    namespaces = [{"group": "", "kind": "Namespace"}]

    def attempt(name, **options):
        return task("application", name, **application | options, _ignore_errors=True)

    done = ansible(
        [
            task("project", "restricted", name=namespace, destinations=[elsewhere], cluster_resources=namespaces),
            task("repository", "wrong access", **access, password="{{ wrong_password }}"),
            attempt("denied namespace"),
            task("project", "allowed", name=namespace, destinations=[allowed], cluster_resources=namespaces),
            attempt("wrong password"),
            task("repository", "access", **access, password="{{ git_password }}"),
            attempt("missing branch", revision="nowhere"),
            attempt("no such folder", path="nowhere"),
            attempt("right"),
            folders("mistyped template", key="basname", _ignore_errors=True),
            folders("missing repository", url=f"{private}.nowhere", _ignore_errors=True),
            folders("set"),
            folders("set again"),
            task("sync", "sync of the set", name=namespace, kind="application_set"),
            folders("set after the sync"),
            folders("no set", state="absent"),
            task("repository", "access of nobody", name=namespace, url=private),
            task(
                "application_set",
                "unknown field",
                name=namespace,
                generators=[{"list": {"elements": [], "elemnts": []}}],
                template={"metadata": {"name": "a"}, "spec": {"project": namespace}},
                _ignore_errors=True,
            ),
        ],
        "-vvv",
        **SECRETS,
    )
    failed = {name: result["code"] for name, result in done.tasks if "code" in result}
    assert failed == {
        "denied namespace": "controller.sync_failed",
        "wrong password": "controller.sync_failed",
        "missing branch": "controller.sync_failed",
        "no such folder": "controller.sync_failed",
        "mistyped template": "controller.sync_failed",
        "missing repository": "controller.sync_failed",
        "unknown field": "cluster.invalid",
    }
    assert f"do not match any of the allowed destinations in project '{namespace}'" in done["denied namespace"]["msg"]
    assert "authentication" in done["wrong password"]["msg"].lower()
    assert "nowhere" in done["missing branch"]["msg"]
    assert "nowhere" in done["no such folder"]["msg"]
    assert "elemnts" in done["unknown field"]["msg"]
    assert done["right"]["health"] == "Healthy"
    assert 'map has no entry for key "basname"' in done["mistyped template"]["msg"]
    assert "repository not found" in done["missing repository"]["msg"]
    assert done["set"]["applications"] == [f"{namespace}-app"]
    assert {"set", "no set"} <= set(done.changed)
    assert not {"set again", "sync of the set", "set after the sync"} & set(done.changed)
    assert [change["kind"] for change in done["no set"]["changes"]] == ["ApplicationSet", "Application"]
    # Other credentials take the place of the old ones, of which nothing stays.
    assert set(cluster.get(secret(f"repo-{namespace}"))["data"]) == {"type", "url"}
    assert not [canary for canary in CANARIES if canary in done.output]


def test_argocd_manages_itself_and_has_its_password_by_options_of_the_role(ansible, sandbox, cluster, argocd, private):
    place = {"url": private, "path": "clusters/one", "username": "ci", "password": "{{ git_password }}"}
    options = {"bootstrap_self_manage": place, "bootstrap_admin_secret": "argocd-admin"}
    role = {"roles": [{"role": "iac.gitops.bootstrap", "vars": options}]}
    install = "Install the controller"
    login = Credentials("ci", SECRETS["git_password"])
    before = read_tip(private, "main", credentials=login)

    checked = ansible([], "--check", "--diff", "-vvv", play=role, **SECRETS)
    assert checked.changed == [install]
    assert (checked[install]["commit"], read_tip(private, "main", credentials=login)) == (before, before)
    refused = ansible([], "-vvv", play=role, expect=2, **SECRETS)
    assert "there is no Secret argocd/argocd-admin" in refused[install]["msg"]
    assert cluster.find(argo("Application", "argocd")) is None
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "argocd-admin", "namespace": "argocd"}}
    cluster.create({**made, "stringData": {"password": SECRETS["admin_password"]}})
    done = ansible([], "--diff", "-vvv", play=role, **SECRETS)
    assert done.changed == [install]
    api = ArgoCDApi(lambda: sandbox.argocd_server_url)
    assert api.applications(api.until_it_takes(SECRETS["admin_password"])) == {"argocd": "Synced"}
    assert api.refuses(SECRETS["wrong_password"])
    assert done[install]["commit"] == read_tip(private, "main", credentials=login) != before
    assert cluster.get(argo("Application", "argocd"))["status"]["sync"]["status"] == "Synced"
    again = ansible([], "--diff", "-vvv", play=role, **SECRETS)
    assert again.changed == []
    assert "left alone" not in again.output, "that Argo CD has its objects is as it should be"
    said = checked.output + refused.output + done.output + again.output
    assert not [canary for canary in CANARIES if canary in said]
