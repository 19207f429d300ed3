# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read the manifests of ``src`` on the controller; everything else is done by the module."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.iac.gitops.plugins.plugin_utils._sources import locate, manifest_files, read_text


class ActionModule(ActionBase):
    """Front of the module iac.gitops.deploy."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Replace the paths in ``src`` by what the files contain, unless they are on the managed node."""
        self._supports_async = True
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        sources = args.get("src") or []
        paths = [sources] if isinstance(sources, str) else sources
        if not isinstance(paths, list) or not all(isinstance(path, str) and path.strip() for path in paths):
            raise AnsibleActionFail("src is a path or a list of paths", result={"code": "input.invalid"})
        if paths and not boolean(args.get("remote_src", False), strict=False):
            folders = [*self._task.get_search_path(), self._loader.get_basedir()]
            paths = [
                {"path": str(file), "content": read_text(self._loader, file)}
                for path in paths
                for found in locate(path, folders)
                for file in manifest_files(found)
            ]
        if "src" in args:
            args["src"] = paths
        return self._execute_module(
            module_name="iac.gitops.deploy", module_args=args, task_vars=task_vars, wrap_async=self._task.async_val
        )
