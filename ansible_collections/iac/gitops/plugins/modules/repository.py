# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository
version_added: 0.1.0
short_description: Give a GitOps controller access to a Git repository
description:
  - Writes the credentials of a repository to where the controller looks for them (for Argo CD a labelled Secret).
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
options:
  controller:
    description: Which controller.
    type: str
    choices: [argocd]
    default: argocd
  name:
    description: Name of the connection; it becomes the name of the object in the cluster.
    type: str
    required: true
  url:
    description: HTTP(S) URL of the repository, without credentials. Required with O(state=present).
    type: str
  username:
    description: User name for the Git server.
    type: str
  password:
    description: Password or token for the Git server. Without it the repository is accessed anonymously.
    type: str
  namespace:
    description: Namespace of the controller. Default is that of its standard installation, V(argocd).
    type: str
  state:
    description: V(absent) removes the credentials from the cluster.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.controller
  - module: iac.gitops.application
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Wire the config repository
  iac.gitops.repository:
    controller: argocd
    name: config
    url: https://git.example.com/config.git
    username: ci
    password: "{{ lookup('ansible.builtin.env', 'GIT_TOKEN') }}"
"""

RETURN = r"""
changes:
  description: What was done, one entry per changed object; in check mode what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(configure), V(prune) or V(delete).
      returned: always
      type: str
      sample: configure
    kind:
      description: Kind of the object.
      returned: always
      type: str
      sample: Deployment
    namespace:
      description: Namespace of the object, empty for an object of the whole cluster.
      returned: always
      type: str
      sample: shop
    name:
      description: Name of the object.
      returned: always
      type: str
      sample: web
    reason:
      description: Why, where the action alone does not tell.
      returned: when there is one
      type: str
      sample: ownership
changes_omitted:
  description: Number of changes that are not listed, as the result would be too long. Usually V(0).
  returned: success
  type: int
  sample: 0
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, CONTROLLER, STATE, EngineModule


class Repository(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import RepositorySpec, apply_repository, remove_repository

        # A removal needs the name only, but a spec is always complete.
        spec = self.spec(RepositorySpec, url=self.params["url"] or "https://unused.invalid/unused")
        act = apply_repository if self.params["state"] == "present" else remove_repository
        with connect(self.connection()) as cluster:
            return self.report(act(cluster, spec, check=self.check_mode))


def main():
    module = Repository(
        argument_spec={
            **CONNECTION,
            "controller": CONTROLLER,
            "name": {"type": "str", "required": True},
            "url": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "namespace": {"type": "str"},
            "state": STATE,
        },
        required_if=[("state", "present", ("url",))],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
