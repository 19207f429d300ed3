# SPDX-License-Identifier: Apache-2.0
"""What a task reports: changes, diffs, warnings, errors - and what it keeps to itself."""

from __future__ import annotations

import contextlib
import importlib.util
from pathlib import Path

import pytest
from ansible.module_utils import basic
from ansible.module_utils.testing import patch_module_args

from ansible_collections.iac.gitops.plugins.module_utils import _engine
from pulumi_gitops.core import cluster
from pulumi_gitops.core import deploy as engine
from pulumi_gitops.core.deploy import Action, Change, DeployResult
from pulumi_gitops.core.errors import ForbiddenError
from pulumi_gitops.core.objects import ObjectRef

CANARY = "canary-4f1d9c"
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"a": CANARY}}
RELEASE = {"name": "shop", "namespace": "shop", "definition": CONFIG}


def change(action, name="web", **more):
    return Change(action, ObjectRef("", "v1", "ConfigMap", "shop", name), **more)


@pytest.fixture
def deployed(monkeypatch):
    """The calls of the engine's deploy; what it answers can be set."""

    class Calls(list):
        changes = (change(Action.CREATE, after={"kind": "ConfigMap"}), change(Action.UNCHANGED, name="old"))
        error = None

    calls = Calls()

    def deploy(_, spec, *, check):
        calls.append((spec, check))
        if calls.error:
            raise calls.error
        return DeployResult(revision=3, digest="sha256:1", changes=calls.changes)

    monkeypatch.setattr(engine, "deploy", deploy)
    monkeypatch.setattr(cluster, "connect", lambda options: contextlib.nullcontext())
    return calls


def test_only_changed_objects_are_listed_and_none_in_full(deployed, run_module):
    result = run_module("deploy", **RELEASE)
    assert result["changed"] is True
    assert result["changes"] == [{"action": "create", "kind": "ConfigMap", "namespace": "shop", "name": "web"}]
    assert (result["revision"], result["digest"]) == (3, "sha256:1")
    assert "diff" not in result


def test_diff_mode_shows_each_changed_object_under_its_own_header(deployed, run_module):
    [entry] = run_module("deploy", _diff=True, **RELEASE)["diff"]
    assert "ConfigMap shop/web" in entry["before_header"]
    assert (entry["before"], entry["after"]) == ("", "kind: ConfigMap\n")


def test_unchanged_objects_are_no_change(deployed, run_module):
    deployed.changes = (change(Action.UNCHANGED),)
    result = run_module("deploy", **RELEASE)
    assert (result["changed"], result["changes"]) == (False, [])


def test_an_object_of_another_controller_is_left_alone_with_a_warning(deployed, run_module, monkeypatch):
    warnings = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: warnings.append(text))
    deployed.changes = (change(Action.HANDED_OVER, reason="Argo CD's application shop owns it"),)
    result = run_module("deploy", **RELEASE)
    assert result["changed"] is False
    assert warnings == ["ConfigMap shop/web was left alone: Argo CD's application shop owns it"]


def test_check_mode_reaches_the_engine(deployed, run_module):
    run_module("deploy", _check=True, **RELEASE)
    [(spec, check)] = deployed
    assert check is True
    assert spec.origin.face == "ansible"


def test_an_error_of_the_engine_has_code_hint_and_details_but_no_traceback(deployed, run_module):
    deployed.error = ForbiddenError("may not create configmaps in shop", status=403, reason="Forbidden", hint="Ask.")
    result = run_module("deploy", **RELEASE)
    assert result["failed"] is True
    assert (result["msg"], result["code"], result["hint"]) == (
        "may not create configmaps in shop",
        "cluster.forbidden",
        "Ask.",
    )
    assert result["details"] == {"status": 403, "reason": "Forbidden"}
    assert "exception" not in result


