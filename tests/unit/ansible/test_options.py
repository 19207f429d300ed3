# SPDX-License-Identifier: Apache-2.0
"""The modules' options are those that were promised, and they mean what the engine means by them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.iac.gitops.plugins.module_utils import _engine
from pulumi_gitops.core import __version__, cluster
from pulumi_gitops.core.cluster import ConnectionOptions
from pulumi_gitops.core.controllers import catalog
from pulumi_gitops.core.controllers.argocd.manifests import PROFILES
from pulumi_gitops.core.controllers.flux.manifests import COMPONENTS
from pulumi_gitops.core.controllers.repository_spec import RepositoryType
from pulumi_gitops.core.deploy import ForceConflicts, Ownership, rollback
from pulumi_gitops.core.deploy.spec import GUARDED_KINDS
from pulumi_gitops.core.errors import ClusterUnreachableError
from pulumi_gitops.core.git import Credentials
from scripts import faces

COLLECTION = Path(__file__).parents[3] / "ansible_collections/iac/gitops"

# What the project promised, module by module. `message` of `files` is called `commit_message` inside, see there.
PROMISED = {
    "controller": "name state version namespace manifests checksum patches registry image_pull_secret mirror "
    "lock_file profile config known_hosts tls_certificates gpg_keys self_manage admin_secret method operator_version "
    "values components network_policies multitenant log_level concurrency wait wait_timeout",
    "controller_info": "name namespace",
    "repository": "controller name url type username password bearer_token ssh_private_key known_hosts github_app_id "
    "github_app_installation_id github_app_private_key github_app_url repository_ca_cert repository_client_cert "
    "repository_client_key repository_proxy repository_no_proxy template project branch tag semver commit interval "
    "ignore include verify namespace state",
    "application": "controller name url path revision destination_namespace project auto_sync prune self_heal "
    "create_namespace helm kustomize sources ignore_differences retry sync_options sync_wave repository interval "
    "retry_interval timeout depends_on health_checks substitute substitute_from decryption service_account remediation "
    "drift_detection labels namespace wait wait_timeout state",
    "project": "controller name description source_repos destinations cluster_resources namespace_resources roles "
    "sync_windows signature_keys orphaned_resources namespace wait_timeout state",
    "application_set": "controller name generators template go_template preserve_resources sync_policy strategy "
    "namespace wait wait_timeout state",
    "cluster": "controller name server token cluster_ca_cert cluster_client_cert cluster_client_key tls_server_name "
    "insecure exec_plugin labels metadata project namespace wait_timeout state",
    "notification": "controller name type address channel username token severity sources exclude receiver events "
    "namespace wait_timeout state",
    "deploy": "name namespace definition src kustomize helm remote_src images replicas create_namespace wait "
    "wait_timeout prune rollback_on_failure plan_file plan_digest require_approval approved_by approval_max_age state",
    "plan": "name namespace definition src kustomize helm remote_src images replicas plan_file report fail_on_change",
    "rollback": "name namespace revision wait wait_timeout lock_timeout force_conflicts plan_digest require_approval "
    "approved_by",
    "release_info": "name namespace drift",
    "files": "url branch username password files delete commit_message author",
    "sync": "controller kind name revision namespace wait_timeout",
}
CONNECTION = (
    "kubeconfig context host api_key ca_cert validate_certs client_cert client_key proxy no_proxy proxy_headers "
    "impersonate_user impersonate_groups"
)
# Of `files` the engine has no more than the credentials as a class.
SPECS = {thing.module: thing.spec for thing in faces.THINGS if thing.spec} | {"files": Credentials}
# Not for users: set by the module itself.
INTERNAL = {"source", "annotations", "objects"}
# Modules for a controller and what it is wired with: they have the options of their spec and these, and no others.
WIRED = {
    thing.module: {d.ansible for d in faces.differences(thing).values() if d.ansible == d.option} - {"name"}
    for thing in faces.THINGS
    if faces.choices(thing.module) and thing.resource
}
SECRET = {
    "repository": "password bearer_token ssh_private_key github_app_private_key repository_client_key repository_proxy",
    "cluster": "token cluster_client_key",
    "notification": "token address",
    "files": "password",
}


@pytest.mark.parametrize("module", PROMISED)
def test_promised_options_are_there(module, call_of):
    promised = set(PROMISED[module].split()) | (set() if module == "files" else set(CONNECTION.split()))
    assert promised <= set(call_of(module)["argument_spec"])


@pytest.mark.parametrize("module", SPECS)
def test_options_have_the_names_and_defaults_of_the_engine(module, call_of):
    options = call_of(module)["argument_spec"]
    for field in dataclasses.fields(SPECS[module]):
        if field.name in INTERNAL:
            continue
        default = options[option_of(module, field)].get("default")
        assert default == as_option(field), field.name


@pytest.mark.parametrize("module", WIRED)
def test_modules_of_controllers_have_the_options_of_the_engine_and_few_others(module, call_of):
    fields = {option_of(module, field) for field in dataclasses.fields(SPECS[module])} - {"source"}
    assert set(call_of(module)["argument_spec"]) - set(CONNECTION.split()) == fields | WIRED[module]


def option_of(module, field):
    """Return the option for a field: of the same name, or of the one that the list of differences tells."""
    [thing] = [thing for thing in faces.THINGS if thing.module == module]
    difference = faces.differences(thing).get(field.name)
    return difference.ansible if difference else field.name


@pytest.mark.parametrize("module", PROMISED)
def test_every_credential_and_nothing_else_is_kept_out_of_logs(module, call_of):
    options = call_of(module)["argument_spec"]
    marked = {name for name, option in options.items() if option.get("no_log")} - {"api_key"}
    assert marked == set(SECRET.get(module, "").split())


def as_option(field):
    """Return the default of a field as an Ansible module says it; an empty text is an option that is not given."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    default = field.default
    if isinstance(default, tuple):
        return list(default)
    return None if default in ("", dataclasses.MISSING) else str(default) if isinstance(default, enum.Enum) else default


