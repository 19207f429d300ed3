# SPDX-License-Identifier: Apache-2.0
"""The command ``pulumi-gitops``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .core import __version__
from .core.errors import GitOpsError
from .demo import cli as demo
from .sandbox import cli as sandbox

_COMMANDS = (demo, sandbox)
"""Modules with one command each: ``add_parser(subparsers)`` sets the default ``run``, a function from the parsed
arguments to the exit code. They import what they need when they run."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Arguments; those of the process when None.

    Returns:
        Exit code: 0, 1 for an error that was reported, 130 after Ctrl-C. Wrong arguments end the process with 2.
    """
    parser = argparse.ArgumentParser(
        prog="pulumi-gitops",
        description="GitOps on top of the Pulumi programs and Ansible playbooks that you already run.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except GitOpsError as e:
        print(f"error: {e.message}", file=sys.stderr)
        if e.hint:
            print(e.hint, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output (`head`) has seen enough; the interpreter must not try again to write the rest.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code