@pytest.mark.parametrize(
    ("module", "args"),
    [
        ("deploy", RELEASE),
        ("deploy", RELEASE | {"state": "no such state"}),  # refused by Ansible itself
        ("deploy", {"name": "x", "namespace": "x", "src": [{"path": "a.yaml", "content": f"# {CANARY}"}]}),
        ("deploy", RELEASE | {"kubeconfig": {"users": [{"user": {"token": CANARY}}]}}),
        ("deploy", RELEASE | {"kubeconfig": f"users:\n- user: {{token: {CANARY}}}", "state": "no such state"}),
        ("files", {"url": "ftp://x", "branch": "b", "commit_message": "m", "files": {"a": CANARY}, "password": CANARY}),
        ("controller", {"patches": [{"patch": {"data": CANARY}}], "name": "no such name"}),
        ("repository", {"name": "config", "url": "ftp://x", "password": CANARY}),
        (
            "files",
            {"url": f"https://ci:{CANARY}@git.example.com/x", "branch": "b", "commit_message": "m", "delete": "a"},
        ),
        ("deploy", RELEASE | {"proxy": f"http://ci:{CANARY}@proxy.example.com"}),
        ("deploy", {"name": "x", "namespace": "x", "helm": {"chart": "/nowhere", "values": {"a": CANARY}}}),
        ("plan", {"name": "x", "namespace": "x", "helm": {"chart": "/nowhere", "values": {"a": CANARY}, "typo": 1}}),
        ("plan", {"name": "x", "namespace": "x", "helm": f'{{"values": {{"a": "{CANARY}"}}}}'}),
    ],
)
def test_contents_are_not_repeated_in_the_result(module, args, deployed, run_module):
    assert CANARY not in str(run_module(module, **args))


def test_nothing_is_written_to_the_system_log(deployed, run_module, monkeypatch):
    monkeypatch.setattr(basic.AnsibleModule, "_log_to_syslog", lambda self, msg: pytest.fail(msg))
    monkeypatch.setattr(basic, "has_journal", False)
    run_module("deploy", **RELEASE)


def test_a_path_of_a_kubeconfig_is_shown(deployed, run_module):
    result = run_module("deploy", kubeconfig="/etc/kubeconfig", **RELEASE)
    assert result["invocation"]["module_args"]["kubeconfig"] == "/etc/kubeconfig"


def test_without_the_engine_the_message_says_what_to_install(run_module, monkeypatch):
    monkeypatch.setattr(_engine, "engine", None)
    result = run_module("deploy", **RELEASE)
    assert "pulumi-gitops" in result["msg"]
    assert result["hint"].startswith("pip install 'pulumi-gitops ~= 0.1.0'")


def test_an_engine_of_another_version_is_refused(run_module, monkeypatch):
    monkeypatch.setattr(_engine.engine, "__version__", "0.2.0")
    result = run_module("deploy", **RELEASE)
    assert result["msg"] == "pulumi-gitops 0.2.0 is installed, but this collection needs 0.1.x."


def test_content_of_a_file_has_to_be_text(run_module):
    result = run_module("files", url="https://git.example.com/x", branch="b", commit_message="m", files={"a": {"b": 1}})
    assert result["msg"] == "the content of 'a' is not text but dict"
    assert "to_nice_yaml" in result["hint"]


def test_a_linter_that_puts_its_own_class_in_place_of_ansible_module_deploys_nothing(deployed, run_module, monkeypatch):
    """ansible-lint checks the options of each task that way, with the class's __init__ raising at its end."""

    class Validated(Exception):  # noqa: N818  # the name that ansible-lint gives it
        pass

    class Validator(basic.AnsibleModule):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            raise Validated

    path = Path(importlib.import_module("ansible_collections.iac.gitops.plugins.modules.deploy").__file__)
    spec = importlib.util.spec_from_file_location("linted", path)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(basic, "AnsibleModule", Validator)
    spec.loader.exec_module(module)
    with patch_module_args(RELEASE), pytest.raises(Validated):
        module.main()
    assert deployed == []
