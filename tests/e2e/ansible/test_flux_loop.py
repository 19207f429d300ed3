# SPDX-License-Identifier: Apache-2.0
"""Flux bootstrapped, wired and removed by playbook, with Flux's own controllers at work; the shipped examples, too."""

from __future__ import annotations

import base64
import json
import shutil
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pulumi_gitops.core.controllers import catalog, download
from pulumi_gitops.core.controllers.lockfile import Lock
from pulumi_gitops.core.git import Credentials, commit_files
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import flux_manifest, flux_operator_manifest
from tests.e2e.ansible.playbooks import task

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[3] / "examples/ansible"
VERSION = "2.9.2"
SYSTEM = "flux-system"
# Secrets come from variables: Ansible quotes the lines of the playbook around a task that fails.
SECRETS = {
    "git_password": "canary-61c07e2f",
    "wrong_password": "canary-fd90b4a3",
    "hook": "canary-0c5e9a77",
    "webhook_secret": "canary-45be1d28",
}
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {colour: %s, stage: '${stage}'}\n"


@pytest.fixture
def lock(tmp_path):
    """A lock file that says what an earlier download of Flux's manifests brought.

    No module carries the released file; the composition has its place.
    """
    content = flux_manifest().read_bytes()
    download.write_cache(content)
    Lock(tmp_path / "gitops.lock").put(catalog.controller("flux").url(VERSION), download.sha256(content))
    return tmp_path / "gitops.lock"


@pytest.fixture
def example(ansible, tmp_path, lock):
    """Run a playbook of an example, copied to a folder with that lock file in it."""

    def run(name, *arguments, **options):
        folder = tmp_path / "example"
        shutil.copytree(EXAMPLES / name.partition("/")[0], folder, dirs_exist_ok=True)
        shutil.copy(lock, folder)
        return ansible(str(folder / name.partition("/")[2]), *arguments, **options)

    return run


@pytest.fixture
def private(sandbox, namespace):
    """URL of an empty repository that wants a password."""
    return sandbox.create_repository(namespace, username="ci", password=SECRETS["git_password"])


@pytest.fixture
def events():
    """URL that events can be sent to, and what has arrived there."""
    arrived = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            arrived.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", arrived
        server.shutdown()


def commit(url, files):
    login = Credentials("ci", SECRETS["git_password"])
    return commit_files(url, "main", files=files, message="Change", credentials=login).commit


def flux(group, kind, name, version="v1"):
    return ObjectRef(f"{group}.toolkit.fluxcd.io", version, kind, SYSTEM, name)


def until(check, what):
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def gone(cluster):
    """Whether nothing of Flux is left."""
    crds = cluster.list("apiextensions.k8s.io/v1", "CustomResourceDefinition", metadata_only=True)
    left = [crd["metadata"]["name"] for crd in crds if crd["metadata"]["name"].endswith("fluxcd.io")]
    return left == [] and cluster.find(ObjectRef("", "v1", "Namespace", "", SYSTEM)) is None


def test_two_environments_are_delivered_from_one_repository_and_removed(example, cluster, private, namespace):
    where = {"config_url": private, "shop_namespace": namespace}
    environment = {"GIT_PASSWORD": SECRETS["git_password"]}

    def web(stage):
        return ObjectRef("apps", "v1", "Deployment", f"{namespace}-{stage}", "web")

    done = example("flux-monorepo/bootstrap.yml", "-vvv", environment=environment, **where)
    assert done["Install Flux"]["version"] == VERSION
    head = done["Fill the config repository"]["commit"]
    for stage, host, replicas in (("staging", "staging.example.com", 1), ("production", "shop.example.com", 3)):
        synced = done[f"Sync {stage}"]
        assert (synced["sync"], synced["health"], synced["revision"]) == ("Synced", "Healthy", head)
        live = cluster.get(web(stage))
        assert live["status"]["readyReplicas"] == replicas
        assert live["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "HOST", "value": host}]
    assert {d["metadata"]["name"] for d in cluster.list("apps/v1", "Deployment", namespace=SYSTEM)} == {
        *("source-controller", "kustomize-controller", "notification-controller"),
    }
    again = example("flux-monorepo/bootstrap.yml", "--diff", "-vvv", environment=environment, **where)
    assert again.changed == []
    assert SECRETS["git_password"] not in done.output + again.output

    removed = example("flux-monorepo/remove.yml")
    assert len(removed.changed) == 4
    assert cluster.find(web("staging")) is None
    assert cluster.find(web("production")) is None
    assert gone(cluster)


def test_a_playbook_lets_the_operator_install_flux_and_removes_both(ansible, sandbox, cluster):
    sandbox.follow("flux_operator")
    options = {"name": "flux", "method": "operator", "version": VERSION, "manifests": str(flux_operator_manifest())}
    install = [task("controller", **options, components=["source-controller", "kustomize-controller"], concurrency=7)]
    planned = ansible(install, "--check")
    assert planned.changed
    assert gone(cluster)
    assert len(ansible(install).changed) == 1
    assert cluster.get(ObjectRef("apps", "v1", "Deployment", SYSTEM, "kustomize-controller"))["status"]["readyReplicas"]
    assert ansible(install).changed == []
    assert ansible([task("controller", name="flux", state="absent")]).changed
    assert gone(cluster)


def test_facts_about_the_cluster_reach_the_manifests(ansible, example, cluster, sandbox, namespace):
    url = sandbox.create_repository(f"{namespace}-facts")
    folder = EXAMPLES / "cluster-metadata/config-repository"
    commit_files(
        url, "main", message="Add", files={"addon-flux/addon.yaml": (folder / "addon-flux/addon.yaml").read_text()}
    )
    example("cluster-metadata/flux.yml", config_url=url, addon_namespace=namespace)
    addon = cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "addon"))["data"]
    assert addon == {"cluster": "production", "region": "eu-central-1", "vpc": "vpc-0a1b2c3d", "size": "3 nodes"}
    # By name alone, of which a chart would be removed, too.
    remove = [
        task("application", controller="flux", name="addon", state="absent"),
        task("cluster", controller="flux", name="production", state="absent"),
        task("controller", name="flux", state="absent"),
    ]
    assert len(ansible(remove).changed) == 3
    assert gone(cluster)


