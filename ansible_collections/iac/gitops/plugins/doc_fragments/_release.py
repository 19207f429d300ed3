# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options of modules that work on a release; their argument specs are in module_utils/_release.py."""

    DOCUMENTATION = r"""
options:
  name:
    description: Name of the release, at most 63 characters.
    type: str
    required: true
  namespace:
    description: Namespace of the release, and of objects that name none themselves.
    type: str
    required: true
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
"""

    SOURCE = r"""
options:
  definition:
    description:
      - The objects as a dictionary, a list of dictionaries, or YAML text of any number of documents.
      - One of O(definition), O(src), O(kustomize) and O(helm) is required.
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
  kustomize:
    description:
      - Folder of a kustomization. It is rendered by C(kustomize) 5, or by C(kubectl), on the managed node.
      - Looked for like O(src). For a managed node that is not the Ansible controller itself the folder has to be there
        already, with O(remote_src=true); or delegate the task to C(localhost).
      - Bases and files on the network, plugins that are programs, and paths that leave the tree are refused. Nothing of
        the tree is decrypted.
    type: path
  helm:
    description:
      - A Helm chart. It is rendered by C(helm) 3 or 4 on the managed node. No release of Helm is made.
      - Pre-install and pre-upgrade hooks are objects of the set, before the rest. Test hooks are left out; all other
        hooks too, with a warning.
    type: dict
    suboptions:
      chart:
        description:
          - Folder, archive (V(*.tgz)), or an address V(oci://registry.example.com/charts/shop).
          - A path is looked for like O(kustomize). An address needs O(allow_network=true).
        type: str
        required: true
      version:
        description: Version of the chart. Needed for an address without a tag or digest.
        type: str
      values:
        description: Values; they win over O(helm.value_files). They are in no argument of C(helm) and in no file.
        type: dict
      value_files:
        description:
          - Files with values, later ones win. Looked for like O(kustomize).
          - Files that are encrypted with Ansible Vault are decrypted, unless O(remote_src=true).
        type: list
        elements: path
      release_name:
        description: C(.Release.Name) of the templates. Default is O(name).
        type: str
  remote_src:
    description:
      - Whether the paths in O(src), O(kustomize) and O(helm) are on the managed node instead of the Ansible controller.
    type: bool
    default: false
  allow_network:
    description: Whether kustomize and helm may fetch what O(kustomize) and O(helm) refer to.
    type: bool
    default: false
  images:
    description:
      - Images to use, by name. The name is that of a container, or the repository of an image, such as
        V(registry.example.com/shop).
      - Applies to containers and init containers of every kind that carries pods. A name without a match is an error.
    type: dict
    default: {}
  image_paths:
    description: More places where O(images) are looked for, in custom kinds - V(spec.image), V(spec.workers[].image).
    type: list
    elements: str
    default: []
  replicas:
    description:
      - Number of replicas by workload. The workload is a name, or V(StatefulSet/web) where several kinds have it.
      - A workload without a match is an error.
    type: dict
    default: {}
  labels:
    description: Labels for every object and every pod template; selectors stay as they are.
    type: dict
    default: {}
  annotations:
    description: Annotations for every object and every pod template.
    type: dict
    default: {}
  set_namespace:
    description: Whether to move objects that name a namespace into O(namespace).
    type: bool
    default: false
  create_namespace:
    description: Whether to create O(namespace) if it does not exist.
    type: bool
    default: true
  prune:
    description:
      - Whether to remove objects that an earlier run of this release applied and that are no longer in the set.
      - Objects with the annotation C(helm.sh/resource-policy=keep) stay. An empty set is an error.
    type: bool
    default: true
  prune_kinds:
    description:
      - Kinds that O(prune) may remove although more goes with them. Without it their objects are kept.
    type: list
    elements: str
    choices: [Namespace, CustomResourceDefinition, PersistentVolumeClaim]
    default: []
  prune_limit:
    description: The most objects that O(prune) may remove in one run. Any number without it.
    type: int
  wait_for:
    description:
      - More that objects have to show before they count as ready. Written as for C(kubectl wait --for) -
        V(condition=Synced), V(jsonpath={.status.phase}=Running) - or as a dictionary with C(kind), optionally C(name)
        and C(namespace), and C(condition) or C(jsonpath), which limits it to these objects.
    type: list
    elements: raw
    default: []
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
  ignore_fields:
    description:
      - Fields that are left to others once the object exists, as JSON pointers - V(/spec/replicas),
        V(Deployment:/spec/replicas), V(Deployment/web:/spec/replicas).
    type: list
    elements: str
    default: []
  recreate:
    description:
      - Whether to delete and create anew what can not be changed in place. Jobs always are; PersistentVolumeClaims,
        Namespaces and CustomResourceDefinitions never.
      - The annotation C(pulumi-gitops/recreate=true) allows it for one object.
    type: bool
    default: false
"""

    RUN = r"""
options:
  lock_timeout:
    description: Seconds to wait for another run of the same release to end. The error names who holds the lock.
    type: int
    default: 60
  plan_digest:
    description: Digest of the plan that was approved. The run changes nothing when its own plan has another one.
    type: str
  require_approval:
    description: Whether to refuse any change without an approved plan and O(approved_by).
    type: bool
    default: false
  approved_by:
    description: Who approved the plan; kept in the release's history.
    type: str
"""
