# SPDX-License-Identifier: Apache-2.0
"""Where a deployment comes from, as the environment of each CI system tells it."""

from __future__ import annotations

import pytest

from pulumi_gitops.core.deploy import Origin, detect_origin
from pulumi_gitops.core.redact import register

GITHUB = {
    "GITHUB_SERVER_URL": "https://github.example.com",
    "GITHUB_REPOSITORY": "shop/web",
    "GITHUB_RUN_ID": "42",
    "GITHUB_SHA": "c0ffee",
    "GITHUB_ACTOR": "ann",
    "USER": "runner",
}
GITLAB = {
    "CI_JOB_URL": "https://gitlab.example.com/shop/web/-/jobs/7",
    "CI_PIPELINE_URL": "https://gitlab.example.com/shop/web/-/pipelines/3",
    "CI_COMMIT_SHA": "c0ffee",
    "GITLAB_USER_LOGIN": "ann",
}
JENKINS = {"BUILD_URL": "https://ci.example.com/job/web/7/", "GIT_COMMIT": "c0ffee", "BUILD_USER_ID": "ann"}
CIRCLE = {"CIRCLE_BUILD_URL": "https://circle.example.com/7", "CIRCLE_SHA1": "c0ffee", "CIRCLE_USERNAME": "ann"}
AZURE = {
    "SYSTEM_COLLECTIONURI": "https://azure.example.com/acme/",
    "SYSTEM_TEAMPROJECT": "web shop",
    "BUILD_BUILDID": "7",
    "BUILD_SOURCEVERSION": "c0ffee",
    "BUILD_REQUESTEDFOR": "ann",
}


@pytest.mark.parametrize(
    ("environ", "pipeline"),
    [
        (GITHUB, "https://github.example.com/shop/web/actions/runs/42"),
        (GITLAB, "https://gitlab.example.com/shop/web/-/jobs/7"),
        ({**GITLAB, "CI_JOB_URL": ""}, "https://gitlab.example.com/shop/web/-/pipelines/3"),
        (JENKINS, "https://ci.example.com/job/web/7/"),
        (CIRCLE, "https://circle.example.com/7"),
        (AZURE, "https://azure.example.com/acme/web%20shop/_build/results?buildId=7"),
    ],
)
def test_a_ci_system_tells_its_run_its_commit_and_who_started_it(environ, pipeline):
    found = detect_origin("ansible", {"LOGNAME": "agent", **environ})
    assert found == Origin(face="ansible", user="ann", pipeline=pipeline, commit="c0ffee")


def test_in_a_shell_there_is_only_a_user_and_in_an_empty_environment_nothing():
    assert detect_origin("cli", {"USER": "ann", "LOGNAME": "other"}) == Origin(face="cli", user="ann")
    assert detect_origin("cli", {"LOGNAME": "ann", "GITHUB_SERVER_URL": "https://x"}) == Origin(face="cli", user="ann")
    assert detect_origin("pulumi", {}) == Origin(face="pulumi")


def test_the_environment_of_the_process_counts_when_none_is_given(monkeypatch):
    for name in (*GITHUB, *GITLAB, *JENKINS, *CIRCLE, *AZURE, "LOGNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CI_COMMIT_SHA", "c0ffee")
    assert detect_origin("cli") == Origin(face="cli", commit="c0ffee")


def test_credentials_in_the_address_of_a_run_are_not_kept():
    register("canary-token")
    found = detect_origin("cli", {"BUILD_URL": "https://ann:secret@ci.example.com/job?key=canary-token"})
    assert found.pipeline == "https://***@ci.example.com/job?key=***"