def test_a_plan_has_every_option_that_decides_over_it_with_the_same_defaults(call_of):
    planning, deploying = (call_of(module)["argument_spec"] for module in ("plan", "deploy"))
    assert {name for name in deploying if planning.get(name) != deploying[name]} == {
        *("wait", "wait_timeout", "stall_timeout", "lock_timeout", "rollback_on_failure", "history_limit"),
        *("history_secrets", "plan_digest", "require_approval", "approved_by", "approval_max_age", "state"),
    }
    assert set(planning) - set(deploying) == {"report", "fail_on_change"}


def test_a_rollback_has_the_options_and_defaults_of_the_engine(call_of):
    options = call_of("rollback")["argument_spec"]
    parameters = inspect.signature(rollback).parameters
    for name in ("wait", "wait_timeout", "lock_timeout", "force_conflicts"):
        assert options[name]["default"] == parameters[name].default, name
    assert options["revision"]["default"] == parameters["to"].default


def test_the_choices_are_those_of_the_engine(call_of):
    options = call_of("deploy")["argument_spec"]
    assert options["force_conflicts"]["choices"] == list(map(str, ForceConflicts))
    assert options["ownership"]["choices"] == list(map(str, Ownership))
    assert set(options["prune_kinds"]["choices"]) == GUARDED_KINDS
    controller = call_of("controller")["argument_spec"]
    assert controller["profile"]["choices"] == list(PROFILES)
    assert controller["components"]["choices"] == list(COMPONENTS)
    assert call_of("repository")["argument_spec"]["type"]["choices"] == list(map(str, RepositoryType))


@pytest.mark.parametrize("module", WIRED)
def test_the_controllers_to_choose_from_are_those_that_have_such_a_thing(module, call_of):
    option = call_of(module)["argument_spec"]["name" if module == "controller" else "controller"]
    only = {
        "project": ["argocd"],
        "application_set": ["argocd"],
        "notification": ["flux"],
        "controller": ["argocd", "flux", "weave_gitops"],
    }
    assert option["choices"] == only.get(module, ["argocd", "flux"])
    for name in option["choices"]:
        assert catalog.controller(name).name == name


def test_the_role_has_the_options_and_defaults_of_the_module(call_of):
    module = {
        name: option for name, option in call_of("deploy")["argument_spec"].items() if name not in CONNECTION.split()
    }
    role = COLLECTION / "roles/deploy"
    options = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    [task] = yaml.safe_load((role / "tasks/main.yml").read_text())
    assert {f"deploy_{name}" for name in module} == set(options)
    assert set(module) == set(task["iac.gitops.deploy"])
    for name, option in module.items():
        told = options[f"deploy_{name}"]
        assert told.get("default") == option.get("default") == defaults.get(f"deploy_{name}"), name
        assert told.get("choices") == option.get("choices"), name
        assert told.get("required", False) == option.get("required", False), name
        assert told["type"] == option["type"].replace("path", "str"), name
        assert f"deploy_{name}" in task["iac.gitops.deploy"][name]


