# SPDX-License-Identifier: Apache-2.0
"""The demo as a person runs it: on its own sandbox, on a cluster that it did not start, and interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "canary-4714-password"
STORY = ("revision 1, 4 objects, ready", "Synced, Healthy at", "5/5 ready", "healed to 5", "2/2 ready", "nothing to do")
WITH_FLUX = ("bootstrap Flux", "Ready at", *(said for said in STORY if "Synced" not in said))


@pytest.fixture
def home():
    """A user's environment of its own: nothing of the machine's sandboxes is seen, and nobody else's is touched."""
    # `make test` hands its own settings on to a `make` below it.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTEST"))}
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: it can be too long for sockets
        for variable, name in {"XDG_STATE_HOME": "state", "TMPDIR": "tmp"}.items():
            env[variable] = str(Path(folder, name))
            Path(folder, name).mkdir()
        yield env
        for sandbox in Path(env["XDG_STATE_HOME"]).glob("*/sandboxes/*"):  # of a test that failed
            down = [sys.executable, "-m", "pulumi_gitops", "sandbox", "down", "--name", sandbox.name]
            subprocess.run(down, cwd=ROOT, env=env, capture_output=True, check=False)


def assert_nothing_is_left(home):
    """No process that was started from there, no file."""
    mark = f"TMPDIR={home['TMPDIR']}".encode()
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes().split(b"\0"):
                left.append((process / "cmdline").read_text())
        except OSError:  # another user's, or gone
            continue
    assert left == []
    files = [path for folder in ("XDG_STATE_HOME", "TMPDIR") for path in Path(home[folder]).rglob("*")]
    assert [path for path in files if path.name not in ("pulumi-gitops", "sandboxes")] == []


SHOWN = {
    "argocd": (("make", "demo", "KEEP=1"), STORY, r"application.*/shop +Synced +Healthy"),
    "flux": (("make", "demo", "FLUX=1", "KEEP=1"), WITH_FLUX, r"kustomization.*/shop .*True +Applied revision: main@"),
}


@pytest.mark.parametrize("controller", SHOWN)
def test_it_stays_when_asked_to_and_its_hints_work(home, controller):
    argv, story, application = SHOWN[controller]
    done = subprocess.run(argv, cwd=ROOT, env=home, capture_output=True, text=True, timeout=400, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for expected in story:
        assert expected in said
    [look, end] = re.findall(r"^ (?:Look around|End it): +(.+)", done.stdout, flags=re.MULTILINE)
    shown, deadline = "", time.monotonic() + 30
    while not re.search(application, shown) and time.monotonic() < deadline:
        # While Flux compares the cluster with Git, which it does all the time here, it says that it is not ready.
        shown = subprocess.run(
            ["sh", "-euc", look], cwd=ROOT, env=home, capture_output=True, text=True, check=True
        ).stdout
    assert re.search(application, shown)
    assert re.search(r"deployment.*/billing +2/2", shown)
    subprocess.run(["sh", "-euc", end], cwd=ROOT, env=home, capture_output=True, check=True)
    assert_nothing_is_left(home)


def test_the_story_runs_on_another_cluster_and_cleans_up_behind_itself(sandbox, cluster, home, tmp_path):
    sandbox.create_repository("config", "ci", PASSWORD)
    kubeconfig = json.loads(sandbox.kubeconfig.read_text())
    [context] = kubeconfig["contexts"]
    # The current context is another one, and nobody is there.
    kubeconfig["clusters"].append({"name": "nowhere", "cluster": {"server": "https://127.0.0.1:1"}})
    kubeconfig["contexts"].append({"name": "nowhere", "context": {**context["context"], "cluster": "nowhere"}})
    kubeconfig["current-context"] = "nowhere"
    (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
    env = {**home, "KUBECONFIG": str(tmp_path / "kubeconfig"), "GIT_USERNAME": "ci", "GIT_PASSWORD": PASSWORD}
    argv = [sys.executable, "-m", "pulumi_gitops", "demo", "--context", context["name"], "--git-url", sandbox.git_url]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=400, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    for expected in STORY:
        assert expected in said
    assert PASSWORD not in said
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "argocd")) is None
    assert cluster.find(ObjectRef("", "v1", "Namespace", "", "billing")) is None
    crd = ObjectRef("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "", "applications.argoproj.io")
    assert cluster.find(crd) is None
    assert_nothing_is_left(home)


@pytest.mark.parametrize("moment", ["while the sandbox starts", "while Pulumi bootstraps Argo CD"])
def test_ctrl_c_leaves_nothing(home, moment):
    """Sent as a terminal does it: to `make` and all that it has started."""
    with subprocess.Popen(
        ["make", "demo"],
        cwd=ROOT,
        env=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        said = []
        try:
            if moment == "while the sandbox starts":
                record = Path(home["XDG_STATE_HOME"], "pulumi-gitops/sandboxes/demo/state.json")
                while not (record.exists() and "kube-apiserver" in record.read_text()):
                    assert process.poll() is None
                    time.sleep(0.01)
            else:
                for line in process.stdout:
                    said.append(line)
                    if "Controller argocd creating" in line:
                        break
            os.killpg(process.pid, signal.SIGINT)
            said += process.communicate(timeout=120)[0].splitlines(keepends=True)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode == -signal.SIGINT, "make ends as the shell expects it"
    assert "Error 130" in "".join(said), "and so does the command"
    assert "Traceback (most recent call last)" not in "".join(said)
    assert_nothing_is_left(home)
