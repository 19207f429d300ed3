# SPDX-License-Identifier: Apache-2.0
"""The demo with everything replaced that takes time: sandbox, cluster, tools and Git."""

from __future__ import annotations

import contextlib
import shutil
from types import SimpleNamespace

import pytest

from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.demo import story

STEPS = ("billing", "bootstrap", "wire", "commit", "hand edit", "revert", "billing once more")
"""What the steps are called here; the table has longer titles."""


class FakeSandbox:
    """A sandbox that is a folder."""

    def __init__(self, folder, *, detached=False):
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        self.detached = detached
        self.stopped = False
        folder.mkdir(parents=True)

    def env(self):
        return {"KUBECONFIG": str(self.kubeconfig), "PATH": "/sandbox/bin"}

    def create_repository(self, name, username, password):
        return f"http://127.0.0.1:1/{name}.git"

    def detach(self):
        self.detached = True

    def stop(self):
        shutil.rmtree(self.folder)
        self.stopped = True


class FakeCluster(contextlib.AbstractContextManager):
    """A cluster in which nothing is, but what a test puts there."""

    server = "https://cluster.example.com"

    def __init__(self):
        self.there = set()
        self.deleted = []

    def __exit__(self, *_):
        """Close nothing."""

    def find(self, ref):
        return {} if ref in self.there else None

    def patch(self, *_, **__):
        """Take the hand edit."""

    def delete(self, ref):
        self.deleted.append(ref)


class World:
    """What the demo finds, and what it has done."""

    def __init__(self, tmp_path):
        self.tmp = tmp_path
        self.cluster = FakeCluster()
        self.controllers = {}
        self.sandboxes = []
        self.done = []
        self.followed = {}
        self.configured = {}
        self.at = {}
        self.removed = []
        self.old = None

    def happen(self, step):
        """Note a step; raise what the test wants to happen at it."""
        self.done.append(step)
        if step in self.at:
            raise self.at[step]

    def start(self, name, *, argocd, flux):
        assert name == "demo"
        self.followed = {"argocd": argocd, "flux": flux}
        if self.old and not self.old.stopped:
            raise SandboxError("the sandbox 'demo' is up already")
        self.sandboxes.append(FakeSandbox(self.tmp / "sandboxes" / name))
        return self.sandboxes[-1]

    # --- the two faces

    def playbook(self, tools, name, variables, *, say):
        self.happen("billing once more" if "billing" in self.done else "billing")

    def pulumi_up(self, tools, config, secrets, *, say):
        tools.program.mkdir(exist_ok=True)
        self.configured.update(config)
        self.happen("wire" if "url" in config else "bootstrap")
        return {"version": "3.5.7", "revision": "f" * 40}

    def pulumi_destroy(self, tools, *, say):
        self.happen("destroy")

    # --- what the demo does itself

    def commit(self, stage, shop, message):
        if message != "add the shop":
            self.happen("revert" if "Revert" in message else "commit")
        return "c" * 40

    def await_replicas(self, stage, wanted):
        self.happen("hand edit")


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = World(tmp_path)
    state = SimpleNamespace(revision=1, inventory=[SimpleNamespace(ref=ObjectRef("", "v1", "ConfigMap", "a", "b"))])
    monkeypatch.setattr(story, "Sandbox", SimpleNamespace(start=world.start, find=lambda name: world.old))
    monkeypatch.setattr(story, "bin_dir", lambda binaries: tmp_path)
    monkeypatch.setattr("pulumi_gitops.sandbox.flux_manifests.flux_manifest", lambda: tmp_path / "flux.yaml")
    monkeypatch.setattr(story, "connect", lambda options: world.cluster)
    monkeypatch.setattr(story, "installed", lambda cluster, name: world.controllers.get(name))
    monkeypatch.setattr(story, "read_release", lambda *_: state)
    monkeypatch.setattr(story, "remove", lambda *arguments, **_: world.removed.append(arguments[1:]))
    monkeypatch.setattr(story, "_commit", world.commit)
    monkeypatch.setattr(story, "_applied", lambda stage, commit, replicas: f"{replicas}/{replicas} ready")
    monkeypatch.setattr(story, "_await_replicas", world.await_replicas)
    for name in ("playbook", "pulumi_up", "pulumi_destroy"):
        monkeypatch.setattr(story.Tools, name, _method(world, name))
    monkeypatch.setattr(story.Tools, "assignments", "PATH=/a:$PATH")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")  # the demo sets them for this process
    return world


def _method(world, name):
    """A function, which a class binds to its instances, for a method of the world, which it would not."""

    def method(tools, *arguments, **options):
        return getattr(world, name)(tools, *arguments, **options)

    return method
