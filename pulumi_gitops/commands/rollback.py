# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops rollback``: bring back the objects of an earlier revision."""

from __future__ import annotations

import argparse
import time
from typing import Any

from . import arguments, options
from .exits import ExitCode
from .output import show_warnings
from .parsers import add_command
from .plans import show_plan
from .results import result_as_markdown, show_result
from .working import connected, release_of, summarize, working


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = add_command(
        subparsers,
        "rollback",
        does="bring back the objects of an earlier revision and remove what came after it",
        more="The rollback is a revision of its own.",
        usage="RELEASE -n NAMESPACE [--to REVISION] [options]",
        codes="0 success, 2 something would change (--dry-run), 1 error, 3 not ready, 4 approval missing or plan moved",
    )
    options.add_release(parser)
    options.add_output(parser, "json")
    parser.add_argument(
        "--to",
        metavar="REVISION",
        type=arguments.revision,
        default=0,
        help="revision to go back to (default: the last one that was deployed before)",
    )
    parser.add_argument("--dry-run", action="store_true", default=False, help="show what would change; change nothing")
    options.add_force(parser)
    options.add_waiting(parser)
    options.add_approval(parser, files=False)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        GitOpsError: It was not rolled back.
    """
    from ..core.deploy import Approval, ForceConflicts, detect_origin, rollback

    given = vars(args)
    settings: dict[str, Any] = {name: given[name] for name in ("wait", "wait_timeout", "lock_timeout") if name in given}
    if "force_conflicts" in given:
        settings["force_conflicts"] = ForceConflicts(args.force_conflicts)
    approval = Approval(
        plan_digest=given.get("plan_digest", ""),
        approved_by=given.get("approved_by", ""),
        required=given.get("require_approval", False),
    )
    settings |= {"to": args.to, "approval": approval, "origin": detect_origin("cli")}
    if args.dry_run:
        with connected(args) as cluster:
            result = rollback(cluster, args.name, args.namespace, check=True, **settings)
        return show_plan(args, result.as_plan(args.name, args.namespace))

    began = time.monotonic()
    with connected(args) as cluster, working(f"roll back {release_of(args)}") as progress:
        result = rollback(cluster, args.name, args.namespace, progress=progress, **settings)
    seconds = time.monotonic() - began
    headline = f"release {release_of(args)}: revision {result.revision}"
    if result.rolled_back_to:
        headline += f", as revision {result.rolled_back_to}"
    summarize(result_as_markdown(headline[0].upper() + headline[1:], result, seconds=seconds))
    if args.output == "text":
        show_warnings(result.warnings)
    show_result(args, result, headline=headline, seconds=seconds)
    return ExitCode.SAME
