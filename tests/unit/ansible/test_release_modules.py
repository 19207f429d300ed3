# SPDX-License-Identifier: Apache-2.0
"""What the modules for releases ask of the engine, and how they tell what came of it."""

from __future__ import annotations

import contextlib
import json
import stat
import subprocess
import sys

import pytest
from ansible.module_utils import basic

from ansible_collections.iac.gitops.plugins.module_utils import _common
from pulumi_gitops.core import cluster, redact
from pulumi_gitops.core import deploy as engine
from pulumi_gitops.core.deploy import (
    Action,
    Approval,
    Change,
    DeployResult,
    ForceConflicts,
    Ownership,
    Plan,
    ReleaseState,
    Revision,
)
from pulumi_gitops.core.errors import ForbiddenError, RolledBackError
from pulumi_gitops.core.objects import ObjectRef

CANARY = "canary-91b2c3"
DIGEST = "sha256:" + 64 * "7"
CONFIG = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"color": "blue"}}
NAME = {"name": "shop", "namespace": "shop"}
RELEASE = {**NAME, "definition": CONFIG}


def change(action, name="web", **more):
    return Change(action, ObjectRef("", "v1", "ConfigMap", "shop", name), **more)


def configured(name="web", **data):
    before, after = {"data": dict.fromkeys(data, "old")}, {"data": data}
    return change(Action.CONFIGURE, name, before=before, after=after)


@pytest.fixture
def calls(monkeypatch):
    """The calls of the engine, by function; what they answer can be set."""

    class Calls(list):
        changes = (configured(color="red"), change(Action.UNCHANGED, "same"))
        warnings = ()
        error = None
        states = ()

        def answer(self, name, *args, **kwargs):
            self.append((name, args, kwargs))
            if self.error:
                raise self.error
            if name == "plan":
                return Plan("shop", "shop", 4, self.changes, "sha256:set", DIGEST, warnings=self.warnings)
            if name == "read_release":
                return next((s for s in self.states if (s.name, s.namespace) == args[:2]), None)
            if name == "list_releases":
                return tuple(s for s in self.states if args[0] in ("", s.namespace))
            return DeployResult(3, "sha256:set", self.changes, plan_digest=DIGEST, warnings=self.warnings)

    calls = Calls()
    for name in ("deploy", "plan", "remove", "rollback", "read_release", "list_releases"):
        monkeypatch.setattr(engine, name, lambda _, *args, __name=name, **kwargs: calls.answer(__name, *args, **kwargs))
    monkeypatch.setattr(cluster, "connect", lambda options: contextlib.nullcontext())
    return calls


@pytest.fixture
def warnings(monkeypatch):
    """What users are warned of."""
    seen = []
    monkeypatch.setattr(basic.AnsibleModule, "warn", lambda self, text: seen.append(text))
    return seen


# --- what is asked ---------------------------------------------------------------------------------------------------


def test_options_reach_the_engine_under_its_own_names(calls, run_module):
    run_module(
        "deploy",
        **RELEASE,
        images={},
        labels={"team": "shop"},
        prune_limit=3,
        prune_kinds=["Namespace"],
        wait_timeout=17,
        stall_timeout=5,
        lock_timeout=1,
        force_conflicts="never",
        ownership="must_match",
        ignore_fields=["/data/color"],
        rollback_on_failure=True,
        history_limit=2,
        history_secrets=False,
        require_approval=True,
        plan_digest=DIGEST,
        approved_by="ann",
        approval_max_age=60,
    )
    [(name, (spec,), more)] = calls
    assert (name, more) == ("deploy", {"check": False})
    assert spec.objects[0]["metadata"]["labels"] == {"team": "shop"}
    assert (spec.prune_limit, spec.prune_kinds, spec.wait_timeout, spec.stall_timeout) == (3, ["Namespace"], 17, 5)
    assert (spec.force_conflicts, spec.ownership) == (ForceConflicts.NEVER, Ownership.MUST_MATCH)
    assert (spec.history_limit, spec.history_secrets, spec.lock_timeout) == (2, False, 1)
    assert spec.rollback_on_failure is True
    assert spec.approval == Approval(plan_digest=DIGEST, required=True, approved_by="ann", max_age=60)


