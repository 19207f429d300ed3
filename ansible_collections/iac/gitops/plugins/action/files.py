# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rename ``message``; everything else is done by the module."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Front of the module iac.gitops.files."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Hand ``message`` on as ``commit_message``: ansible-test refuses a module with an option of that name."""
        self._supports_async = True
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        if "message" in args:
            if "commit_message" in args:
                raise AnsibleActionFail("message and commit_message are the same", result={"code": "input.invalid"})
            args["commit_message"] = args.pop("message")
        return self._execute_module(
            module_name="iac.gitops.files", module_args=args, task_vars=task_vars, wrap_async=self._task.async_val
        )
