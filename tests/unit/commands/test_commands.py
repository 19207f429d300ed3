# SPDX-License-Identifier: Apache-2.0
"""Each command with an engine that answers what a test wants: exit codes, what is printed where, what is passed on."""

from __future__ import annotations

import dataclasses
import io
import json
import stat
from pathlib import Path

import pytest

from pulumi_gitops.cli import main
from pulumi_gitops.core.deploy import (
    Action,
    Change,
    DeployResult,
    ForceConflicts,
    InventoryItem,
    Plan,
    Progress,
    ReleaseState,
    Revision,
)
from pulumi_gitops.core.deploy.fingerprint import plan_digest
from pulumi_gitops.core.errors import (
    ApprovalMissingError,
    ClusterUnreachableError,
    ConflictError,
    LockedError,
    NotReadyError,
    PlanMovedError,
    RevisionNotFoundError,
    RollbackFailedError,
    RolledBackError,
)
from pulumi_gitops.core.objects import ObjectRef

WEB = ObjectRef("apps", "v1", "Deployment", "shop", "web")
SETTINGS = ObjectRef("", "v1", "ConfigMap", "shop", "settings")
BEFORE = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 1}}
AFTER = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": 2}}
CHANGED = (Change(Action.CONFIGURE, WEB, BEFORE, AFTER), Change(Action.UNCHANGED, SETTINGS))
SAME = (Change(Action.UNCHANGED, WEB), Change(Action.UNCHANGED, SETTINGS))
REFUSED = (*CHANGED, Change(Action.BLOCKED, WEB, reason="no", error=ConflictError("Deployment shop/web: no")))
ITEMS = (InventoryItem(WEB), InventoryItem(SETTINGS))
HERE = ("shop", "-n", "shop")


def a_plan(changes, warnings=()):
    return Plan("shop", "shop", 3, changes, "sha256:5e7", "sha256:d16e57", warnings=warnings)


def a_result(changes, **more):
    return DeployResult(3, "sha256:5e7", changes, ITEMS, "sha256:d16e57", **more)


ERRORS = [
    (NotReadyError("not ready"), 3),
    (RolledBackError("rolled back"), 3),
    (RollbackFailedError("a part of each"), 1),
    (ApprovalMissingError("not approved"), 4),
    (PlanMovedError("moved"), 4),
    (LockedError("locked"), 1),
    (ConflictError("conflict"), 1),
    (ClusterUnreachableError("gone"), 1),
]


@pytest.mark.parametrize(("error", "expected"), ERRORS)
@pytest.mark.parametrize("verb", ["deploy", "rollback"])
def test_the_exit_code_tells_what_kind_of_failure_it_was(verb, error, expected, engine, command, manifest):
    engine(verb, error)
    source = ["-f", manifest] if verb == "deploy" else []
    code, out, err = command(verb, *HERE, *source)
    assert (code, out, err) == (expected, "", f"error: {error.message}\n")


@pytest.mark.parametrize(("error", "expected"), ERRORS)
def test_with_json_an_error_is_the_one_document_on_standard_output(error, expected, engine, command, manifest):
    engine("deploy", error)
    code, out, err = command("deploy", *HERE, "-f", manifest, "-o", "json")
    assert code == expected
    assert json.loads(out) == {
        "error": {"code": error.code, "message": error.message, "hint": "", "details": error.details}
    }
    assert err == f"error: {error.message}\n"


def test_a_source_that_is_not_there_is_an_error_before_the_cluster_is_asked(engine, command):
    calls = engine("deploy", a_result(SAME))
    code, out, err = command("deploy", *HERE, "-f", "missing.yaml")
    assert (code, out, calls) == (1, "", [])
    assert "missing.yaml does not exist" in err


# --- plan ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("changes", "expected"), [(SAME, 0), (CHANGED, 2), (REFUSED, 1)])
def test_plan_ends_with_0_when_nothing_changes_2_when_something_does_and_1_when_it_would_be_refused(
    changes, expected, engine, command, manifest
):
    engine("plan", a_plan(changes))
    for output in ("text", "json", "markdown"):
        code, out, err = command("plan", *HERE, "-f", manifest, "-o", output)
        assert code == expected
        assert out
        assert ("would be refused because of 1 of 3 objects" in err) == (expected == 1)


