# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops deploy``: bring the cluster to a set of objects, and wait until they are ready."""

from __future__ import annotations

import argparse
import time
from typing import Any

from . import options
from .exits import ExitCode
from .output import show_warnings
from .parsers import add_command
from .results import result_as_markdown, show_result
from .working import connected, release_of, summarize, working


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = add_command(
        subparsers,
        "deploy",
        does="apply a set of objects as a release, wait, and remove what left the set",
        more="An unchanged set is not written again and makes no revision.",
        usage="RELEASE -n NAMESPACE (-f FILE | -k FOLDER | --helm-chart CHART) [options]",
        codes="0 success, 1 error, 3 not ready (rolled back or not), 4 approval missing or plan moved",
    )
    options.add_release(parser)
    options.add_output(parser, "json")
    options.add_sources(parser)
    options.add_treatment(parser)
    options.add_carrying_out(parser)
    options.add_approval(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        GitOpsError: It was not deployed.
    """
    from ..core.delivery import request
    from ..core.deploy import deploy

    began = time.monotonic()
    wanted = request(options.release_options(args), face="cli")
    with connected(args) as cluster, working(f"deploy {release_of(args)}") as progress:
        result = deploy(cluster, wanted.spec, progress=progress)
    seconds = time.monotonic() - began
    headline = f"release {release_of(args)}: revision {result.revision}"
    summarize(result_as_markdown(headline[0].upper() + headline[1:], result, seconds=seconds))
    if args.output == "text":
        show_warnings((*wanted.warnings, *result.warnings))
    show_result(args, result, headline=headline, seconds=seconds, warnings=wanted.warnings)
    return ExitCode.SAME
