# SPDX-License-Identifier: Apache-2.0
"""The command ``pulumi-gitops``."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

from .commands import deploy, history, plan, remove, rollback, status
from .commands.exits import ExitCode, code_of
from .commands.output import abandon, show_error
from .commands.parsers import Parser
from .core import __version__
from .core.errors import GitOpsError
from .demo import cli as demo
from .sandbox import cli as sandbox

_COMMANDS = (plan, deploy, rollback, status, history, remove, demo, sandbox)
"""Modules with one command each: ``add_parser(subparsers)`` sets the default ``run``, a function from the parsed
arguments to the exit code. They import what they need when they run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments; those of the process when None.

    Returns:
        Exit code, see :class:`.commands.exits.ExitCode`. Wrong arguments end the process with 64.
    """
    parser = build_parser()
    arguments = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        # What the cluster says may not fit the encoding of the terminal.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except GitOpsError as e:
        show_error(e, as_json=getattr(arguments, "output", "") == "json")
        return code_of(e)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (`head`) has seen enough.
        abandon(sys.stdout)
        return ExitCode.SAME
    return code


def build_parser() -> Parser:
    """Return the parser of the command with those of all its subcommands."""
    parser = Parser(
        prog="pulumi-gitops",
        description="GitOps on top of the Pulumi programs and Ansible playbooks that you already run.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    return parser
