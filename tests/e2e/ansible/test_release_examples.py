# SPDX-License-Identifier: Apache-2.0
"""The examples run as their README says."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_gitops.core.deploy import read_release
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[3] / "examples/ansible"
CANARY = "canary-6b7d20aa"


@pytest.fixture
def run(ansible, sandbox):
    """Run an example with the tools of the sandbox on PATH, as `eval "$(pulumi-gitops sandbox env)"` does it."""

    def run(name, *arguments, environment=None, **variables):
        playbook = name if name.startswith("iac.") else str(EXAMPLES / name)
        return ansible(playbook, *arguments, environment={**sandbox.env(), **(environment or {})}, **variables)

    return run


def deployed(cluster, namespace, name):
    live = cluster.get(ObjectRef("apps", "v1", "Deployment", namespace, name))
    return live["spec"]["replicas"], live["spec"]["template"]["spec"]["containers"][0]["image"]


def test_one_service_in_plain_yaml(run, cluster, namespace):
    assert run("web.yml", "--check", "--diff", web_namespace=namespace)["Deploy"]["counts"] == {"create": 5}
    assert run("web.yml", web_namespace=namespace)["Deploy"]["revision"] == 1
    assert deployed(cluster, namespace, "web") == (2, "registry.example.com/web:1.0")
    assert cluster.find(ObjectRef("batch", "v1", "Job", namespace, "migrate")) is not None
    assert run("web.yml", web_namespace=namespace).changed == []
    run("web.yml", web_namespace=namespace, web_build="1.1")
    assert deployed(cluster, namespace, "web")[1] == "registry.example.com/web:1.1"
    run("iac.gitops.rollback", release="web", namespace=namespace)
    assert deployed(cluster, namespace, "web")[1] == "registry.example.com/web:1.0"


def test_one_service_with_kustomize_overlays(run, cluster, namespace):
    assert run("worker.yml", worker_namespace=namespace)["Deploy"]["revision"] == 1
    assert deployed(cluster, namespace, "worker")[0] == 1
    done = run("worker.yml", worker_namespace=namespace, worker_stage="production")["Deploy"]
    assert done["counts"] == {"configure": 1, "create": 1, "prune": 1}  # the generated ConfigMap has another name
    assert deployed(cluster, namespace, "worker")[0] == 3
    assert run("worker.yml", worker_namespace=namespace, worker_stage="production").changed == []


def test_one_service_with_a_helm_chart(run, cluster, namespace):
    done = run("mail.yml", "--diff", "-vvv", mail_namespace=namespace, environment={"MAIL_PASSWORD": CANARY})
    assert done["Deploy"]["counts"] == {"create": 3}
    assert deployed(cluster, namespace, "mail") == (2, "registry.example.com/mail:1.0")
    again = run("mail.yml", "-vvv", mail_namespace=namespace, environment={"MAIL_PASSWORD": CANARY})
    assert again.changed == []
    assert CANARY not in done.output + again.output
    without = run("mail.yml", mail_namespace=namespace, environment={"MAIL_PASSWORD": ""}, expect=2)["Deploy"]
    assert "smtp.password is needed" in without["msg"]


def test_two_stages_with_an_approval_between_them(run, cluster, namespace, tmp_path):
    variables = {"release_namespace": namespace, "release_build": "2.0"}
    planned = run("approval/plan.yml", **variables)
    assert (tmp_path / "plan.md").read_text().startswith(f"### Plan for release `{namespace}/web`")
    refused = run("approval/deploy.yml", expect=2, **variables)
    assert refused["Deploy exactly what was approved, or nothing"]["code"] == "deploy.approval_missing"
    done = run("approval/deploy.yml", approver="ann", **variables)
    assert "revision 1, approved by ann" in done.output
    assert deployed(cluster, namespace, "web")[1] == "registry.example.com/web:2.0"
    [revision] = read_release(cluster, "web", namespace).revisions
    assert (revision.approved_by, revision.plan_digest) == ("ann", planned["Plan"]["digest"])
    moved = run("approval/deploy.yml", approver="ann", expect=2, **variables | {"release_build": "2.1"})
    assert moved["Deploy exactly what was approved, or nothing"]["code"] == "deploy.plan_moved"
