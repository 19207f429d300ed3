# SPDX-License-Identifier: Apache-2.0
"""Flux's manifest is composed from the modules that its release names, completely or not at all."""

from __future__ import annotations

import json

import pytest

from pulumi_gitops.core.errors import SandboxError
from pulumi_gitops.sandbox import flux_crds, flux_manifest
from pulumi_gitops.sandbox.catalogue import GO_TOOLS

CONTROLLERS = {
    "source-controller": "github.com/fluxcd/source-controller",
    "kustomize-controller": "github.com/fluxcd/kustomize-controller",
    "helm-controller": "github.com/fluxcd/helm-controller",
    "notification-controller": "github.com/fluxcd/notification-controller",
    "image-reflector-controller": "github.com/fluxcd/image-reflector-controller",
    "image-automation-controller": "github.com/fluxcd/image-automation-controller",
    "source-watcher": "github.com/fluxcd/source-watcher/v2",
}
# Prints the files that the kustomization of each controller leads to, as kustomize would print their content.
KUSTOMIZE = """\
#!/bin/sh
if [ "$1" = version ]; then echo v5.8.1; exit; fi
for base in "$2"/../bases/*; do
    grep -o '[.][.]/.*' "$base/kustomization.yaml" | while read -r part; do cat "$base/$part/kustomization.yaml"; done
done
"""
URL = "https://github.com/fluxcd/{name}/releases/download/{version}/{name}.{part}.yaml"


class Release:
    """Modules of a release in a module cache, which is read-only, and what go tells of them."""

    def __init__(self, root, go):
        self.root = root
        self.go = go
        self.modules = {}
        self.add("github.com/fluxcd/flux2/v2", "v2.9.2")
        self.write("github.com/fluxcd/flux2/v2", "manifests/install/kustomization.yaml", "install")
        for name, module in CONTROLLERS.items():
            self.add(module, "v1.2.3")
            self.write(module, "config/crd/kustomization.yaml", f"CRDs of {name}\n")
            self.write(module, f"config/crd/bases/{name}.yaml", "CRD")
            self.write(module, "config/manager/kustomization.yaml", f"Deployment of {name}\n")
            self.names(name, "v1.2.3")

    def add(self, module, version):
        self.modules[module] = {"Path": module, "Version": version, "Dir": str(self.root / module)}
        self.tell()

    def fail(self, module, error):
        self.modules[module] = {"Path": module, "Error": error}
        self.tell()

    def tell(self):
        documents = [json.dumps(module, indent="\t") for module in self.modules.values()]
        (self.go.folder / "modules").write_text("\n".join(documents))

    def names(self, controller, version):
        """Let the recipe of the release name this version of a controller."""
        urls = [URL.format(name=controller, version=version, part=part) for part in ("crds", "deployment")]
        path = f"manifests/bases/{controller}/kustomization.yaml"
        self.write("github.com/fluxcd/flux2/v2", path, "".join(f"- {url}\n" for url in urls))

    def write(self, module, path, text):
        path = self.root / module / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o444)


@pytest.fixture
def release(machine, go):
    (machine.bin / "kustomize").write_text(KUSTOMIZE)
    (machine.bin / "kustomize").chmod(0o755)
    for name in ("grep", "cat"):
        (machine.bin / name).symlink_to(f"/bin/{name}")
    return Release(machine.root / "modules", go)


def test_what_a_release_would_download_comes_from_the_modules(release, machine):
    path = flux_manifest()
    assert path.is_relative_to(machine.cache)
    assert path.name == "flux-install.yaml"
    first, *rest = path.read_text().splitlines()
    expected = [f"{part} of {name}" for name in sorted(CONTROLLERS) for part in ("CRDs", "Deployment")]
    assert rest == expected
    assert first.startswith("# Flux v2.9.2, composed from ")


def test_the_crds_are_kept_one_by_one(release):
    assert sorted(path.name for path in flux_crds().iterdir()) == [f"{name}.yaml" for name in sorted(CONTROLLERS)]


def test_it_is_composed_once_and_the_sums_of_the_modules_are_those_of_go_sum(release, go):
    assert flux_manifest() == flux_manifest()
    (call,) = go.calls
    assert call["arguments"][:3] == ["mod", "download", "-json"]
    assert set(call["arguments"][3:]) == set(release.modules)
    assert call["env"]["GOFLAGS"] == "-mod=readonly"
    sums = (GO_TOOLS["flux"].folder / "go.sum").read_text()
    versions = dict(
        line.split()[:2] for line in (GO_TOOLS["flux"].folder / "go.mod").read_text().splitlines() if "fluxcd/" in line
    )
    assert all(f"{module} {versions[module]} h1:" in sums for module in release.modules)


def test_modules_that_the_release_does_not_name_are_refused(release, machine):
    release.names("helm-controller", "v1.2.4")
    with pytest.raises(
        SandboxError, match=r"installs helm-controller v1\.2\.4, but the sandbox has v1\.2\.3"
    ) as caught:
        flux_manifest()
    assert "go.mod" in caught.value.hint
    assert list((machine.cache / "tools" / "flux-manifests").iterdir()) == []


def test_a_controller_that_we_do_not_know_is_refused(release):
    release.names("shiny-controller", "v0.1.0")
    with pytest.raises(SandboxError, match=r"installs shiny-controller v0\.1\.0, but the sandbox has none"):
        flux_manifest()


def test_modules_that_are_not_served_are_named_with_the_reason(release, machine):
    release.fail("github.com/fluxcd/helm-controller", "reading https://proxy.example.com/x: 403 Forbidden")
    with pytest.raises(SandboxError, match=r"can not be downloaded:\nreading .*403 Forbidden") as caught:
        flux_manifest()
    assert "GOPROXY" in caught.value.hint
    assert not (machine.cache / "tools" / "flux-manifests").exists()


def test_what_go_says_is_shown_when_it_tells_nothing_of_the_modules(release, go):
    (go.folder / "modules").write_text("")
    with pytest.raises(SandboxError, match="can not be downloaded:\ngo: no modules today"):
        flux_manifest()


def test_a_failed_composition_is_tried_again(release, machine):
    good = (machine.bin / "kustomize").read_text()
    (machine.bin / "kustomize").write_text(good.replace("for base", "exit 1\nfor base"))
    with pytest.raises(SandboxError, match="can not be composed"):
        flux_manifest()
    (machine.bin / "kustomize").write_text(good)
    assert flux_manifest().exists()
