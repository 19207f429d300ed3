# SPDX-License-Identifier: Apache-2.0
"""However the demo ends, it says so, ends with the right exit code, and leaves nothing unless asked to."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest

from pulumi_gitops.cli import main
from pulumi_gitops.core.errors import ProcessError
from pulumi_gitops.core.objects import ObjectRef

from .conftest import STEPS, FakeSandbox

ELSEWHERE = ("--context", "staging", "--git-url", "https://git.example.com/team")


@pytest.fixture
def demo(world, capsys):
    """Run the command; returns exit code, output and what it says on standard error."""

    def demo(*arguments):
        code = main(["demo", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return demo


def rows(said):
    """The results of the steps in the table."""
    lines = said[said.index(" step ") :].splitlines()[1:]
    return [line for line in lines if line.strip() and not line.startswith((" Look", " End", "Removing", "Something"))]


def temporary(world):
    return list((world.tmp / "temporary").iterdir())


@pytest.mark.parametrize("keep", [(), ("--keep",)])
@pytest.mark.parametrize("number", range(len(STEPS)))
def test_ctrl_c_at_any_step_leaves_nothing_and_says_where_it_was(demo, world, number, keep):
    world.at = {STEPS[number]: KeyboardInterrupt()}
    code, said, _ = demo(*keep)
    assert code == 130
    assert len(rows(said)) == number + 1
    assert "interrupted" in rows(said)[-1]
    assert "Look around" not in said
    assert world.sandboxes[0].stopped
    assert not world.sandboxes[0].detached


@pytest.mark.parametrize("keep", [(), ("--keep",)])
@pytest.mark.parametrize("number", range(len(STEPS)))
def test_a_step_that_fails_is_named_with_its_reason_and_leaves_nothing(demo, world, number, keep):
    world.at = {STEPS[number]: ProcessError("pulumi failed with exit code 255", hint="What it said is above.")}
    code, said, complaint = demo(*keep)
    assert code == 1
    assert complaint == "error: pulumi failed with exit code 255\nWhat it said is above.\n"
    assert len(rows(said)) == number + 1
    assert "FAILED" in rows(said)[-1]
    assert world.sandboxes[0].stopped


def test_a_story_that_ends_well_is_cleared_away_too(demo, world):
    code, said, _ = demo()
    assert code == 0
    assert world.done == list(STEPS)
    assert len(rows(said)) == len(STEPS)
    assert said.endswith(" Look around: make demo KEEP=1 keeps it running.\n")
    assert world.sandboxes[0].stopped


def test_when_asked_to_it_stays_with_hints_how_to_look_around_and_how_to_end_it(demo, world):
    code, said, _ = demo("--keep")
    [sandbox] = world.sandboxes
    assert code == 0
    assert sandbox.detached
    assert not sandbox.stopped
    assert "sandbox env --name demo)" in said
    assert f"state are in {sandbox.folder}" in said
    assert "sandbox down --name demo" in said


def test_further_interrupts_do_not_keep_it_from_cleaning_up(demo, world, monkeypatch):
    stop = FakeSandbox.stop

    def impatient(sandbox):
        os.kill(os.getpid(), signal.SIGINT)
        stop(sandbox)

    monkeypatch.setattr(FakeSandbox, "stop", impatient)
    world.at = {"bootstrap": KeyboardInterrupt()}
    handler = signal.getsignal(signal.SIGINT)
    assert demo()[0] == 130
    assert world.sandboxes[0].stopped
    assert signal.getsignal(signal.SIGINT) is handler


def test_what_an_earlier_run_has_kept_makes_room(demo, world):
    world.old = FakeSandbox(world.tmp / "old", detached=True)
    code, said, _ = demo()
    assert code == 0
    assert "an earlier run has kept" in said
    assert world.old.stopped


def test_a_demo_that_is_running_is_not_disturbed_by_another_one(demo, world):
    world.old = FakeSandbox(world.tmp / "old")
    code, _, complaint = demo()
    assert code == 1
    assert "is up already" in complaint
    assert not world.old.stopped


def test_flux_tells_the_same_story_from_the_sandboxs_manifests(demo, world):
    code, said, _ = demo("--flux", "--keep")
    assert code == 0
    assert world.done == list(STEPS)
    assert world.followed == {"argocd": False, "flux": True}
    assert world.configured["controller"] == "flux"
    assert world.configured["manifests"] == str(world.tmp / "flux.yaml")
    assert "bootstrap Flux" in said
    assert "Ready at fffffff" in said
    assert "kubectl get kustomizations,deployments -A" in said
    assert "Argo CD" not in said


def test_flux_is_downloaded_on_a_cluster_of_the_users(demo, world):
    code, said, _ = demo("--flux", *ELSEWHERE)
    assert code == 0
    assert world.configured["controller"] == "flux"
    assert "manifests" not in world.configured
    assert "version" not in world.configured
    assert "Flux 3.5.7, 1 objects, ready" in said


# --- on a cluster of the user's --------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [None, KeyboardInterrupt(), ProcessError("no")], ids=["well", "ctrl-c", "failed"])
def test_elsewhere_everything_that_was_made_is_removed(demo, world, end):
    world.at = {"commit": end} if end else {}
    code, said, _ = demo(*ELSEWHERE)
    assert code == {type(None): 0, KeyboardInterrupt: 130, ProcessError: 1}[type(end)]
    assert "Removing what the demo has made" in said
    assert world.done[-1] == "destroy"
    assert world.removed == [("billing", "billing")]
    assert [ref.name for ref in world.cluster.deleted] == ["shop"]
    assert temporary(world) == []


def test_elsewhere_it_stays_when_asked_to_with_pulumis_state(demo, world):
    code, said, _ = demo(*ELSEWHERE, "--keep")
    [folder] = temporary(world)
    assert code == 0
    assert "destroy" not in world.done
    assert f"cd {folder}/program && PATH=/a:$PATH pulumi destroy --stack demo" in said
    assert "kubectl --context staging delete namespace billing shop" in said


def test_elsewhere_a_removal_that_fails_keeps_the_state_and_the_first_error(demo, world):
    world.at = {"commit": ProcessError("the first"), "destroy": ProcessError("the second")}
    code, said, complaint = demo(*ELSEWHERE)
    [folder] = temporary(world)
    assert code == 1
    assert f"Something is left; the Pulumi program and its state stay in {folder}\nWhy: the second" in said
    assert complaint == "error: the first\n"


def test_elsewhere_a_removal_that_fails_is_an_error_by_itself(demo, world):
    world.at = {"destroy": ProcessError("the only one")}
    code, _, complaint = demo(*ELSEWHERE)
    assert (code, complaint) == (1, "error: the only one\n")


@pytest.mark.parametrize("name", ["billing", "shop", "Argo CD", "Flux"])
def test_elsewhere_what_is_there_already_is_not_touched(demo, world, name):
    if name in ("Argo CD", "Flux"):
        world.controllers[{"Argo CD": "argocd", "Flux": "flux"}[name]] = SimpleNamespace(namespace="delivery")
    else:
        world.cluster.there.add(ObjectRef("", "v1", "Namespace", "", name))
    code, _, complaint = demo(*ELSEWHERE, *(["--flux"] if name == "Flux" else []))
    assert code == 1
    assert "there already: " in complaint
    assert name in complaint
    assert (world.done, world.removed, world.cluster.deleted) == ([], [], [])
    assert temporary(world) == []


@pytest.mark.parametrize("arguments", [ELSEWHERE[:2], ELSEWHERE[2:]])
def test_context_and_git_url_go_together(demo, world, monkeypatch, arguments):
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    code, _, complaint = demo(*arguments)
    assert code == 1
    assert "CONTEXT and GIT_URL go together" in complaint
    assert world.done == []