def test_plan_shows_the_plan_in_three_forms(engine, command, manifest):
    engine("plan", a_plan(CHANGED, warnings=("deprecated",)))
    _, text, err = command("plan", *HERE, "-f", manifest)
    assert text == (
        "release shop/shop: 1 to configure, 1 unchanged\n"
        "  ~ Deployment shop/web: configure\n"
        "      .spec.replicas: 1 -> 2\n"
        "plan digest sha256:d16e57\n"
    )
    assert err == "warning: deprecated\n"
    _, document, err = command("plan", *HERE, "-f", manifest, "-o", "json")
    found = json.loads(document)
    assert (found["digest"], found["counts"]) == ("sha256:d16e57", {"configure": 1, "unchanged": 1})
    assert (found["warnings"], err) == (["deprecated"], "")
    _, markdown, _ = command("plan", *HERE, "-f", manifest, "-o", "markdown")
    assert markdown.startswith("### Plan for release `shop/shop`\n")
    assert markdown.endswith("Plan digest: `sha256:d16e57`\n")


def test_a_terminal_that_knows_only_ascii_gets_the_whole_plan(engine, manifest, monkeypatch):
    engine("plan", a_plan((Change(Action.RECREATE, WEB, BEFORE, {**AFTER, "spec": {"motto": "größer"}}),)))
    screen = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(screen, encoding="ascii"))
    assert main(["plan", *HERE, "-f", manifest]) == 2
    assert b"\\xb1 Deployment shop/web: recreate\n" in screen.getvalue()
    assert b"plan digest" in screen.getvalue()


@pytest.mark.parametrize("changes", [SAME, CHANGED, REFUSED])
def test_plan_keeps_the_plan_for_deploy_and_the_report_for_people(changes, engine, command, manifest, tmp_path):
    engine("plan", a_plan(changes))
    plan, report = tmp_path / "plan.json", tmp_path / "plan.md"
    command("plan", *HERE, "-f", manifest, "--out", str(plan), "--report", str(report))
    assert json.loads(plan.read_text())["digest"] == "sha256:d16e57"
    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert report.read_text().startswith("### Plan for release `shop/shop`\n")


def test_deploy_takes_the_plan_that_plan_has_kept(engine, command, manifest, tmp_path):
    digest = plan_digest(())
    engine("plan", dataclasses.replace(a_plan(CHANGED), digest=digest))
    calls = engine("deploy", a_result(CHANGED))
    plan = str(tmp_path / "plan.json")
    command("plan", *HERE, "-f", manifest, "--out", plan)
    approved = ["--plan-file", plan, "--approved-by", "ann", "--approval-max-age", "60"]
    assert command("deploy", *HERE, "-f", manifest, *approved)[0] == 0
    approval = calls[0][0][1].approval
    assert (approval.plan_digest, approval.release, approval.approved_by) == (digest, "shop/shop", "ann")
    assert (approval.max_age, approval.required) == (60, False)


def test_a_plan_that_can_not_be_kept_is_an_error(engine, command, manifest, tmp_path):
    engine("plan", a_plan(CHANGED))
    code, out, err = command("plan", *HERE, "-f", manifest, "--out", str(tmp_path / "missing" / "plan.json"))
    assert (code, out) == (1, "")
    assert "--out: " in err


