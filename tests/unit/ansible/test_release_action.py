# SPDX-License-Identifier: Apache-2.0
"""What the action plugin of deploy and plan does on the controller before the module runs."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.plugins.action import ActionBase

PLUGINS = "ansible_collections.iac.gitops.plugins.action"
CANARY = "canary-3d7f02"


@pytest.fixture
def play(tmp_path, monkeypatch):
    """A folder of a playbook with sources; the working directory is elsewhere."""
    play, work = tmp_path / "play", tmp_path / "work"
    for folder in ("play/overlay", "play/files/chart", "work/chart"):
        (tmp_path / folder).mkdir(parents=True)
    (play / "web.yaml").write_text("kind: ConfigMap\n")
    (play / "values.yaml").write_text("replicas: 2\n")
    (work / "more.yaml").write_text("replicas: 3\n")
    monkeypatch.chdir(work)
    return play


@pytest.fixture
def act(play, monkeypatch):
    """Run the action plugin of a module; returns what the module gets, and what is in the files it is to read."""
    monkeypatch.setattr(ActionBase, "run", lambda self, tmp=None, task_vars=None: {})
    loader = DataLoader()
    loader.set_basedir(str(play))
    loader.set_vault_secrets([("default", VaultSecret(b"vault password"))])

    def act(name, /, transport="local", async_val=0, **args):
        plugin = object.__new__(importlib.import_module(f"{PLUGINS}.{name}").ActionModule)
        plugin._task = SimpleNamespace(args=args, async_val=async_val, get_search_path=list)
        plugin._connection = SimpleNamespace(transport=transport)
        plugin._loader = loader
        given = {}

        def execute(module_name, module_args, task_vars, wrap_async):
            files = (module_args.get("helm") or {}).get("value_files", [])
            texts = [Path(file).read_text() for file in files] if transport == "local" else []
            given.update(module=module_name, args=module_args, wrap_async=wrap_async, values=texts)
            return {}

        plugin._execute_module = execute
        plugin.run()
        return given

    return act


@pytest.mark.parametrize("name", ["deploy", "plan"])
def test_each_plugin_runs_its_own_module_with_what_the_files_contain(name, act, play):
    given = act(name, name="shop", src="web.yaml", async_val=60)
    assert (given["module"], given["wrap_async"]) == (f"iac.gitops.{name}", 60)
    content = {"path": str(play / "web.yaml"), "content": "kind: ConfigMap\n"}
    assert given["args"] == {"name": "shop", "src": [content]}


def test_folders_of_kustomizations_and_charts_are_found_like_manifests(act, play):
    assert act("deploy", kustomize="overlay")["args"] == {"kustomize": str(play / "overlay")}
    given = act("deploy", helm={"chart": "chart", "value_files": ["values.yaml", "more.yaml"], "version": "1.0.0"})
    assert given["args"]["helm"] == {
        "chart": str(play / "files/chart"),
        "value_files": [str(play / "values.yaml"), str(play.parent / "work/more.yaml")],
        "version": "1.0.0",
    }
    assert given["values"] == ["replicas: 2\n", "replicas: 3\n"]


def test_helm_may_be_given_on_the_command_line(act, play):
    assert act("deploy", helm="chart=chart")["args"]["helm"] == {"chart": str(play / "files/chart")}
    given = act("deploy", helm='{"chart": "chart", "value_files": "values.yaml"}')
    assert given["args"]["helm"]["value_files"] == [str(play / "values.yaml")]


def test_values_that_are_encrypted_are_decrypted_for_the_module_and_gone_afterwards(act, play):
    vault = VaultLib([("default", VaultSecret(b"vault password"))])
    (play / "values.yaml").write_bytes(vault.encrypt(f"password: {CANARY}\n"))
    given = act("deploy", helm={"chart": "chart", "value_files": ["values.yaml"]})
    assert given["values"] == [f"password: {CANARY}\n"]
    [copy] = given["args"]["helm"]["value_files"]
    assert not Path(copy).exists()
    with pytest.raises(AnsibleActionFail, match="encrypted with Ansible Vault, which does not go together with async"):
        act("deploy", helm={"chart": "chart", "value_files": ["values.yaml"]}, async_val=60)


@pytest.mark.parametrize(
    "source",
    [{"kustomize": "overlay"}, {"helm": {"chart": "chart"}}, {"helm": {"chart": "oci://x", "value_files": "v"}}],
)
def test_what_is_rendered_on_another_host_has_to_be_there(source, act):
    with pytest.raises(AnsibleActionFail, match="is rendered on the managed node") as error:
        act("plan", transport="ssh", **source)
    assert error.value.result["code"] == "input.invalid"
    assert "remote_src" in error.value.result["hint"]
    assert "localhost" in error.value.result["hint"]
    assert act("plan", transport="ssh", remote_src=True, **source)["args"] == {"remote_src": True, **source}


def test_a_chart_in_a_registry_needs_no_file_here(act):
    helm = {"chart": "oci://registry.example.com/charts/shop", "version": "1.0.0"}
    assert act("deploy", transport="ssh", helm=helm)["args"]["helm"] == helm


def test_files_that_stages_hand_on_are_those_of_the_working_directory(act, play, monkeypatch):
    work = play.parent / "work"
    written = act("plan", plan_file="plan.json", report="out/plan.md", definition="x")["args"]
    assert (written["plan_file"], written["report"]) == (str(work / "plan.json"), str(work / "out/plan.md"))
    assert act("deploy", plan_file="plan.json", remote_src=True)["args"]["plan_file"] == str(work / "plan.json")
    monkeypatch.setenv("HERE", "/here")
    assert act("deploy", plan_file="$HERE/plan.json")["args"]["plan_file"] == "/here/plan.json"
    assert act("deploy", transport="ssh", plan_file="plan.json")["args"]["plan_file"] == "plan.json"


def test_manifests_are_sent_to_another_host(act, play):
    [source] = act("deploy", transport="ssh", src=["web.yaml"])["args"]["src"]
    assert source["content"] == "kind: ConfigMap\n"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"kustomize": "nowhere"}, "nowhere does not exist on the Ansible controller"),
        ({"kustomize": "*.yaml"}, "is not one path but"),
        ({"kustomize": ["overlay"]}, "is not a path"),
        ({"helm": ["chart"]}, "helm is a dictionary, not list"),
        ({"src": {"path": "web.yaml"}}, "src is a path or a list of paths"),
        ({"src": ["web.yaml", " "]}, "src is a path or a list of paths"),
    ],
)
def test_what_makes_no_sense_is_refused(source, message, act):
    with pytest.raises(AnsibleActionFail, match=message):
        act("deploy", **source)
