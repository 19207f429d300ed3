# SPDX-License-Identifier: Apache-2.0
"""Tell from the environment where a deployment comes from: the CI run, its commit, who started it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote

from ..redact import redact
from .spec import Origin

# The variables that each CI system documents for its jobs, first match wins.
_PIPELINES = ("CI_JOB_URL", "CI_PIPELINE_URL", "BUILD_URL", "CIRCLE_BUILD_URL")
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "CIRCLE_SHA1", "BUILD_SOURCEVERSION")
_USERS = (
    "GITHUB_ACTOR",
    "GITLAB_USER_LOGIN",
    "BUILD_USER_ID",
    "CIRCLE_USERNAME",
    "BUILD_REQUESTEDFOR",
    "USER",
    "LOGNAME",
)
_GITHUB = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
_AZURE = ("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "BUILD_BUILDID")


def detect_origin(face: str, environ: Mapping[str, str] | None = None) -> Origin:
    """Return where this process deploys from: GitHub Actions, GitLab CI, Jenkins, CircleCI, Azure, or a shell.

    Args:
        face: ``ansible``, ``pulumi`` or ``cli``.
        environ: Environment variables; those of the process when None.
    """
    env = os.environ if environ is None else environ
    return Origin(face=face, user=_first(env, _USERS), pipeline=redact(_pipeline(env)), commit=_first(env, _COMMITS))


def _pipeline(env: Mapping[str, str]) -> str:
    if all(env.get(name) for name in _GITHUB):
        server, repository, run = (env[name] for name in _GITHUB)
        return f"{server}/{repository}/actions/runs/{run}"
    if all(env.get(name) for name in _AZURE):
        server, project, run = (env[name] for name in _AZURE)
        return f"{server.rstrip('/')}/{quote(project)}/_build/results?buildId={run}"
    return _first(env, _PIPELINES)


def _first(env: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((env[name] for name in names if env.get(name)), "")
