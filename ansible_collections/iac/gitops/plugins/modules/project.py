# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: project
version_added: 0.1.0
short_description: Say what the applications of an Argo CD project may do
description:
  - Declares an C(AppProject) - which repositories its applications may use, where they may deploy, what, and when.
  - Argo CD refuses what an application of the project may not do; M(iac.gitops.application) fails with its message.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wiring
  - iac.gitops._wiring.argocd
  - iac.gitops._wait.removal
options:
  name:
    description: Name of the project.
    type: str
    required: true
  description:
    description: What the project is for.
    type: str
  source_repos:
    description: URLs of the repositories that its applications may use. V(*) stands for anything.
    type: list
    elements: str
    default: ['*']
  destinations:
    description:
      - Where its applications may deploy. Each has a C(namespace), and the C(server) of a cluster; V(*) stands for
        anything. Without a C(server) any cluster is meant.
      - Nowhere when empty.
    type: list
    elements: dict
    default: []
  cluster_resources:
    description: Cluster-scoped kinds that its applications may deploy, each with C(group) and C(kind). None when empty.
    type: list
    elements: dict
    default: []
  namespace_resources:
    description: Namespaced kinds that its applications may deploy, each with C(group) and C(kind). All when empty.
    type: list
    elements: dict
    default: []
  roles:
    description:
      - Roles of the project, each with a C(name), and C(policies) and C(groups) as lists.
      - Tokens that were made for a role with Argo CD are left alone.
    type: list
    elements: dict
    default: []
  sync_windows:
    description:
      - When its applications may be synced. Each has a C(kind) (V(allow) or V(deny)), a C(schedule) as of cron, a
        C(duration), and C(applications), C(namespaces) or C(clusters) as lists.
    type: list
    elements: dict
    default: []
  signature_keys:
    description: Ids, or fingerprints, of the GPG keys, one of which every commit has to be signed with.
    type: list
    elements: str
    default: []
  orphaned_resources:
    description: Whether Argo CD warns of objects in the project's namespaces that belong to no application.
    type: bool
    default: false
  state:
    description: V(absent) removes the project. Argo CD keeps it while there are applications in it.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.application
  - module: iac.gitops.application_set
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: The shop may deploy into its own namespaces, from its own repositories
  iac.gitops.project:
    name: shop
    description: All that belongs to the shop
    source_repos:
      - https://git.example.com/shop/*
    destinations:
      - namespace: shop-*
        server: https://kubernetes.default.svc
    cluster_resources:
      - group: ""
        kind: Namespace
    namespace_resources:
      - group: ""
        kind: ConfigMap
      - group: apps
        kind: Deployment

- name: Let its developers sync, but not at night, and only signed commits
  iac.gitops.project:
    name: shop
    destinations:
      - namespace: shop
    roles:
      - name: developer
        policies:
          - p, proj:shop:developer, applications, sync, shop/*, allow
        groups:
          - example:shop-developers
    sync_windows:
      - kind: deny
        schedule: 0 22 * * *
        duration: 8h
        applications: ['*']
    signature_keys:
      - 4AEE18F83AFDEB23
    orphaned_resources: true

- name: Remove the project
  iac.gitops.project:
    name: shop
    state: absent
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
      sample: AppProject
    namespace:
      description: Namespace of the object, empty for an object of the whole cluster.
      returned: always
      type: str
      sample: argocd
    name:
      description: Name of the object.
      returned: always
      type: str
      sample: shop
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION
from ansible_collections.iac.gitops.plugins.module_utils._wiring import REMOVAL, ObjectsModule, identity_for


class Project(ObjectsModule, AnsibleModule):
    kind = "ProjectSpec"


def main():
    module = Project(
        argument_spec={
            **CONNECTION,
            **identity_for("argocd"),
            **REMOVAL,
            "description": {"type": "str"},
            "source_repos": {"type": "list", "elements": "str", "default": ["*"]},
            "destinations": {"type": "list", "elements": "dict", "default": []},
            "cluster_resources": {"type": "list", "elements": "dict", "default": []},
            "namespace_resources": {"type": "list", "elements": "dict", "default": []},
            "roles": {"type": "list", "elements": "dict", "default": []},
            "sync_windows": {"type": "list", "elements": "dict", "default": []},
            "signature_keys": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "orphaned_resources": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
