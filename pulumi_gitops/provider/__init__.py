# SPDX-License-Identifier: Apache-2.0
"""The Pulumi provider ``gitops``: components and custom resources in one process, started by the engine."""

from __future__ import annotations

import sys


def main() -> int:
    """Entry point of ``pulumi-resource-gitops``; the engine passes its address as the first argument."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    from .hosting import serve

    serve(arguments[0] if arguments else "")
    return 0
