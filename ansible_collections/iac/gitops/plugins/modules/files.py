# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: files
version_added: 0.1.0
short_description: Commit files to a branch of a Git repository
description:
  - Writes and removes files in one commit and pushes it. Nothing happens when the branch has them already.
  - There is no work tree and no merge. When somebody else pushes first, the commit is made again on top of theirs;
    nothing is ever overwritten.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.git_group
  - iac.gitops._attributes.action_plugin
  - iac.gitops._git_auth
options:
  branch:
    description: Branch to commit to.
    type: str
    default: main
  create_branch:
    description:
      - Whether to start O(branch) from the default branch if it does not exist.
      - An empty repository gets its first commit without it.
    type: bool
    default: false
  files:
    description: Path in the repository and content of each file. The content is text and is written exactly as given.
    type: dict
  delete:
    description: Paths of files to remove. Those that do not exist are no error.
    type: list
    elements: str
  commit_message:
    description:
      - Message of the commit.
      - A task may write it as C(message), too. Ansible forbids modules to have an option of that name, so the action
        plugin hands it on under this one.
    type: str
    required: true
  author:
    description: Author and committer, as V(Name <mail@example.com>). Default is a neutral name of this software.
    type: str
  allow_plaintext_secret:
    description: Whether to accept manifests of kind Secret that are not encrypted.
    type: bool
    default: false
seealso:
  - module: iac.gitops.sync
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Commit the new replicas
  iac.gitops.files:
    url: https://git.example.com/config.git
    branch: main
    username: ci
    password: "{{ lookup('ansible.builtin.env', 'GIT_TOKEN') }}"
    commit_message: Run five replicas of the shop
    files:
      apps/shop/deployment.yaml: "{{ lookup('ansible.builtin.template', 'deployment.yaml.j2') }}"
    delete:
      - apps/shop/old.yaml
  register: committed
"""

RETURN = r"""
commit:
  description: Commit at the tip of the branch; in check mode the one that is there now.
  returned: success
  type: str
  sample: 1f3c9a20b7a4e1f8a7c6d1b9a3f5e2c4d6b8a0e1
branch:
  description: The branch.
  returned: success
  type: str
  sample: main
changed_paths:
  description: Files that were written or removed; in check mode those that would be.
  returned: success
  type: list
  elements: str
  sample: [apps/shop/deployment.yaml]
code:
  description: Stable name of the error, for C(failed_when) and C(rescue).
  returned: failure
  type: str
  sample: cluster.forbidden
hint:
  description: What can be done about the error; may be empty.
  returned: failure
  type: str
  sample: Check the roles of the user.
details:
  description: Facts about the error.
  returned: failure
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iac.gitops.plugins.module_utils._common import EngineModule


class Files(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.errors import InputError
        from pulumi_gitops.core.git import Credentials, commit_files

        params = self.params
        files = params["files"] or {}
        for path, content in files.items():
            if not isinstance(content, str):
                raise InputError(
                    f"the content of {path!r} is not text but {type(content).__name__}",
                    hint="Turn data into text with the filter to_nice_yaml or to_nice_json.",
                )
        result = commit_files(
            params["url"],
            params["branch"],
            files=files,
            delete=params["delete"] or (),
            message=params["commit_message"],
            author=params["author"],
            credentials=self.spec(Credentials),
            check=self.check_mode,
            create_branch=params["create_branch"],
            allow_plaintext_secret=params["allow_plaintext_secret"],
        )
        return {
            "changed": result.changed,
            "commit": result.commit,
            "branch": result.branch,
            "changed_paths": list(result.changed_paths),
            **self.diffs(result.changes, file_diff),
        }


def file_diff(change):
    """Return the entry of one file in diff mode."""
    return {
        "before_header": change.path,
        "after_header": change.path,
        "before": change.before or "",
        "after": change.after or "",
    }


def main():
    module = Files(
        argument_spec={
            "url": {"type": "str", "required": True},
            "branch": {"type": "str", "default": "main"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_cert": {"type": "path"},
            "create_branch": {"type": "bool", "default": False},
            "files": {"type": "dict"},
            "delete": {"type": "list", "elements": "str"},
            "commit_message": {"type": "str", "required": True},
            "author": {"type": "str"},
            "allow_plaintext_secret": {"type": "bool", "default": False, "no_log": False},
        },
        required_one_of=[("files", "delete")],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
