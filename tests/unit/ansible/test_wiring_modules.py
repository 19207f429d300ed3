# SPDX-License-Identifier: Apache-2.0
"""What the modules for controllers and their wiring ask of the engine, and what they keep to themselves."""

from __future__ import annotations

import contextlib
import json

import pytest
from ansible.module_utils import basic

from pulumi_gitops.core import cluster, controllers
from pulumi_gitops.core.controllers import (
    ApplicationResult,
    ApplicationSetResult,
    ApplicationSpec,
    ClusterSpec,
    ControllerResult,
    InstalledController,
    InstallState,
    NotificationSpec,
    RepositorySpec,
    application_objects,
    repository_objects,
)
from pulumi_gitops.core.deploy import Action, Change
from pulumi_gitops.core.objects import ObjectRef

CANARY = "canary-7d10ae55"
URL = "https://git.example.com/config.git"
KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n"
TEMPLATE = {"metadata": {"name": "{{.name}}"}, "spec": {"project": "default"}}
SET = {"name": "shop", "generators": [{"list": {"elements": [{"name": "a"}]}}], "template": TEMPLATE}
CHANGES = (Change(Action.CREATE, ObjectRef("", "v1", "Secret", "argocd", "repo-config")),)


@pytest.fixture
def calls(monkeypatch):
    """The calls of the engine: name, spec, keyword arguments."""
    seen = []

    def answer(name):
        def call(_, *args, **kwargs):
            seen.append((name, *args, kwargs))
            if name.endswith("application_set"):
                return ApplicationSetResult(("shop-staging",) if name.startswith("apply") else (), CHANGES)
            if name.endswith("application"):
                return ApplicationResult("1f3c9a2", "Synced", "Healthy", CHANGES)
            if name.endswith("install"):
                return ControllerResult("3.5.7", "argocd", CHANGES, revision=2, digest="sha256:set")
            if name == "installed":
                return (
                    InstalledController("2.9.4", "flux-system", InstallState.UNMANAGED) if args[0] == "flux" else None
                )
            return CHANGES

        return call

    names = "apply_repository remove_repository apply_application remove_application apply_wiring remove_wiring "
    names += "apply_application_set remove_application_set"
    for name in [*names.split(), "install", "uninstall", "installed"]:
        monkeypatch.setattr(controllers, name, answer(name))
    monkeypatch.setattr(cluster, "connect", lambda options: contextlib.nullcontext())
    return seen