@pytest.mark.parametrize("module", ["deploy", "plan"])
def test_what_the_action_plugin_has_read_becomes_the_set_and_errors_name_its_files(module, calls, run_module):
    source = {"path": "/play/web.yaml", "content": json.dumps(CONFIG)}
    assert "msg" not in run_module(module, **NAME, src=[source])
    assert calls[0][1][0].objects == [CONFIG]
    broken = run_module(module, **NAME, src=[source | {"content": "kind: [\n"}])
    assert broken["msg"].startswith("/play/web.yaml:2:1: ")
    nothing = run_module(module, **NAME, src=[source | {"content": "# nothing\n"}])
    assert (nothing["code"], nothing["msg"]) == ("input.empty_set", "no manifests in /play/web.yaml")


@pytest.mark.parametrize("module", ["deploy", "plan"])
@pytest.mark.parametrize("sources", [{}, {"definition": CONFIG, "kustomize": "/nowhere"}])
def test_exactly_one_source_is_needed(module, sources, calls, run_module):
    assert run_module(module, **NAME, **sources)["failed"] is True
    assert calls == []


def test_a_plan_file_that_is_to_be_written_is_not_taken_for_one_that_was_approved(calls, run_module, tmp_path):
    path = tmp_path / "plan.json"
    path.write_text("not a plan")
    assert "msg" not in run_module("plan", **RELEASE, plan_file=str(path))
    assert json.loads(path.read_text())["digest"] == DIGEST
    assert calls[0][1][0].approval == Approval()


def test_a_removal_takes_volumes_only_when_they_are_named(calls, run_module):
    run_module("deploy", **NAME, state="absent", lock_timeout=2)
    run_module("deploy", **NAME, state="absent", prune_kinds=["PersistentVolumeClaim"], _check=True)
    (_, args, first), (_, _, second) = calls
    assert args == ("shop", "shop")
    assert (first["check"], first["lock_timeout"]) == (False, 2)
    assert first["prune_kinds"] == {"Namespace", "CustomResourceDefinition"}
    assert second["check"] is True
    assert second["prune_kinds"] == {"Namespace", "CustomResourceDefinition", "PersistentVolumeClaim"}


@pytest.mark.parametrize("approval", [{"require_approval": True}, {"plan_digest": DIGEST}, {"plan_file": "p.json"}])
def test_a_removal_that_would_need_an_approval_is_refused(approval, calls, run_module):
    result = run_module("deploy", **NAME, state="absent", **approval)
    assert result["code"] == "deploy.approval_missing"
    assert calls == []


def test_a_rollback_reaches_the_engine(calls, run_module):
    run_module("rollback", **NAME)
    run_module(
        "rollback", **NAME, revision=2, force_conflicts="all", require_approval=True, approved_by="a", _check=True
    )
    (name, args, first), (_, _, second) = calls
    assert (name, args) == ("rollback", ("shop", "shop"))
    assert (first["to"], first["check"], first["approval"]) == (0, False, Approval())
    assert first["origin"].face == "ansible"
    assert (second["to"], second["check"], second["force_conflicts"]) == (2, True, ForceConflicts.ALL)
    assert second["approval"] == Approval(required=True, approved_by="a")


def test_one_task_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from ansible_collections.iac.gitops.plugins.modules import deploy\n"
        "from pulumi_gitops.core.cluster import connect\n"
        "from pulumi_gitops.core.delivery import ReleaseOptions, request\n"
        "from pulumi_gitops.core.deploy import deploy\n"
        "request(ReleaseOptions(name='a', namespace='a', definition='{apiVersion: v1, kind: A, metadata: {name: a}}'),"
        " face='ansible')\n"
        "print(sorted({'kubernetes', 'pulumi', 'git', 'grpc', 'requests'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- what is told ----------------------------------------------------------------------------------------------------


def test_a_deployment_tells_digests_and_counts(calls, run_module, warnings):
    calls.warnings = ("spec.template is deprecated",)
    result = run_module("deploy", **RELEASE)
    assert {key: result[key] for key in ("revision", "digest", "plan_digest", "rolled_back_to")} == {
        "revision": 3,
        "digest": "sha256:set",
        "plan_digest": DIGEST,
        "rolled_back_to": 0,
    }
    assert result["counts"] == {"configure": 1, "unchanged": 1}
    assert result["changes_omitted"] == 0
    assert warnings == ["spec.template is deprecated"]


