# SPDX-License-Identifier: Apache-2.0
"""``python -m pulumi_gitops`` is the command ``pulumi-gitops``."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
