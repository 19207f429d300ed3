# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the sources on the controller; everything else is done by the module."""

from __future__ import annotations

from ansible_collections.iac.gitops.plugins.plugin_utils._release import ReleaseAction


class ActionModule(ReleaseAction):
    """Front of the module iac.gitops.plan."""

    module = "iac.gitops.plan"
    handed_on = ("plan_file", "report")