@pytest.mark.parametrize("name", ["plan", "deploy", "rollback"])
def test_a_playbook_has_all_options_of_its_module_as_variables_and_tells_them(name, call_of):
    [play] = yaml.safe_load((COLLECTION / f"playbooks/{name}.yml").read_text())
    check, work, *_ = play["tasks"]
    options = set(call_of(name)["argument_spec"]) - set(CONNECTION.split())
    assert set(work[f"iac.gitops.{name}"]) == options
    usage = check["ansible.builtin.assert"]["fail_msg"]
    untold = {option for option in options if option not in usage} - {"name", "remote_src"}
    assert untold == set()
    for option in options - {"name", "namespace"}:
        assert f"{{{{ {option} | default(" in work[f"iac.gitops.{name}"][option]


ROLE = COLLECTION / "roles/bootstrap"
LISTS = {
    "project": "projects",
    "cluster": "clusters",
    "repository": "repositories",
    "application_set": "application_sets",
    "application": "applications",
    "notification": "notifications",
}


def own_options(call_of, module):
    spec = call_of(module)["argument_spec"]
    return {name: option for name, option in spec.items() if name not in CONNECTION.split()}


def told_of(option):
    return option["type"].replace("path", "str"), option.get("elements"), option.get("choices")


def test_the_role_bootstrap_has_the_options_and_defaults_of_the_controller(call_of):
    module = own_options(call_of, "controller")
    del module["state"]
    module["controller"] = module.pop("name")
    options = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
    install, *_ = yaml.safe_load((ROLE / "tasks/main.yml").read_text())
    assert {f"bootstrap_{name}" for name in [*module, *LISTS.values()]} == set(options)
    assert {name.replace("controller", "name") for name in module} == set(install["iac.gitops.controller"])
    for name, option in module.items():
        told = options[f"bootstrap_{name}"]
        assert told.get("default") == option.get("default") == defaults.get(f"bootstrap_{name}"), name
        assert told_of(told) == told_of(option), name


@pytest.mark.parametrize("module", LISTS)
def test_entries_of_the_role_bootstrap_have_the_options_of_their_modules(module, call_of):
    options = own_options(call_of, module)
    [task] = yaml.safe_load((ROLE / f"tasks/{module}.yml").read_text())
    assert set(task[f"iac.gitops.{module}"]) == set(options)
    specs = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    told = specs[f"bootstrap_{LISTS[module]}"]["options"]
    assert {name: told_of(option) for name, option in told.items()} == {
        name: told_of(option) for name, option in options.items() if name not in ("controller", "namespace")
    }
    for name in told:
        assert f"bootstrap_entry.{name} " in task[f"iac.gitops.{module}"][name]


def test_the_playbook_bootstrap_has_all_options_of_its_three_modules_as_variables(call_of):
    # An option's variable, where it is not called as the option: two modules have it, or Ansible a keyword.
    renamed = {
        ("controller", "name"): "controller",
        ("repository", "name"): "repository",
        ("repository", "interval"): "repository_interval",
        ("repository", "project"): "repository_project",
        ("application", "name"): "application",
        ("application", "timeout"): "application_timeout",
        **{(module, "namespace"): "bootstrap_namespace" for module in ("controller", "repository", "application")},
    }
    [play] = yaml.safe_load((COLLECTION / "playbooks/bootstrap.yml").read_text())
    for task in play["tasks"]:
        [action] = [key for key in task if "." in key]
        module = action.rpartition(".")[2]
        if module not in LISTS and module != "controller":
            continue
        options = set(own_options(call_of, module)) - {"state"}
        assert set(task[action]) == options
        for option in options:
            variable = renamed.get((module, option), option)
            assert re.search(rf"\b{variable}\b", task[action][option]), option


@pytest.mark.parametrize("module", PROMISED)
def test_every_module_has_check_mode(module, call_of):
    assert call_of(module)["supports_check_mode"] is True