def test_the_playbook_of_the_collection_bootstraps_flux_and_looks_for_the_lock_file_where_it_was_called(
    ansible, cluster, private, namespace, lock
):
    commit(private, {"app/settings.yaml": CONFIG % "blue"})
    variables = {
        "controller": "flux",
        "version": VERSION,
        "lock_file": lock.name,
        "components": ["source-controller", "kustomize-controller", "notification-controller"],
        "url": private,
        "username": "ci",
        "repository_interval": "5m",
        "application": namespace,
        "path": "app",
        "destination_namespace": namespace,
        "substitute": {"stage": "test"},
        "application_timeout": "1m",
    }
    environment = {"GIT_PASSWORD": SECRETS["git_password"]}
    done = ansible("iac.gitops.bootstrap", "-vvv", environment=environment, **variables)
    assert done.changed == ["Install the controller", "Wire the config repository", "Declare the application"]
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "settings"))["data"]["stage"] == "test"
    assert f"flux {VERSION} in namespace {SYSTEM}, {namespace} Synced and Healthy at" in done.output
    source = cluster.get(flux("source", "GitRepository", "config"))["spec"]
    assert (source["interval"], source["ref"]) == ("5m", {"branch": "main"})
    assert ansible("iac.gitops.bootstrap", environment=environment, **variables).changed == []
    assert SECRETS["git_password"] not in done.output
    remove = [
        task("application", controller="flux", name=namespace, repository="config", state="absent"),
        task("repository", controller="flux", name="config", state="absent"),
        task("controller", name="flux", state="absent"),
    ]
    assert len(ansible(remove).changed) == 3
    assert gone(cluster)


