# SPDX-License-Identifier: Apache-2.0
"""Builds the pinned tools into the user's cache, once, and finds them there.

A tool is kept in ``tools/<name>/<key>`` of the cache; the key is a digest of everything that decides what comes out.
The folder appears under that name by one rename, so what is there is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ..core.cache import cache_dir
from ..core.errors import SandboxError
from ..core.process import allowed_env, run
from .catalogue import GO_TOOLS, WHEEL_TOOLS, Copied, GoTool, go_tool
from .present import GO_SERIES, find, find_go, find_wheel_tool
from .progress import BuildProgress

_BUILD_FLAGS = ("-trimpath",)
# No C compiler is needed, and the binaries run on any machine of the platform.
_BUILD_ENV = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
# Where modules come from and are kept is the user's choice; what the compiler does is ours.
_USERS_GO_ENV = (
    *("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE", "GOINSECURE", "GOAUTH", "NETRC"),
    *("GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR"),
)
_POLL_SECONDS = 0.5
_TAIL_LINES = 20
_DOWNLOAD_SECONDS = 600.0


def tool_path(binary: str, *, progress: BuildProgress | None = None) -> Path:
    """Return a tool of the sandbox, building it when it is neither on the machine nor in the cache.

    Args:
        binary: For example ``kube-apiserver``, ``kubectl``, ``pulumi``.
        progress: Display for a build; on standard error when None.

    Raises:
        InputError: There is no such tool.
        SandboxError: It can not be built or found.
    """
    return find_or_build([binary], progress=progress)[binary]


def build(tools: Sequence[str] | None = None, *, progress: BuildProgress | None = None) -> dict[str, Path]:
    """Fill the cache: build what is neither on the machine nor in the cache.

    Args:
        tools: Names of tools or of their binaries; when None, all that are not built on request only.
        progress: Display; on standard error when None.

    Returns:
        Binary -> path.

    Raises:
        InputError: There is no such tool.
        SandboxError: One can not be built or found.
    """
    binaries: list[str] = []
    usual = (name for name, tool in GO_TOOLS.items() if not tool.on_request)
    for name in tools if tools is not None else (*usual, *WHEEL_TOOLS):
        binaries += GO_TOOLS[name].binaries if name in GO_TOOLS else [name]
    paths = find_or_build(binaries, progress=progress)
    if "argocd" in paths:
        seed_manifests()
    if "source-controller" in paths:
        from .flux_manifests import flux_manifest

        flux_manifest(progress=progress)
    return paths


def find_or_build(binaries: Sequence[str], *, progress: BuildProgress | None = None) -> dict[str, Path]:
    """Return the paths of several binaries, as :func:`tool_path` does of one."""
    paths: dict[str, Path] = {}
    missing: dict[str, GoTool] = {}
    for binary in binaries:
        tool = go_tool(binary)
        if tool is None:
            paths[binary] = find_wheel_tool(WHEEL_TOOLS[binary])
        elif tool.present and (path := find(binary, tool.present)):
            paths[binary] = path
        else:
            paths[binary] = built_folder(tool) / binary
            if not built_folder(tool).is_dir():
                missing[tool.name] = tool
    if missing:
        go = find_go()
        display = progress or BuildProgress()
        for index, tool in enumerate(missing.values(), start=1):
            display.begin(tool.title, index, len(missing))
            outcome = "did not build"  # an error, or Ctrl-C
            try:
                outcome = "built" if _build(tool, go, display) else "found"
            finally:
                display.end(outcome)
    return paths


def built_folder(tool: GoTool) -> Path:
    """Return where a built tool is kept; the folder exists when it has been built."""
    content = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        content.update((tool.folder / name).read_bytes())
    recipe = (
        tool.binaries,
        tool.ldflags,
        tool.files,
        _BUILD_FLAGS,
        _BUILD_ENV,
        GO_SERIES,
        sys.platform,
        platform.machine(),
    )
    content.update(repr(recipe).encode())
    if tool.copied is not None:
        content.update(repr((tool.copied.go, sorted(tool.copied.adds.items()))).encode())
    return cache_dir() / "tools" / tool.name / f"{tool.version}-{content.hexdigest()[:16]}"


def bin_dir(binaries: Sequence[str]) -> Path:
    """Return a folder for PATH: links to these binaries and to the scripts that they expect beside them.

    Raises:
        InputError: There is no such tool.
        SandboxError: One can not be built or found.
    """
    links = find_or_build(binaries)
    for tool in {tool.name: tool for binary in binaries if (tool := go_tool(binary))}.values():
        if built_folder(tool).is_dir():
            links |= {program: built_folder(tool) / program for program in tool.programs}
    name = hashlib.sha256(repr(sorted(links.items())).encode()).hexdigest()[:16]
    folder = cache_dir() / "bin" / name
    if not folder.is_dir():
        with cache_errors():
            folder.parent.mkdir(parents=True, exist_ok=True)
            staging = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
            for link, target in links.items():
                (staging / link).symlink_to(target)
            try:
                staging.rename(folder)
            except OSError:  # somebody else was faster
                shutil.rmtree(staging)
                if not folder.is_dir():
                    raise
    return folder


def seed_manifests() -> None:
    """Put Argo CD's install manifest into the cache of manifests, so that its installation needs no network.

    It comes with the Go module of Argo CD; does nothing when that has not been built.

    Raises:
        SandboxError: The manifest is not the released one.
    """
    from ..core.controllers import catalog, download

    tool = GO_TOOLS["argocd"]
    digest = catalog.controller("argocd").digest(tool.version.removeprefix("v"))
    source = built_folder(tool) / "install.yaml"
    if not source.is_file() or download.read_cache(digest) is not None:
        return
    content = source.read_bytes()
    if download.sha256(content) != digest:
        raise SandboxError(
            f"{source} is not the install manifest of Argo CD {tool.version}: its sha256 is "
            f"{download.sha256(content)}, released is {digest}",
            hint=f"Remove {source.parent} and build anew.",
        )
    download.write_cache(content)


def _build(tool: GoTool, go: Path, progress: BuildProgress) -> bool:
    """Build a tool; return False when another process did it meanwhile."""
    folder = built_folder(tool)
    log = cache_dir() / "logs" / f"build-{tool.name}.log"
    with cache_errors():
        folder.parent.mkdir(parents=True, exist_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with _lock(folder.parent / ".lock", lambda: progress.tick("waiting for another build of")):
            if folder.is_dir():
                return False
            for left in folder.parent.glob(".building-*"):  # by a build that was killed
                shutil.rmtree(left, ignore_errors=True)
            # A name of its own: the compiler of that killed build may still be running.
            staging = folder.with_name(f".building-{uuid.uuid4().hex}")
            staging.mkdir()
            source = _copied(tool, tool.copied, go, staging) if tool.copied else tool.folder
            with log.open("wb") as output:
                for binary, package in tool.binaries.items():
                    argv = [
                        str(go),
                        "build",
                        *_BUILD_FLAGS,
                        "-ldflags",
                        tool.ldflags,
                        "-o",
                        str(staging / binary),
                        package,
                    ]
                    returncode = _run_build(argv, source, output.fileno(), progress)
                    if returncode != 0:
                        raise _failure(tool, returncode, log)
            _copy_files(tool, go, source, staging)
            if tool.copied:
                shutil.rmtree(source)
            staging.rename(folder)
    return True


def _run_build(argv: Sequence[str], folder: Path, output: int, progress: BuildProgress) -> int:
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env=go_env(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    try:
        while True:
            try:
                return process.wait(_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                progress.tick()
    except BaseException:  # Ctrl-C: the compilers must not go on by themselves
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _copied(tool: GoTool, copied: Copied, go: Path, staging: Path) -> Path:
    """Return a folder with the ``go.mod`` of a tool and, in ``source``, a copy of its module that can be built.

    Raises:
        SandboxError: The module can not be downloaded, or is not the one in ``go.sum``.
    """
    folder = staging / ".module"
    (folder / "empty").mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(tool.folder / name, folder / name)
    wanted = f"{tool.module}@{tool.version}"
    argv = [str(go), "mod", "download", "-json", wanted]
    # It reports that it is for a newer Go, when it has downloaded and verified it.
    done = run(argv, timeout=_DOWNLOAD_SECONDS, env={**go_env(), "GOFLAGS": ""}, cwd=folder / "empty", check=False)
    found = json.loads(done.stdout) if done.stdout.strip().startswith("{") else {}
    if "Zip" not in found:
        raise SandboxError(f"{wanted} can not be downloaded: {found.get('Error') or done.stderr.strip()}")
    if f"{tool.module} {tool.version} {found.get('Sum')}" not in (folder / "go.sum").read_text("utf-8").splitlines():
        raise SandboxError(f"{wanted} is not the module that {tool.folder / 'go.sum'} names: {found.get('Sum')}")
    with zipfile.ZipFile(found["Zip"]) as archive:
        archive.extractall(folder / "zip")
    (folder / "zip" / wanted).rename(folder / "source")
    path = folder / "source" / "go.mod"
    path.write_text(re.sub(r"(?m)^go .*$", f"go {copied.go}", path.read_text("utf-8"), count=1), "utf-8")
    for name, content in copied.adds.items():
        added = folder / "source" / name
        added.parent.mkdir(parents=True, exist_ok=True)
        added.write_text(content, "utf-8")
    return folder


def _copy_files(tool: GoTool, go: Path, source: Path, target: Path) -> None:
    if not tool.files:
        return
    listed = run([str(go), "list", "-m", "-f", "{{.Dir}}", tool.module], timeout=60, env=go_env(), cwd=source)
    module = Path(listed.stdout.strip())
    for name, path in tool.files.items():
        if (module / path).is_dir():
            _copy_folder(module / path, target / name)
            continue
        shutil.copyfile(module / path, target / name)
        (target / name).chmod(0o755 if name in tool.programs else 0o644)


def _copy_folder(source: Path, target: Path) -> None:
    """Copy a folder of the module cache, where all is read-only; the copy can be removed by its owner."""
    target.mkdir()
    for path in source.iterdir():
        if path.is_dir():
            _copy_folder(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def go_env() -> Mapping[str, str]:
    """Return the environment of every call of ``go``: our settings, and where this user gets modules from."""
    users = {name: os.environ[name] for name in _USERS_GO_ENV if name in os.environ}
    return allowed_env(users | _BUILD_ENV)


def _failure(tool: GoTool, returncode: int, log: Path) -> SandboxError:
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
    return SandboxError(
        f"{tool.title} {tool.version} can not be built (go ended with {returncode}):\n{tail}",
        hint=f"The whole log is {log}",
        details={"tool": tool.name, "log": str(log)},
    )


@contextlib.contextmanager
def _lock(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a lock between processes; it ends with the process at the latest."""
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(_POLL_SECONDS)
        yield


@contextlib.contextmanager
def cache_errors() -> Iterator[None]:
    """Say what to do when the cache can not be written.

    Raises:
        SandboxError: In place of an OSError.
    """
    try:
        yield
    except OSError as e:
        raise SandboxError(
            f"the cache {cache_dir()} can not be written: {e.strerror or e}",
            hint="PULUMI_GITOPS_CACHE=FOLDER puts it elsewhere; all tools take 1 GB, building them 8 GB of Go's cache.",
        ) from e
