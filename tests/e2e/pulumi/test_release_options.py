# SPDX-License-Identifier: Apache-2.0
"""Approval, rollback and rollback on failure from a Pulumi program, by the real CLI and engine."""

from __future__ import annotations

import json
import os
import re

import pytest

from pulumi_gitops.core.deploy import read_release
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

KUSTOMIZATION = """
resources: [web.yaml]
configMapGenerator:
  - {{name: web, literals: [color={color}], options: {{disableNameSuffixHash: true}}}}
"""
WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "registry.example.com/web:1"}]}
"""
PROGRAM = """
release = gitops.Release("shop", {options})
pulumi.export("revision", release.revision)
pulumi.export("rolled back to", release.rolled_back_to)
"""


@pytest.fixture
def deploys(stack, namespace):
    """Write the kustomization and the program."""
    from pulumi_gitops.sandbox import bin_dir

    stack.env["PATH"] = os.pathsep.join([str(bin_dir(["kustomize"])), stack.env["PATH"]])
    (stack.folder / "shop").mkdir()
    (stack.folder / "shop" / "web.yaml").write_text(WEB)

    def write(color: str, **options):
        (stack.folder / "shop" / "kustomization.yaml").write_text(KUSTOMIZATION.format(color=color))
        stack.program(PROGRAM.format(options={"namespace": namespace, "kustomize": "shop", **options}))

    return write


def test_a_kustomization_is_approved_deployed_and_rolled_back(stack, cluster, namespace, deploys):
    config = ObjectRef("", "v1", "ConfigMap", namespace, "web")
    deploys("blue", require_approval=True)
    shown = stack.pulumi("preview")
    digest = re.search(r"plan digest (sha256:[0-9a-f]{64}) \(3 to create\)", shown)
    assert digest, shown
    deploys("blue", require_approval=True, plan_digest=digest[1], approved_by="ann")
    stack.up()
    assert cluster.get(config)["data"] == {"color": "blue"}

    deploys("red")
    stack.up()
    deploys("red", rollback_to=1)
    stack.up()
    assert stack.outputs() == {"revision": 3, "rolled back to": 1}
    assert cluster.get(config)["data"] == {"color": "blue"}
    same = stack.pulumi("up", "--yes", "--refresh", "--expect-no-changes")
    assert "unchanged" in same

    deploys("red")
    shown = stack.pulumi("up", "--yes", "--diff").partition("Updating (test)")[0]
    assert f"ConfigMap/{namespace}/web" in shown
    assert f"Deployment/{namespace}/web" not in shown, "what the two revisions have in common does not change"
    assert cluster.get(config)["data"] == {"color": "red"}
    revisions = read_release(cluster, "shop", namespace).revisions
    assert [(r.approved_by, r.rolled_back_to) for r in revisions] == [("ann", 0), ("", 0), ("", 1), ("", 0)]


def test_after_a_failure_that_was_rolled_back_state_and_cluster_agree(stack, cluster, namespace, deploys):
    config = ObjectRef("", "v1", "ConfigMap", namespace, "web")
    options = {"rollback_on_failure": True, "wait_timeout": 3}
    deploys("blue", **options)
    stack.up()
    broken = WEB.replace("spec: {containers", "spec: {nodeSelector: {no: such-node}, containers")
    (stack.folder / "shop" / "web.yaml").write_text(broken)
    deploys("red", **options)
    for revision in (2, 4):
        failed = stack.up(check=False)
        assert f"revision {revision} failed; rolled back to revision" in failed, "tried, and tried again"
        assert f"Deployment {namespace}/web" in failed
        assert "not ready after 3 s" in failed
        assert cluster.get(config)["data"] == {"color": "blue"}
    kept = next(
        entry["outputs"]
        for entry in json.loads(stack.state())["deployment"]["resources"]
        if entry["type"] == "gitops:index:Release"
    )
    found = read_release(cluster, "shop", namespace)
    assert (kept["revision"], kept["digest"]) == (found.revision, found.digest) == (5, found.digest)

    (stack.folder / "shop" / "web.yaml").write_text(WEB)
    deploys("green", **options)
    shown = stack.pulumi("up", "--yes", "--diff").partition("Updating (test)")[0]
    assert f"ConfigMap/{namespace}/web" in shown
    assert f"Deployment/{namespace}/web" not in shown, "it is compared with what is deployed, not with what failed"
    assert cluster.get(config)["data"] == {"color": "green"}
    stack.pulumi("up", "--yes", "--refresh", "--expect-no-changes")
