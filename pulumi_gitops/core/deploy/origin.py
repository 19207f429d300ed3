# SPDX-License-Identifier: Apache-2.0
"""Tell from the environment where a deployment comes from: the CI run, its commit, who started it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..redact import redact
from .spec import Origin

# The variables that each CI system documents for its jobs, first match wins.
_PIPELINES = ("CI_JOB_URL", "CI_PIPELINE_URL", "BUILD_URL", "CIRCLE_BUILD_URL")
_COMMITS = ("GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT", "CIRCLE_SHA1", "BUILD_SOURCEVERSION")
_USERS = ("GITHUB_ACTOR", "GITLAB_USER_LOGIN", "BUILD_USER_ID", "CIRCLE_USERNAME", "USER", "LOGNAME")
_GITHUB = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")


def detect_origin(face: str, environ: Mapping[str, str] | None = None) -> Origin:
    """Return where this process deploys from: GitHub Actions, GitLab CI, Jenkins, CircleCI, Azure, or a shell.

    Args:
        face: ``ansible``, ``pulumi`` or ``cli``.
        environ: Environment variables; those of the process when None.
    """
    env = os.environ if environ is None else environ
    pipeline = _first(env, _PIPELINES)
    if not pipeline and all(env.get(name) for name in _GITHUB):
        server, repository, run = (env[name] for name in _GITHUB)
        pipeline = f"{server}/{repository}/actions/runs/{run}"
    return Origin(face=face, user=_first(env, _USERS), pipeline=redact(pipeline), commit=_first(env, _COMMITS))


def _first(env: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((env[name] for name in names if env.get(name)), "")
