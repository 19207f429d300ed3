# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that wait."""

    DOCUMENTATION = r"""
options:
  wait:
    description:
      - Whether to wait until everything is ready (or gone).
      - An object that failed for good ends the wait at once.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait. The error names the objects that are not ready, and why.
    type: int
    default: 300
"""

    REMOVAL = r"""
options:
  wait_timeout:
    description: Seconds that a removal may take. The error names what keeps the objects from going.
    type: int
    default: 60
"""
