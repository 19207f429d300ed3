# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: deploy
version_added: 0.1.0
short_description: Deploy a set of Kubernetes objects push-style
description:
  - Applies a set of objects as one named release (server-side apply, field manager C(pulumi-gitops)), waits until all
    of them are ready, and removes objects that an earlier run of the same release applied and that left the set.
  - Namespaces and CustomResourceDefinitions go first, whatever the order in the set; the rest is applied in parallel.
  - An unchanged set costs one request per kind and reports C(changed=false).
  - The release is recorded in a Secret of its namespace, with what it holds and its revisions.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wait
options:
  name:
    description: Name of the release, at most 63 characters.
    type: str
    required: true
  namespace:
    description: Namespace of the release, and of objects that name none themselves.
    type: str
    required: true
  definition:
    description:
      - The objects as a dictionary, a list of dictionaries, or YAML text of any number of documents.
      - One of O(definition) and O(src) is required with O(state=present).
    type: raw
  src:
    description:
      - Files, folders or globs with manifests (V(*.yaml), V(*.yml), V(*.json); folders with their subfolders).
      - Looked for on the Ansible controller, in this order - C(files/) of the role, C(files/) beside the playbook,
        beside the playbook, the working directory of C(ansible-playbook).
      - Files that are encrypted with Ansible Vault are decrypted.
      - Manifests are not templated. Use O(definition) with P(ansible.builtin.template#lookup) for that.
    type: list
    elements: raw
  remote_src:
    description: Whether O(src) is on the managed node instead of the Ansible controller.
    type: bool
    default: false
  images:
    description:
      - Images to use, by name. The name is that of a container, or the repository of an image, such as
        V(registry.example.com/shop).
      - Applies to containers and init containers of every kind that carries pods. A name without a match is an error.
    type: dict
    default: {}
  create_namespace:
    description: Whether to create O(namespace) if it does not exist.
    type: bool
    default: true
  prune:
    description:
      - Whether to remove objects that an earlier run of this release applied and that are no longer in the set.
      - Namespaces, CustomResourceDefinitions and PersistentVolumeClaims are kept. An empty set is an error.
    type: bool
    default: true
  force_conflicts:
    description:
      - What to do when another field manager set a field of the set to another value.
      - V(never) reports the conflict.
      - V(own_fields) takes back fields that the last revision set, unless a known controller (an autoscaler, Argo CD)
        owns them.
      - V(all) takes every field.
    type: str
    choices: [never, own_fields, all]
    default: own_fields
  ownership:
    description:
      - How to treat objects of the set that exist and are not of this release.
      - V(must_match) refuses them.
      - V(adopt_if_unowned) takes in what no other release and no controller owns.
      - V(adopt) takes over what Helm owns too, and the fields that kubectl, Helm and C(kubernetes.core) left behind.
      - Objects of Argo CD and Flux are never touched.
    type: str
    choices: [must_match, adopt_if_unowned, adopt]
    default: adopt_if_unowned
  state:
    description: V(absent) removes all objects of the release and its record, then waits until they are gone.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.application
  - module: iac.gitops.files
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Deploy the shop
  iac.gitops.deploy:
    name: shop
    namespace: shop
    src: deploy/
    images:
      shop: "registry.example.com/shop:{{ build }}"

- name: Deploy one object from a template
  iac.gitops.deploy:
    name: settings
    namespace: shop
    definition: "{{ lookup('ansible.builtin.template', 'settings.yaml.j2') }}"
    wait: false

- name: Remove the shop
  iac.gitops.deploy:
    name: shop
    namespace: shop
    state: absent
"""

RETURN = r"""
revision:
  description: Revision of the release; V(0) when there is none. In check mode the revision before the change.
  returned: success
  type: int
  sample: 3
digest:
  description: Digest of the set; the same set on the same cluster has the same digest. Empty when the release is gone.
  returned: success
  type: str
  sample: sha256:1f3c9a2b...
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, STATE, WAIT, EngineModule


class Deploy(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.deploy import deploy, remove

        with connect(self.connection()) as cluster:
            if self.params["state"] == "present":
                result = deploy(cluster, self.release(), check=self.check_mode)
            else:
                result = remove(
                    cluster,
                    self.params["name"],
                    self.params["namespace"],
                    check=self.check_mode,
                    wait=self.params["wait"],
                    wait_timeout=self.params["wait_timeout"],
                )
        return self.report(result.changes, revision=result.revision, digest=result.digest)

    def release(self):
        from pulumi_gitops.core.deploy import ForceConflicts, Ownership, ReleaseSpec, detect_origin
        from pulumi_gitops.core.render import as_objects, set_images

        definition = self.params["definition"]
        objects = self.read_sources() if definition is None else as_objects(definition)
        return self.spec(
            ReleaseSpec,
            objects=set_images(objects, self.params["images"]),
            force_conflicts=ForceConflicts(self.params["force_conflicts"]),
            ownership=Ownership(self.params["ownership"]),
            origin=detect_origin("ansible"),
        )

    def read_sources(self):
        from pulumi_gitops.core.render import load_sources
        from pulumi_gitops.core.yamlio import load_manifests

        objects = []
        for source in self.params["src"]:
            if isinstance(source, dict):  # the action plugin has read it on the controller
                objects += load_manifests(source["content"], source=source["path"])
            else:
                objects += load_sources(source)
        return objects


def main():
    module = Deploy(
        argument_spec={
            **CONNECTION,
            **WAIT,
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "definition": {"type": "raw"},
            "src": {"type": "list", "elements": "raw"},
            "remote_src": {"type": "bool", "default": False},
            "images": {"type": "dict", "default": {}},
            "create_namespace": {"type": "bool", "default": True},
            "prune": {"type": "bool", "default": True},
            "force_conflicts": {"type": "str", "default": "own_fields", "choices": ["never", "own_fields", "all"]},
            "ownership": {
                "type": "str",
                "default": "adopt_if_unowned",
                "choices": ["must_match", "adopt_if_unowned", "adopt"],
            },
            "state": STATE,
        },
        mutually_exclusive=[("definition", "src")],
        required_if=[("state", "present", ("definition", "src"), True)],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
