# SPDX-License-Identifier: Apache-2.0
"""Render a kustomization with the kustomize program."""

from __future__ import annotations

from pathlib import Path

from ..errors import EmptySetError, InputError, SourceUnavailableError
from ..objects import KubeObject
from ..process import run
from ..yamlio import load_manifests
from .boundary import is_file, is_folder, is_remote, resolved, root_of
from .kustomization import check_tree
from .tools import find_kustomize, offline_env, online_env

_GUARD = "--load-restrictor=LoadRestrictionsRootOnly"  # the default, said aloud


def render_kustomize(
    folder: str | Path,
    *,
    timeout: float = 60.0,
    allow_network: bool = False,
    binary: str = "",
    root: str | Path | None = None,
) -> list[KubeObject]:
    """Return the objects of a kustomization: what ``kustomize build`` prints.

    The whole tree is read before anything is started, and refused when it would reach the network, leave its place or
    run a program; see :func:`.kustomization.check_tree`. The program itself runs without the user's settings, without
    plugins and Helm, and, unless the network is allowed, without git and with proxies that lead nowhere.

    Args:
        folder: Folder of the kustomization.
        timeout: Seconds that kustomize may take.
        allow_network: Let bases and files be fetched. They are not pinned unless their address is, for example by
            ``?ref=<commit>``.
        binary: kustomize or kubectl, by name or path; by default ``kustomize`` on PATH, else ``kubectl``.
        root: Folder that bases may not leave. By default the Git work tree around the folder, without one the folder
            two levels above it.

    Raises:
        UnsafeSourceError: The tree is refused; says file, line and text.
        ManifestError: A kustomization, or what kustomize printed, is not valid.
        InputError: `folder` is not a folder, or kustomize can not build it.
        SourceUnavailableError: There is no such folder, or no kustomization in it.
        EmptySetError: It yields no objects.
        ToolMissingError: Neither kustomize 5 nor a kubectl with it is installed.
        ProcessError: kustomize did not end in time.
    """
    import tempfile

    path = _folder(folder)
    check_tree(path, root_of(path, root), allow_network=allow_network)
    tool = find_kustomize(binary)
    command = "kustomize" if tool.is_kubectl else "build"
    with tempfile.TemporaryDirectory(prefix="pulumi-gitops-") as private:
        env = online_env() if allow_network else offline_env(Path(private))
        result = run([tool.path, command, str(path), _GUARD], timeout=timeout, env=env, check=False)
    if result.returncode != 0:
        reason = result.stderr.strip().removeprefix("Error: ").removeprefix("error: ")
        raise InputError(
            f"kustomize can not build {path}: {reason or f'exit code {result.returncode}'}",
            hint=f"Try it by hand: {Path(tool.path).name} {command} {path}",
            details={"program": tool.path, "returncode": result.returncode},
        )
    objects = load_manifests(result.stdout, source=f"kustomize build {path}")
    if not objects:
        raise EmptySetError(f"the kustomization {path} yields no objects", hint="Are its resources empty?")
    return objects


def _folder(folder: str | Path) -> Path:
    if not str(folder).strip():
        raise InputError("kustomize needs a folder", hint="Name the folder of a kustomization.")
    path = Path(folder).expanduser()
    if is_folder(path):
        return resolved(path)
    if is_file(path):
        raise InputError(f"{path} is a file", hint=f"Name the folder of the kustomization: {path.parent}")
    if is_remote(str(folder)):
        raise InputError(f"{folder} is not a folder", hint="Clone it, or name it as a resource of a kustomization.")
    raise SourceUnavailableError(f"{path} does not exist", hint="Check the folder of the kustomization.")
