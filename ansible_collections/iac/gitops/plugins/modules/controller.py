# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: controller
version_added: 0.1.0
short_description: Install, upgrade or remove a GitOps controller
description:
  - Installs the manifests of a controller as one release, waits until it runs, and makes sure of what it needs to start
    with (for Argo CD the project C(default)).
  - Another O(version) upgrades; objects that the new version no longer has are removed.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wait
options:
  name:
    description: Which controller.
    type: str
    choices: [argocd]
    default: argocd
  version:
    description: Version without a leading C(v). Default is one that this release of the collection was tested with.
    type: str
  namespace:
    description: Namespace to install into; it is created. Default is V(argocd).
    type: str
  manifests:
    description:
      - Where the manifests come from instead of the official address of the version - a URL, a file or a folder.
      - A path is looked for on the Ansible controller as O(iac.gitops.deploy#module:src) is.
    type: str
  remote_src:
    description: Whether a path in O(manifests) is on the managed node instead of the Ansible controller.
    type: bool
    default: false
  mirror:
    description: Base URL that takes the place of the one of the official releases.
    type: str
  checksum:
    description:
      - SHA-256 of the manifests, with or without a leading C(sha256:). Nothing is applied unless it fits.
      - Official manifests of known versions are always checked.
    type: str
  patches:
    description:
      - Changes to the manifests, as in a kustomization. Each has a C(target) (C(kind), C(name), C(group), C(version),
        C(namespace), all regular expressions) and a C(patch).
      - The patch is a mapping with the fields to set, a list of operations (JSON patch), or the YAML text of either.
    type: list
    elements: dict
    default: []
  registry:
    description: Registry (with an optional path) that all images are pulled from instead of their own.
    type: str
  image_pull_secret:
    description: Name of a Secret in O(namespace) that images are pulled with.
    type: str
  state:
    description:
      - V(absent) removes the controller, its CustomResourceDefinitions, and the namespace if this module created it.
      - That is refused while there are applications; remove them first.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.repository
  - module: iac.gitops.application
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Install Argo CD
  iac.gitops.controller:
    name: argocd

- name: Install Argo CD behind an air gap
  iac.gitops.controller:
    name: argocd
    version: 3.5.7
    manifests: argocd/install.yaml
    registry: registry.example.com/mirror
    image_pull_secret: mirror
    patches:
      - target:
          kind: Deployment
          name: argocd-repo-server
        patch:
          spec:
            replicas: 2
"""

RETURN = r"""
version:
  description: Version of the controller.
  returned: success
  type: str
  sample: 3.5.7
namespace:
  description: Namespace of the controller.
  returned: success
  type: str
  sample: argocd
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


class Controller(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import ControllerSpec, install, uninstall

        spec = self.spec(ControllerSpec, source="ansible")
        act = install if self.params["state"] == "present" else uninstall
        with connect(self.connection()) as cluster:
            result = act(cluster, spec, check=self.check_mode)
        return self.report(result.changes, version=result.version, namespace=result.namespace)


def main():
    module = Controller(
        argument_spec={
            **CONNECTION,
            **WAIT,
            "name": CONTROLLER,
            "version": {"type": "str"},
            "namespace": {"type": "str"},
            "manifests": {"type": "str"},
            "remote_src": {"type": "bool", "default": False},
            "mirror": {"type": "str"},
            "checksum": {"type": "str"},
            "patches": {"type": "list", "elements": "dict", "default": []},
            "registry": {"type": "str"},
            "image_pull_secret": {"type": "str", "no_log": False},
            "state": STATE,
        },
        mutually_exclusive=[("manifests", "mirror")],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