def test_a_result_is_bounded_and_says_what_it_leaves_out(calls, run_module, warnings):
    calls.changes = (
        *(configured(f"web-{n}", color="red") for n in range(700)),
        *(change(Action.HANDED_OVER, f"argo-{n}", reason="Argo CD owns it") for n in range(50)),
    )
    result = run_module("deploy", _diff=True, **RELEASE)
    assert (len(result["changes"]), result["changes_omitted"]) == (500, 200)
    assert result["counts"] == {"configure": 700, "handed_over": 50}
    assert len(result["diff"]) == 501
    assert result["diff"][-1] == {"prepared": "200 more differences are not shown\n"}
    assert (len(warnings), warnings[-1]) == (21, "and 30 more warnings like these")


def test_the_difference_of_a_huge_object_is_shown_field_by_field(calls, run_module):
    huge = {"data": {"a": "x" * 90_000, "b": "y"}}
    calls.changes = (
        change(Action.CONFIGURE, before=huge, after={"data": {**huge["data"], "b": "z"}}),
        change(Action.CREATE, "new", after={"data": {"a": "x" * 190_000}}),
    )
    first, second = run_module("deploy", _diff=True, **RELEASE)["diff"]
    assert first == {"prepared": "ConfigMap shop/web (configure)\n  .data.b: y -> z\n"}
    assert second["prepared"].startswith("ConfigMap shop/new (create)\n  190")
    assert len(second["prepared"]) < 200


def test_details_of_an_error_are_bounded_and_show_no_known_secret(calls, run_module):
    redact.register(CANARY)
    calls.error = RolledBackError(
        "revision 2 failed; rolled back to revision 1",
        details={
            "failure": {"logs": [f"password is {CANARY}"]},
            "rollback": {"changes": [{"n": n} for n in range(600)]},
        },
    )
    details = run_module("deploy", **RELEASE)["details"]
    assert details["failure"] == {"logs": ["password is ***"]}
    assert (len(details["rollback"]["changes"]), details["rollback"]["changes_omitted"]) == (500, 100)


def test_a_plan_tells_what_each_object_is_about(calls, run_module):
    calls.changes = (
        configured(color="red"),
        change(Action.BLOCKED, "typo", reason="no right", error=ForbiddenError("no right", hint="Ask.")),
        change(Action.UNCHANGED, "same"),
    )
    result = run_module("plan", _diff=True, **RELEASE)
    assert (result["changed"], result["digest"], result["set_digest"], result["revision"], result["refused"]) == (
        True,
        DIGEST,
        "sha256:set",
        4,
        1,
    )
    assert result["counts"] == {"blocked": 1, "configure": 1, "unchanged": 1}
    first, second = result["changes"]
    assert first["fields"] == [{"path": ".data.color", "before": "old", "after": "red"}]
    assert second["error"] == {"code": "cluster.forbidden", "message": "no right", "hint": "Ask."}
    assert result["report"]["text"].startswith("release shop/shop: 1 to configure, 1 blocked, 1 unchanged")
    assert f"Plan digest: `{DIGEST}`" in result["report"]["markdown"]
    assert [entry["after_header"] for entry in result["diff"]] == [
        "ConfigMap shop/web (configure)",
        "ConfigMap shop/typo (blocked)",
    ]


def test_a_plan_of_many_and_long_fields_is_bounded(calls, run_module):
    calls.changes = (configured(long="x" * 5000, **{f"key-{n}": "new" for n in range(150)}),)
    [entry] = run_module("plan", **RELEASE)["changes"]
    assert (len(entry["fields"]), entry["fields_omitted"]) == (100, 51)
    assert entry["fields"][0]["after"] == "x" * 1000 + "... (5000 characters)"
    calls.changes = tuple(configured(f"web-{n}", **{f"key-{m}": "new" for m in range(50)}) for n in range(400))
    result = run_module("plan", **RELEASE)
    assert len(json.dumps(result["changes"])) <= _common.MOST_CHARACTERS + 1000 * 2
    assert len(result["changes"]) + result["changes_omitted"] == 400
    assert result["changes_omitted"] > 0
    lines = result["report"]["text"].splitlines()
    assert lines[-1] == f"and {400 * 21 + 400 + 2 - (len(lines) - 1)} more lines"