@pytest.fixture
def looked_for(monkeypatch):
    """Identities of the objects that a removal looks for in a cluster that holds none."""
    seen = set()

    class Empty:
        def find(self, ref):
            seen.add(ref)

    monkeypatch.setattr(cluster, "connect", lambda options: contextlib.nullcontext(Empty()))
    return seen


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_certificates_of_the_connection_and_of_the_repository_do_not_mix(calls, run_module, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_PROXY", "http://proxy.example.com")
    run_module("repository", name="config", url=URL, ca_cert="/etc/k8s-ca.pem", client_cert="/etc/k8s.pem")
    run_module(
        "repository",
        controller="flux",
        name="config",
        url=URL,
        repository_ca_cert="PEM of the CA",
        repository_client_cert="PEM",
        repository_client_key="the key",
        repository_proxy="http://git-proxy.example.com",
    )
    run_module("cluster", name="edge", ca_cert="/etc/k8s-ca.pem", cluster_ca_cert="PEM of the edge")
    (plain, own, edge) = (spec for _, spec, _ in calls)
    assert plain == RepositorySpec(name="config", url=URL)
    assert (own.ca_cert, own.client_cert, own.client_key) == ("PEM of the CA", "PEM", "the key")
    assert own.proxy == "http://git-proxy.example.com"
    assert edge == ClusterSpec(name="edge", ca_cert="PEM of the edge")


def test_of_a_dictionary_with_known_keys_only_what_was_given_reaches_the_engine(calls, run_module):
    chart = {"chart": "podinfo", "values": {"image": None}}
    run_module("application", name="shop", url=URL, destination_namespace="shop", helm=chart)
    run_module("application", controller="flux", name="shop", url=URL, path="apps", destination_namespace="shop",
               decryption={"secret": "sops-age"})  # fmt: skip
    run_module("repository", controller="flux", name="config", url=URL, verify={"mode": "HEAD", "secret": "signers"})
    argocd, flux, repository = (spec for _, spec, _ in calls)
    assert argocd.helm == chart  # a value that is null removes a default of the chart
    assert flux.decryption == {"secret": "sops-age"}
    assert repository.verify == {"mode": "HEAD", "secret": "signers"}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("project", {"name": "shop", "destinations": [{"namespace": "shop"}], "roles": [{"name": "developer"}]}),
        ("application_set", SET),
        ("cluster", {"name": "edge", "server": "https://edge.example.com", "labels": {"stage": "staging"}}),
        ("notification", {"name": "team", "type": "slack", "address": "https://hooks.example.com/1"}),
    ],
)
def test_wiring_is_declared_with_its_options_and_check_mode_is_handed_on(module, options, calls, run_module):
    result = run_module(module, _check=True, **options)
    [(name, spec, more)] = calls
    assert (name, more) == (f"apply_{'application_set' if module == 'application_set' else 'wiring'}", {"check": True})
    assert {option: getattr(spec, option) for option in options} == options
    assert result["changed"] is True
    assert result["changes"] == [{"action": "create", "kind": "Secret", "namespace": "argocd", "name": "repo-config"}]


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("repository", "state is present but all of the following are missing: url"),
        ("application", "state is present but all of the following are missing: destination_namespace"),
        ("application_set", "state is present but all of the following are missing: generators, template"),
        ("notification", "state is present but all of the following are missing: type"),
    ],
)
def test_what_a_declaration_needs_is_asked_for_at_once(module, message, calls, run_module):
    assert run_module(module, name="shop")["msg"] == message
    assert calls == []


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("application", {"destination_namespace": "shop"}, "application shop: url is missing"),
        ("application", {"controller": "flux", "url": URL, "path": "a", "destination_namespace": "b", "sync_wave": 1},
         "Flux has no option sync_wave"),
        ("repository", {"url": URL, "known_hosts": "git.example.com ssh-ed25519 AAAA"},
         "Argo CD has no option known_hosts"),
        ("repository", {"url": URL, "password": "canary-1", "bearer_token": "canary-2"},
         "password and bearer_token exclude each other"),
        ("cluster", {"metadata": {"nodes": 3}}, "cluster shop: metadata nodes is not a text"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused_by_the_engine_before_anything_is_connected(
    module, options, message, calls, run_module
):
    result = run_module(module, name="shop", **options)
    assert message in result["msg"]
    assert (result["code"], calls) == ("input.invalid", [])


# --- removal ---------------------------------------------------------------------------------------------------------


def refs(objects):
    return {ObjectRef.of(obj) for obj in objects if obj["kind"] != "Namespace"}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"template": True, "password": "secret"},
        {"controller": "flux"},
        {"controller": "flux", "bearer_token": "secret", "ca_cert": "PEM", "proxy": "http://proxy.example.com"},
        {"controller": "flux", "type": "helm", "url": "https://charts.example.com", "password": "secret"},
        {"controller": "flux", "type": "oci", "url": "oci://registry.example.com/a", "namespace": "gitops"},
    ],
)
def test_a_repository_is_removed_by_name_whatever_it_was_made_with(options, looked_for, run_module):
    spec = RepositorySpec(**{"name": "config", "url": URL, **options})
    by_name = {key: value for key, value in options.items() if key in ("controller", "namespace", "type")}
    assert run_module("repository", name="config", state="absent", **by_name)["changed"] is False
    assert refs(repository_objects(spec)) <= looked_for


@pytest.mark.parametrize(
    "options",
    [
        {"path": "apps"},
        {"sources": [{"repoURL": URL}], "url": ""},
        {"controller": "flux", "path": "apps", "create_namespace": True},
        {"controller": "flux", "path": "apps", "repository": "config", "url": ""},
        {"controller": "flux", "helm": {"chart": "podinfo"}},
        {"controller": "flux", "path": "apps", "url": "oci://registry.example.com/apps"},
        {"controller": "flux", "helm": {"version": "1.2.3"}, "url": "oci://registry.example.com/apps"},
    ],
)
def test_an_application_is_removed_by_name_whatever_kind_it_is(options, looked_for, run_module):
    spec = ApplicationSpec(**{"name": "shop", "url": URL, "destination_namespace": "shop", **options})
    by_name = {key: value for key, value in options.items() if key in ("controller", "repository")}
    assert run_module("application", name="shop", state="absent", **by_name)["changed"] is False
    assert refs(application_objects(spec)) <= looked_for


