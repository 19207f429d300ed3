# SPDX-License-Identifier: Apache-2.0
"""Stages of a pipeline from a shell: plan, gate, deploy, and what comes after it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess

import pytest

from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import tool_path

from .conftest import SETTINGS, STUCK, WEB

pytestmark = pytest.mark.sandbox

GREEN = SETTINGS.replace("blue", "green")


def config(shop, name="settings"):
    return ObjectRef("", "v1", "ConfigMap", shop.namespace, name)


def test_a_plan_that_was_approved_is_deployed_and_then_there_is_nothing_to_do(shop, cluster):
    planned = shop.json("plan", "--out", "plan.json", "--report", "plan.md", code=2)
    assert planned["counts"] == {"create": 3}
    assert stat.S_IMODE((shop.folder / "plan.json").stat().st_mode) == 0o600
    assert planned["digest"] in (shop.folder / "plan.md").read_text()
    assert cluster.find(config(shop)) is None, "a plan changes nothing"

    approved = ["--plan-file", "plan.json", "--approved-by", "bob", "--require-approval", "--approval-max-age", "600"]
    deployed = shop.json("deploy", *approved)
    assert (deployed["revision"], deployed["changed"]) == (1, True)
    assert deployed["plan_digest"] == planned["digest"]
    assert cluster.find(config(shop))["data"] == {"color": "blue"}

    assert shop.json("plan")["changed"] is False
    assert shop.json("deploy")["changed"] is False
    (revision,) = shop.json("history")["revisions"]
    assert (revision["face"], revision["user"], revision["approved_by"]) == ("cli", "ann", "bob")


def test_a_plan_that_moved_is_refused_with_4_and_what_moved_and_nothing_is_touched(shop, cluster):
    shop.call("deploy")
    shop.write(GREEN, WEB)
    shop.call("plan", "--out", "plan.json", code=2)
    shop.write(SETTINGS.replace("blue", "red"), WEB)
    refused = shop.call("deploy", "--plan-file", "plan.json", code=4)
    assert f"ConfigMap/{shop.namespace}/settings: what would be sent differs" in refused.stderr
    assert cluster.find(config(shop))["data"] == {"color": "blue"}

    shop.write(GREEN, WEB)
    cluster.delete(config(shop))
    refused = shop.json("deploy", "--plan-file", "plan.json", code=4)
    assert refused["error"]["code"] == "deploy.plan_moved"
    assert any("it was deleted meanwhile" in line for line in refused["error"]["details"]["moved"])
    assert cluster.find(config(shop)) is None


def test_without_the_approval_that_is_asked_for_it_ends_with_4(shop, cluster):
    refused = shop.call("deploy", "--require-approval", code=4)
    assert "is deployed only with an approval" in refused.stderr
    assert cluster.find(config(shop)) is None


def test_what_does_not_get_ready_ends_with_3_and_the_reason(shop):
    shop.write(SETTINGS, STUCK)
    failed = shop.call("deploy", "--timeout", "3", code=3)
    assert failed.stdout == ""
    assert f"Deployment {shop.namespace}/web: " in failed.stderr
    assert "nodes are available" in failed.stderr
    assert shop.json("status")["status"] == "failed"


def test_a_failed_deployment_is_rolled_back_when_that_is_asked_for_and_still_ends_with_3(shop, cluster):
    shop.call("deploy")
    shop.write(GREEN, STUCK)
    failed = shop.json("deploy", "--timeout", "5", "--rollback-on-failure", code=3)
    assert failed["error"]["code"] == "deploy.rolled_back"
    assert failed["error"]["details"]["failure"]["code"] == "deploy.not_ready"
    assert cluster.find(config(shop))["data"] == {"color": "blue"}
    statuses = [(r["status"], r.get("rolled_back_to")) for r in shop.json("history")["revisions"]]
    assert statuses == [("deployed", None), ("failed", None), ("deployed", 1)]


def test_a_rollback_is_shown_approved_by_digest_and_carried_out(shop, cluster):
    shop.call("deploy")
    shop.write(GREEN, WEB)
    shop.call("deploy", "--replicas", "web=1")
    planned = shop.json("rollback", "--dry-run", code=2)
    assert planned["counts"] == {"configure": 2}
    assert cluster.find(config(shop))["data"] == {"color": "green"}
    assert shop.json("rollback", "--plan-digest", "sha256:0", code=4)["error"]["code"] == "deploy.plan_moved"

    done = shop.json("rollback", "--plan-digest", planned["digest"], "--approved-by", "bob")
    assert (done["revision"], done["rolled_back_to"]) == (3, 1)
    assert cluster.find(config(shop))["data"] == {"color": "blue"}
    assert shop.json("rollback", "--to", "9", code=1)["error"]["code"] == "deploy.revision_not_found"
    heading, *rows = shop.out("history").splitlines()
    assert heading.split()[:3] == ["REVISION", "STATUS", "TIME"]
    assert [row.split()[0] for row in rows] == ["1", "2", "3"]
    assert rows[2].split()[-2:] == ["bob", "1"]


def test_a_drift_job_tells_what_was_changed_by_hand(shop, cluster):
    shop.call("deploy")
    assert "drift: none" in shop.out("status", "--drift")
    by_hand = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": shop.namespace}}
    cluster.apply({**by_hand, "data": {"color": "red"}}, force=True, field_manager="kubectl-edit")
    drifted = shop.out("status", "--drift", code=2)
    assert f"\n  ConfigMap {shop.namespace}/settings: changed\n" in drifted
    assert shop.json("status")["drift"] == {f"ConfigMap/{shop.namespace}/settings": "changed"}
    assert shop.json("plan", code=2)["counts"] == {"configure": 1, "unchanged": 1}


def test_what_a_deployment_would_refuse_makes_a_plan_fail_and_shows_the_rest(shop, cluster):
    shop.call("deploy")
    by_autoscaler = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"color": "x"}}
    by_autoscaler["metadata"]["namespace"] = shop.namespace
    cluster.apply(by_autoscaler, force=True, field_manager="kube-controller-manager")
    planned = shop.call("plan", "--replicas", "web=1", code=1)
    assert ".data.color is owned by kube-controller-manager" in planned.stdout
    assert ".spec.replicas: 2 -> 1" in planned.stdout
    assert "a deployment would be refused because of 1 of 2 objects" in planned.stderr
    assert shop.json("plan", "--replicas", "web=1", "--force-conflicts", "all", code=2)["refused"] == 0


def test_a_release_is_removed_with_all_its_objects(shop, cluster):
    shop.call("deploy")
    assert f"  - ConfigMap {shop.namespace}/settings\n" in shop.out("remove", "--dry-run", code=2)
    assert cluster.find(config(shop)) is not None
    removed = shop.json("remove")
    assert removed["counts"] == {"delete": 2}
    assert cluster.find(config(shop)) is None
    assert shop.json("status", code=1)["error"]["code"] == "deploy.revision_not_found"
    assert "does not exist" in shop.out("remove")


def test_manifests_come_from_standard_input_too(shop, cluster):
    shop.source = ["-f", "-"]
    assert shop.json("deploy", input=SETTINGS)["revision"] == 1
    assert cluster.find(config(shop))["data"] == {"color": "blue"}
    assert "standard input holds no manifests" in shop.call("deploy", input="", code=1).stderr


def test_a_chart_is_deployed_with_its_value_files_and_overrides(shop, cluster):
    chart = shop.folder / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.2.3\n")
    (chart / "values.yaml").write_text("color: blue\n")
    (chart / "templates" / "web.yaml").write_text(
        SETTINGS.replace("blue", "{{ .Values.color }}-{{ .Release.Name }}") + "---" + WEB
    )
    (shop.folder / "prod.yaml").write_text("color: green\n")
    shop.source = ["--helm-chart", "chart", "--helm-values", "prod.yaml", "--helm-release", "web"]
    shop.env["PATH"] = os.pathsep.join([str(tool_path("helm").parent), shop.env["PATH"]])
    image = "registry.example.com/web@sha256:" + "1f" * 32
    shop.call("deploy", "--image", f"web={image}", "--replicas", "web=1", "--label", "team=shop")
    assert cluster.find(config(shop))["data"] == {"color": "green-web"}
    web = cluster.find(ObjectRef("apps", "v1", "Deployment", shop.namespace, "web"))
    assert web["spec"]["replicas"] == 1
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == image
    assert web["spec"]["template"]["metadata"]["labels"]["team"] == "shop"


# --- pipes, signals, CI ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["text", "json", "markdown"])
def test_head_has_seen_enough_and_the_exit_code_is_still_that_of_the_plan(output, shop):
    shop.write(*(SETTINGS.replace("settings", f"settings-{number}") for number in range(1500)))
    script = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *shop.argv("plan", "-o", output)],
        cwd=shop.folder,
        env=shop.env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 1


def test_a_deployment_goes_on_when_nobody_reads_its_progress_any_more(shop, cluster):
    shop.write(*(SETTINGS.replace("settings", f"settings-{number}") for number in range(50)))
    script = '"$@" 2>&1 | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *shop.argv("deploy")],
        cwd=shop.folder,
        env=shop.env,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0
    assert shop.json("status")["status"] == "deployed"
    assert cluster.find(config(shop, "settings-49")) is not None


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_job_that_is_cancelled_gives_the_lock_back(number, code, shop):
    shop.write(SETTINGS, STUCK)
    with subprocess.Popen(
        shop.argv("deploy"), cwd=shop.folder, env=shop.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "] wait" in line:
                break
        process.send_signal(number)
        out, rest = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), said
    assert "Traceback" not in rest
    shop.write(SETTINGS, WEB)
    assert shop.json("deploy", "--lock-timeout", "0")["changed"] is True


def test_on_github_the_log_has_groups_and_the_job_a_summary(shop):
    summary = shop.folder / "summary.md"
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_ACTOR": "octo",
        "GITHUB_SERVER_URL": "https://git.example.com",
        "GITHUB_REPOSITORY": "shop/shop",
        "GITHUB_RUN_ID": "7",
        "GITHUB_SHA": "1f3c9a2b0d4e",
    }
    shop.call("plan", code=2, env=github)
    deployed = shop.call("deploy", "-o", "json", env=github)
    assert json.loads(deployed.stdout)["revision"] == 1
    lines = deployed.stderr.splitlines()
    assert lines[0] == f"::group::deploy {shop.namespace}/shop"
    assert lines[-1] == "::endgroup::"
    assert any("apply" in line for line in lines[1:-1])
    text = summary.read_text()
    assert text.index("### Plan for release") < text.index(f"### Release {shop.namespace}/shop: revision 1")
    (revision,) = shop.json("history")["revisions"]
    assert (revision["user"], revision["commit"]) == ("octo", "1f3c9a2b0d4e")
    assert revision["pipeline"] == "https://git.example.com/shop/shop/actions/runs/7"
