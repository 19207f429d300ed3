# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: T201 - what a command prints is its result
"""``pulumi-gitops sandbox``: take sandboxes up and down, and find one's way into them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import InputError, SandboxError
from . import state

if TYPE_CHECKING:
    from .sandbox import Sandbox

_DEFAULT = "default"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``sandbox`` to the parser of the command."""
    sandbox = subparsers.add_parser("sandbox", help="a local control plane", description=__doc__)
    sandbox.set_defaults(run=run)
    actions = sandbox.add_subparsers(title="actions", dest="action", metavar="ACTION", required=True)

    up = _action(actions, "up", "start a sandbox that stays until it is taken down")
    up.add_argument(
        "--with",
        dest="extras",
        action="append",
        default=[],
        choices=["argocd", "flux", "weave_gitops", "flux_operator"],
        help="run the controller's own processes once its manifests are installed (installs nothing); may be repeated",
    )
    up.add_argument("--nodes", type=int, default=1, metavar="K", help="simulated nodes (default: 1)")
    _json(up)

    down = actions.add_parser(
        "down",
        help="stop a sandbox and remove all traces of it",
        description="Stop a sandbox and remove all traces of it, and of those whose owner was killed.",
    )
    which = down.add_mutually_exclusive_group()
    _name(which)
    which.add_argument("--all", action="store_true", help="all sandboxes of this user that stay until taken down")

    status = actions.add_parser("status", help="what is up, and what has died")
    status.add_argument("--name", metavar="N", help="only this sandbox")
    _json(status)

    _json(_action(actions, "env", "shell commands that set KUBECONFIG, GIT_URL and PATH"))

    logs = _action(actions, "logs", "what a process of a sandbox has printed")
    logs.add_argument("tool", metavar="TOOL", help="for example kube-apiserver")

    build = actions.add_parser(
        "build",
        help="build the tools into the cache, so that later starts take seconds",
        description="Build the tools into the cache, and compose Flux's install manifest there from the files of its "
        "controllers' modules, since no module carries the released one.",
    )
    build.add_argument("tools", nargs="*", metavar="TOOL", help="only these (default: all)")

    repo = actions.add_parser("repo", help="Git repositories of a sandbox")
    create = _action(
        repo.add_subparsers(title="actions", dest="repo_action", metavar="ACTION", required=True),
        "create",
        "make an empty repository and print its URL",
    )
    create.add_argument("repository", metavar="NAME", help="name of the repository, without .git")
    create.add_argument("--username", metavar="U", help="ask everybody for this user name and the password")
    create.add_argument("--password-file", metavar="F", help="file with the password; - for standard input")


def run(args: argparse.Namespace) -> int:
    """Run one action of ``sandbox``.

    Returns:
        Exit code; 1 from ``status`` when something has died.

    Raises:
        GitOpsError: It did not work.
    """
    actions = {"up": _up, "down": _down, "status": _status, "env": _env, "logs": _logs, "build": _build, "repo": _repo}
    return actions[args.action](args)


def own_command() -> str:
    """Return how a shell in this folder calls this command: by its name only where PATH leads to it."""
    installed = Path(sys.executable).with_name("pulumi-gitops")
    if not installed.exists():
        return f"{shlex.quote(sys.executable)} -m pulumi_gitops"
    found = shutil.which(installed.name)
    if found is not None and Path(found).samefile(installed):
        return installed.name
    return shlex.quote(os.path.relpath(installed) if installed.is_relative_to(Path.cwd()) else str(installed))


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    _name(parser)
    return parser


def _name(parser: argparse._ActionsContainer) -> None:
    parser.add_argument("--name", metavar="N", default=_DEFAULT, help=f"name of the sandbox (default: {_DEFAULT})")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _up(args: argparse.Namespace) -> int:
    from .builder import built_folder
    from .catalogue import GO_TOOLS
    from .flux_manifests import flux_manifest
    from .flux_operator_host import flux_operator_manifest
    from .sandbox import Sandbox

    began = time.monotonic()
    extras = args.extras
    sandbox = Sandbox.start(
        args.name,
        nodes=args.nodes,
        argocd="argocd" in extras,
        flux="flux" in extras,
        weave_gitops="weave_gitops" in extras,
        flux_operator="flux_operator" in extras,
        detach=True,
    )
    if args.json:
        print(json.dumps(_facts(sandbox), indent=2))
        return 0
    print(f"sandbox {sandbox.name} is up after {time.monotonic() - began:.1f} s")
    print(f"  API server  {sandbox.server}")
    print(f"  kubeconfig  {sandbox.kubeconfig}")
    print(f"  Git         {sandbox.git_url}")
    if sandbox.flux:
        print(f"  Flux        is installed by {flux_manifest()}")
        print("              (composed from its controllers' own files: no Go module carries the released one)")
    if sandbox.weave_gitops:
        print(f"  Weave GitOps' chart is {built_folder(GO_TOOLS['weave-gitops']) / 'chart'}")
    if sandbox.flux_operator:
        print(f"  Flux Operator is installed by {flux_operator_manifest()}")
    print(f'  use it:     eval "$({own_command()} sandbox env --name {sandbox.name})"')
    print(f"  end it:     {own_command()} sandbox down --name {sandbox.name}")
    return 0


