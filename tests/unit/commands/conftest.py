# SPDX-License-Identifier: Apache-2.0
"""Commands with an engine that answers what a test wants; no cluster is asked."""

from __future__ import annotations

import contextlib

import pytest

from pulumi_gitops.cli import main

MANIFEST = """
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {color: blue}
"""
CI_VARIABLES = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITLAB_CI")


@pytest.fixture(autouse=True)
def _no_ci(monkeypatch):
    """The tests themselves may run in a CI job."""
    for name in CI_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def manifest(tmp_path):
    """A file with one ConfigMap."""
    path = tmp_path / "web.yaml"
    path.write_text(MANIFEST)
    return str(path)


@pytest.fixture
def engine(monkeypatch):
    """Let a function of the engine return a value, or raise it if it is an error; returns the calls."""
    monkeypatch.setattr("pulumi_gitops.core.cluster.connect", contextlib.nullcontext)

    def engine(name, answer, progress=()):
        calls = []

        def call(*arguments, **options):
            calls.append((arguments, options))
            for step in progress:
                options["progress"](step)
            if isinstance(answer, BaseException):
                raise answer
            return answer

        monkeypatch.setattr(f"pulumi_gitops.core.deploy.{name}", call)
        return calls

    return engine


@pytest.fixture
def command(capsys):
    """Run a command; returns its exit code and what it printed."""

    def command(*arguments):
        code = main(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return command
