# SPDX-License-Identifier: Apache-2.0
"""The command line: ``pulumi-gitops``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from .core import __version__
from .core.errors import GitOpsError

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0 done, 1 an error (message and hint on stderr), 130 interrupted."""
    arguments = _parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = arguments.run
    try:
        return run(arguments)
    except GitOpsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pulumi-gitops", description="GitOps as a layer on the infrastructure as code that a team already runs."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="the whole story, on a local control plane or on a cluster of yours")
    demo.add_argument("--keep", action="store_true", help="leave the local control plane running afterwards")
    demo.add_argument("--context", default="", help="context of another cluster; needs --git-url")
    demo.add_argument("--git-url", default="", help="Git server that this cluster reaches; config.git on it is used")
    demo.set_defaults(run=_demo)

    from .sandbox.cli import add_parser, run

    add_parser(commands)
    for name, command in commands.choices.items():
        if name == "sandbox":
            command.set_defaults(run=run)
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from .demo import run_demo

    return run_demo(keep=arguments.keep, context=arguments.context, git_url=arguments.git_url)
