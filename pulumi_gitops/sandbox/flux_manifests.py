# SPDX-License-Identifier: Apache-2.0
"""Composes Flux's install manifest, and finds its CRDs, in the Go modules of a release.

A release's own ``install.yaml`` is not in any module, but its recipe is: the folder ``manifests`` of flux2, a
kustomization that takes from each controller's release two files, which are built from ``config/crd`` and
``config/manager`` of the controller. Here they are built from the controllers' modules, of the very versions that the
recipe names. What comes out is called a composition, since nobody has compared it with the released file.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..core.cache import cache_dir
from ..core.errors import ProcessError, SandboxError
from ..core.process import allowed_env, run
from .builder import cache_errors, find_or_build, go_env
from .catalogue import GO_TOOLS
from .present import find_go
from .progress import BuildProgress

_FLUX = GO_TOOLS["flux"]
_CONTROLLERS: Mapping[str, str] = {
    **_FLUX.binaries,
    "image-reflector-controller": "github.com/fluxcd/image-reflector-controller",
    "image-automation-controller": "github.com/fluxcd/image-automation-controller",
    "source-watcher": "github.com/fluxcd/source-watcher/v2",
}
"""Name -> module; those without a binary are installed, but do not run in a sandbox."""

_RELEASED = re.compile(
    r"https://github\.com/fluxcd/(?P<name>[a-z-]+)/releases/download/(?P<version>v[0-9.]+)/(?P=name)"
    r"\.(?P<part>crds|deployment)\.yaml"
)
_FOLDERS = {"crds": "config/crd", "deployment": "config/manager"}
_MANIFEST = "flux-install.yaml"
_HEAD = f"# Flux {_FLUX.version}, composed from its controllers' Go modules; no module carries the released file.\n"
_DOWNLOAD_SECONDS = 600.0
_BUILD_SECONDS = 60.0


def flux_manifest(*, progress: BuildProgress | None = None) -> Path:
    """Return the install manifest of Flux, composed at first use.

    It installs all controllers of the release into the namespace ``flux-system``. Those for images and source-watcher
    have no process in a sandbox.

    Args:
        progress: Display, should kustomize have to be built for it; on standard error when None.

    Raises:
        SandboxError: The modules can not be downloaded, or are not those that the release names, or kustomize fails.
    """
    return _composed(progress) / _MANIFEST


def flux_crds(*, progress: BuildProgress | None = None) -> Path:
    """Return a folder with the CRDs of Flux, one per file, as the controllers' modules carry them.

    Args:
        progress: See :func:`flux_manifest`.

    Raises:
        SandboxError: See :func:`flux_manifest`.
    """
    return _composed(progress) / "crds"


def _composed(progress: BuildProgress | None) -> Path:
    content = hashlib.sha256(Path(__file__).read_bytes())
    for name in ("go.mod", "go.sum"):
        content.update((_FLUX.folder / name).read_bytes())
    folder = cache_dir() / "tools" / "flux-manifests" / f"{_FLUX.version}-{content.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    kustomize = find_or_build(["kustomize"], progress=progress)["kustomize"]
    modules = _modules(find_go())
    with cache_errors():
        folder.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".composing-"))
        try:
            _compose(modules, kustomize, staging)
            staging.rename(folder)
        except OSError:
            if not folder.is_dir():  # otherwise somebody else was faster
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return folder


def _modules(go: Path) -> dict[str, tuple[Path, str]]:
    """Return module -> folder in the module cache and version; the sums in ``go.sum`` have been verified."""
    argv = (str(go), "mod", "download", "-json", _FLUX.module, *_CONTROLLERS.values())
    try:
        done = run(argv, timeout=_DOWNLOAD_SECONDS, env=go_env(), cwd=_FLUX.folder, check=False)
    except ProcessError as e:
        raise SandboxError(f"the manifests of Flux can not be downloaded: {e.message}", hint=e.hint) from e
    found = {module["Path"]: module for module in _documents(done.stdout)}
    failures = [str(module["Error"]) for module in found.values() if "Error" in module]
    if failures or len(found) != len(_CONTROLLERS) + 1:
        raise SandboxError(
            "the manifests of Flux can not be downloaded:\n" + "\n".join(failures or [done.stderr.strip()]),
            hint="They are files of Go modules: GOPROXY says where these come from.",
        )
    return {path: (Path(module["Dir"]), module["Version"]) for path, module in found.items()}


def _documents(text: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        document, end = decoder.raw_decode(text)
        yield document
        text = text[end:]


def _compose(modules: Mapping[str, tuple[Path, str]], kustomize: Path, target: Path) -> None:
    work = target / "work"
    # File by file, since the module cache is read-only, folders included.
    _copy(modules[_FLUX.module][0] / "manifests", work / "manifests")
    (target / "crds").mkdir()
    for name, module in _CONTROLLERS.items():
        for part in _FOLDERS.values():
            _copy(modules[module][0] / part, work / name / part)
        for path in (work / name / "config" / "crd" / "bases").iterdir():
            shutil.copyfile(path, target / "crds" / path.name)
    versions = {name: modules[module][1] for name, module in _CONTROLLERS.items()}
    for path in work.glob("manifests/bases/*/kustomization.yaml"):
        path.write_text(_RELEASED.sub(lambda found: _local(found, versions), path.read_text("utf-8")), "utf-8")
    try:
        argv = (str(kustomize), "build", str(work / "manifests" / "install"))
        built = run(argv, timeout=_BUILD_SECONDS, env=allowed_env())
    except ProcessError as e:
        raise SandboxError(f"the manifest of Flux can not be composed: {e.message}", hint=e.hint) from e
    (target / _MANIFEST).write_text(_HEAD + built.stdout, "utf-8")
    shutil.rmtree(work)


def _copy(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file():
            copy = target / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


def _local(found: re.Match[str], versions: Mapping[str, str]) -> str:
    """Return the folder that a released file is built from, as seen from a folder of ``manifests/bases``."""
    if versions.get(found["name"]) != found["version"]:
        raise SandboxError(
            f"Flux {_FLUX.version} installs {found['name']} {found['version']}, but the sandbox has "
            f"{versions.get(found['name'], 'none')}",
            hint=f"{_FLUX.folder / 'go.mod'} has to name the same versions.",
        )
    return f"../../../{found['name']}/{_FOLDERS[found['part']]}"
