# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops status``: what is deployed, and how the cluster differs from it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from . import options
from .exits import ExitCode
from .output import in_columns, objects, say, say_json
from .parsers import add_command
from .working import connected, release_of

if TYPE_CHECKING:
    from ..core.deploy import ReleaseState, Revision

# Of the message of a failed revision; the run itself told it all.
_LINES = 6


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = add_command(
        subparsers,
        "status",
        does="show what is deployed, and how the cluster differs from it",
        usage="[RELEASE] -n NAMESPACE [--drift] [options]",
        codes="0 success, 2 the cluster differs (--drift), 1 error",
    )
    options.add_release(parser, optional=True)
    options.add_output(parser, "json")
    parser.add_argument(
        "--drift", action="store_true", default=False, help="end with 2 when the cluster differs, for drift jobs"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        GitOpsError: There is no such release, or it can not be read.
    """
    if not args.name:
        return _all(args)
    from ..core.deploy import read_release

    with connected(args) as cluster:
        state = found(args, read_release(cluster, args.name, args.namespace))
    if args.output == "json":
        say_json(_entry(state))
    else:
        say("\n".join(_lines(args, state)))
    return ExitCode.CHANGES if args.drift and state.drift else ExitCode.SAME


def _entry(state: ReleaseState) -> dict[str, Any]:
    """Return the JSON form, with the release under the name that all commands give it."""
    facts = state.as_dict()
    return {"release": facts.pop("name"), **facts}


def found(args: argparse.Namespace, state: ReleaseState | None) -> ReleaseState:
    """Return the release.

    Raises:
        RevisionNotFoundError: There is none.
    """
    from ..core.errors import RevisionNotFoundError

    if state is None:
        raise RevisionNotFoundError(
            f"there is no release {args.name} in namespace {args.namespace}", hint="Check name, namespace and cluster."
        )
    return state


def _lines(args: argparse.Namespace, state: ReleaseState) -> list[str]:
    lines = [f"release {release_of(args)}: revision {state.revision}, {state.status}, {objects(len(state.inventory))}"]
    if state.revisions:
        lines += _origin(state.revisions[-1])
    lines.append(f"drift: {objects(len(state.drift))}" if state.drift else "drift: none")
    names = {item.ref.key: str(item.ref) for item in state.inventory}
    lines += [f"  {names.get(key, key)}: {what}" for key, what in sorted(state.drift.items())]
    return lines


def _origin(revision: Revision) -> list[str]:
    parts = [
        revision.time,
        revision.face and f"with {revision.face}",
        revision.user and f"by {revision.user}",
        revision.commit and f"from commit {revision.commit[:12]}",
        revision.approved_by and f"approved by {revision.approved_by}",
        f"as revision {revision.rolled_back_to}" if revision.rolled_back_to else "",
    ]
    more = [revision.pipeline] if revision.pipeline else []
    return [f"  {line}" for line in (", ".join(filter(None, parts)), *more, *revision.message.splitlines()[:_LINES])]


def _all(args: argparse.Namespace) -> int:
    """Show all releases of the namespace, without comparing them with the cluster."""
    from ..core.deploy import list_releases
    from ..core.errors import InputError

    if args.drift:
        raise InputError("--drift needs a RELEASE")
    with connected(args) as cluster:
        states = list_releases(cluster, args.namespace)
    if args.output == "json":
        entries = [_entry(state) for state in states]
        for entry in entries:
            del entry["drift"]  # nobody has looked for it
        say_json({"namespace": args.namespace, "releases": entries})
    elif states:
        rows = [(s.name, str(s.revision), s.status, str(len(s.inventory)), s.revisions[-1].time) for s in states]
        say(in_columns([("RELEASE", "REVISION", "STATUS", "OBJECTS", "TIME"), *rows]))
    else:
        say(f"no releases in namespace {args.namespace}")
    return ExitCode.SAME
