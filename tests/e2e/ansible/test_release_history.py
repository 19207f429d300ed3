# SPDX-License-Identifier: Apache-2.0
"""History, rollback and drift by playbook, on a real API server."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.objects import ObjectRef
from tests.e2e.ansible.playbooks import task
from tests.support.manifests import config, config_ref, deployment, secret

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

CANARY = "canary-c2f8119e"
ORIGIN = {
    "CI_JOB_URL": "https://ci.example.com/jobs/7",
    "CI_COMMIT_SHA": "1f3c9a20b7a4e1f8a7c6d1b9a3f5e2c4d6b8a0e1",
    "GITLAB_USER_LOGIN": "ann",
}


def stuck():
    """A Deployment whose pods fit on no node."""
    obj = deployment(image="registry.example.com/web:9")
    obj["spec"]["template"]["spec"]["nodeSelector"] = {"no": "such-node"}
    return obj


def test_releases_are_rolled_back_shown_and_go_back_by_themselves(ansible, cluster, namespace):
    name = {"name": "shop", "namespace": namespace}
    sets = {
        "first": [config(), config("old"), secret(password=CANARY)],
        "second": [config(color="red"), deployment(), secret(password=f"{CANARY}-2")],
        "broken": [config(color="green"), stuck()],
    }

    def deploy(which, **more):
        return task("deploy", which, **name, definition=f"{{{{ {which} }}}}", **more)

    back = {**name, "revision": 1, "plan_digest": "{{ foretold.plan_digest }}", "require_approval": True}
    done = ansible(
        [
            task("rollback", "nothing there", **name, _ignore_errors=True),
            deploy("first"),
            deploy("second"),
            task("rollback", "foretold", **name, _check_mode=True, _diff=True, _register="foretold"),
            task("release_info", "before", **name),
            task(
                "rollback",
                "not approved",
                **back | {"plan_digest": "sha256:" + 64 * "0"},
                approved_by="bob",
                _ignore_errors=True,
            ),
            task("rollback", "back", **back, approved_by="bob"),
            task("rollback", "again", **name, revision=1),
            task("rollback", "no such revision", **name, revision=7, _ignore_errors=True),
            deploy("second", _register="redeployed"),
            deploy("broken", rollback_on_failure=True, wait_timeout=3, _ignore_errors=True),
            task("release_info", "after", **name, drift=True),
            task("release_info", "all of the namespace", namespace=namespace),
            task("release_info", "none", name="no-such-release", namespace=namespace),
        ],
        "-vvv",
        environment=ORIGIN,
        **sets,
    )
    assert done["nothing there"]["code"] == "deploy.revision_not_found"

    foretold, back = done["foretold"], done["back"]
    actions = {(change["action"], change["kind"], change["name"]) for change in foretold["changes"]}
    assert actions == {
        ("configure", "ConfigMap", "web"),
        ("create", "ConfigMap", "old"),
        ("prune", "Deployment", "web"),
        ("configure", "Secret", "web"),
    }
    assert {entry["after_header"].split(" ")[0] for entry in foretold["diff"]} == {"ConfigMap", "Deployment", "Secret"}
    assert back["changes"] == foretold["changes"]
    assert done["not approved"]["code"] == "deploy.plan_moved"
    assert (back["revision"], back["rolled_back_to"], back["plan_digest"]) == (3, 1, foretold["plan_digest"])
    assert done["again"]["changed"] is False
    assert "1 (deployed)" in done["no such revision"]["hint"]

    broken = done["broken"]
    assert broken["code"] == "deploy.rolled_back"
    assert "rolled back to revision 4 (now revision 6)" in broken["msg"]
    assert broken["details"]["failure"]["code"] == "deploy.not_ready"
    assert f"Deployment {namespace}/web" in broken["details"]["failure"]["message"]
    assert broken["details"]["rollback"]["revision"] == 6
    assert cluster.get(config_ref(namespace))["data"] == {"color": "red"}

    [before], [after] = done["before"]["releases"], done["after"]["releases"]
    assert (before["revision"], before["objects"], before["drift"]) == (2, 3, {})
    assert [r["status"] for r in after["revisions"]] == [*["deployed"] * 4, "failed", "deployed"]
    third, last = after["revisions"][2], after["revisions"][-1]
    assert (third["rolled_back_to"], third["approved_by"], third["user"], third["face"]) == (1, "bob", "ann", "ansible")
    assert (third["pipeline"], third["commit"]) == (ORIGIN["CI_JOB_URL"], ORIGIN["CI_COMMIT_SHA"])
    assert last["images"] == ["registry.example.com/web:1"]
    assert last["seconds"] > 0
    assert (after["status"], after["objects"], after["drift"], after["drift_omitted"]) == ("deployed", 3, {}, 0)
    assert [release["name"] for release in done["all of the namespace"]["releases"]] == ["shop"]
    assert done["none"]["releases"] == []
    assert CANARY not in done.output


def test_the_playbook_that_rolls_back_and_a_job_that_looks_for_drift(ansible, cluster, namespace):
    name = {"name": "shop", "namespace": namespace}
    ansible([task("deploy", v, **name, definition=[config(color=v), config("same")]) for v in ("red", "green")])

    checked = ansible("iac.gitops.rollback", "--check", "--diff", release="shop", namespace=namespace)
    assert "-  color: green" in checked.output
    assert "+  color: red" in checked.output
    assert cluster.get(config_ref(namespace))["data"] == {"color": "green"}
    shown = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
    done = ansible("iac.gitops.rollback", release="shop", namespace=namespace, environment=shown)
    assert "shop: revision 3, 1 objects changed" in done.output
    assert '"release_revision": 3' in done.output
    assert cluster.get(config_ref(namespace))["data"] == {"color": "red"}

    missing = ansible("iac.gitops.rollback", namespace=namespace, expect=2)
    assert "Usage: ansible-playbook iac.gitops.rollback -e release=NAME" in missing.output

    drift = {"release": "shop", "namespace": namespace, "definition": [config(color="red"), config("same")]}
    assert ansible("iac.gitops.plan", fail_on_change=True, **drift).changed == []
    live = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web", "namespace": namespace}}
    cluster.apply({**live, "data": {"color": "hand"}}, force=True, field_manager="kubectl-edit")
    cluster.delete(config_ref(namespace, "same"))
    found = ansible("iac.gitops.plan", expect=2, fail_on_change=True, **drift)["Plan shop"]
    assert (found["code"], found["counts"]) == ("plan.changes", {"configure": 1, "create": 1})
    assert f"- configure ConfigMap {namespace}/web" in found["msg"]
    entry = next(change for change in found["changes"] if change["action"] == "configure")
    assert entry["fields"] == [{"path": ".data.color", "before": "hand", "after": "red"}]
    info = ansible([task("release_info", name="shop", namespace=namespace, drift=True)])["release_info"]
    assert info["releases"][0]["drift"] == {
        ObjectRef("", "v1", "ConfigMap", namespace, "web").key: "changed",
        ObjectRef("", "v1", "ConfigMap", namespace, "same").key: "missing",
    }
