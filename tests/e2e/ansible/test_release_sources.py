# SPDX-License-Identifier: Apache-2.0
"""Where the objects of a release come from: kustomizations and charts, with overrides, by module, role and playbook."""

from __future__ import annotations

import subprocess
import sys

import pytest
import yaml

from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task
from tests.support.manifests import config, deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

CANARIES = {"in_values": "canary-8e20c1d4", "in_a_vault": "canary-1b9f63aa"}
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: "{{ .Values.password }}", token: "{{ .Values.login.token }}"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {release: "{{ .Release.Name }}", size: "{{ .Values.size }}"}
"""


@pytest.fixture
def sources(tmp_path):
    """A kustomization in the working directory, a chart beside the playbook, values that are encrypted."""
    for folder in ("base", "overlay", "remote-base", "files/chart/templates"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "base/kustomization.yaml").write_text("resources: [web.yaml]\n")
    (tmp_path / "base/web.yaml").write_text(yaml.safe_dump_all([deployment(), config()]))
    (tmp_path / "overlay/kustomization.yaml").write_text("resources: [../base]\nnamePrefix: my-\n")
    (tmp_path / "remote-base/kustomization.yaml").write_text("resources: ['https://example.com/base?ref=1']\n")
    chart = tmp_path / "files/chart"
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: login, version: 1.0.0}\n")
    (chart / "templates/login.yaml").write_text(SECRET)
    (tmp_path / "values.yaml").write_text("size: small\n")
    (tmp_path / "secret.yaml").write_text(yaml.safe_dump({"size": "large", "login": {"token": CANARIES["in_a_vault"]}}))
    (tmp_path / "password").write_text("vault password")
    vault = [sys.executable, "-m", "ansible.cli.vault", "encrypt", "--vault-password-file", "password", "secret.yaml"]
    subprocess.run(vault, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def test_kustomizations_and_charts_are_deployed_with_overrides_and_a_second_run_changes_nothing(
    ansible, sandbox, cluster, namespace, sources
):
    kustomize = {"name": "web", "namespace": namespace, "kustomize": "overlay"}
    overrides = {
        "images": {"web": "registry.example.com/web:7"},
        "replicas": {"my-web": 3},
        "labels": {"team": "shop"},
        "annotations": {"example.com/build": "7"},
    }
    helm = {"chart": "chart", "value_files": ["values.yaml", "secret.yaml"], "values": {"password": "{{ in_values }}"}}
    chart = {"name": "login", "namespace": namespace, "helm": helm}
    role = {"deploy_name": "role", "deploy_namespace": namespace, "deploy_definition": config("by-role")}
    remote = {"ansible_connection": "loop", "ansible_python_interpreter": sys.executable}

    there = {"kustomize": str(sources / "overlay"), "remote_src": True}

    def tasks(number):
        return [
            task("deploy", f"kustomize {number}", **kustomize, **overrides),
            task("deploy", f"helm {number}", **chart),
            {"name": f"role {number}", "ansible.builtin.include_role": {"name": "iac.gitops.deploy"}, "vars": role},
        ]

    done = ansible(
        [
            task("plan", **chart, _diff=True),
            *tasks(1),
            *tasks(2),
            task("deploy", "remote", **kustomize, _vars=remote, _ignore_errors=True),
            task("deploy", "there", **kustomize | there, **overrides, _vars=remote),
            task("deploy", "unmatched", **kustomize, replicas={"nobody": 1}, _ignore_errors=True),
            task("deploy", "unsafe", **kustomize | {"kustomize": "remote-base"}, _ignore_errors=True),
            task("deploy", "no option", **chart | {"helm": {**helm, "repo": "x"}}, _ignore_errors=True),
        ],
        "--vault-password-file",
        "password",
        "-vvv",
        environment={"PATH": sandbox.env()["PATH"]},
        **CANARIES,
    )
    assert done["plan"]["counts"] == {"create": 3}
    assert "***" in str(done["plan"]["diff"])
    results = [result for name, result in done.tasks if name == "Deploy the release"]
    first = {"kustomize": done["kustomize 1"], "helm": done["helm 1"], "role": results[0]}
    assert {name: result["counts"] for name, result in first.items()} == {
        "kustomize": {"create": 3},
        "helm": {"create": 2},
        "role": {"create": 1},
    }
    for again in (done["kustomize 2"], done["helm 2"], results[1]):
        assert again["changed"] is False

    live = cluster.get(ObjectRef("apps", "v1", "Deployment", namespace, "my-web"))
    assert live["spec"]["replicas"] == 3
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/web:7"
    assert live["metadata"]["labels"]["team"] == "shop"
    assert live["metadata"]["annotations"]["example.com/build"] == "7"
    settings = cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "settings"))
    assert settings["data"] == {"release": "login", "size": "large"}  # the last file wins

    assert done["remote"]["code"] == "input.invalid"
    assert "remote_src" in done["remote"]["hint"]
    assert done["there"]["changed"] is False
    assert "nobody matches no workload" in done["unmatched"]["msg"]
    assert done["unsafe"]["code"] == "input.unsafe_source"
    assert "remote-base/kustomization.yaml:1" in done["unsafe"]["msg"]
    assert "repo" in done["no option"]["msg"]
    assert not [secret for secret in CANARIES.values() if secret in done.output]