def _down(args: argparse.Namespace) -> int:
    from .sandbox import Sandbox

    sandboxes = Sandbox.all()
    wanted = [sandbox for sandbox in sandboxes if (sandbox.detached if args.all else sandbox.name == args.name)]
    left = [sandbox for sandbox in sandboxes if sandbox not in wanted and _abandoned(sandbox)]
    for sandbox in wanted + left:
        sandbox.stop()
        print(f"sandbox {sandbox.name} is down" + (", it was left behind" if sandbox in left else ""))
    if not wanted and not args.all:
        raise _missing(args.name)
    return 0


def _status(args: argparse.Namespace) -> int:
    from .sandbox import Sandbox

    sandboxes = Sandbox.all() if args.name is None else [_find(args.name)]
    dead = [(sandbox, process) for sandbox in sandboxes for process in sandbox.processes() if not process.alive]
    if args.json:
        print(json.dumps([_facts(sandbox) for sandbox in sandboxes], indent=2))
        return 1 if dead else 0
    if not sandboxes:
        print("no sandbox is up")
    for sandbox in sandboxes:
        print(f"{sandbox.name}: {sandbox.server}, {sandbox.memory_bytes() / 1e6:.0f} MB{_lifetime(sandbox)}")
        for process in sandbox.processes():
            print(f"  {process.name:<32} {f'pid {process.pid}' if process.alive else 'DEAD'}")
    for sandbox, process in dead:
        print(f"\n{process.name} of {sandbox.name} has died; its last lines:")
        print("\n".join(sandbox.logs(process.name).splitlines()[-20:]))
    return 1 if dead else 0


def _env(args: argparse.Namespace) -> int:
    variables = _find(args.name).env()
    if args.json:
        print(json.dumps(variables, indent=2))
    else:
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")
    return 0


def _logs(args: argparse.Namespace) -> int:
    print(_find(args.name).logs(args.tool), end="")
    return 0


def _build(args: argparse.Namespace) -> int:
    from .builder import build
    from .flux_manifests import flux_manifest

    built = build(args.tools or None)
    for binary, path in built.items():
        print(f"{binary:<24} {path}")
    if "source-controller" in built:
        print(f"{'composed manifest':<24} {flux_manifest()}")
    return 0


def _repo(args: argparse.Namespace) -> int:
    password = None
    if args.password_file is not None:
        password = _read_password(args.password_file)
    print(_find(args.name).create_repository(args.repository, args.username, password))
    return 0


def _read_password(file: str) -> str:
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(f"the password can not be read from {file}: {e}") from e
    if not (password := text.rstrip("\r\n")):
        raise InputError(f"there is no password in {file}")
    return password


def _find(name: str) -> Sandbox:
    from .sandbox import Sandbox

    sandbox = Sandbox.find(name)
    if sandbox is None:
        raise _missing(name)
    return sandbox


def _missing(name: str) -> SandboxError:
    from .sandbox import Sandbox

    names = ", ".join(other.name for other in Sandbox.all())
    return SandboxError(
        f"there is no sandbox {name!r}",
        hint=f"Up are: {names}." if names else f"pulumi-gitops sandbox up --name {name} starts it.",
    )


def _abandoned(sandbox: Sandbox) -> bool:
    record = state.load(sandbox.folder)
    return record is not None and record.abandoned


def _lifetime(sandbox: Sandbox) -> str:
    if _abandoned(sandbox):
        return ", left behind (the next up or down removes it)"
    return "" if sandbox.detached else ", ends with the process that started it"


def _facts(sandbox: Sandbox) -> dict[str, Any]:
    return {
        "name": sandbox.name,
        "server": sandbox.server,
        "kubeconfig": str(sandbox.kubeconfig),
        "git_url": sandbox.git_url,
        "argocd": sandbox.argocd,
        "flux": sandbox.flux,
        "weave_gitops": sandbox.weave_gitops,
        "flux_operator": sandbox.flux_operator,
        "detached": sandbox.detached,
        "memory_bytes": sandbox.memory_bytes(),
        "processes": [
            {"name": process.name, "pid": process.pid, "alive": process.alive} for process in sandbox.processes()
        ],
    }
