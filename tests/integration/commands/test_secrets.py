# SPDX-License-Identifier: Apache-2.0
"""Canary secrets in every input: no command prints one, writes one to a file, or hands one to a program as argument."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat

import pytest
import yaml

pytestmark = pytest.mark.sandbox

CANARY = "canary-7f3a91"
KUSTOMIZATION = f"""
resources: [web.yaml]
secretGenerator:
- name: login
  literals: [password={CANARY}-generated]
"""
OBJECTS = f"""
apiVersion: v1
kind: Secret
metadata: {{name: first}}
stringData: {{password: {CANARY}-string, other: {CANARY}-other}}
---
apiVersion: v1
kind: Secret
metadata: {{name: second}}
data: {{key: {base64.b64encode(f"{CANARY}-data".encode()).decode()}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        env: [{{name: DB_PASSWORD, value: {CANARY}-env}}]
"""
# Tells what a program is given, and what its parent was given. The engine gives it a PATH of its own.
RECORDING = """#!/bin/sh
{tr} '\\0' '\\n' < /proc/$$/cmdline >> {log}
{tr} '\\0' '\\n' < /proc/$PPID/cmdline >> {log}
exec {kubectl} "$@"
"""


def encoded(text):
    return {text, base64.b64encode(text.encode()).decode().rstrip("=")}


CANARIES = {
    form
    for suffix in ("generated", "string", "other", "data", "env", "env-two", "string-two", "data-two", "token")
    for form in encoded(f"{CANARY}-{suffix}")
} | {CANARY}


@pytest.fixture
def recorded(shop, sandbox):
    """A kubectl first on PATH that records its arguments and those of its parent; returns the log."""
    folder = shop.folder / "bin"
    folder.mkdir()
    kubectl = shutil.which("kubectl", path=sandbox.env()["PATH"])
    log = shop.folder / "argv.log"
    (folder / "kubectl").write_text(RECORDING.format(log=log, kubectl=kubectl, tr=shutil.which("tr")))
    (folder / "kubectl").chmod(stat.S_IRWXU)
    without = [entry for entry in shop.env["PATH"].split(os.pathsep) if not shutil.which("kustomize", path=entry)]
    shop.env["PATH"] = os.pathsep.join([str(folder), *without])
    return log


def test_no_command_lets_a_secret_out(shop, recorded, sandbox):
    kubeconfig = yaml.safe_load(sandbox.kubeconfig.read_text())
    # A second user whose token is a canary: it is refused, and the refusal must not show it.
    kubeconfig["users"].append({"name": "canary", "user": {"token": f"{CANARY}-token"}})
    context = {"cluster": kubeconfig["contexts"][0]["context"]["cluster"], "user": "canary"}
    kubeconfig["contexts"].append({"name": "canary", "context": context})
    path = shop.folder / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    shop.env["KUBECONFIG"] = str(path)
    summary = shop.folder / "summary.md"
    shop.env["GITHUB_STEP_SUMMARY"] = str(summary)

    shop.source = ["-k", "deploy"]

    def kustomization(suffix="", web=OBJECTS):
        shop.write(web.replace("-string,", f"-string{suffix},").replace("-env}", f"-env{suffix}}}"))
        (shop.manifests / "shop.yaml").rename(shop.manifests / "web.yaml")
        (shop.manifests / "kustomization.yaml").write_text(KUSTOMIZATION)

    said = []

    def call(verb, *arguments, code=0):
        done = shop.call(verb, *arguments, code=code)
        said.append(done.stdout + done.stderr)
        return said[-1]

    kustomization()
    call("plan", "--out", "plan.json", "--report", "plan.md", code=2)
    call("deploy", "--plan-file", "plan.json")
    kustomization("-two")
    changed = [call("plan", "-o", form, code=2) for form in ("text", "json", "markdown")]
    assert all("*** (before)" in text and "*** (after)" in text for text in changed), "the Secret's change was shown"
    call("deploy", "--plan-file", "plan.json", code=4)
    call("deploy", "-o", "json")
    call("status")
    call("history", "-o", "json")
    call("rollback", "--dry-run", code=2)
    call("rollback")
    kustomization(web=OBJECTS.replace("kind: Deployment", "kind: Deplyment"))
    call("plan", code=1)
    call("status", "--context", "canary", code=1)
    call("remove", "-o", "json")

    files = [shop.folder / name for name in ("plan.json", "plan.md", "summary.md", "argv.log")]
    everything = {path.name: path.read_text() for path in files} | {str(n): text for n, text in enumerate(said)}
    assert "kustomize" in everything["argv.log"], "kubectl was not the recording one"
    leaks = {name: canary for name, text in everything.items() for canary in CANARIES if canary in text}
    assert leaks == {}
