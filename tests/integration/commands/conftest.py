# SPDX-License-Identifier: Apache-2.0
"""The command in a process of its own, as a CI stage runs it, on a real API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

COMMAND = (sys.executable, "-m", "pulumi_gitops")

SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {color: blue}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "registry.example.com/web:1"}]
"""
# No node of the sandbox has that label, so its pods stay unscheduled.
STUCK = WEB.replace("containers:", "nodeSelector: {example.com/nowhere: x}\n      containers:")


class Shop:
    """A release called shop: its folder of manifests, and commands for it."""

    def __init__(self, folder, namespace, env):
        self.folder, self.namespace, self.env = folder, namespace, env
        self.source = ["-f", "deploy"]
        self.manifests = folder / "deploy"
        self.manifests.mkdir()
        self.write(SETTINGS, WEB)

    def write(self, *documents):
        """Make these the manifests of the release."""
        (self.manifests / "shop.yaml").write_text("---".join(documents))

    def argv(self, verb, *arguments):
        source = self.source if verb in ("plan", "deploy") else []
        return [*COMMAND, verb, "shop", "-n", self.namespace, *source, *arguments]

    def call(self, verb, *arguments, code=0, env=None, **options):
        """Run a command and check its exit code; returns what it printed."""
        env = {**self.env, **(env or {})}
        argv = self.argv(verb, *arguments)
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, check=False, **options)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def out(self, verb, *arguments, code=0, **options):
        """Run a command; returns its standard output."""
        return self.call(verb, *arguments, code=code, **options).stdout

    def json(self, verb, *arguments, code=0, **options):
        """Run a command with -o json; returns the document."""
        return json.loads(self.out(verb, *arguments, "-o", "json", code=code, **options))


@pytest.fixture
def env(sandbox):
    """The environment of a job that is no known CI system's."""
    dropped = ("GITHUB_", "GITLAB_", "CI", "BUILD_", "KUBE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {**inherited, "KUBECONFIG": str(sandbox.kubeconfig), "PYTHONPATH": os.pathsep.join(sys.path), "USER": "ann"}


@pytest.fixture
def shop(tmp_path, namespace, env):
    return Shop(tmp_path, namespace, env)
