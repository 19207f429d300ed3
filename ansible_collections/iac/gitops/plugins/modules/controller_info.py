# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: controller_info
version_added: 0.1.0
short_description: Show which GitOps controllers are installed
description:
  - Looks for Argo CD, Flux and Weave GitOps, whoever installed them.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
options:
  name:
    description: Which controller to look for. All without it.
    type: str
    choices: [argocd, flux, weave_gitops]
  namespace:
    description: Where to look. All namespaces without it.
    type: str
attributes:
  diff_mode:
    support: none
    details:
      - Nothing is changed.
seealso:
  - module: iac.gitops.controller
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Look for controllers
  iac.gitops.controller_info:
  register: there

- name: Refuse to go on without a controller that is ours
  ansible.builtin.assert:
    that: there.controllers | selectattr('name', 'eq', 'argocd') | selectattr('state', 'eq', 'managed') | length == 1

- name: Read the version of Flux in one namespace
  iac.gitops.controller_info:
    name: flux
    namespace: flux-system
"""

RETURN = r"""
controllers:
  description: The controllers that are installed; empty when there is none.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: V(argocd), V(flux) or V(weave_gitops).
      returned: always
      type: str
      sample: argocd
    version:
      description: Its version; empty when it can not be told.
      returned: always
      type: str
      sample: 3.5.7
    namespace:
      description: Its namespace.
      returned: always
      type: str
      sample: argocd
    state:
      description:
        - V(managed) when M(iac.gitops.controller) or the Pulumi package looks after it.
        - V(unmanaged) when somebody else installed it. M(iac.gitops.controller) would take it over.
      returned: always
      type: str
      sample: managed
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, INSTALLED, EngineModule


class ControllerInfo(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import installed

        names = [self.params["name"]] if self.params["name"] else INSTALLED["choices"]
        with connect(self.connection()) as cluster:
            found = {name: installed(cluster, name, self.params["namespace"] or None) for name in names}
        return {
            "changed": False,
            "controllers": [
                {"name": name, "version": one.version, "namespace": one.namespace, "state": str(one.state)}
                for name, one in found.items()
                if one is not None
            ],
        }


def main():
    module = ControllerInfo(
        argument_spec={
            **CONNECTION,
            "name": {"type": "str", "choices": ["argocd", "flux", "weave_gitops"]},
            "namespace": {"type": "str"},
        },
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
