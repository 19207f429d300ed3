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
  - Weave GitOps is a dashboard for Flux, which has to be installed before. Upstream has published release candidates of
    it only since 0.38.0; the web interfaces of Flux Operator and of Argo CD are maintained. Its chart is rendered by
    helm, version 3 or 4, which has to be on E(PATH) of the node that the module runs on.
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
    choices: [argocd, flux, weave_gitops]
    default: argocd
  version:
    description: Version without a leading C(v). Default is one that this release of the collection was tested with.
    type: str
  namespace:
    description:
      - Namespace to install into; it is created. Default is V(argocd), and V(flux-system) for Flux and Weave GitOps.
    type: str
  manifests:
    description:
      - Where the manifests come from instead of the official address of the version - a URL, a file or a folder.
      - Of Weave GitOps it is its Helm chart - a folder, an archive, the URL of an archive, or C(oci://) with a tag.
      - A path is looked for on the Ansible controller as O(iac.gitops.deploy#module:src) is.
    type: str
  remote_src:
    description: Whether a path in O(manifests) is on the managed node instead of the Ansible controller.
    type: bool
    default: false
  mirror:
    description:
      - Base URL that takes the place of the one of the official releases. Of Weave GitOps it is a Helm repository, over
        C(https://) or C(oci://).
    type: str
  checksum:
    description:
      - SHA-256 of the manifests, with or without a leading C(sha256:). Nothing is applied unless it fits.
      - Official manifests of known versions of Argo CD are always checked. Those of Flux are compared with
        O(lock_file), and with what was installed before.
    type: str
  lock_file:
    description:
      - File that remembers the SHA-256 of downloaded manifests which neither O(checksum) nor the collection knows. The
        first run writes it, later ones compare; keep it in version control. Check mode writes nothing.
      - A relative path starts beside the playbook. For a managed node that is reached over the network it is a path
        there.
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
  profile:
    description:
      - Which of its official manifests Argo CD is installed from. V(core) is without API server, user interface and
        notifications; V(namespaced) and V(ha-namespaced) have no rights outside of O(namespace). Argo CD only.
    type: str
    choices: [standard, ha, core, namespaced, ha-namespaced]
    default: standard
  config:
    description:
      - Content of ConfigMaps of Argo CD, by their names and keys - C(argocd-cm), C(argocd-rbac-cm),
        C(argocd-cmd-params-cm), C(argocd-notifications-cm). Keys that are not named stay as they are. Argo CD only.
      - All values are texts.
    type: dict
    default: {}
  known_hosts:
    description:
      - Host keys of SSH servers to accept beside the usual ones, as in a C(known_hosts) file. Argo CD only; of Flux it
        is an option of M(iac.gitops.repository).
    type: str
  tls_certificates:
    description:
      - Certificates, in PEM, to verify servers with, by the names of the servers. Argo CD only; of Flux it is an option
        of M(iac.gitops.repository).
    type: dict
    default: {}
  gpg_keys:
    description: Armoured public keys that commits may be signed with, by their ids of 16 digits. Argo CD only.
    type: dict
    default: {}
  self_manage:
    description:
      - Where Argo CD keeps its own manifests. They are installed as always the first time, then committed there, and an
        Application of Argo CD applies them from then on; later runs commit, and wait for Argo CD. Argo CD only.
      - Left out later, the Application is removed and the manifests are applied by this module again.
      - The manifests hold no secrets. See the guide about Argo CD.
    type: dict
    suboptions:
      url:
        description: HTTP(S) URL of the repository, for this module and for Argo CD, without credentials.
        type: str
        required: true
      branch:
        description: Branch to commit to, and that Argo CD follows.
        type: str
        default: main
      path:
        description: Folder of the manifests.
        type: str
        default: argocd
      username:
        description: User name. Servers that take a token as password mostly ignore it.
        type: str
      password:
        description: Password or token; Argo CD reads with it too.
        type: str
      application:
        description: Name of the Application over the manifests.
        type: str
        default: argocd
  admin_secret:
    description:
      - Name of a Secret in O(namespace) whose key C(password) is the password of the user C(admin). Both have to be
        there before. Argo CD and Weave GitOps only.
      - The password is compared with the one that the controller has, and set when it is another one; sessions of Argo
        CD end then. It is never shown. Left out later, the password stays.
      - For Weave GitOps it may be a bcrypt hash of the password, and the key C(username) names another user. Both go
        into the Secret C(cluster-user-auth), which its server reads, and the user gets the rights of the chart.
      - C(argocd-initial-admin-secret), in which Argo CD keeps the password that it makes up, is removed.
    type: str
  method:
    description:
      - How it is installed. With V(manifests) this module applies the objects. Flux and Weave GitOps only.
      - Flux - with V(operator) it installs Flux Operator, and declares a FluxInstance from which that installs Flux.
        One that runs already is handed over to the operator. O(version) may then be a range, as C(2.9.x);
        O(manifests), O(mirror), O(checksum) and O(lock_file) are about the manifest of the operator, O(patches) about
        Flux.
      - Weave GitOps - with V(helm_release) it declares the chart, which Flux then installs. It can not be changed
        later.
    type: str
    choices: [manifests, operator, helm_release]
    default: manifests
  operator_version:
    description:
      - Version of Flux Operator, without a leading C(v), with O(method=operator). Default is one that this release of
        the collection was tested with. Flux only.
    type: str
  values:
    description: Values for the Helm chart. Weave GitOps only. What is under C(adminUser) is for O(admin_secret) to say.
    type: dict
    default: {}
  components:
    description: Controllers of Flux to install. All that are in the manifests when empty. Flux only.
    type: list
    elements: str
    choices:
      - source-controller
      - kustomize-controller
      - helm-controller
      - notification-controller
      - image-reflector-controller
      - image-automation-controller
      - source-watcher
    default: []
  network_policies:
    description: Whether to install the NetworkPolicies that are in the manifests. Flux only.
    type: bool
    default: true
  multitenant:
    description:
      - Whether to lock tenants into their namespaces - no references to other namespaces, no remote bases, and the
        service account C(default) of the namespace where none is named. Flux only.
    type: bool
    default: false
  log_level:
    description: How much the controllers log. As in the manifests without it. Flux only.
    type: str
    choices: [debug, info, error]
  concurrency:
    description: How many objects each controller works on at a time. As in the manifests without it. Flux only.
    type: int
  state:
    description:
      - V(absent) removes the controller, its CustomResourceDefinitions, and the namespace if this module created it.
      - That is refused while there are applications, or for Flux Weave GitOps; remove them first.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.controller_info
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

- name: Install Argo CD for high availability, from a mirror, with single sign-on and rights
  iac.gitops.controller:
    name: argocd
    profile: ha
    mirror: https://mirror.example.com/argo-cd
    config:
      argocd-cm:
        url: https://argocd.example.com
        oidc.config: |
          name: Example
          issuer: https://login.example.com
          clientID: argocd
          clientSecret: $oidc.example.clientSecret
      argocd-rbac-cm:
        policy.default: role:readonly
        policy.csv: g, example:platform, role:admin

- name: Let Argo CD trust a Git server, and signatures
  iac.gitops.controller:
    name: argocd
    known_hosts: "{{ lookup('ansible.builtin.file', 'known_hosts') }}"
    tls_certificates:
      git.example.com: "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
    gpg_keys:
      4AEE18F83AFDEB23: "{{ lookup('ansible.builtin.file', 'ann.asc') }}"

- name: Let Argo CD manage itself from the config repository
  iac.gitops.controller:
    name: argocd
    version: 3.5.7
    self_manage:
      url: https://git.example.com/config.git
      path: clusters/production/argocd
      username: ci
      password: "{{ lookup('ansible.builtin.env', 'GIT_TOKEN') }}"

- name: Take the password of admin from a Secret, for example one that External Secrets makes
  iac.gitops.controller:
    name: argocd
    admin_secret: argocd-admin

- name: Install Flux, the same manifests every time
  iac.gitops.controller:
    name: flux
    version: 2.9.2
    lock_file: gitops.lock

- name: Install the part of Flux that is needed, locked down for tenants
  iac.gitops.controller:
    name: flux
    lock_file: gitops.lock
    components: [source-controller, kustomize-controller, notification-controller]
    network_policies: false
    multitenant: true
    log_level: error
    concurrency: 10

- name: Let Flux Operator install Flux, and keep it at the newest patch release
  iac.gitops.controller:
    name: flux
    method: operator
    version: 2.9.x
    operator_version: 0.59.0
    lock_file: gitops.lock

- name: Install the dashboard of Flux, with a user from a Secret
  iac.gitops.controller:
    name: weave_gitops
    lock_file: gitops.lock
    admin_secret: dashboard-admin
    values:
      ingress:
        enabled: true
        hosts:
          - host: flux.example.com
            paths: [{path: /, pathType: Prefix}]

- name: Let Flux install the dashboard, from a mirror
  iac.gitops.controller:
    name: weave_gitops
    method: helm_release
    mirror: oci://registry.example.com/charts
    admin_secret: dashboard-admin

- name: Remove Flux
  iac.gitops.controller:
    name: flux
    state: absent
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
revision:
  description: Revision of the installation, V(1) for the first; V(0) after a removal.
  returned: success
  type: int
  sample: 1
digest:
  description: Digest of the manifests as they were installed; empty after a removal.
  returned: success
  type: str
  sample: sha256:9f2c41d0...
commit:
  description:
    - With O(self_manage) the commit that Argo CD has applied, in check mode the one that is there now; empty without.
  returned: success
  type: str
  sample: 1f3c9a20b7a4e1f8a7c6d1b9a3f5e2c4d6b8a0e1
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
    INSTALLED,
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
        # What Argo CD applies itself is as it should be, and nothing to warn of.
        changes = [change for change in result.changes if change.action != "handed_over" or not result.commit]
        return self.report(
            changes,
            version=result.version,
            namespace=result.namespace,
            revision=result.revision,
            digest=result.digest,
            commit=result.commit,
        )


def main():
    module = Controller(
        argument_spec={
            **CONNECTION,
            **WAIT,
            "name": INSTALLED,
            "version": {"type": "str"},
            "namespace": {"type": "str"},
            "manifests": {"type": "str"},
            "remote_src": {"type": "bool", "default": False},
            "mirror": {"type": "str"},
            "checksum": {"type": "str"},
            "lock_file": {"type": "str"},
            "patches": {"type": "list", "elements": "dict", "default": []},
            "registry": {"type": "str"},
            "image_pull_secret": {"type": "str", "no_log": False},
            "profile": {
                "type": "str",
                "default": "standard",
                "choices": ["standard", "ha", "core", "namespaced", "ha-namespaced"],
            },
            "config": {"type": "dict", "default": {}},
            "known_hosts": {"type": "str"},
            "tls_certificates": {"type": "dict", "default": {}},
            "gpg_keys": {"type": "dict", "default": {}, "no_log": False},
            "self_manage": {
                "type": "dict",
                "options": {
                    "url": {"type": "str", "required": True},
                    "branch": {"type": "str", "default": "main"},
                    "path": {"type": "str", "default": "argocd"},
                    "username": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                    "application": {"type": "str", "default": "argocd"},
                },
            },
            "admin_secret": {"type": "str", "no_log": False},
            "method": {"type": "str", "default": "manifests", "choices": ["manifests", "operator", "helm_release"]},
            "operator_version": {"type": "str"},
            "values": {"type": "dict", "default": {}},
            "components": {
                "type": "list",
                "elements": "str",
                "default": [],
                "choices": [
                    "source-controller",
                    "kustomize-controller",
                    "helm-controller",
                    "notification-controller",
                    "image-reflector-controller",
                    "image-automation-controller",
                    "source-watcher",
                ],
            },
            "network_policies": {"type": "bool", "default": True},
            "multitenant": {"type": "bool", "default": False},
            "log_level": {"type": "str", "choices": ["debug", "info", "error"]},
            "concurrency": {"type": "int"},
            "state": STATE,
        },
        mutually_exclusive=[("manifests", "mirror")],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
