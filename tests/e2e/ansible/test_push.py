# SPDX-License-Identifier: Apache-2.0
"""Push-style deployment by playbook, on a real API server."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task
from tests.support.manifests import custom_kind

pytestmark = pytest.mark.sandbox

CANARY = "canary-7c1e55d0"


def config(name="settings", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def workload(kind, name, image, init=None):
    containers = [{"name": name, "image": image}]
    pod = {"containers": containers}
    if init:
        pod["initContainers"] = [{"name": "init", "image": init}]
    template = {"metadata": {"labels": {"app": name}}, "spec": pod}
    metadata = {"name": name}
    if kind == "CronJob":
        pod["restartPolicy"] = "Never"
        job = {"spec": {"template": template}}
        return {
            "apiVersion": "batch/v1",
            "kind": kind,
            "metadata": metadata,
            "spec": {"schedule": "0 3 * * *", "jobTemplate": job},
        }
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def ref(namespace, kind="ConfigMap", name="settings", group=""):
    return ObjectRef(group, "v1", kind, namespace, name)


@pytest.fixture
def everything(cluster, namespace):
    """A set with its own custom kind and a second namespace, what uses them first; cleaned afterwards."""
    other = f"{namespace}-other"
    group = f"{namespace}.example.com"
    yield [
        *reversed(custom_kind(group)),
        {**config(name="elsewhere", a="1"), "metadata": {"name": "elsewhere", "namespace": other}},
        workload("Deployment", "web", "registry.example.com/web:1"),
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": CANARY}},
        config(a="1"),
    ]
    cluster.delete(ref("", "CustomResourceDefinition", f"widgets.{group}", "apiextensions.k8s.io"))
    cluster.delete(ref("", "Namespace", other))


def test_the_life_of_a_release(ansible, cluster, namespace, everything):
    release = {"name": "shop", "namespace": namespace}
    deploy = [task("deploy", **release, definition="{{ objects }}")]

    checked = ansible(deploy, "--check", "--diff", "-vvv", objects=everything)
    assert len(checked["deploy"]["changes"]) == 8  # the namespace of the release is one of them
    assert cluster.find(ref("", "Namespace", namespace)) is None
    diffs = checked["deploy"]["diff"]
    assert len(diffs) == len({entry["after_header"] for entry in diffs}) == 8
    assert any("Secret" in entry["after_header"] and "password" in entry["after"] for entry in diffs)
    assert CANARY not in checked.output

    first = ansible(deploy, objects=everything)
    assert first["deploy"]["changes"] == checked["deploy"]["changes"]
    assert first["deploy"]["revision"] == 1
    assert cluster.get(ref(namespace, "Widget", "w", f"{namespace}.example.com"))["spec"] == {"size": 3}

    assert ansible(deploy, objects=everything).changed == []
    assert ansible(deploy, "--check", objects=everything).changed == []

    everything[-1]["data"]["a"] = "2"
    checked = ansible(deploy, "--check", "--diff", objects=everything)
    assert cluster.get(ref(namespace))["data"] == {"a": "1"}
    [entry] = checked["deploy"]["diff"]
    assert f"ConfigMap {namespace}/settings" in entry["before_header"]
    assert "-  a: '1'" in checked.output.replace('"', "'")
    second = ansible(deploy, objects=everything)
    assert second["deploy"]["changes"] == [
        {"action": "configure", "kind": "ConfigMap", "namespace": namespace, "name": "settings"}
    ]
    assert (second["deploy"]["revision"], cluster.get(ref(namespace))["data"]) == (2, {"a": "2"})

    del everything[-1]
    third = ansible(deploy, objects=everything)
    assert [(change["action"], change["name"]) for change in third["deploy"]["changes"]] == [("prune", "settings")]
    assert cluster.find(ref(namespace)) is None

    remove = [task("deploy", **release, state="absent")]
    assert ansible(remove, "--check").changed == ["deploy"]
    assert cluster.find(ref(namespace, "Secret", "login")) is not None
    removed = ansible(remove)["deploy"]
    assert {change["action"] for change in removed["changes"]} == {"delete"}
    assert cluster.find(ref(namespace, "Secret", "login")) is None
    assert cluster.find(ref(namespace, "Deployment", "web", "apps")) is None
    assert ansible(remove).changed == []


def test_images_are_set_in_every_kind_that_carries_pods(ansible, cluster, namespace):
    objects = [
        workload("Deployment", "web", "registry.example.com/web:1", init="registry.example.com/migrate"),
        workload("CronJob", "report", "registry.example.com/web:1"),
    ]
    release = {"name": "shop", "namespace": namespace, "definition": "{{ objects }}", "wait": False}
    images = {"registry.example.com/web": "registry.example.com/web:2", "init": "registry.example.com/migrate:9"}
    ansible([task("deploy", **release, images=images)], objects=objects)
    pod = cluster.get(ref(namespace, "Deployment", "web", "apps"))["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example.com/web:2"
    assert pod["initContainers"][0]["image"] == "registry.example.com/migrate:9"
    cron = cluster.get(ref(namespace, "CronJob", "report", "batch"))["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert cron["containers"][0]["image"] == "registry.example.com/web:2"


def test_prune_can_be_switched_off(ansible, cluster, namespace):
    release = {"name": "shop", "namespace": namespace}
    ansible(
        [
            task("deploy", "both", **release, definition=[config("one", a="1"), config("two", a="1")]),
            task("deploy", "one", **release, definition=config("one", a="1"), prune=False),
        ]
    )
    assert cluster.find(ref(namespace, name="two")) is not None


def test_sources_are_found_read_and_decrypted(ansible, cluster, namespace, tmp_path):
    role = tmp_path / "roles/shop"
    for folder in ("files/deploy", "tasks"):
        (role / folder).mkdir(parents=True)
    (role / "files/deploy/one.yaml").write_text(yaml.safe_dump(config("of-the-role", a="1")))
    (role / "tasks/main.yml").write_text(
        yaml.safe_dump([task("deploy", "role", name="role", namespace=namespace, src="deploy")])
    )
    (tmp_path / "work").mkdir()
    (tmp_path / "work/secret.yaml").write_text(yaml.safe_dump(config("encrypted", a=CANARY)))
    (tmp_path / "password").write_text("vault password")
    vault = [sys.executable, "-m", "ansible.cli.vault", "encrypt", "--vault-password-file", "password"]
    subprocess.run([*vault, "work/secret.yaml"], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "work/plain.yaml").write_text(yaml.safe_dump(config("plain", a="1")))

    play = [
        {"ansible.builtin.include_role": {"name": "shop"}},
        task("deploy", "glob", name="glob", namespace=namespace, src=["work/*.yaml"]),
        task(
            "deploy",
            "remote",
            name="remote",
            namespace=namespace,
            src="work/plain.yaml",
            remote_src=True,
            _ignore_errors=True,
        ),
        task("deploy", "missing", name="missing", namespace=namespace, src="nowhere/", _ignore_errors=True),
    ]
    done = ansible(play, "--vault-password-file", "password", "-vvv")
    assert {change["name"] for change in done["role"]["changes"]} == {namespace, "of-the-role"}
    assert {change["name"] for change in done["glob"]["changes"]} == {"encrypted", "plain"}
    assert cluster.get(ref(namespace, name="encrypted"))["data"] == {"a": CANARY}
    assert CANARY not in done.output
    assert done["remote"]["code"] == "deploy.ownership"  # the same object as in the release before
    assert done["missing"]["code"] == "input.unavailable"


def test_sources_reach_a_managed_node(ansible, cluster, namespace, tmp_path):
    (tmp_path / "deploy.yaml").write_text(yaml.safe_dump(config(a="1")))
    play = {"vars": {"ansible_connection": "loop", "ansible_python_interpreter": sys.executable}}
    ansible([task("deploy", name="shop", namespace=namespace, src="deploy.yaml")], play=play)
    assert cluster.get(ref(namespace))["data"] == {"a": "1"}


def test_the_playbook_for_pipelines(ansible, cluster, namespace, tmp_path):
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/web.yaml").write_text(
        yaml.safe_dump(workload("Deployment", "web", "registry.example.com/web:1"))
    )
    variables = {"release": "shop", "namespace": namespace, "src": "deploy/"}
    image = "-e", "images=web=registry.example.com/web:2"
    done = ansible("iac.gitops.deploy", *image, **variables)
    assert "shop: revision 1, 2 objects changed" in done.output
    pod = cluster.get(ref(namespace, "Deployment", "web", "apps"))["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example.com/web:2"
    assert ansible("iac.gitops.deploy", *image, **variables).changed == []


@pytest.mark.parametrize(
    ("playbook", "variables", "message"),
    [
        ("deploy", {"release": "shop"}, "Usage: ansible-playbook iac.gitops.deploy -e release=NAME -e namespace="),
        ("bootstrap", {"application": "shop"}, "an application needs url, path and destination_namespace"),
    ],
)
def test_a_playbook_says_what_is_missing_before_it_does_anything(ansible, playbook, variables, message):
    done = ansible(f"iac.gitops.{playbook}", expect=2, **variables)
    assert message in done.output
    assert [name for name, _ in done.tasks] == ["Check the variables"]


def test_one_group_sets_the_connection_and_long_tasks_may_run_asynchronously(ansible, sandbox, namespace):
    play = {"module_defaults": {"group/iac.gitops.all": {"kubeconfig": str(sandbox.kubeconfig)}}}
    release = {"name": "shop", "namespace": namespace, "definition": config(a="1")}
    done = ansible([task("deploy", **release, _async=60, _poll=1)], play=play, environment={"KUBECONFIG": None})
    assert done["deploy"]["revision"] == 1
