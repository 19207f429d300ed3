# SPDX-License-Identifier: Apache-2.0
"""Tools are built once, completely or not at all, and a build that fails says what to look at."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from types import MappingProxyType

import pytest

from pulumi_gitops.core.cache import cache_dir
from pulumi_gitops.core.controllers import catalog, download
from pulumi_gitops.core.errors import InputError, SandboxError
from pulumi_gitops.sandbox import bin_dir, build, builder, catalogue, tool_path
from pulumi_gitops.sandbox.builder import built_folder, seed_manifests
from pulumi_gitops.sandbox.catalogue import GO_TOOLS

PYTHON = sys.executable
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5"
ARGOCD = "github.com/argoproj/argo-cd/v3/cmd"


@pytest.fixture
def start(machine):
    """Start a process that asks for kustomize; returns it and the file with what it prints."""
    processes = []

    def start():
        code = (
            "import signal\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # may be ignored by whoever started us
            "from pulumi_gitops.sandbox import tool_path\n"
            "print(tool_path('kustomize').read_text())\n"
        )
        output = machine.root / f"builder-{len(processes)}"
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with output.open("wb") as file:
            process = subprocess.Popen([PYTHON, "-c", code], env=env, stdout=file, stderr=file)
        processes.append(process)
        return process, output

    yield start
    for process in processes:
        process.kill()
        process.wait()


def wait_until(question, process, *, within=60.0):
    deadline = time.monotonic() + within
    while not question():
        assert process.poll() is None, "the builder has ended"
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)


def test_a_tool_is_built_at_first_use_and_then_found(go, machine, capsys):
    path = tool_path("kustomize")
    assert path.is_relative_to(machine.cache)
    assert path.read_text() == KUSTOMIZE
    assert "built Kustomize (1 of 1)" in capsys.readouterr().err
    assert tool_path("kustomize") == path
    assert build(["kustomize"]) == {"kustomize": path}
    assert go.packages == [KUSTOMIZE]
    assert not capsys.readouterr().err


def test_the_binaries_of_one_module_are_built_together_and_know_their_version(go):
    assert tool_path("kube-scheduler").parent == tool_path("kube-apiserver").parent
    components = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    assert go.packages == [f"k8s.io/kubernetes/cmd/{name}" for name in components]
    for call in go.calls:
        flags = call["arguments"][call["arguments"].index("-ldflags") + 1]
        assert "-X k8s.io/component-base/version.gitVersion=v1.36.3 " in flags
        assert flags.endswith("version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36")


def test_all_tools_that_are_asked_for_are_counted(go, capsys):
    build(["etcd", "kustomize"])
    shown = capsys.readouterr().err
    assert "built etcd (1 of 2)" in shown
    assert "built Kustomize (2 of 2)" in shown


@pytest.fixture
def etcd(tmp_path, monkeypatch):
    """A tool whose sources may be changed."""
    monkeypatch.setattr(catalogue, "TOOLS_DIR", tmp_path)
    (tmp_path / "etcd").mkdir()
    for name in ("go.mod", "go.sum"):
        (tmp_path / "etcd" / name).write_text(name)
    return GO_TOOLS["etcd"]


@pytest.mark.parametrize("file", ["go.mod", "go.sum"])
def test_other_sources_are_built_anew(etcd, file):
    before = built_folder(etcd)
    assert built_folder(etcd) == before
    (etcd.folder / file).write_text("changed")
    assert built_folder(etcd) != before


@pytest.mark.parametrize(
    "change",
    [
        {"variables": MappingProxyType({"main.version": "{version}"})},
        {"binaries": {"etcd": "example.com/other"}},
        {"files": MappingProxyType({"readme": "README.md"})},
        {"version": "v3.6.17"},
    ],
)
def test_another_recipe_is_built_anew(etcd, change):
    assert built_folder(dataclasses.replace(etcd, **change)) != built_folder(etcd)


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (builder, "GO_SERIES", "1.27"),
        (builder, "_BUILD_FLAGS", ("-trimpath", "-race")),
        (builder.sys, "platform", "darwin"),
        (builder.platform, "machine", lambda: "riscv64"),
    ],
)
def test_another_compiler_or_platform_builds_anew(etcd, monkeypatch, where, name, value):
    before = built_folder(etcd)
    monkeypatch.setattr(where, name, value)
    assert built_folder(etcd) != before


def test_builders_at_once_build_once_and_all_get_the_tool(go, start):
    go.builds("output.write_text('half'); wait_for('release'); output.write_text('whole')")
    first, _ = start()
    wait_until(lambda: go.packages, first)
    others = [start(), start()]
    for process, output in others:
        wait_until(lambda output=output: "waiting for another build of Kustomize" in output.read_text(), process)
    (go.folder / "release").touch()
    for process in (first, *(process for process, _ in others)):
        assert process.wait(60) == 0
    assert go.packages == [KUSTOMIZE]
    assert all(output.read_text().endswith("whole\n") for _, output in others)
    assert all("found Kustomize" in output.read_text() for _, output in others)


def test_what_a_killed_build_left_behind_is_not_used_though_its_compiler_goes_on(go, start, machine):
    go.builds(
        "output.write_text('half')\n"
        "wait_for('release')\n"
        "try: output.write_text('of the killed build')\n"
        "finally: (folder / 'orphan has ended').touch()\n"
    )
    killed, _ = start()
    wait_until(lambda: list(machine.cache.glob("tools/kustomize/.building-*/kustomize")), killed)
    killed.kill()
    killed.wait()
    go.builds("output.write_text('whole'); (folder / 'release').touch(); wait_for('orphan has ended')")
    path = tool_path("kustomize")
    assert path.read_text() == "whole"
    assert [entry.name for entry in path.parent.parent.iterdir() if entry.is_dir()] == [path.parent.name]


def test_an_interrupted_build_leaves_no_compiler_and_no_tool(go, start, machine):
    go.builds("output.write_text('half'); wait_for('release')")
    process, output = start()
    wait_until(lambda: go.calls, process)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(go.calls[0]["pid"], 0)
    assert "did not build Kustomize (1 of 1)" in output.read_text()
    assert not built_folder(GO_TOOLS["kustomize"]).exists()


def test_a_failed_build_says_which_tool_why_and_where_the_log_is(go):
    go.builds("for number in range(1, 31): print('line', number, file=sys.stderr)\nsys.exit(1)")
    with pytest.raises(SandboxError) as caught:
        tool_path("kustomize")
    lines = caught.value.message.splitlines()
    assert lines[0] == "Kustomize v5.8.1 can not be built (go ended with 1):"
    assert lines[1:] == [f"line {number}" for number in range(11, 31)]
    log = cache_dir() / "logs" / "build-kustomize.log"
    assert str(log) in caught.value.hint
    assert caught.value.details == {"tool": "kustomize", "log": str(log)}
    assert log.read_text().splitlines()[0] == "line 1"


def test_a_failed_build_is_tried_again(go):
    go.builds("output.write_text('half'); sys.exit(1)")
    with pytest.raises(SandboxError):
        tool_path("kustomize")
    go.builds("output.write_text('whole')")
    assert tool_path("kustomize").read_text() == "whole"


def test_passwords_in_what_the_compiler_prints_are_not_in_the_error(go):
    go.builds("print('https://user:canary@proxy.example.com/x: 403'); sys.exit(1)")
    with pytest.raises(SandboxError, match=r"proxy\.example\.com") as caught:
        tool_path("kustomize")
    assert "canary" not in str(caught.value)


def test_the_compiler_gets_our_flags_and_the_user_s_proxy_but_no_credentials(go, monkeypatch):
    monkeypatch.setenv("GOFLAGS", "-mod=vendor -race")
    monkeypatch.setenv("GOTOOLCHAIN", "auto")
    monkeypatch.setenv("GOWORK", "go.work")
    monkeypatch.setenv("GOOS", "plan9")
    monkeypatch.setenv("GOPROXY", "https://proxy.example.com")
    monkeypatch.setenv("DEPLOY_TOKEN", "canary")
    tool_path("kustomize")
    env = go.calls[0]["env"]
    assert env["GOFLAGS"] == "-mod=readonly"
    assert env["GOTOOLCHAIN"] == "local"
    assert env["GOWORK"] == "off"
    assert env["GOPROXY"] == "https://proxy.example.com"
    assert "GOOS" not in env
    assert "canary" not in env.values()


@pytest.fixture
def argocd_module(go):
    """Argo CD's module in the module cache, with scripts that have lost their run bit, as they do there."""
    module = go.folder / "module"
    for path in GO_TOOLS["argocd"].files.values():
        (module / path).parent.mkdir(parents=True, exist_ok=True)
        (module / path).write_text(path)
        (module / path).chmod(0o444)
    return module


