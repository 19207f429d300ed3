# SPDX-License-Identifier: Apache-2.0
"""What is said on the command line is what the engine gets: nothing is lost, nothing has another default."""

from __future__ import annotations

import argparse
import dataclasses
import io
import re

import pytest

from pulumi_gitops.cli import build_parser, main
from pulumi_gitops.commands.options import release_options
from pulumi_gitops.core.delivery import ReleaseOptions, request
from pulumi_gitops.core.deploy import ForceConflicts, Ownership
from pulumi_gitops.core.errors import EmptySetError, InputError
from pulumi_gitops.core.render.request import _HELM_OPTIONS

REQUIRED = ("shop", "-n", "prod")
# How each option of a release is said, and what the engine then gets.
SAID = {
    "name": ([], "shop"),
    "namespace": ([], "prod"),
    "definition": (["-f", "-"], "kind: from standard input\n"),
    "src": (["-f", "one.yaml", "--filename", "two/"], ["one.yaml", "two/"]),
    "kustomize": (["-k", "overlays/prod"], "overlays/prod"),
    "helm": (
        [
            *("--helm-chart", "oci://registry.example.com/shop", "--helm-version", "1.2"),
            *("--helm-values", "a.yaml", "--helm-values", "b.yaml", "--helm-release", "web"),
        ],
        {
            "chart": "oci://registry.example.com/shop",
            "version": "1.2",
            "value_files": ["a.yaml", "b.yaml"],
            "release_name": "web",
        },
    ),
    "allow_network": (["--allow-network"], True),
    "images": (
        ["--image", "web=registry.example.com:5000/web@sha256:1f", "--image", "job=job:2"],
        {"web": "registry.example.com:5000/web@sha256:1f", "job": "job:2"},
    ),
    "image_paths": (["--image-path", "spec.image", "--image-path", "spec.x"], ["spec.image", "spec.x"]),
    "replicas": (["--replicas", "web=3", "--replicas", "job=0"], {"web": 3, "job": 0}),
    "labels": (["--label", "team=shop", "--label", "empty="], {"team": "shop", "empty": ""}),
    "annotations": (["--annotation", "example.com/query=a=b"], {"example.com/query": "a=b"}),
    "set_namespace": (["--set-namespace"], True),
    "create_namespace": (["--no-create-namespace"], False),
    "prune": (["--no-prune"], False),
    "prune_kinds": (["--prune-kind", "Namespace"], ["Namespace"]),
    "prune_limit": (["--prune-limit", "0"], 0),
    "wait": (["--no-wait"], False),
    "wait_timeout": (["--timeout", "12.5"], 12.5),
    "stall_timeout": (["--stall-timeout", "30"], 30.0),
    "wait_for": (
        ["--wait-for", "condition=Ready", "--wait-for", "Database/main:jsonpath={.status.phase}=Up"],
        ["condition=Ready", {"kind": "Database", "name": "main", "jsonpath": "{.status.phase}=Up"}],
    ),
    "force_conflicts": (["--force-conflicts", "never"], "never"),
    "ownership": (["--ownership", "adopt"], "adopt"),
    "ignore_fields": (["--ignore-field", "/spec/replicas"], ["/spec/replicas"]),
    "recreate": (["--recreate"], True),
    "rollback_on_failure": (["--rollback-on-failure"], True),
    "history_limit": (["--history-limit", "3"], 3),
    "history_secrets": (["--no-history-secrets"], False),
    "lock_timeout": (["--lock-timeout", "5"], 5.0),
    "plan_file": (["--plan-file", "plan.json"], "plan.json"),
    "plan_digest": (["--plan-digest", "sha256:1f"], "sha256:1f"),
    "require_approval": (["--require-approval"], True),
    "approved_by": (["--approved-by", "ann"], "ann"),
    "approval_max_age": (["--approval-max-age", "600"], 600.0),
}
SOURCES = ("definition", "src", "kustomize", "helm")
APPROVAL = {"plan_file", "plan_digest", "require_approval", "approved_by", "approval_max_age"}
FIELDS = {field.name: field for field in dataclasses.fields(ReleaseOptions)}


@pytest.fixture(autouse=True)
def _standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"kind: from standard input\n"), encoding="utf-8"))


def options(command, *arguments):
    """Return what a command makes of its arguments."""
    return release_options(build_parser().parse_args([command, *REQUIRED, *arguments]))


def test_every_option_of_a_release_can_be_said():
    assert set(SAID) == set(FIELDS)


@pytest.mark.parametrize("name", SAID)
def test_what_is_said_is_what_the_engine_gets(name):
    arguments, expected = SAID[name]
    source = [] if name in SOURCES else ["-f", "deploy/"]
    found = options("deploy", *source, *arguments)
    assert getattr(found, name) == expected
    plain = ReleaseOptions(name="shop", namespace="prod", src=None if name in SOURCES else ["deploy/"])
    assert dataclasses.replace(found, **{name: getattr(plain, name)}) == plain


@pytest.mark.parametrize("name", SAID)
def test_plan_takes_the_arguments_of_deploy_but_for_the_approval(name, capsys):
    arguments, expected = SAID[name]
    source = [] if name in SOURCES else ["-f", "deploy/"]
    if name in APPROVAL:
        with pytest.raises(SystemExit, match="64"):
            options("plan", *source, *arguments)
    else:
        assert getattr(options("plan", *source, *arguments), name) == expected