def test_files_of_a_plan_are_written_in_check_mode_too_and_the_plan_file_is_private(calls, run_module, tmp_path):
    plan, report = tmp_path / "plan.json", tmp_path / "plan.md"
    plan.write_text("older")
    plan.chmod(0o644)
    for check in (False, True):
        run_module("plan", **RELEASE, plan_file=str(plan), report=str(report), _check=check)
        assert stat.S_IMODE(plan.stat().st_mode) == 0o600
        assert json.loads(plan.read_text())["digest"] == DIGEST
        assert report.read_text().startswith("### Plan for release `shop/shop`")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["plan.json", "plan.md"]
        plan.unlink()
        report.unlink()


@pytest.mark.parametrize("option", ["plan_file", "report"])
def test_a_file_that_can_not_be_written_is_an_error(option, calls, run_module, tmp_path):
    result = run_module("plan", **RELEASE, **{option: str(tmp_path / "nowhere/file")})
    assert result["code"] == "input.invalid"
    assert f"{tmp_path}/nowhere/file can not be written: No such file or directory" in result["msg"]
    assert run_module("plan", **RELEASE, **{option: str(tmp_path)})["code"] == "input.invalid"
    assert not list(tmp_path.parent.glob(".plan-*"))


@pytest.mark.parametrize("action", [Action.CONFIGURE, Action.BLOCKED])
def test_a_job_that_looks_for_drift_fails_for_changes_and_for_what_could_not_be_deployed(action, calls, run_module):
    error = ForbiddenError("no right") if action is Action.BLOCKED else None
    calls.changes = tuple(change(action, f"web-{n}", error=error) for n in range(30))
    result = run_module("plan", **RELEASE, fail_on_change=True)
    assert (result["failed"], result["code"]) == (True, "plan.changes")
    assert result["msg"].startswith(f"release shop/shop: 30 {'to configure' if error is None else 'blocked'}\n- ")
    assert "ConfigMap shop/web-0" in result["msg"]
    assert result["msg"].endswith("- and 10 more")
    assert len(result["changes"]) == 30
    calls.changes = (change(Action.UNCHANGED), change(Action.HANDED_OVER, "theirs", reason="Argo CD owns it"))
    assert "failed" not in run_module("plan", **RELEASE, fail_on_change=True)


def state(name, namespace, drift=()):
    revision = Revision(number=1, digest="sha256:1", time="2026-11-25T07:30:00Z", status="deployed", user="ann")
    return ReleaseState(
        name=name,
        namespace=namespace,
        revision=1,
        digest="sha256:1",
        status="deployed",
        inventory=(),
        drift=dict(drift),
        facts={},
        created_namespace=False,
        revisions=(revision,),
    )


@pytest.mark.parametrize(
    ("options", "asked", "found"),
    [
        ({"name": "shop", "namespace": "a"}, [("read_release", ("shop", "a"), {"drift": False})], ["a/shop"]),
        ({"name": "gone", "namespace": "a"}, [("read_release", ("gone", "a"), {"drift": False})], []),
        ({}, [("list_releases", ("",), {})], ["a/shop", "a/mail", "b/shop"]),
        ({"namespace": "a"}, [("list_releases", ("a",), {})], ["a/shop", "a/mail"]),
        ({"name": "shop"}, [("list_releases", ("",), {})], ["a/shop", "b/shop"]),
        (
            {"namespace": "b", "drift": True},
            [("list_releases", ("b",), {}), ("read_release", ("shop", "b"), {"drift": True})],
            ["b/shop"],
        ),
    ],
)
def test_releases_are_read_one_by_one_or_listed(options, asked, found, calls, run_module):
    calls.states = (state("shop", "a"), state("mail", "a"), state("shop", "b"))
    result = run_module("release_info", **options)
    assert calls == asked
    assert result["changed"] is False
    assert [f"{release['namespace']}/{release['name']}" for release in result["releases"]] == found


def test_a_release_is_told_with_its_revisions_and_not_too_much_drift(calls, run_module):
    calls.states = (state("shop", "a", drift={f"ConfigMap/a/{n}": "missing" for n in range(510)}),)
    [release] = run_module("release_info", **NAME | {"namespace": "a"}, drift=True)["releases"]
    assert (len(release["drift"]), release["drift_omitted"], release["objects"]) == (500, 10, 0)
    assert release["drift"]["ConfigMap/a/0"] == "missing"
    [revision] = release["revisions"]
    assert (revision["number"], revision["user"], revision["status"]) == (1, "ann", "deployed")
