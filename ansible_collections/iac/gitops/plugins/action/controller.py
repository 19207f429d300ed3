# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find ``manifests`` and ``lock_file`` on the controller; everything else is done by the module."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.iac.gitops.plugins.plugin_utils._sources import beside, locate


class ActionModule(ActionBase):
    """Front of the module iac.gitops.controller."""

    TRANSFERS_FILES = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Replace paths by those that the module can read and write, unless they are on the managed node."""
        self._supports_async = True
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        manifests = args.get("manifests")
        if manifests and "://" not in manifests and not boolean(args.get("remote_src", False), strict=False):
            args["manifests"] = self._hand_over(manifests)
        if args.get("lock_file") and self._connection.transport == "local":
            args["lock_file"] = str(beside(self._loader.get_basedir(), str(args["lock_file"])))
        return self._execute_module(
            module_name="iac.gitops.controller", module_args=args, task_vars=task_vars, wrap_async=self._task.async_val
        )

    def _hand_over(self, manifests: str) -> str:
        path = locate(manifests, [*self._task.get_search_path(), self._loader.get_basedir()])[0]
        if self._connection.transport == "local":
            return str(path)
        if path.is_dir():
            raise AnsibleActionFail(
                f"{path} is a folder, and only a file can be sent to the managed node",
                result={"code": "input.invalid", "hint": "Copy the folder there and set remote_src to true."},
            )
        shell = self._connection._shell  # noqa: SLF001 - Ansible offers no other way to it
        remote = shell.join_path(shell.tmpdir, path.name)
        self._transfer_file(str(path), remote)
        self._fixup_perms2((shell.tmpdir, remote))
        return str(remote)
