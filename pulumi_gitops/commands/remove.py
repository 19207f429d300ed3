# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops remove``: remove a release with all its objects."""

from __future__ import annotations

import argparse
import time
from typing import Any

from . import options
from .exits import ExitCode
from .output import objects, say, say_json
from .parsers import add_command
from .results import result_as_markdown, show_result
from .working import connected, release_of, summarize, working


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = add_command(
        subparsers,
        "remove",
        does="remove a release with all its objects",
        more="A release that does not exist is no error.",
        usage="RELEASE -n NAMESPACE [options]",
        codes="0 success, 2 something would be removed (--dry-run), 1 error, also when objects do not go away in time",
    )
    options.add_release(parser)
    options.add_output(parser, "json")
    parser.add_argument(
        "--dry-run", action="store_true", default=False, help="show what would be removed; change nothing"
    )
    parser.add_argument(
        "--delete-namespace",
        action="store_true",
        default=False,
        help="delete NAMESPACE too if a deployment of this release created it",
    )
    options.add_prune_kinds(
        parser, "kind that may be removed, in place of Namespace and CustomResourceDefinition; volume claims stay"
    )
    options.add_waiting(parser, text="wait until all objects are gone")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        GitOpsError: Something is left.
    """
    from ..core.deploy import remove

    given = vars(args)
    names = ("wait", "wait_timeout", "lock_timeout", "prune_kinds", "delete_namespace")
    settings = {name: given[name] for name in names if name in given}
    if args.dry_run:
        with connected(args) as cluster:
            result = remove(cluster, args.name, args.namespace, check=True, **settings)
        if args.output == "json":
            say_json({"release": args.name, "namespace": args.namespace, **result.as_dict(), "changed": result.changed})
        else:
            going = [change for change in result.changes if change.changed]
            say(f"release {release_of(args)}: {objects(len(going))} would be removed")
            for change in result.changes:
                say(f"  - {change.ref}" if change.changed else f"  = {change.ref}: stays ({change.reason})")
        return ExitCode.CHANGES if result.changed else ExitCode.SAME

    began = time.monotonic()
    with connected(args) as cluster, working(f"remove {release_of(args)}") as progress:
        result = remove(cluster, args.name, args.namespace, progress=progress, **settings)
    seconds = time.monotonic() - began
    headline = f"release {release_of(args)}: " + ("removed" if result.revision else "does not exist")
    summarize(result_as_markdown(headline[0].upper() + headline[1:], result, seconds=seconds))
    show_result(args, result, headline=headline, seconds=seconds)
    return ExitCode.SAME
