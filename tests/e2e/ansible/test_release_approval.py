# SPDX-License-Identifier: Apache-2.0
"""Plan in one stage, approve, deploy in the next, as pipelines do it; and what happens when something moved."""

from __future__ import annotations

import json
import stat

import pytest
import yaml

from pulumi_gitops.core.deploy import Plan, plan_file, read_release
from pulumi_gitops.core.deploy.fingerprint import plan_digest
from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task
from tests.support.manifests import config, deployment, secret

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

CANARY = "canary-5e0a77c4"


def settings(namespace):
    return ObjectRef("", "v1", "ConfigMap", namespace, "web")


def test_a_pipeline_plans_in_one_stage_and_deploys_the_approved_plan_in_the_next(ansible, cluster, namespace, tmp_path):
    (tmp_path / "deploy").mkdir()
    objects = [config(), deployment(), secret(password=CANARY)]
    (tmp_path / "deploy/shop.yaml").write_text(yaml.safe_dump_all(objects))
    release = {"release": "shop", "namespace": namespace, "src": "deploy/"}
    files = {"plan_file": "plan.json", "report": "plan.md"}

    planned = ansible("iac.gitops.plan", "--check", "--diff", "-vvv", **release, **files)
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None
    assert planned["Plan shop"]["counts"] == {"create": 4}  # the namespace is one of them
    assert {entry["after_header"] for entry in planned["Plan shop"]["diff"]} == {
        f"Namespace {namespace} (create)",
        f"ConfigMap {namespace}/web (create)",
        f"Deployment {namespace}/web (create)",
        f"Secret {namespace}/web (create)",
    }
    assert f"+ ConfigMap {namespace}/web: create" in planned.output
    report = (tmp_path / "plan.md").read_text()
    assert report.startswith(f"### Plan for release `{namespace}/shop`\n\n**4 to create**")
    assert planned["Plan shop"]["digest"] in report
    assert stat.S_IMODE((tmp_path / "plan.json").stat().st_mode) == 0o600

    # What the shell makes of -e approved_by="$APPROVER" when nobody has set the variable.
    nobody = ansible("iac.gitops.deploy", expect=2, **release, plan_file="plan.json", approved_by="")
    assert nobody["Deploy shop"]["code"] == "deploy.approval_missing"
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", namespace)) is None

    approved = {**release, "plan_file": "plan.json", "approved_by": "ann"}
    deployed = ansible("iac.gitops.deploy", "-vvv", **approved)["Deploy shop"]
    assert (deployed["revision"], deployed["counts"]) == (1, {"create": 4})
    assert deployed["plan_digest"] == planned["Plan shop"]["digest"]
    [revision] = read_release(cluster, "shop", namespace).revisions
    assert (revision.approved_by, revision.plan_digest, revision.face) == ("ann", deployed["plan_digest"], "ansible")

    again = ansible("iac.gitops.deploy", "-vvv", **approved)  # a stage that is run again
    assert again.changed == []
    texts = [planned.output, nobody.output, again.output, report, (tmp_path / "plan.json").read_text()]
    assert not [text for text in texts if CANARY in text]


def test_a_plan_that_moved_is_refused_with_what_moved_and_no_approval_means_no_deployment(
    ansible, cluster, namespace, tmp_path
):
    name = {"name": "shop", "namespace": namespace}
    first, second = [config(), config("other")], [config(color="red"), config("other")]
    approved = {"plan_file": "plan.json", "require_approval": True, "approved_by": "ann"}
    old = plan_file(Plan("shop", namespace, 1, (), "", plan_digest(()))) | {"created": "2020-01-01T00:00:00Z"}
    (tmp_path / "old.json").write_text(json.dumps(old))
    hurried = "{{ objects_meanwhile }}"
    done = ansible(
        [
            task("deploy", "first", **name, definition=first),
            task("plan", **name, definition=second, plan_file="plan.json", _register="planned"),
            task("deploy", "no plan", **name, definition=second, require_approval=True, _ignore_errors=True),
            task("deploy", "no name", **name, definition=second, **approved | {"approved_by": ""}, _ignore_errors=True),
            task("deploy", "no file", **name, definition=second, plan_file="nowhere.json", _ignore_errors=True),
            task(
                "deploy",
                "another release",
                **name | {"name": "mail"},
                definition=config("mail"),
                **approved,
                _ignore_errors=True,
            ),
            task(
                "deploy",
                "too old",
                **name,
                definition=second,
                **approved | {"plan_file": "old.json"},
                approval_max_age=86400,
                _ignore_errors=True,
            ),
            task("deploy", "another set", **name, definition=first[:1], **approved, _ignore_errors=True),
            task("deploy", "meanwhile", **name, definition=hurried),
            task("deploy", "moved", **name, definition=second, **approved, _ignore_errors=True),
            task("plan", "again", **name, definition=second, _register="again", _diff=True),
            task(
                "deploy",
                "digest",
                **name,
                definition=second,
                require_approval=True,
                approved_by="ann",
                plan_digest="{{ again.digest }}",
            ),
            task("deploy", "remove", **name, state="absent", require_approval=True, _ignore_errors=True),
        ],
        objects_meanwhile=[config(color="green"), config("other")],
    )
    found = {name: result.get("code") for name, result in done.tasks}
    assert found == {
        "first": None,
        "plan": None,
        "no plan": "deploy.approval_missing",
        "no name": "deploy.approval_missing",
        "no file": "input.unavailable",
        "another release": "deploy.plan_moved",
        "too old": "deploy.approval_missing",
        "another set": "deploy.plan_moved",
        "meanwhile": None,
        "moved": "deploy.plan_moved",
        "again": None,
        "digest": None,
        "remove": "deploy.approval_missing",
    }
    [entry] = done["plan"]["changes"]
    assert entry["fields"] == [{"path": ".data.color", "before": "blue", "after": "red"}]
    assert done["too old"]["details"]["approval_max_age"] == 86400
    assert "it changed in the cluster meanwhile" in done["moved"]["msg"]
    assert done["moved"]["details"]["approved"] == done["plan"]["digest"]
    [moved] = done["moved"]["details"]["moved"]
    assert "web" in moved
    [shown] = done["again"]["diff"]
    assert (shown["before"], shown["after"]) != ("", "")
    assert done["digest"]["plan_digest"] == done["again"]["digest"]
    assert cluster.get(settings(namespace))["data"] == {"color": "red"}
    assert json.loads((tmp_path / "plan.json").read_text())["digest"] == done["plan"]["digest"]