def test_scripts_that_a_tool_runs_are_beside_it_on_path(go, argocd_module):
    folder = bin_dir(["argocd"])
    assert {path.name for path in folder.iterdir()} == {"argocd", "git-verify-wrapper.sh", "gpg-wrapper.sh"}
    assert (folder / "argocd").read_text() == ARGOCD
    assert (folder / "gpg-wrapper.sh").read_text() == "hack/gpg-wrapper.sh"
    assert os.access(folder / "git-verify-wrapper.sh", os.X_OK)
    assert os.access(folder / "gpg-wrapper.sh", os.X_OK)


def test_a_folder_of_a_module_is_kept_beside_its_binary_and_can_be_changed_there(go):
    chart = go.folder / "module" / "charts" / "gitops-server"
    (chart / "templates").mkdir(parents=True)
    (chart / "templates" / "role.yaml").write_text("kind: Role")
    (chart / "Chart.yaml").write_text("name: weave-gitops")
    for path in (*chart.rglob("*"), chart):  # as the module cache has them
        path.chmod(0o555 if path.is_dir() else 0o444)
    kept = tool_path("gitops-server").parent / "chart"
    assert (kept / "Chart.yaml").read_text() == "name: weave-gitops"
    assert (kept / "templates" / "role.yaml").read_text() == "kind: Role"
    assert all(path.stat().st_mode & 0o200 for path in (kept, *kept.rglob("*")))
    for path in (chart, *chart.rglob("*")):
        path.chmod(0o755)