@pytest.mark.parametrize(
    "options",
    [
        {"type": "slack"},
        {"type": "github", "address": "https://git.example.com", "token": "secret"},
        {
            "type": "github",
            "token": "secret",
            "receiver": True,
            "sources": [{"kind": "GitRepository", "name": "config"}],
        },
    ],
)
def test_a_notification_is_removed_by_name_with_its_secret(options, looked_for, run_module):
    spec = NotificationSpec(name="team", **options)
    assert run_module("notification", name="team", state="absent")["changed"] is False
    assert refs(spec.objects()) <= looked_for


@pytest.mark.parametrize(
    ("module", "kind"), [("project", "AppProject"), ("application_set", "ApplicationSet"), ("cluster", "Secret")]
)
def test_the_rest_is_removed_by_name_too(module, kind, looked_for, run_module):
    assert run_module(module, name="shop", namespace="gitops", state="absent")["changed"] is False
    [ref] = looked_for
    assert (ref.kind, ref.namespace) == (kind, "gitops")


def test_a_removal_waits_as_long_as_it_is_told_and_changes_nothing_in_check_mode(calls, run_module):
    run_module("project", _check=True, name="shop", state="absent", wait_timeout=5)
    assert [(name, more) for name, _, more in calls] == [("remove_wiring", {"check": True, "wait_timeout": 5})]


def test_credentials_that_are_gone_do_not_keep_a_repository_from_being_removed(calls, run_module):
    result = run_module("repository", name="config", url="git@git.example.com:a.git", password="", state="absent")
    assert (result["changed"], calls[0][0]) == (True, "remove_repository")


def test_an_application_set_is_awaited_as_it_is_told_and_names_its_applications(calls, run_module):
    result = run_module("application_set", **SET, wait=False, wait_timeout=5)
    [(_, spec, _)] = calls
    assert (spec.wait, spec.wait_timeout, result["applications"]) == (False, 5, ["shop-staging"])
    assert run_module("application_set", name="shop", state="absent", wait_timeout=7)["applications"] == []
    assert (calls[-1][0], calls[-1][1].wait, calls[-1][1].wait_timeout) == ("remove_application_set", True, 7)


# --- controller ------------------------------------------------------------------------------------------------------


def test_a_controller_reports_version_revision_and_digest(calls, run_module):
    result = run_module("controller", profile="ha", config={"argocd-cm": {"url": "https://argocd.example.com"}})
    [(_, spec, _)] = calls
    assert (spec.profile, spec.config["argocd-cm"]) == ("ha", {"url": "https://argocd.example.com"})
    facts = {name: result[name] for name in ("version", "namespace", "revision", "digest")}
    assert facts == {"version": "3.5.7", "namespace": "argocd", "revision": 2, "digest": "sha256:set"}


def test_the_lock_file_is_the_engines_to_read_and_to_write(calls, run_module):
    run_module("controller", _check=True, name="flux", lock_file="/srv/gitops.lock")
    [(_, spec, more)] = calls
    assert (spec.lock_file, more) == ("/srv/gitops.lock", {"check": True})


def test_the_controllers_that_are_there_are_listed_with_who_looks_after_them(calls, run_module):
    result = run_module("controller_info")
    flux = {"name": "flux", "version": "2.9.4", "namespace": "flux-system", "state": "unmanaged"}
    assert (result["changed"], result["controllers"]) == (False, [flux])
    assert [call[1:3] for call in calls] == [("argocd", None), ("flux", None), ("weave_gitops", None)]
    assert run_module("controller_info", name="argocd", namespace="gitops")["controllers"] == []
    assert calls[-1][1:3] == ("argocd", "gitops")


# --- secrets ---------------------------------------------------------------------------------------------------------

