# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: repository
version_added: 0.1.0
short_description: Give a GitOps controller access to a repository
description:
  - For Argo CD a labelled C(Secret) with the credentials of a repository, or of all repositories below a URL.
  - For Flux a C(GitRepository), C(HelmRepository) or C(OCIRepository), which applications read from, and C(Secrets)
    with its credentials.
  - New credentials replace the old ones; nothing of those is left.
  - Give one kind of credentials or none - O(password) with O(username), O(bearer_token), O(ssh_private_key), or a
    GitHub App. A client certificate may come on top.
  - The options of the connection lead to the cluster; those of the repository that would have the same names start with
    C(repository_).
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wiring
  - iac.gitops._wiring.any_controller
options:
  name:
    description: Name of the connection; it becomes the name of the objects in the cluster.
    type: str
    required: true
  url:
    description:
      - URL of the repository, without credentials - V(https://), V(ssh://), V(git@host:path), V(oci://). Required with
        O(state=present).
    type: str
  type:
    description:
      - What is behind the URL - a Git repository, a Helm repository, or OCI artifacts.
      - With Flux tokens, SSH keys, GitHub Apps, O(branch) and O(include) are for V(git) alone, and V(helm) has no
        O(repository_proxy), O(commit), O(tag), O(semver), O(ignore) and O(verify) either.
      - With Flux V(oci) is one artifact, which may be a chart. An C(oci://) registry with many charts is V(helm).
      - To remove a repository from Flux it is needed, too, unless it is V(git).
    type: str
    choices: [git, helm, oci]
    default: git
  username:
    description: User name. With a O(password) alone V(git) is used.
    type: str
  password:
    description: Password or token.
    type: str
  bearer_token:
    description: Token that is sent as C(Authorization Bearer).
    type: str
  ssh_private_key:
    description: Private key (its text, not its path) for an SSH URL.
    type: str
  known_hosts:
    description:
      - Host keys of the SSH server to accept, as in a C(known_hosts) file. Flux only, which needs them.
      - Of Argo CD it is an option of M(iac.gitops.controller).
    type: str
  github_app_id:
    description: Id of a GitHub App. O(github_app_installation_id) and O(github_app_private_key) belong to it.
    type: str
  github_app_installation_id:
    description: Id of the installation of the GitHub App.
    type: str
  github_app_private_key:
    description: Private key of the GitHub App, in PEM.
    type: str
  github_app_url:
    description: URL of the API of a GitHub Enterprise server. That of github.com without it.
    type: str
  repository_ca_cert:
    description:
      - Certificates, in PEM, that the server is verified with. Flux only; for Argo CD see
        O(iac.gitops.controller#module:tls_certificates).
    type: str
  repository_client_cert:
    description: Client certificate, in PEM. Argo CD shows it to a Git server only along with a password, token or App.
    type: str
  repository_client_key:
    description: Key of O(repository_client_cert), in PEM.
    type: str
  repository_proxy:
    description:
      - URL of a proxy, which may hold credentials.
      - For SSH URLs Argo CD needs V(socks5://host:port), and for a GitHub App a port.
    type: str
  repository_no_proxy:
    description: Comma-separated hosts that are reached without the proxy. Argo CD only.
    type: str
  template:
    description:
      - Whether the credentials are for every repository whose URL begins with O(url), so that those need no connection
        of their own. Argo CD only.
    type: bool
    default: false
  project:
    description: The only project that may use it. Argo CD only.
    type: str
  branch:
    description: Branch to follow. Default is V(main), unless O(tag), O(semver) or O(commit) is given. Flux only.
    type: str
  tag:
    description: Tag to follow. Default for V(oci) is V(latest). Flux only.
    type: str
  semver:
    description: Range of versions to follow, the newest of which is taken. Flux only.
    type: str
  commit:
    description: Commit to stay at; of OCI artifacts the digest, V(sha256:...). Flux only.
    type: str
  interval:
    description: How often Flux looks at the repository. Flux only.
    type: str
    default: 1m
  ignore:
    description: Paths to leave out, as in a C(.gitignore) file. Flux only.
    type: str
  include:
    description: Other repositories to copy in, their names with the folders they go to. Flux only.
    type: dict
    default: {}
  verify:
    description: Accept only what is signed. Flux only.
    type: dict
    default: {}
    suboptions:
      mode:
        description: What of a Git repository has to be signed - V(HEAD), V(Tag), V(TagAndHEAD).
        type: str
      provider:
        description: Who verifies OCI artifacts - V(cosign) or V(notation).
        type: str
      secret:
        description:
          - Name of the Secret in the namespace of Flux that holds the public keys. For Git the names of its entries end
            with C(.asc) (PGP) or C(.sshpub) (SSH).
        type: str
  layer_selector:
    description:
      - Which layer of the artifact is taken, and how. The first one, extracted, without it. Flux only, and for V(oci)
        alone.
      - A chart is taken as it was pushed by V(application/vnd.cncf.helm.chart.content.v1.tar+gzip) and V(copy).
    type: dict
    default: {}
    suboptions:
      media_type:
        description: Media type of the layer. The first layer without it.
        type: str
      operation:
        description: What is done with the layer. Default is V(extract).
        type: str
        choices: [extract, copy]
  state:
    description: V(absent) removes the connection with its credentials from the cluster. O(name) is enough for it.
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

- name: One password for all repositories of the team
  iac.gitops.repository:
    name: team
    url: https://git.example.com/team
    template: true
    username: ci
    password: "{{ lookup('ansible.builtin.env', 'GIT_TOKEN') }}"

- name: By SSH; Argo CD knows the host keys from the controller's option known_hosts
  iac.gitops.repository:
    name: config
    url: git@git.example.com:team/config.git
    ssh_private_key: "{{ lookup('ansible.builtin.unvault', 'deploy_key') }}"
    project: shop

- name: By a GitHub App, through a proxy
  iac.gitops.repository:
    name: config
    url: https://github.example.com/team/config.git
    github_app_id: "12345"
    github_app_installation_id: "67890"
    github_app_private_key: "{{ lookup('ansible.builtin.unvault', 'app.pem') }}"
    github_app_url: https://github.example.com/api/v3
    repository_proxy: http://proxy.example.com:3128
    repository_no_proxy: .internal.example.com

- name: A Helm repository that wants a client certificate
  iac.gitops.repository:
    name: charts
    type: helm
    url: https://charts.example.com
    repository_client_cert: "{{ lookup('ansible.builtin.file', 'client.pem') }}"
    repository_client_key: "{{ lookup('ansible.builtin.unvault', 'client.key') }}"

- name: A source of Flux, by SSH, the part of it that matters, and only what is signed
  iac.gitops.repository:
    controller: flux
    name: config
    url: ssh://git@git.example.com/team/config.git
    ssh_private_key: "{{ lookup('ansible.builtin.unvault', 'deploy_key') }}"
    known_hosts: "{{ lookup('ansible.builtin.file', 'known_hosts') }}"
    branch: main
    interval: 30s
    ignore: |
      /*
      !/apps/
    verify:
      mode: HEAD
      secret: signers

- name: A source of Flux that follows versions, behind a private certificate authority, with another one in it
  iac.gitops.repository:
    controller: flux
    name: config
    url: https://git.example.com/config.git
    bearer_token: "{{ lookup('ansible.builtin.env', 'GIT_TOKEN') }}"
    repository_ca_cert: "{{ lookup('ansible.builtin.file', 'ca.pem') }}"
    semver: ">=1.2.0 <2.0.0"
    include:
      shared: shared/

- name: Manifests that are OCI artifacts
  iac.gitops.repository:
    controller: flux
    name: manifests
    type: oci
    url: oci://registry.example.com/manifests/shop
    tag: stable
    verify:
      provider: cosign

- name: A chart in a private registry; the application has repository_type oci
  iac.gitops.repository:
    controller: flux
    name: podinfo
    type: oci
    url: oci://registry.example.com/charts/podinfo
    semver: 6.x
    username: ci
    password: "{{ lookup('ansible.builtin.env', 'REGISTRY_TOKEN') }}"
    layer_selector:
      media_type: application/vnd.cncf.helm.chart.content.v1.tar+gzip
      operation: copy

- name: Take the access away
  iac.gitops.repository:
    name: config
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
      sample: repo-config
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
from ansible_collections.iac.gitops.plugins.module_utils._wiring import IDENTITY, WiringModule

# A removal needs no URL, but a spec is always complete.
UNUSED = {"oci": "oci://unused.invalid/unused"}


class Repository(WiringModule, AnsibleModule):
    prefix = "repository"

    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import RepositorySpec, apply_repository, remove_repository

        if self.params["state"] == "present":
            spec, act = self.spec(RepositorySpec), apply_repository
        else:
            kind = self.params["type"]
            url = UNUSED.get(kind, "https://unused.invalid/unused")
            spec, act = self.identified(RepositorySpec, type=kind, url=url), remove_repository
        with connect(self.connection()) as cluster:
            return self.report(act(cluster, spec, check=self.check_mode))


def main():
    module = Repository(
        argument_spec={
            **CONNECTION,
            **IDENTITY,
            "url": {"type": "str"},
            "type": {"type": "str", "default": "git", "choices": ["git", "helm", "oci"]},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "bearer_token": {"type": "str", "no_log": True},
            "ssh_private_key": {"type": "str", "no_log": True},
            "known_hosts": {"type": "str"},
            "github_app_id": {"type": "str"},
            "github_app_installation_id": {"type": "str"},
            "github_app_private_key": {"type": "str", "no_log": True},
            "github_app_url": {"type": "str"},
            "repository_ca_cert": {"type": "str"},
            "repository_client_cert": {"type": "str"},
            "repository_client_key": {"type": "str", "no_log": True},
            "repository_proxy": {"type": "str", "no_log": True},
            "repository_no_proxy": {"type": "str"},
            "template": {"type": "bool", "default": False},
            "project": {"type": "str"},
            "branch": {"type": "str"},
            "tag": {"type": "str"},
            "semver": {"type": "str"},
            "commit": {"type": "str"},
            "interval": {"type": "str", "default": "1m"},
            "ignore": {"type": "str"},
            "include": {"type": "dict", "default": {}},
            "verify": {
                "type": "dict",
                "default": {},
                "options": {
                    "mode": {"type": "str"},
                    "provider": {"type": "str"},
                    "secret": {"type": "str", "no_log": False},
                },
            },
            "layer_selector": {
                "type": "dict",
                "default": {},
                "options": {
                    "media_type": {"type": "str"},
                    "operation": {"type": "str", "choices": ["extract", "copy"]},
                },
            },
        },
        required_if=[("state", "present", ("url",))],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
