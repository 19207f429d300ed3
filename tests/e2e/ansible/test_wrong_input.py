# SPDX-License-Identifier: Apache-2.0
"""What users get to read when something is wrong: which object, what to do, and never a secret."""

from __future__ import annotations

import hashlib
import sys

import pytest
import yaml

from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task

pytestmark = pytest.mark.sandbox

CANARY = "canary-0b93aa4f"
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": CANARY}}
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
STUCK = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "stuck"},
    "spec": {"nodeSelector": {"on": "no-node"}, "containers": [{"name": "web", "image": "registry.example.com/web"}]},
}


@pytest.fixture
def wrong_token(sandbox):
    """A kubeconfig as a dictionary, its token replaced."""
    document = yaml.safe_load(sandbox.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": CANARY}
    return document


def test_each_error_has_a_code_says_what_is_wrong_and_shows_no_secret(ansible, sandbox, namespace, wrong_token):
    def attempt(name, /, **options):
        # Secrets come from variables: Ansible quotes the lines of the playbook around a task that fails.
        release = {"name": name, "namespace": namespace, "definition": "{{ secret }}"}
        return task("deploy", name, **{**release, **options}, _ignore_errors=True)

    nobody = str(sandbox.kubeconfig_for("nobody"))
    done = ansible(
        [
            task("deploy", "owner", name="owner", namespace=namespace, definition=CONFIG),
            attempt("unreachable", host="https://127.0.0.1:1", api_key="{{ secret.stringData.password }}"),
            attempt("context", context="no-such-context"),
            attempt("token", kubeconfig="{{ wrong_token }}"),
            attempt("forbidden", kubeconfig=nobody),
            attempt("kind", definition={"apiVersion": "example.com/v1", "kind": "Wdget", "metadata": {"name": "a"}}),
            attempt("field", definition="{{ secret | combine({'typo': 'value'}) }}"),
            attempt("empty", definition=[]),
            attempt("clash", definition=[CONFIG]),
            attempt("image", images={"web": "registry.example.com/web:2"}),
            attempt("text", definition="kind: ConfigMap\nmetadata: [\n"),
            attempt("timeout", definition="{{ [secret, stuck] }}", wait_timeout=3),
        ],
        "-vvv",
        secret=SECRET,
        stuck=STUCK,
        wrong_token=wrong_token,
    )
    expected = {
        "unreachable": ("cluster.unreachable", "127.0.0.1"),
        "context": ("cluster.config", "no-such-context"),
        "token": ("cluster.unauthorized", ""),
        "forbidden": ("cluster.forbidden", namespace),
        "kind": ("cluster.unknown_kind", "Wdget"),
        "field": ("cluster.invalid", "typo"),
        "empty": ("input.empty_set", ""),
        "clash": ("deploy.ownership", f"ConfigMap {namespace}/settings"),
        "image": ("input.invalid", "web"),
        "text": ("input.manifest", "definition:3:1: "),
        "timeout": ("deploy.not_ready", f"Pod {namespace}/stuck"),
    }
    found = {name: done[name].get("code") for name in expected}
    assert found == {name: code for name, (code, _) in expected.items()}
    for name, (_, words) in expected.items():
        assert words in done[name]["msg"], done[name]
    assert "didn't match Pod's node affinity/selector" in str(done["timeout"]["details"]["objects"])
    assert CANARY not in done.output
    assert "Traceback" not in done.output


def test_a_missing_right_names_verb_resource_and_namespace(ansible, sandbox, namespace):
    release = {"name": "shop", "namespace": namespace, "definition": CONFIG}
    nobody = str(sandbox.kubeconfig_for("nobody"))
    message = ansible([task("deploy", **release, kubeconfig=nobody)], expect=2)["deploy"]["msg"]
    assert f'"{namespace}"' in message or namespace in message
    assert any(verb in message for verb in ("get", "list", "patch", "create"))
    assert any(resource in message for resource in ("namespaces", "secrets", "configmaps"))


def test_manifests_of_a_controller_are_found_sent_and_checked(ansible, cluster, namespace, tmp_path):
    manifest = yaml.safe_dump(CONFIG)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/install.yaml").write_text(manifest)
    options = {"namespace": namespace, "version": "0.0.1", "manifests": "install.yaml"}
    digest = hashlib.sha256(manifest.encode()).hexdigest()
    right = task("controller", "right", **options, checksum=digest)
    wrong = task("controller", "wrong", **options, checksum="0" * 64, _ignore_errors=True)
    folder = task("controller", "folder", **options | {"manifests": "files"}, _ignore_errors=True)
    elsewhere = {"vars": {"ansible_connection": "loop", "ansible_python_interpreter": sys.executable}}
    for play in ({}, elsewhere):
        done = ansible([right, wrong], "--check", play=play)
        changes = [(change["action"], change["kind"], change["name"]) for change in done["right"]["changes"]]
        assert ("create", "ConfigMap", "settings") in changes
        assert done["wrong"]["code"] == "input.checksum"
        assert digest in str(done["wrong"])
    assert "only a file can be sent" in ansible([folder], "--check", play=elsewhere)["folder"]["msg"]
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None