def test_what_is_not_said_is_left_to_the_engine():
    assert options("deploy", "-f", "deploy/") == ReleaseOptions(name="shop", namespace="prod", src=["deploy/"])


def test_every_option_of_a_chart_but_inline_values_can_be_said():
    assert set(SAID["helm"][1]) == set(_HELM_OPTIONS) - {"values"}


def actions(command):
    """Return dest -> action of a command's parser."""
    subparsers = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return {action.dest: action for action in subparsers.choices[command]._actions}


def test_the_choices_are_those_of_the_engine():
    for command in ("plan", "deploy"):
        assert actions(command)["force_conflicts"].choices == list(ForceConflicts)
        assert actions(command)["ownership"].choices == list(Ownership)
    assert actions("rollback")["force_conflicts"].choices == list(ForceConflicts)


@pytest.mark.parametrize("command", ["plan", "deploy"])
def test_the_defaults_in_the_help_are_those_of_the_engine(command):
    words = {True: "yes", None: "any number"}
    for name, action in actions(command).items():
        default = FIELDS[name].default if name in FIELDS else dataclasses.MISSING
        stated = re.search(r"\(default: ([^,)]+)", action.help)
        if default is not dataclasses.MISSING and (stated or default is True or isinstance(default, int | float)):
            expected = words.get(default, str(default))
            assert (stated[1] if stated else "False") == expected, name


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("condition=Ready", "condition=Ready"),
        ("jsonpath={.status.url}=http://x:80", "jsonpath={.status.url}=http://x:80"),
        ("Database:condition=Ready", {"kind": "Database", "condition": "Ready"}),
        ("Job/a:condition=Complete=False", {"kind": "Job", "name": "a", "condition": "Complete=False"}),
        (
            "Database/prod/main:jsonpath={.status.url}=http://x:80",
            {"kind": "Database", "namespace": "prod", "name": "main", "jsonpath": "{.status.url}=http://x:80"},
        ),
    ],
)
def test_conditions_may_name_the_object_that_they_are_for(said, expected, manifest):
    found = options("deploy", "-f", manifest, "--wait-for", said)
    assert found.wait_for == [expected]
    assert [expression.as_input() for expression in request(found, face="cli").spec.wait_for] == [expected]


@pytest.mark.parametrize("said", ["Ready", "Database:Ready", "when=Ready", "Database/main"])
def test_what_is_no_condition_is_refused_by_the_engine_with_the_forms(said, manifest):
    with pytest.raises(InputError, match="wait_for") as caught:
        request(options("deploy", "-f", manifest, "--wait-for", said), face="cli")
    assert "condition=Ready" in caught.value.hint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "one of the arguments -f/--filename -k/--kustomize --helm-chart is required"),
        (["-f", "a", "-k", "b"], "not allowed with argument -f/--filename"),
        (["-f", "a", "--image", "web"], "'web' is not of the form NAME=REF"),
        (["-f", "a", "--image", "=web"], "'=web' is not of the form NAME=REF"),
        (["-f", "a", "--image", "web=a", "--image", "web=b"], "web is given twice"),
        (["-f", "a", "--replicas", "web=many"], "'many' is not a whole number"),
        (["-f", "a", "--prune-limit", "-1"], "-1 is less than 0"),
        (["-f", "a", "--timeout", "nan"], "'nan' is not a number of seconds"),
        (["-f", "a", "--timeout", "-1"], "'-1' is not a number of seconds"),
        (["-f", "a", "--timeout", "5m"], "'5m' is not a number of seconds"),
        (["-f", "a", "--ownership", "mine"], "invalid choice: 'mine'"),
        (["-f", "a", "--wait-for", "A/b/c/d:condition=Ready"], "'A/b/c/d' is none of Kind, Kind/name and"),
        (["-f", "a", "--kubeconfig", "apiVersion: v1\nusers: []"], "a path is expected"),
        (["-f", "a", "--rollback"], "unrecognized arguments: --rollback"),
    ],
)
def test_wrong_arguments_end_with_64_and_say_what_is_wrong(arguments, complaint, capsys):
    with pytest.raises(SystemExit, match="64"):
        main(["deploy", *REQUIRED, *arguments])
    said = capsys.readouterr().err
    assert said.startswith("usage: pulumi-gitops ")
    assert complaint in said
    assert "users: []" not in said


@pytest.mark.parametrize(
    "arguments",
    [["deploy", "shop", "-f", "a"], ["deploy", "-n", "prod", "-f", "a"], ["rollback", *REQUIRED, "--to", "0"]],
)
def test_release_and_namespace_are_needed_and_revisions_begin_at_1(arguments, capsys):
    with pytest.raises(SystemExit, match="64"):
        main(arguments)
    assert "error: " in capsys.readouterr().err


def test_standard_input_stands_alone():
    with pytest.raises(InputError, match="stands alone"):
        options("deploy", "-f", "-", "-f", "more.yaml")


def test_standard_input_that_is_empty_is_told(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    with pytest.raises(EmptySetError, match="standard input holds no manifests"):
        options("deploy", "-f", "-")


def test_standard_input_that_is_no_text_is_told(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"kind: \xff")))
    with pytest.raises(InputError, match="not UTF-8 text"):
        options("deploy", "-f", "-")


def test_options_of_a_chart_need_a_chart():
    with pytest.raises(InputError, match="need --helm-chart"):
        options("deploy", "-f", "deploy/", "--helm-version", "1")
