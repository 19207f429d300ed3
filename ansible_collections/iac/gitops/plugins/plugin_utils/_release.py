# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

"""Resolve the sources of a release on the Ansible controller, for the modules deploy and plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.validation import check_type_dict, check_type_list
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.path import unfrackpath

from ansible_collections.iac.gitops.plugins.plugin_utils._sources import locate, manifest_files, read_text


class ReleaseAction(ActionBase):
    """Front of a module that renders a release.

    Manifests of ``src`` are read here and sent. What kustomize and helm render can not be sent, as they run where the
    module does: its path is made absolute when that is this very machine, and refused otherwise.
    """

    module: str
    # Files that stages of a pipeline hand on belong where the pipeline runs. Ansible runs a local module in the folder
    # of the playbook, which for one of this collection is nobody's place.
    handed_on: tuple[str, ...] = ("plan_file",)

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Replace what stands on the controller, unless ``remote_src`` says that it is on the managed node."""
        self._supports_async = True
        super().run(tmp, task_vars)
        args = dict(self._task.args)
        decrypted: list[str] = []
        if "src" in args:
            args["src"] = _paths(args["src"])
        for option in self.handed_on:
            if args.get(option) and self._connection.transport == "local":
                args[option] = unfrackpath(str(args[option]), follow=False)
        try:
            if not boolean(args.get("remote_src", False), strict=False):
                self._hand_over(args, decrypted)
            return self._execute_module(
                module_name=self.module, module_args=args, task_vars=task_vars, wrap_async=self._task.async_val
            )
        finally:
            for path in decrypted:
                self._loader.cleanup_tmp_file(path)

    def _hand_over(self, args: dict[str, Any], decrypted: list[str]) -> None:
        if args.get("src"):
            args["src"] = [
                {"path": str(file), "content": read_text(self._loader, file)}
                for path in args["src"]
                for found in locate(path, self._folders())
                for file in manifest_files(found)
            ]
        if args.get("kustomize"):
            args["kustomize"] = self._local("kustomize", args["kustomize"])
        if args.get("helm"):
            args["helm"] = self._chart(_as_dict(args["helm"]), decrypted)

    def _folders(self) -> list[str]:
        return [*self._task.get_search_path(), self._loader.get_basedir()]

    def _chart(self, helm: dict[str, Any], decrypted: list[str]) -> dict[str, Any]:
        helm = dict(helm)
        chart = helm.get("chart")
        if chart and "://" not in str(chart):
            helm["chart"] = self._local("helm", chart)
        if helm.get("value_files"):
            helm["value_files"] = [self._readable(path, decrypted) for path in check_type_list(helm["value_files"])]
        return helm

    def _readable(self, path: Any, decrypted: list[str]) -> str:
        """Return a file of values as the module can read it: a decrypted copy of it if need be."""
        found = self._local("helm", path)
        readable = str(self._loader.get_real_file(found)) if Path(found).is_file() else found
        if readable == found:
            return found
        decrypted.append(readable)
        if self._task.async_val:  # the copy would be gone before the module reads it
            raise _refused(
                f"{found} is encrypted with Ansible Vault, which does not go together with async",
                "Give its content as values.",
            )
        return readable

    def _local(self, option: str, path: Any) -> str:
        if not isinstance(path, str) or not path.strip():
            raise _refused(f"{option}: {path!r} is not a path", "Name one folder or file.")
        if self._connection.transport != "local":
            raise _refused(
                f"{option} is rendered on the managed node, and {path} is on the Ansible controller",
                "Delegate the task to localhost, or set remote_src to true for a path on the managed node.",
            )
        found = locate(path, self._folders())
        if len(found) > 1:
            raise _refused(f"{option}: {path} is not one path but {len(found)}", "Name one folder or file.")
        return str(found[0])


def _paths(sources: Any) -> list[str]:
    paths = [sources] if isinstance(sources, str) else sources or []
    if not isinstance(paths, list) or not all(isinstance(path, str) and path.strip() for path in paths):
        raise AnsibleActionFail("src is a path or a list of paths", result={"code": "input.invalid"})
    return paths


def _as_dict(helm: Any) -> dict[str, Any]:
    try:
        return dict(check_type_dict(helm))
    except TypeError as error:
        raise _refused(f"helm is a dictionary, not {type(helm).__name__}", "Give it at least a chart.") from error


def _refused(message: str, hint: str) -> AnsibleActionFail:
    return AnsibleActionFail(message, result={"code": "input.invalid", "hint": hint})
