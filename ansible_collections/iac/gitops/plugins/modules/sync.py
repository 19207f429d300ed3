# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sync
version_added: 0.1.0
short_description: Make a GitOps controller sync an application now, and wait for a revision
description:
  - Makes the controller look at the repository now (and sync, if the application does not sync by itself), then waits
    until the application is synced to the revision and healthy. Being synced to another revision does not count.
  - Fails at once, with the message of the controller, when the sync fails.
  - Of an application set of Argo CD it waits until the applications are made anew, from what the repositories hold now.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wiring
  - iac.gitops._wiring.any_controller
options:
  kind:
    description: What it is that O(name) names. V(application_set) is for Argo CD, and without O(revision).
    type: str
    choices: [application, application_set]
    default: application
  name:
    description: Name of the application or application set.
    type: str
    required: true
  revision:
    description:
      - Commit, branch or tag to wait for. Default is the newest commit of what the application follows.
      - The RV(iac.gitops.files#module:commit) of a commit can be handed on.
    type: str
  wait_timeout:
    description: Seconds to wait. The error names the objects that are not ready, and why.
    type: int
    default: 300
attributes:
  diff_mode:
    support: none
    details:
      - What changes is in the repository.
seealso:
  - module: iac.gitops.application
  - module: iac.gitops.application_set
  - module: iac.gitops.files
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Wait until the commit has arrived
  iac.gitops.sync:
    controller: argocd
    name: shop
    revision: "{{ committed.commit }}"

- name: Make Flux look at the repository now, and wait for what it finds there
  iac.gitops.sync:
    controller: flux
    name: shop
    wait_timeout: 120

- name: Make Argo CD look for new folders now, and make an application for each
  iac.gitops.sync:
    kind: application_set
    name: addons
"""

RETURN = r"""
revision:
  description: Commit that the application is synced to; empty for an application set.
  returned: success
  type: str
  sample: 1f3c9a20b7a4e1f8a7c6d1b9a3f5e2c4d6b8a0e1
sync:
  description: State of the sync as the controller names it.
  returned: success
  type: str
  sample: Synced
health:
  description: Health as the controller names it.
  returned: success
  type: str
  sample: Healthy
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, CONTROLLER, WAIT, EngineModule


class Sync(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import SyncSpec, sync

        with connect(self.connection()) as cluster:
            result = sync(cluster, self.spec(SyncSpec), check=self.check_mode)
        return {"changed": result.changed, "revision": result.revision, "sync": result.sync, "health": result.health}


def main():
    module = Sync(
        argument_spec={
            **CONNECTION,
            "controller": CONTROLLER,
            "kind": {"type": "str", "default": "application", "choices": ["application", "application_set"]},
            "name": {"type": "str", "required": True},
            "revision": {"type": "str"},
            "namespace": {"type": "str"},
            "wait_timeout": WAIT["wait_timeout"],
        },
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
