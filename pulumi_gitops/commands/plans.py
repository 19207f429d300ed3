# SPDX-License-Identifier: Apache-2.0
"""Show a plan, keep it in a file, and tell by the exit code what it says."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING

from .exits import ExitCode
from .output import say, say_json, show_warnings, tell, write_file
from .working import summarize

if TYPE_CHECKING:
    from ..core.deploy import Plan


def show_plan(args: argparse.Namespace, plan: Plan) -> ExitCode:
    """Print a plan in the form that the options ask for, and add it to the summary of the CI job.

    Returns:
        Whether something would change, or be refused.
    """
    from ..core.deploy import report

    summarize(report.as_markdown(plan))
    if args.output == "json":
        say_json(report.as_json(plan))
    elif args.output == "markdown":
        say(report.as_markdown(plan).rstrip("\n"))
    else:
        show_warnings(plan.warnings)
        say(report.as_text(dataclasses.replace(plan, warnings=())))
    if plan.refused:
        tell(f"error: a deployment would be refused because of {len(plan.refused)} of {len(plan.changes)} objects")
        return ExitCode.ERROR
    return ExitCode.CHANGES if plan.changed else ExitCode.SAME


def keep_plan(plan: Plan, path: str) -> None:
    """Write a plan file that only the user may read: it tells what is about to happen.

    Raises:
        InputError: It can not be written.
    """
    from ..core.deploy import plan_file

    write_file(path, json.dumps(plan_file(plan), indent=1) + "\n", option="--out", private=True)
