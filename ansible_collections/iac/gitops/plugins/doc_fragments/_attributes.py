# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Attributes of the modules."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: In diff mode, returns what has changed (or would change in C(check_mode)).
    support: full
    details:
      - One entry per object or file, headed by its name. Values of Secrets are masked.
  idempotent:
    description: When run twice with the same arguments outside check mode, the second run indicates no change.
    support: full
  platform:
    description: Target OS/families that can be operated against.
    platforms: posix
    support: full
"""

    ALL_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/iac.gitops.all) in C(module_defaults) to set the connection to the cluster once.
    support: full
    membership:
      - iac.gitops.all
"""

    WIRING_GROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Use C(group/iac.gitops.all) in C(module_defaults) to set the connection to the cluster once, and
        C(group/iac.gitops.wiring) to say once which controller is meant, and its namespace.
    support: full
    membership:
      - iac.gitops.all
      - iac.gitops.wiring
"""

    GIT_GROUP = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/iac.gitops.git) in C(module_defaults) to set the access to the Git server once.
    support: full
    membership:
      - iac.gitops.git
"""

    ACTION_PLUGIN = r"""
options: {}
attributes:
  action:
    description: Has an action plugin, so that some options are processed on the Ansible controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: full
"""

    NO_ACTION_PLUGIN = r"""
options: {}
attributes:
  async:
    description: Supports being used with the C(async) keyword.
    support: full
"""
