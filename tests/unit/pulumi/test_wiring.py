# SPDX-License-Identifier: Apache-2.0
"""The children of the wiring components: the objects of the engine, in its order, with credentials as secrets."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2

from pulumi_gitops.components.options import credentials_of
from pulumi_gitops.core import controllers
from pulumi_gitops.provider.values import decode

URL = "https://git.example.com/config.git"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-91-key\n"
FLUX = {"controller": "flux"}
APP = {"url": URL, "path": "apps/shop", "destination_namespace": "shop", "wait_timeout": 90}
APP_ID = {"github_app_id": "1", "github_app_installation_id": "2", "github_app_private_key": "canary-91-key"}
TEMPLATE = {"metadata": {"name": "{{.name}}"}, "spec": {"project": "default"}}

SPECS = {
    "Repository": (controllers.RepositorySpec, controllers.repository_objects),
    "Application": (controllers.ApplicationSpec, controllers.application_objects),
    "Project": (controllers.ProjectSpec, controllers.ProjectSpec.objects),
    "ApplicationSet": (controllers.ApplicationSetSpec, controllers.ApplicationSetSpec.objects),
    "Cluster": (controllers.ClusterSpec, controllers.ClusterSpec.objects),
    "Notification": (controllers.NotificationSpec, controllers.NotificationSpec.objects),
}
# Name of the component, which is unique among all -> its type and its options.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "repo": ("Repository", {"url": URL}),
    "repo-password": ("Repository", {"url": URL, "password": "canary-91-password", "project": "shop"}),
    "repo-template": (
        "Repository",
        {"url": "https://git.example.com/", "bearer_token": "canary-91-token", "template": True, "namespace": "argo"},
    ),
    "repo-ssh": ("Repository", {"url": "git@git.example.com:config.git", "ssh_private_key": KEY}),
    "repo-app": ("Repository", {"url": URL, **APP_ID, "proxy": "http://u:canary-91-pw@proxy.example.com:3128"}),
    "repo-oci": ("Repository", {"url": "oci://registry.example.com/charts", "type": "oci", "no_proxy": "localhost"}),
    "flux-open": ("Repository", {**FLUX, "url": URL, "branch": "release", "include": {"other": "lib"}}),
    "flux-password": (
        "Repository",
        {
            **FLUX,
            "url": URL,
            "username": "ci",
            "password": "canary-91-password",
            "ca_cert": "PEM",
            "namespace": "gitops",
        },
    ),
    "flux-ssh": (
        "Repository",
        {
            **FLUX,
            "url": "git@git.example.com:config.git",
            "ssh_private_key": KEY,
            "known_hosts": "git.example.com ssh-x",
        },
    ),
    "flux-app": ("Repository", {**FLUX, "url": URL, **APP_ID}),
    "flux-proxy": ("Repository", {**FLUX, "url": URL, "proxy": "http://u:canary-91-pw@proxy.example.com"}),
    "flux-both": (
        "Repository",
        {**FLUX, "url": URL, "bearer_token": "canary-91-token", "proxy": "http://proxy.example.com", "interval": "5m"},
    ),
    "flux-helm": ("Repository", {**FLUX, "url": "https://charts.example.com", "type": "helm"}),
    "flux-oci": (
        "Repository",
        {**FLUX, "url": "oci://registry.example.com/x", "type": "oci", "verify": {"provider": "cosign", "secret": "k"}},
    ),
    "flux-oci-password": (
        "Repository",
        {
            **FLUX,
            "url": "oci://registry.example.com/x",
            "type": "oci",
            "password": "canary-91-password",
            "ca_cert": "PEM",
        },
    ),
    "flux-oci-chart": (
        "Repository",
        {
            **FLUX,
            "url": "oci://registry.example.com/charts/shop",
            "type": "oci",
            "layer_selector": {"media_type": "application/x", "operation": "copy"},
        },
    ),
    "flux-app-oci": ("Application", {**FLUX, **APP, "url": "oci://registry.example.com/x", "wait": False}),
    "app": ("Application", {**APP, "sync_wave": 3, "labels": {"team": "shop"}, "wait": False}),
    "app-awaited": ("Application", APP),
    "app-manual": ("Application", {**APP, "auto_sync": False}),
    "app-chart": (
        "Application",
        {
            "url": "https://charts.example.com",
            "destination_namespace": "shop",
            "helm": {
                "chart": "shop",
                "version": "1.2.3",
                "values": {"a_b": 1, "aB": {"c_d": [1, 0.5]}},
                "parameters": {"replicas": 3},
                "value_files": ["x.yaml"],
                "release_name": "web",
            },
            "wait": False,
        },
    ),
    "app-sources": (
        "Application",
        {
            "sources": [{"repoURL": URL, "path": "a"}, {"repoURL": URL, "ref": "values"}],
            "destination_namespace": "shop",
        },
    ),
    "flux-app-own": ("Application", {**FLUX, **APP, "create_namespace": True, "revision": "tag:v1"}),
    "flux-app-shared": (
        "Application",
        {
            **FLUX,
            "repository": "config",
            "path": "apps/shop",
            "destination_namespace": "shop",
            "substitute": {"cluster_name": "one"},
            "substitute_from": [{"kind": "ConfigMap", "name": "cluster-one"}],
            "health_checks": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop"}],
            "depends_on": ["base"],
            "decryption": {"provider": "sops", "secret": "age"},
        },
    ),
    "flux-chart": (
        "Application",
        {
            **FLUX,
            "url": "https://charts.example.com",
            "destination_namespace": "shop",
            "helm": {"chart": "shop", "values_from": [{"kind": "Secret", "name": "values"}]},
            "remediation": 3,
            "drift_detection": "enabled",
            "auto_sync": False,
        },
    ),
    "flux-chart-oci": (
        "Application",
        {
            **FLUX,
            "url": "oci://registry.example.com/charts/shop",
            "destination_namespace": "shop",
            "helm": {"version": "1.2.3"},
            "wait": False,
        },
    ),
    "flux-chart-shared": (
        "Application",
        {
            **FLUX,
            "repository": "shop",
            "repository_type": "oci",
            "destination_namespace": "shop",
            "helm": {"values": {"replicas": 2}},
            "wait": False,
        },
    ),
    "project": ("Project", {"destinations": [{"namespace": "shop"}], "orphaned_resources": True}),
    "set": ("ApplicationSet", {"generators": [{"clusters": {}}], "template": TEMPLATE, "preserve_resources": True}),
    "cluster": (
        "Cluster",
        {"labels": {"stage": "production"}, "metadata": {"vpc": "vpc-1"}, "token": "canary-91-token", "server": URL},
    ),
    "cluster-exec": ("Cluster", {"exec_plugin": {"command": "aws", "args": ["eks"]}, "insecure": True}),
    "flux-cluster": ("Cluster", {**FLUX, "metadata": {"vpc": "vpc-1"}}),
    "alerts": ("Notification", {"type": "slack", "address": "https://hooks.example.com/canary-91", "channel": "ops"}),
    "alerts-open": ("Notification", {"type": "generic", "severity": "error", "exclude": ["x.*"]}),
    "hook": (
        "Notification",
        {
            "type": "github",
            "receiver": True,
            "token": "canary-91-token",
            "events": ["push"],
            "sources": [{"kind": "GitRepository", "name": "config"}],
        },
    ),
}

# In a process of its own: the SDK keeps its mocks and its event loop for the rest of the process.
PROGRAM = """
import json, sys
import pulumi
from google.protobuf.json_format import MessageToDict
from pulumi.runtime import mocks
import pulumi_gitops as gitops