@pytest.mark.parametrize("served", ["h1:jByuiWYtjSJxucGHuz68tV0DeVFz5CYrKQYfxAwE7lE=", "h1:something-else"])
def test_a_module_that_can_not_be_built_as_it_is_is_verified_copied_and_changed(machine, served):
    tool = GO_TOOLS["flux-operator"]
    root, archive = f"{tool.module}@{tool.version}", machine.root / "module.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"{root}/go.mod", f"module {tool.module}\n\ngo 1.27.0\n\nrequire example.com/go v1.0.0\n")
        file.writestr(f"{root}/web/embed.go", "package web")
    answer = json.dumps({"Error": "requires go >= 1.27.0", "Zip": str(archive), "Sum": served})
    go = machine.add("go", answer, exit_code=1)
    staging = machine.root / "staging"
    if served == "h1:something-else":
        with pytest.raises(SandboxError, match="is not the module that"):
            builder._copied(tool, tool.copied, go, staging)
        return
    folder = builder._copied(tool, tool.copied, go, staging)
    assert (folder / "go.mod").read_text() == (tool.folder / "go.mod").read_text()
    assert "\n\ngo 1.26.3\n\nrequire example.com/go v1.0.0" in (folder / "source/go.mod").read_text()
    assert (folder / "source/web/dist/index.html").is_file()
    assert (folder / "source/web/embed.go").read_text() == "package web"


def test_a_folder_for_path_holds_what_was_asked_for_and_is_made_once(go, machine):
    own = machine.add("etcd", "etcd Version: 3.6.1")
    folder = bin_dir(["kustomize", "etcd"])
    assert {path.name: path.resolve() for path in folder.iterdir()} == {
        "etcd": own,
        "kustomize": tool_path("kustomize"),
    }
    assert bin_dir(["etcd", "kustomize"]) == folder
    assert bin_dir(["etcd"]) != folder


def test_the_manifest_of_argo_cd_needs_no_network_after_a_build(go, argocd_module, monkeypatch):
    content = (argocd_module / "manifests" / "install.yaml").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    known = catalog.controller("argocd")
    version = GO_TOOLS["argocd"].version.removeprefix("v")
    released = dataclasses.replace(known, files={digest: catalog.KnownFile(version, known.default_file)})
    monkeypatch.setattr(catalog, "controller", lambda name: released)
    seed_manifests()
    assert download.read_cache(digest) is None
    build(["argocd"])
    assert download.read_cache(digest) == content
    assert (cache_dir() / "manifests" / "sha256" / digest).read_bytes() == content


def test_a_manifest_that_is_not_the_released_one_is_refused(go, argocd_module):
    with pytest.raises(SandboxError, match=r"is not the install manifest of Argo CD v3\.5\.7") as caught:
        build(["argocd"])
    assert "build anew" in caught.value.hint
    assert not (cache_dir() / "manifests").exists()


def test_an_unknown_tool_is_an_error_that_names_the_known_ones(machine):
    with pytest.raises(InputError, match=r"no tool 'kubelet'; known: .*kube-apiserver, .*redis-server"):
        tool_path("kubelet")


def test_a_cache_that_can_not_be_written_is_an_error_with_the_way_out(go, machine, monkeypatch):
    (machine.root / "file").touch()
    monkeypatch.setenv("PULUMI_GITOPS_CACHE", str(machine.root / "file"))
    with pytest.raises(SandboxError, match="can not be written") as caught:
        tool_path("kustomize")
    assert "PULUMI_GITOPS_CACHE" in caught.value.hint
