# SPDX-License-Identifier: Apache-2.0
"""``python -m pulumi_gitops``."""

import sys

from .cli import main

sys.exit(main())