registered = []

class Monitor(mocks.MockMonitor):
    def RegisterResource(self, request):
        if request.custom:
            registered.append({
                "type": request.type, "name": request.name, "parent": request.parent,
                "dependencies": [urn.rpartition("::")[2] for urn in request.dependencies],
                "object": MessageToDict(request.object),
                "from": {key: list(found.urns) for key, found in request.propertyDependencies.items()},
            })
        return super().RegisterResource(request)

class Echo(mocks.Mocks):
    def new_resource(self, args):
        return "id", args.inputs

    def call(self, args):
        return {}, []

mocks.set_mocks(Echo(), monitor=Monitor(Echo()))

@pulumi.runtime.test
def run():
    made = [getattr(gitops, kind)(name, args) for name, (kind, args) in json.load(sys.stdin).items()]
    try:
        gitops.Repository("wrong", {"url": "https://git.example.com/config.git", "controller": "argo"})
    except pulumi.RunError as error:
        registered.append({"error": str(error)})
    # What a program gets as outputs, and what the values of its inputs decide.
    late = pulumi.Output.from_input("https://git.example.com/late.git")
    password = pulumi.Output.secret("canary-91-late")
    repository = gitops.Repository("late", {"controller": "flux", "url": late, "password": password})
    gitops.Application("kept-secret", {
        "url": late, "path": "x", "destination_namespace": late.apply(lambda _: "late"), "controller": "flux",
        "create_namespace": True, "helm": {}, "substitute": {"key": pulumi.Output.secret("canary-91-value")},
    })
    gitops.Application("dependent", {
        "repository": repository.name, "path": "x", "destination_namespace": "late", "controller": "flux",
        "create_namespace": True, "wait": False,
    })
    return pulumi.Output.all(*(resource.urn for resource in made))

