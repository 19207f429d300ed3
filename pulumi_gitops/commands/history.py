# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops history``: what was deployed when, by whom, with which images."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import options
from .exits import ExitCode
from .output import in_columns, say, say_json
from .parsers import add_command
from .status import found
from .working import connected

if TYPE_CHECKING:
    from ..core.deploy import Revision

_HEADINGS = ("REVISION", "STATUS", "TIME", "FACE", "USER", "IMAGES", "COMMIT", "APPROVED BY", "ROLLED BACK TO")
_IMAGES = 3
_DIGITS = 12


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = add_command(
        subparsers,
        "history",
        does="show the revisions of a release",
        more="The oldest that the record still has comes first.",
        usage="RELEASE -n NAMESPACE [options]",
        codes="0 success, 1 error",
    )
    options.add_release(parser)
    options.add_output(parser, "json")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        GitOpsError: There is no such release, or it can not be read.
    """
    from ..core.deploy import read_release

    with connected(args) as cluster:
        state = found(args, read_release(cluster, args.name, args.namespace, drift=False))
    if args.output == "json":
        revisions = [revision.as_dict() for revision in state.revisions]
        say_json({"release": args.name, "namespace": args.namespace, "revisions": revisions})
    else:
        say(as_table(state.revisions))
    return ExitCode.SAME


def as_table(revisions: Sequence[Revision]) -> str:
    """Return revisions as lines; columns that no revision has anything for are left out."""
    rows = [_HEADINGS, *map(_row, revisions)]
    kept = [column for column in range(len(_HEADINGS)) if column < 3 or any(row[column] for row in rows[1:])]
    return in_columns([[row[column] for column in kept] for row in rows])


def _row(revision: Revision) -> tuple[str, ...]:
    images = [shortened(image) for image in revision.images[:_IMAGES]]
    more = len(revision.images) - len(images)
    return (
        str(revision.number),
        revision.status,
        revision.time,
        revision.face,
        revision.user,
        ", ".join(images) + (f" +{more}" if more else ""),
        revision.commit[:_DIGITS],
        revision.approved_by,
        str(revision.rolled_back_to or ""),
    )


def shortened(image: str) -> str:
    """Return an image reference without its registry, and with a short digest: ``shop:1.2``, ``shop@1f3c9a2b0d4e``."""
    name, at, digest = image.rpartition("/")[2].partition("@")
    return name + at + digest.rpartition(":")[2][:_DIGITS]
