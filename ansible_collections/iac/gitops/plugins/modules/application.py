# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application
version_added: 0.1.0
short_description: Let a GitOps controller sync a path of a Git repository
description:
  - Declares an application (for Argo CD an C(Application)) and waits until the controller has synced the newest commit
    of O(revision) and everything in it is healthy.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wait
options:
  controller:
    description: Which controller.
    type: str
    choices: [argocd]
    default: argocd
  name:
    description: Name of the application.
    type: str
    required: true
  url:
    description: URL of the repository. Required with O(state=present).
    type: str
  path:
    description: Folder in the repository that holds the manifests. Required with O(state=present).
    type: str
  revision:
    description: Branch, tag or commit to follow.
    type: str
    default: HEAD
  destination_namespace:
    description: Namespace that objects without one go to. Required with O(state=present).
    type: str
  project:
    description: Project of the application.
    type: str
    default: default
  auto_sync:
    description: Whether the controller syncs by itself. Without it nothing is awaited; see M(iac.gitops.sync).
    type: bool
    default: true
  prune:
    description: Whether the controller removes objects that left the repository.
    type: bool
    default: true
  self_heal:
    description: Whether the controller reverts changes that others make in the cluster.
    type: bool
    default: false
  create_namespace:
    description: Whether the controller creates O(destination_namespace).
    type: bool
    default: false
  namespace:
    description: Namespace of the controller. Default is that of its standard installation, V(argocd).
    type: str
  state:
    description: V(absent) removes the application, and with it the objects that it deployed.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.repository
  - module: iac.gitops.sync
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: The shop is pulled from the config repository
  iac.gitops.application:
    controller: argocd
    name: shop
    url: https://git.example.com/config.git
    path: apps/shop
    destination_namespace: shop
    create_namespace: true
    self_heal: true
"""

RETURN = r"""
revision:
  description: Commit that the application is synced to; empty when it was never synced.
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

from ansible_collections.iac.gitops.plugins.module_utils._common import (
    CONNECTION,
    CONTROLLER,
    STATE,
    WAIT,
    EngineModule,
)


class Application(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import ApplicationSpec, apply_application, remove_application

        # A removal needs the name only, but a spec is always complete.
        unused = {"url": "https://unused.invalid/unused", "path": "unused", "destination_namespace": "unused"}
        spec = self.spec(ApplicationSpec, **{name: self.params[name] or value for name, value in unused.items()})
        act = apply_application if self.params["state"] == "present" else remove_application
        with connect(self.connection()) as cluster:
            result = act(cluster, spec, check=self.check_mode)
        return self.report(result.changes, revision=result.revision, sync=result.sync, health=result.health)


def main():
    module = Application(
        argument_spec={
            **CONNECTION,
            **WAIT,
            "controller": CONTROLLER,
            "name": {"type": "str", "required": True},
            "url": {"type": "str"},
            "path": {"type": "str"},
            "revision": {"type": "str", "default": "HEAD"},
            "destination_namespace": {"type": "str"},
            "project": {"type": "str", "default": "default"},
            "auto_sync": {"type": "bool", "default": True},
            "prune": {"type": "bool", "default": True},
            "self_heal": {"type": "bool", "default": False},
            "create_namespace": {"type": "bool", "default": False},
            "namespace": {"type": "str"},
            "state": STATE,
        },
        required_if=[("state", "present", ("url", "path", "destination_namespace"))],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