run()
print(json.dumps(registered))
"""


@dataclass
class Child:
    """A resource that a component registered."""

    type: str
    name: str
    dependencies: list[str]
    object: dict[str, Any]
    secrets: frozenset[tuple[str | int, ...]]
    dependent: set[str]
    """Properties that come from other resources."""


@pytest.fixture(scope="module")
def registered() -> list[dict[str, Any]]:
    """What the program registered, in order, and the error that it met."""
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, input=json.dumps(CASES), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def children(registered) -> dict[str, list[Child]]:
    """Name of the component -> its children, in the order of registration."""
    found: dict[str, list[Child]] = {}
    for entry in registered:
        if "error" in entry:
            continue
        properties = decode(json_format.ParseDict(entry["object"], struct_pb2.Struct()))
        dependent = {name for name, urns in entry["from"].items() if urns}
        facts = [entry[name] for name in ("type", "name", "dependencies")]
        made = Child(*facts, properties.values, properties.secrets, dependent)
        found.setdefault(entry["parent"].rpartition("::")[2], []).append(made)
    return found


def wired(children: dict[str, list[Child]], name: str) -> list[Child]:
    return sorted(
        (child for child in children[name] if not child.type.startswith("gitops:")),
        key=lambda child: len(child.dependencies),
    )


def engine_objects(name: str) -> list[dict[str, Any]]:
    kind, options = CASES[name]
    spec, build = SPECS[kind]
    return build(spec(name=name, **options))


def plain_object(child: Child) -> dict[str, Any]:
    """The object that a child stands for, without what the Pulumi face adds."""
    obj = copy.deepcopy(child.object)
    annotations = obj["metadata"]["annotations"]
    for name in [name for name in annotations if name.startswith("pulumi.com/")]:
        del annotations[name]
    if not annotations:
        del obj["metadata"]["annotations"]
    return obj


@pytest.mark.parametrize("name", CASES)
def test_the_children_are_the_objects_of_the_engine_one_after_the_other(children, name):
    found, expected = wired(children, name), engine_objects(name)
    assert [plain_object(child) for child in found] == expected
    assert [sorted(child.dependencies) for child in found] == [
        sorted(before.name for before in found[:index]) for index in range(len(found))
    ]
    for child in found:
        assert child.object["metadata"]["annotations"]["pulumi.com/patchFieldManager"] == "pulumi-gitops"


@pytest.mark.parametrize("name", CASES)
def test_what_a_secret_holds_is_secret_and_nothing_else_is(children, name):
    for child in wired(children, name):
        assert child.secrets == ({("stringData",)} if "stringData" in child.object else frozenset())
        shown = {key: value for key, value in child.object.items() if key != "stringData"}
        assert "canary-91" not in json.dumps(shown)


def test_no_credential_is_anywhere_but_in_a_secret(children):
    """The case table has every option that the engine calls a credential, each with a canary."""
    tried = {
        (CASES[name][0], option) for name in CASES for option, value in CASES[name][1].items() if "canary" in str(value)
    }
    assert {(kind, option) for kind, (spec, _) in SPECS.items() for option in credentials_of(spec)} - tried == {
        ("Repository", "client_key"),
        ("Cluster", "client_key"),
    }


def test_a_sync_waits_for_what_the_spec_says_and_comes_last(children):
    synced = {name: child for name in children for child in children[name] if child.type == "gitops:index:Sync"}
    assert set(synced) == {"app-awaited", "app-sources", "flux-app-own", "flux-app-shared", "kept-secret", "set"}
    assert (synced["set"].object["kind"], synced["set"].object["application"]) == ("application_set", "set")
    assert synced["set"].dependencies == ["set"]
    flux = synced["flux-app-own"]
    assert flux.object["controller"] == "flux"
    assert flux.object["waitTimeout"] == 90
    assert flux.object["triggers"] == [obj["spec"] for obj in engine_objects("flux-app-own") if "spec" in obj]
    assert flux.dependencies == ["flux-app-own"] * 3


def test_argocd_is_given_time_to_look_at_an_application_that_is_awaited(children):
    def annotations(name: str) -> dict[str, str]:
        return wired(children, name)[-1].object["metadata"]["annotations"]

    assert annotations("app-awaited") == {
        "pulumi.com/patchFieldManager": "pulumi-gitops",
        "pulumi.com/waitFor": "jsonpath={.status.sync.status}",
        "pulumi.com/timeoutSeconds": "90",
    }
    for name in ("app-manual", "flux-app-own"):
        assert list(annotations(name)) == ["pulumi.com/patchFieldManager"]


def test_a_change_of_a_set_wins_over_what_argocd_has_written_into_it(children):
    assert wired(children, "set")[0].object["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"


def test_outputs_of_other_resources_can_be_inputs(children):
    secret, source = wired(children, "late")
    assert secret.object["stringData"] == {"username": "git", "password": "canary-91-late"}
    assert source.object["spec"]["url"] == "https://git.example.com/late.git"
    namespace, _, application = wired(children, "kept-secret")
    assert namespace.object["metadata"]["name"] == "late"
    assert application.object["spec"]["targetNamespace"] == "late"


def test_an_identity_does_not_depend_on_what_is_replaced_with_new_credentials(children):
    namespace, application = wired(children, "dependent")
    assert namespace.dependent == set()
    assert application.dependent == {"spec"}


def test_a_secret_that_is_no_credential_stays_secret_where_it_stands(children):
    _, source, application = wired(children, "kept-secret")
    assert ("spec",) in application.secrets | source.secrets
    assert application.object["spec"]["postBuild"] == {"substitute": {"key": "canary-91-value"}}
    assert application.object["metadata"]["name"] == "kept-secret"
    assert ("metadata", "name") not in application.secrets


def test_a_program_is_told_which_component_is_wrong_without_a_traceback(registered):
    [told] = [entry["error"] for entry in registered if "error" in entry]
    assert told.startswith("Repository wrong: unknown controller 'argo'; known: argocd, flux")
