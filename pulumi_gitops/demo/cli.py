# SPDX-License-Identifier: Apache-2.0
"""``pulumi-gitops demo``."""

from __future__ import annotations

import argparse
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Add the command to argparse's `subparsers`."""
    parser = subparsers.add_parser("demo", help="the whole story, on a local control plane or on a cluster of yours")
    parser.add_argument("--flux", action="store_true", help="let Flux pull in place of Argo CD")
    parser.add_argument("--keep", action="store_true", help="leave everything running afterwards")
    parser.add_argument("--context", default="", help="context of another cluster; needs --git-url")
    parser.add_argument("--git-url", default="", help="Git server that this cluster reaches; config.git on it is used")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from .story import run_demo

    return run_demo(flux=arguments.flux, keep=arguments.keep, context=arguments.context, git_url=arguments.git_url)