def test_the_role_wires_flux_once_with_events_that_arrive_and_errors_in_its_own_words(
    ansible, cluster, sandbox, private, namespace, events, lock
):
    commit(private, {"app/settings.yaml": CONFIG % "blue"})
    where, arrived = events
    application = {
        "name": namespace,
        "repository": namespace,
        "path": "app",
        "destination_namespace": namespace,
        "create_namespace": True,
        "substitute": {"stage": "test"},
        "interval": "1m",
        "retry_interval": "2s",
        "labels": {"team": "shop"},
    }
    login = {"username": "ci", "password": "{{ git_password }}"}
    role = {
        "bootstrap_controller": "flux",
        "bootstrap_version": VERSION,
        "bootstrap_lock_file": str(lock),
        "bootstrap_multitenant": True,
        "bootstrap_network_policies": False,
        "bootstrap_log_level": "error",
        "bootstrap_concurrency": 2,
        "bootstrap_patches": [
            {
                "target": {"kind": "Deployment", "name": "kustomize-controller"},
                "patch": [
                    # Without tenants' service accounts in this test the controller has to act as itself.
                    {"op": "add", "path": "/spec/template/spec/containers/0/args/-",
                     "value": "--default-service-account="},
                ],
            }
        ],
        "bootstrap_repositories": [{"name": namespace, "url": private, "interval": "1h", **login}],
        "bootstrap_applications": [application],
        "bootstrap_notifications": [
            {"name": "team", "type": "generic", "address": where + "/{{ hook }}", "severity": "info"},
            {
                "name": "pushed",
                "receiver": True,
                "type": "generic",
                "token": "{{ webhook_secret }}",
                "sources": [{"kind": "GitRepository", "name": namespace}],
            },
        ],
    }  # fmt: skip
    play = {"roles": [{"role": "iac.gitops.bootstrap", "vars": role}]}
    checked = ansible([], "--check", "-vvv", play=play, **SECRETS)
    expected = [f"Repository {namespace}", f"Application {namespace}", "Notification team", "Notification pushed"]
    assert checked.changed == ["Install the controller", *expected]
    assert gone(cluster)

    done = ansible([task("controller_info")], "--diff", "-vvv", play=play, **SECRETS)
    assert done.changed == checked.changed
    there = {"name": "flux", "version": VERSION, "namespace": SYSTEM, "state": "managed"}
    assert done["controller_info"]["controllers"] == [there]
    settings = ObjectRef("", "v1", "ConfigMap", namespace, "settings")
    assert cluster.get(settings)["data"] == {"colour": "blue", "stage": "test"}
    secret = cluster.get(ObjectRef("", "v1", "Secret", SYSTEM, f"repo-{namespace}"))["data"]
    assert base64.b64decode(secret["password"]).decode() == SECRETS["git_password"]
    assert ansible([], "--diff", "-vvv", play=play, **SECRETS).changed == []

    # A commit, of which Flux is told by the webhook: it looks once an hour otherwise.
    second = commit(private, {"app/settings.yaml": CONFIG % "red"})
    receiver = flux("notification", "Receiver", "pushed")
    until(lambda: (cluster.get(receiver).get("status") or {}).get("webhookPath"), "the receiver gets an address")
    address = sandbox.flux_receivers_url + cluster.get(receiver)["status"]["webhookPath"]
    urllib.request.urlopen(urllib.request.Request(address, data=b"{}"), timeout=10).close()
    until(lambda: cluster.get(settings)["data"]["colour"] == "red", "the commit arrives by the webhook")
    until(
        lambda: any(path == f"/{SECRETS['hook']}" and second in json.dumps(event) for path, event in arrived),
        "an event about the commit arrives",
    )

    def attempt(name, /, **options):
        given = {"controller": "flux", **application, "wait_timeout": 90, **options}
        return task("application", name, **given, _ignore_errors=True)

    third = commit(private, {"app/settings.yaml": CONFIG % "green", "broken/a.yaml": "kind: ConfigMap\n"})
    access = {"controller": "flux", "name": namespace, "url": private, "interval": "1h"}
    wrong = ansible(
        [
            task("sync", controller="flux", name=namespace, revision=third),
            task("sync", "no such application", controller="flux", name="no-such", _ignore_errors=True),
            attempt("no such folder", path="nowhere"),
            attempt("broken manifests", path="broken"),
            task("repository", "missing branch", **access, **login, branch="nowhere"),
            attempt("application of it"),
            task("repository", "wrong password", **access, username="ci", password="{{ wrong_password }}"),
            attempt("application without access"),
            attempt("chart", name="chart", helm={"chart": "podinfo"}, path="", wait=False, url=private,
                    repository="charts", substitute={}, retry_interval=None),
        ],
        "-vvv",
        **SECRETS,
    )  # fmt: skip
    assert wrong["sync"]["revision"] == third
    assert {name: result["code"] for name, result in wrong.tasks if "code" in result} == {
        "no such application": "controller.error",
        "no such folder": "controller.sync_failed",
        "broken manifests": "controller.sync_failed",
        "application of it": "controller.sync_failed",
        "application without access": "controller.sync_failed",
    }
    assert "nowhere" in wrong["no such folder"]["msg"]
    assert "metadata.name" in wrong["broken manifests"]["msg"]
    assert "nowhere" in wrong["application of it"]["msg"]
    assert "authentication" in wrong["application without access"]["msg"]

    remove = [
        task("application", controller="flux", name=namespace, repository=namespace, state="absent"),
        task("application", "chart", controller="flux", name="chart", state="absent"),
        task("notification", name="team", state="absent"),
        task("notification", "receiver", name="pushed", state="absent"),
        task("repository", controller="flux", name=namespace, state="absent"),
        task("controller", name="flux", state="absent"),
    ]
    refused = ansible([remove[-1]], expect=2)["controller"]
    assert refused["code"] == "controller.removal_refused"
    assert ansible(remove).changed == [entry["name"] for entry in remove]
    assert gone(cluster)
    assert cluster.find(settings) is None
    printed = checked.output + done.output + wrong.output
    assert not [secret for secret in SECRETS.values() if secret in printed]
