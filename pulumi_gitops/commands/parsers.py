# SPDX-License-Identifier: Apache-2.0
"""Parsers of arguments: wrong ones end with their own exit code, and help looks alike on every Python."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from .exits import ExitCode


class Parser(argparse.ArgumentParser):
    """A parser that ends the process with :attr:`.ExitCode.USAGE` for wrong arguments; so do those of its commands."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and what is wrong."""
        self.print_usage(sys.stderr)
        self.exit(ExitCode.USAGE, f"{self.prog}: error: {message}\n")


class Formatter(argparse.HelpFormatter):
    """Help as Python 3.13 formats it: the placeholder once, after all spellings of the option."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=32, **options)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


def add_command(subparsers: Any, name: str, *, does: str, more: str = "", usage: str, codes: str) -> Parser:
    """Add the parser of a command. What is not given is not in the parsed arguments: the engine has the defaults.

    Args:
        subparsers: Of the program's parser.
        name: The command.
        does: What it does, for the list of commands: without a capital and a full stop.
        more: More sentences for its own help.
        usage: Its arguments, those that matter.
        codes: Its exit codes.
    """
    parser: Parser = subparsers.add_parser(
        name,
        help=does,
        description=f"{does[0].upper()}{does[1:]}. {more}",
        usage=f"%(prog)s {usage}",
        epilog=f"Exit codes: {codes}, {ExitCode.USAGE:d} wrong arguments.",
        formatter_class=Formatter,
        argument_default=argparse.SUPPRESS,
        # A pipeline that got along with an abbreviation must not break, or change its meaning, with a new option.
        allow_abbrev=False,
    )
    return parser
