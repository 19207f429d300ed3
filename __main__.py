# SPDX-License-Identifier: Apache-2.0
"""Start the provider from a clone of the repository (`pulumi package add` runs this file)."""

import sys

from pulumi_gitops.provider import main

sys.exit(main())