def test_connection_options_are_those_of_the_engine():
    missing = {field.name for field in dataclasses.fields(ConnectionOptions)} - set(CONNECTION.split())
    # Basic authentication left Kubernetes in 1.19, and `username` and `password` belong to Git in `repository`.
    assert missing == {"username", "password", "tls_server_name", "request_timeout"}


def test_a_connection_for_all_modules_is_set_by_one_group(call_of):
    groups = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["action_groups"]
    with_cluster = {module for module in PROMISED if "kubeconfig" in call_of(module)["argument_spec"]}
    assert set(groups["all"]) == with_cluster
    with_controller = {module for module in PROMISED if "controller" in call_of(module)["argument_spec"]}
    assert set(groups["wiring"]) == with_controller
    assert set(groups["git"]) == set(PROMISED) - with_cluster


@pytest.mark.parametrize("module", PROMISED)
def test_a_module_tells_the_groups_that_it_is_in(module):
    groups = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["action_groups"]
    source = (COLLECTION / f"plugins/modules/{module}.py").read_text()
    told = {name for name in groups if f"iac.gitops._attributes.{name}_group" in source}
    # That of the narrowest group names the wider one, too.
    assert told | ({"all"} if "wiring" in told else set()) == {name for name in groups if module in groups[name]}


def test_every_module_of_the_collection_is_promised():
    assert {path.stem for path in (COLLECTION / "plugins/modules").glob("*.py")} == set(PROMISED)


def test_collection_and_engine_have_one_version():
    assert yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"] == __version__
    assert __version__.startswith(_engine.NEEDED + ".")


ENVIRONMENT = [
    ("K8S_AUTH_KUBECONFIG", "/etc/kubeconfig", "kubeconfig", "/etc/kubeconfig"),
    ("K8S_AUTH_CONTEXT", "staging", "context", "staging"),
    ("K8S_AUTH_HOST", "https://k8s.example.com", "host", "https://k8s.example.com"),
    ("K8S_AUTH_API_KEY", "token-of-somebody", "api_key", "token-of-somebody"),
    ("K8S_AUTH_VERIFY_SSL", "false", "validate_certs", False),
    ("K8S_AUTH_VALIDATE_CERTS", "no", "validate_certs", False),
    ("K8S_AUTH_SSL_CA_CERT", "/etc/ca.pem", "ca_cert", "/etc/ca.pem"),
    ("K8S_AUTH_CA_CERT", "/etc/ca.pem", "ca_cert", "/etc/ca.pem"),
    ("K8S_AUTH_CERT_FILE", "/etc/cert.pem", "client_cert", "/etc/cert.pem"),
    ("K8S_AUTH_KEY_FILE", "/etc/key.pem", "client_key", "/etc/key.pem"),
    ("K8S_AUTH_PROXY", "http://proxy.example.com:3128", "proxy", "http://proxy.example.com:3128"),
    ("K8S_AUTH_NO_PROXY", ".example.com", "no_proxy", ".example.com"),
    ("K8S_AUTH_PROXY_HEADERS_USER_AGENT", "ci/1.0", "proxy_headers", {"user_agent": "ci/1.0"}),
    ("K8S_AUTH_IMPERSONATE_USER", "ci", "impersonate_user", "ci"),
    ("K8S_AUTH_IMPERSONATE_GROUPS", "dev,ops", "impersonate_groups", ("dev", "ops")),
]


@pytest.fixture
def asked(monkeypatch):
    """The connections that modules ask for; they get none."""
    seen = []

    def connect(options):
        seen.append(options)
        raise ClusterUnreachableError("not here")

    monkeypatch.setattr(cluster, "connect", connect)
    return seen


@pytest.mark.parametrize(("variable", "value", "option", "expected"), ENVIRONMENT)
def test_variables_of_kubernetes_core_work(variable, value, option, expected, run_module, asked, monkeypatch):
    monkeypatch.setenv(variable, value)
    run_module("sync", name="shop")
    assert getattr(asked[0], option) == expected


def test_an_option_wins_over_its_variable_and_an_empty_variable_counts_as_unset(run_module, asked, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_CONTEXT", "staging")
    monkeypatch.setenv("K8S_AUTH_VERIFY_SSL", "")
    run_module("sync", name="shop", context="production")
    assert asked[0] == ConnectionOptions(context="production")
