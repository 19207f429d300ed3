# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster
version_added: 0.1.0
short_description: Tell a GitOps controller about a cluster
description:
  - For Argo CD a C(Secret) that registers the cluster, so that applications and C(ApplicationSets) can use it. What
    the playbook knows of the cluster becomes labels and annotations of it (the GitOps Bridge pattern).
  - For Flux a C(ConfigMap) C(cluster-NAME) with the same facts, for O(iac.gitops.application#module:substitute_from).
  - The options of the connection lead to the cluster of the controller; those of the registered cluster that would have
    the same names start with C(cluster_).
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wiring
  - iac.gitops._wiring.any_controller
  - iac.gitops._wait.removal
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  server:
    description: URL of its API server. Default is the cluster that Argo CD runs in. Argo CD only.
    type: str
    default: https://kubernetes.default.svc
  token:
    description: Bearer token of a service account in that cluster. Argo CD only.
    type: str
  cluster_ca_cert:
    description: Certificates, in PEM, that its API server is verified with. Argo CD only.
    type: str
  cluster_client_cert:
    description: Client certificate, in PEM. Argo CD only.
    type: str
  cluster_client_key:
    description: Key of O(cluster_client_cert), in PEM. Argo CD only.
    type: str
  tls_server_name:
    description: Name in the certificate of its API server, where it is not that of O(server). Argo CD only.
    type: str
  insecure:
    description: Whether the certificate of its API server is not verified. Argo CD only.
    type: bool
    default: false
  exec_plugin:
    description: Program that returns credentials, as Argo CD's C(execProviderConfig). Argo CD only.
    type: dict
    default: {}
  labels:
    description: Labels, which the generator C(clusters) of an C(ApplicationSet) selects by. Argo CD only.
    type: dict
    default: {}
  metadata:
    description:
      - Facts about the cluster - names, ids, addresses that whatever made it returned. Annotations of the C(Secret) for
        Argo CD, data of the C(ConfigMap) for Flux.
      - Values are texts; the filter C(string) makes one of a number.
    type: dict
    default: {}
  project:
    description: The only project that may deploy to the cluster. Argo CD only.
    type: str
  state:
    description: V(absent) removes the registration. Nothing is done to the cluster itself.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.application_set
  - module: iac.gitops.application
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Argo CD's own cluster, with what the generators need to know of it
  iac.gitops.cluster:
    name: in-cluster
    labels:
      stage: production
      addons: "true"
    metadata:
      region: eu-central-1
      vpc_id: "{{ network.vpc_id }}"
      node_count: "{{ network.node_count | string }}"

- name: Another cluster, by the token of a service account
  iac.gitops.cluster:
    name: edge
    server: https://edge.example.com:6443
    token: "{{ lookup('ansible.builtin.env', 'EDGE_TOKEN') }}"
    cluster_ca_cert: "{{ lookup('ansible.builtin.file', 'edge-ca.pem') }}"
    project: edge

- name: Another cluster, by a client certificate, through a tunnel
  iac.gitops.cluster:
    name: lab
    server: https://tunnel.example.com:8443
    tls_server_name: lab.example.com
    cluster_ca_cert: "{{ lookup('ansible.builtin.file', 'lab-ca.pem') }}"
    cluster_client_cert: "{{ lookup('ansible.builtin.file', 'lab.pem') }}"
    cluster_client_key: "{{ lookup('ansible.builtin.unvault', 'lab.key') }}"

- name: Another cluster, whose credentials a program returns; its certificate can not be verified
  iac.gitops.cluster:
    name: cloud
    server: https://cloud.example.com
    insecure: true
    exec_plugin:
      command: argocd-k8s-auth
      args: [gcp]
      apiVersion: client.authentication.k8s.io/v1beta1

- name: The same facts for Flux
  iac.gitops.cluster:
    controller: flux
    name: production
    metadata:
      region: eu-central-1

- name: Forget a cluster
  iac.gitops.cluster:
    name: edge
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
      sample: Secret
    namespace:
      description: Namespace of the object, empty for an object of the whole cluster.
      returned: always
      type: str
      sample: argocd
    name:
      description: Name of the object.
      returned: always
      type: str
      sample: cluster-edge
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
from ansible_collections.iac.gitops.plugins.module_utils._wiring import IDENTITY, REMOVAL, ObjectsModule


class ClusterEntry(ObjectsModule, AnsibleModule):
    kind = "ClusterSpec"
    prefix = "cluster"


def main():
    module = ClusterEntry(
        argument_spec={
            **CONNECTION,
            **IDENTITY,
            **REMOVAL,
            "server": {"type": "str", "default": "https://kubernetes.default.svc"},
            "token": {"type": "str", "no_log": True},
            "cluster_ca_cert": {"type": "str"},
            "cluster_client_cert": {"type": "str"},
            "cluster_client_key": {"type": "str", "no_log": True},
            "tls_server_name": {"type": "str"},
            "insecure": {"type": "bool", "default": False},
            "exec_plugin": {"type": "dict", "default": {}},
            "labels": {"type": "dict", "default": {}},
            "metadata": {"type": "dict", "default": {}},
            "project": {"type": "str"},
        },
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
