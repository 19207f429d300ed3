# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops plan``: what ``deploy`` would change, for people, for machines and for an approval."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from . import options
from .output import write_file
from .parsers import add_command
from .plans import keep_plan, show_plan
from .working import connected


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = add_command(
        subparsers,
        "plan",
        does="show what deploy would change",
        more="Changes nothing. Secrets are masked. What deploy alone uses is taken too, so that both get the same "
        "arguments.",
        usage="RELEASE -n NAMESPACE (-f FILE | -k FOLDER | --helm-chart CHART) [options]",
        codes="0 nothing would change, 2 something would, 1 error, also when deploy would be refused",
    )
    options.add_release(parser)
    options.add_output(parser, "json", "markdown")
    parser.add_argument("--out", metavar="FILE", default="", help="write the plan for deploy --plan-file (mode 0600)")
    parser.add_argument(
        "--report", metavar="FILE", default="", help="write the plan as Markdown, for people to approve"
    )
    options.add_sources(parser)
    options.add_treatment(parser)
    options.add_carrying_out(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        GitOpsError: There is no plan.
    """
    from ..core.delivery import request
    from ..core.deploy import plan, report

    wanted = request(options.release_options(args), face="cli")
    with connected(args) as cluster:
        found = plan(cluster, wanted.spec)
    found = dataclasses.replace(found, warnings=(*wanted.warnings, *found.warnings))
    if args.report:
        write_file(args.report, report.as_markdown(found), option="--report")
    if args.out:
        keep_plan(found, args.out)
    return show_plan(args, found)