GITHUB_APP = {"github_app_id": "1", "github_app_installation_id": "2", "github_app_private_key": KEY}
CREDENTIALS = [
    ("repository", {"name": "config", "url": URL, "password": CANARY}),
    ("repository", {"name": "config", "url": URL, "bearer_token": CANARY}),
    ("repository", {"name": "config", "url": "git@git.example.com:a.git", "ssh_private_key": KEY}),
    ("repository", {"name": "config", "url": URL, **GITHUB_APP}),
    ("repository", {"name": "config", "url": URL, "password": CANARY, "repository_client_cert": "PEM",
                    "repository_client_key": KEY}),
    ("repository", {"name": "config", "url": URL, "repository_proxy": f"http://ci:{CANARY}@proxy.example.com"}),
    ("cluster", {"name": "edge", "token": CANARY}),
    ("cluster", {"name": "edge", "cluster_client_cert": "PEM", "cluster_client_key": KEY}),
    ("cluster", {"name": "edge", "exec_plugin": {"command": "login", "env": {"PASSWORD": CANARY}}}),
    ("notification", {"name": "team", "type": "slack", "address": f"https://hooks.example.com/{CANARY}"}),
    ("notification", {"name": "team", "type": "github", "token": CANARY}),
    ("controller", {"config": {"argocd-cm": {"oidc.config": f"clientSecret: {CANARY}"}}}),
    ("controller", {"name": "weave_gitops", "values": {"oidcSecret": {"clientSecret": CANARY}}}),
    ("application", {"name": "shop", "url": URL, "destination_namespace": "shop", "path": "a",
                     "helm": {"values": {"password": CANARY}, "parameters": {"token": CANARY}}}),
    ("application", {"name": "shop", "destination_namespace": "shop", "sources": [{"helm": {"values": CANARY}}]}),
    ("application", {"name": "shop", "url": URL, "destination_namespace": "shop", "path": "a",
                     "kustomize": {"patches": [{"patch": CANARY}]}}),
    ("application", {"controller": "flux", "name": "shop", "url": URL, "destination_namespace": "shop", "path": "a",
                     "substitute": {"password": CANARY}}),
    ("application_set", {**SET, "generators": [{"list": {"elements": [{"password": CANARY}]}}]}),
    ("application_set", {**SET, "template": {**TEMPLATE, "spec": {"password": CANARY}}}),
]  # fmt: skip


@pytest.mark.parametrize("more", [{}, {"state": "no such state"}, {"name": "No Name"}])
@pytest.mark.parametrize(("module", "options"), CREDENTIALS)
def test_no_credential_is_repeated_whether_the_task_succeeds_or_fails(module, options, more, calls, run_module):
    result = run_module(module, _diff=True, **options | more)
    assert result.get("failed", False) is bool(more)
    assert CANARY not in json.dumps(result)


@pytest.mark.parametrize("option", ["known_hosts", "repository_ca_cert", "repository_client_cert"])
def test_what_is_no_secret_is_shown_as_it_was_given(option, calls, run_module):
    options = {"controller": "flux", "name": "config", "url": URL, "repository_client_key": KEY, option: "some text"}
    result = run_module("repository", **{"repository_client_cert": "PEM", **options})
    assert result["invocation"]["module_args"][option] == "some text"
    assert result["invocation"]["module_args"]["repository_client_key"] == "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def test_what_argocd_applies_itself_is_told_by_its_commit_and_warned_of_by_nobody(calls, run_module, monkeypatch):
    ref = ObjectRef("apps", "v1", "Deployment", "argocd", "argocd-server")
    handed = Change(Action.HANDED_OVER, ref, reason="applied by Argo CD itself (argocd)")

    def install(_, spec, **options):
        calls.append(spec)
        commit = "c" * 40 if spec.self_manage else ""
        return ControllerResult("3.5.7", "argocd", (handed,), revision=2, commit=commit)

    warnings = []
    monkeypatch.setattr(controllers, "install", install)
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: warnings.append(text))
    place = {"url": URL, "path": "clusters/one", "username": "ci", "password": CANARY}
    result = run_module("controller", self_manage=place)
    assert calls[-1].self_manage == {**place, "branch": "main", "application": "argocd"}
    assert (result["changed"], result["commit"], warnings) == (False, "c" * 40, [])
    assert CANARY not in json.dumps(result)
    # Where the program does not say that it manages itself, somebody else's Application has the objects.
    result = run_module("controller")
    assert warnings == [f"{ref} was left alone: applied by Argo CD itself (argocd)"]
    assert result["commit"] == ""


def test_credentials_in_the_url_of_self_manage_are_refused_and_not_shown(calls, run_module):
    result = run_module("controller", self_manage={"url": f"https://ci:{CANARY}@git.example.com/config.git"})
    assert (result["failed"], result["code"]) == (True, "input.invalid")
    assert calls == []
    assert CANARY not in json.dumps(result)