def test_plan_is_added_to_the_summary_of_the_job(engine, command, manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    engine("plan", a_plan(CHANGED))
    command("plan", *HERE, "-f", manifest, "-o", "json")
    assert (tmp_path / "summary.md").read_text().startswith("### Plan for release `shop/shop`\n")


# --- deploy ----------------------------------------------------------------------------------------------------------


def test_deploy_tells_what_it_did_and_its_progress_elsewhere(engine, command, manifest):
    steps = [Progress("apply", "configure Deployment shop/web", 1, 1, WEB)]
    calls = engine("deploy", a_result(CHANGED, warnings=("deprecated",)), steps)
    code, out, err = command("deploy", *HERE, "-f", manifest)
    assert code == 0
    assert out.startswith("release shop/shop: revision 3: 1 configured, 1 unchanged (")
    assert out.endswith(" s)\n  ~ Deployment shop/web: configured\n")
    assert "apply 1/1  configure Deployment shop/web\n" in err
    assert err.endswith("warning: deprecated\n")
    spec = calls[0][0][1]
    assert (spec.name, spec.namespace, spec.origin.face) == ("shop", "shop", "cli")
    assert [obj["metadata"]["name"] for obj in spec.objects] == ["web"]


def test_with_json_the_result_is_the_one_document_on_standard_output(engine, command, manifest):
    steps = [Progress("apply", "configure Deployment shop/web", 1, 1, WEB)]
    engine("deploy", a_result(CHANGED, warnings=("deprecated",)), steps)
    code, out, err = command("deploy", *HERE, "-f", manifest, "-o", "json")
    found = json.loads(out)
    assert code == 0
    assert (found["release"], found["namespace"], found["revision"]) == ("shop", "shop", 3)
    assert found["changes"] == [{"action": "configure", "kind": "Deployment", "namespace": "shop", "name": "web"}]
    assert (found["changed"], found["objects"], found["rolled_back_to"]) == (True, 2, 0)
    assert found["warnings"] == ["deprecated"]
    assert "apply 1/1" in err
    assert "warning" not in err


@pytest.mark.parametrize("output", ["text", "json"])
def test_on_github_progress_is_a_group_and_the_result_is_added_to_the_summary(
    output, engine, command, manifest, tmp_path, monkeypatch
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    steps = [Progress("wait", "Deployment shop/web: Failed\n::set-env name=A::b", 1, 1, WEB)]
    engine("deploy", a_result(CHANGED), steps)
    _, out, err = command("deploy", *HERE, "-f", manifest, "-o", output)
    group, line, end = err.splitlines()
    assert (group, end) == ("::group::deploy shop/shop", "::endgroup::")
    assert not line.strip().startswith("::")
    assert "::group::" not in out
    summary = (tmp_path / "summary.md").read_text()
    assert summary.startswith("### Release shop/shop: revision 3\n")
    assert "| ~ | Deployment shop/web | configured |  |" in summary


def test_a_failure_is_added_to_the_summary_as_text(engine, command, manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    engine("deploy", NotReadyError("1 of 2 objects failed:\n~~~~~\n::add-path::/tmp\n<img>", hint="Correct it."))
    code, _, err = command("deploy", *HERE, "-f", manifest)
    assert code == 3
    assert "\n::add-path" not in err
    fence, *body, end = (tmp_path / "summary.md").read_text().strip().splitlines()[2:]
    assert (fence, end) == ("~~~~~text", "~~~~~")
    assert "~~~~~" not in body
    assert body[-1] == "Correct it."


# --- rollback --------------------------------------------------------------------------------------------------------


def test_rollback_passes_on_what_was_said(engine, command):
    calls = engine("rollback", a_result(CHANGED, rolled_back_to=1))
    options = ["--to", "1", "--no-wait", "--timeout", "7", "--lock-timeout", "8", "--force-conflicts", "all"]
    approval = ["--plan-digest", "sha256:d16e57", "--approved-by", "ann", "--require-approval"]
    code, out, _ = command("rollback", *HERE, *options, *approval)
    assert code == 0
    assert out.startswith("release shop/shop: revision 3, as revision 1: 1 configured, 1 unchanged (")
    (arguments, given), *_ = calls
    assert arguments[1:] == ("shop", "shop")
    assert (given["to"], given["wait"], given["wait_timeout"], given["lock_timeout"]) == (1, False, 7, 8)
    assert given["force_conflicts"] is ForceConflicts.ALL
    assert given["origin"].face == "cli"
    assert (given["approval"].plan_digest, given["approval"].approved_by) == ("sha256:d16e57", "ann")
    assert given["approval"].required


@pytest.mark.parametrize(("changes", "expected"), [(SAME, 0), (CHANGED, 2)])
def test_a_dry_rollback_shows_a_plan_with_its_digest(changes, expected, engine, command):
    calls = engine("rollback", a_result(changes))
    code, out, err = command("rollback", *HERE, "--dry-run")
    assert (code, err) == (expected, "")
    assert ("plan digest sha256:d16e57" in out) == (expected == 2)
    assert calls[0][1]["check"]
    assert json.loads(command("rollback", *HERE, "--dry-run", "-o", "json")[1])["digest"] == "sha256:d16e57"


# --- remove ----------------------------------------------------------------------------------------------------------

GOING = (Change(Action.DELETE, WEB, BEFORE, None), Change(Action.UNCHANGED, SETTINGS, reason="keep annotation"))


def test_remove_tells_what_went_and_what_stays(engine, command):
    calls = engine("remove", a_result(GOING))
    code, out, _ = command("remove", *HERE, "--delete-namespace", "--prune-kind", "Namespace", "--no-wait")
    assert code == 0
    assert out.startswith("release shop/shop: removed: 1 removed, 1 unchanged (")
    assert "\n  - Deployment shop/web: removed\n  = ConfigMap shop/settings: unchanged (keep annotation)\n" in out
    assert calls[0][1].items() >= {"delete_namespace": True, "prune_kinds": ["Namespace"], "wait": False}.items()


def test_removing_what_is_not_there_is_no_error(engine, command):
    engine("remove", DeployResult(0, "", ()))
    code, out, _ = command("remove", *HERE)
    assert code == 0
    assert out.startswith("release shop/shop: does not exist: no objects (")
    assert command("remove", *HERE, "--dry-run")[0] == 0


def test_a_dry_removal_changes_nothing_and_ends_with_2(engine, command):
    calls = engine("remove", a_result(GOING))
    code, out, _ = command("remove", *HERE, "--dry-run")
    assert (code, calls[0][1]["check"]) == (2, True)
    assert out == (
        "release shop/shop: 1 object would be removed\n"
        "  - Deployment shop/web\n"
        "  = ConfigMap shop/settings: stays (keep annotation)\n"
    )
    assert json.loads(command("remove", *HERE, "--dry-run", "-o", "json")[1])["changed"] is True


# --- status and history ----------------------------------------------------------------------------------------------

REVISIONS = (
    Revision(
        number=1,
        digest="sha256:1",
        time="2026-01-01T10:00:00Z",
        status="deployed",
        face="ansible",
        images=("registry.example.com/web:1",),
    ),
    Revision(
        number=2,
        digest="sha256:2",
        time="2026-01-02T10:00:00Z",
        status="failed",
        face="cli",
        message="1 of 2 objects failed\n- Deployment shop/web: CrashLoopBackOff",
        user="ann",
        pipeline="https://ci.example.com/7",
        commit="1f3c9a2b0d4e5f60718293a4b5c6d7e8f9012345",
        images=("a/web@sha256:1f3c9a2b0d4e5f6", "b:2", "c:3", "d:4", "e:5"),
        approved_by="bob",
        rolled_back_to=1,
    ),
)


def a_state(drift=(), revisions=REVISIONS):
    return ReleaseState("shop", "shop", 2, "sha256:2", "failed", ITEMS, dict(drift), {}, False, revisions)


DRIFT = {"apps/Deployment/shop/web": "changed", "ConfigMap/shop/settings": "missing"}


def test_status_tells_revision_status_objects_and_drift(engine, command):
    engine("read_release", a_state(DRIFT))
    code, out, err = command("status", *HERE)
    assert (code, err) == (0, "")
    assert out == (
        "release shop/shop: revision 2, failed, 2 objects\n"
        "  2026-01-02T10:00:00Z, with cli, by ann, from commit 1f3c9a2b0d4e, approved by bob, as revision 1\n"
        "  https://ci.example.com/7\n"
        "  1 of 2 objects failed\n"
        "  - Deployment shop/web: CrashLoopBackOff\n"
        "drift: 2 objects\n"
        "  ConfigMap shop/settings: missing\n"
        "  Deployment shop/web: changed\n"
    )
    assert json.loads(command("status", *HERE, "-o", "json")[1])["drift"] == DRIFT


@pytest.mark.parametrize(("drift", "expected"), [(DRIFT, 2), ({}, 0)])
def test_a_drift_job_ends_with_2_when_the_cluster_differs(drift, expected, engine, command):
    engine("read_release", a_state(drift))
    code, out, _ = command("status", *HERE, "--drift")
    assert code == expected
    assert ("drift: none" in out) == (not drift)


@pytest.mark.parametrize("verb", ["status", "history"])
def test_a_release_that_does_not_exist_is_an_error(verb, engine, command):
    engine("read_release", None)
    code, out, err = command(verb, *HERE, "-o", "json")
    assert code == 1
    assert json.loads(out)["error"]["code"] == RevisionNotFoundError.code
    assert "there is no release shop in namespace shop" in err


def test_status_without_a_release_lists_those_of_the_namespace(engine, command):
    engine("list_releases", (a_state(),))
    code, out, _ = command("status", "-n", "shop")
    assert code == 0
    assert out == (
        "RELEASE  REVISION  STATUS  OBJECTS  TIME\nshop     2         failed  2        2026-01-02T10:00:00Z\n"
    )
    found = json.loads(command("status", "-n", "shop", "-o", "json")[1])
    assert [release["release"] for release in found["releases"]] == ["shop"]
    assert "drift" not in found["releases"][0], "it was not looked for"
    assert command("status", "-n", "shop", "--drift")[0] == 1
    engine("list_releases", ())
    assert command("status", "-n", "shop")[:2] == (0, "no releases in namespace shop\n")


def test_history_is_a_table_of_revisions(engine, command):
    calls = engine("read_release", a_state())
    code, out, _ = command("history", *HERE)
    assert code == 0
    heading, first, second = (line.split("  ") for line in out.splitlines())
    cells = [[cell.strip() for cell in line if cell.strip()] for line in (heading, first, second)]
    assert cells[0] == [
        "REVISION",
        "STATUS",
        "TIME",
        "FACE",
        "USER",
        "IMAGES",
        "COMMIT",
        "APPROVED BY",
        "ROLLED BACK TO",
    ]
    assert cells[1] == ["1", "deployed", "2026-01-01T10:00:00Z", "ansible", "web:1"]
    images = "web@1f3c9a2b0d4e, b:2, c:3 +2"
    assert cells[2] == ["2", "failed", "2026-01-02T10:00:00Z", "cli", "ann", images, "1f3c9a2b0d4e", "bob", "1"]
    assert calls[0][1] == {"drift": False}, "a history needs no look at the objects"


def test_columns_that_no_revision_has_anything_for_are_left_out(engine, command):
    engine("read_release", a_state(revisions=REVISIONS[:1]))
    assert command("history", *HERE)[1].splitlines()[0].split() == ["REVISION", "STATUS", "TIME", "FACE", "IMAGES"]


def test_history_as_json_has_everything(engine, command):
    engine("read_release", a_state())
    found = json.loads(command("history", *HERE, "-o", "json")[1])
    assert found["revisions"] == [json.loads(json.dumps(revision.as_dict())) for revision in REVISIONS]


# --- the cluster -----------------------------------------------------------------------------------------------------


def test_the_cluster_is_the_one_that_the_options_name(command, monkeypatch):
    seen = []

    def connect(options):
        seen.append((options.kubeconfig, options.context))
        raise ClusterUnreachableError("enough")

    monkeypatch.setattr("pulumi_gitops.core.cluster.connect", connect)
    command("status", *HERE)
    command("history", *HERE, "--kubeconfig", "staging.yaml", "--context", "staging")
    assert seen == [(None, None), ("staging.yaml", "staging")]


def test_without_a_cluster_it_says_where_it_looked(command, monkeypatch, tmp_path):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "missing"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    code, _, err = command("status", *HERE)
    assert code == 1
    assert err.startswith("error: ")
    assert str(Path(tmp_path / "missing")) in err
