# SPDX-License-Identifier: Apache-2.0
"""The commands of CI stages: one module per verb, each with ``add_parser(subparsers)``.

Building the parsers imports nothing heavy; a command imports the engine when it runs. Results go to standard output,
progress and warnings to standard error.
"""

from __future__ import annotations
