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
  - Namespaces and CustomResourceDefinitions go first, whatever the order in the set; the rest is applied in parallel,
    unless annotations order it (C(config.kubernetes.io/depends-on), C(argocd.argoproj.io/sync-wave)).
  - An unchanged set costs one request per kind and reports C(changed=false).
  - The release is recorded in a Secret of its namespace, with what it holds and its revisions;
    M(iac.gitops.release_info) shows them, M(iac.gitops.rollback) goes back to them.
  - Check mode shows what would be done, and fails where the run would fail. M(iac.gitops.plan) shows everything
    that is in the way, and makes plans that can be approved.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wait
  - iac.gitops._release
  - iac.gitops._release.source
  - iac.gitops._release.run
options:
  stall_timeout:
    description: Seconds without any progress after which waiting ends, long before O(wait_timeout). V(0) for no limit.
    type: int
    default: 0
  rollback_on_failure:
    description:
      - Whether to go back to the last deployed revision when applying or waiting fails. The task fails all the same and
        tells both the failure and the rollback.
    type: bool
    default: false
  history_limit:
    description: Revisions that are kept to be shown and rolled back to.
    type: int
    default: 10
  history_secrets:
    description:
      - Whether the history keeps what Secrets held, in the Secret that is the record of the release. Without it a
        rollback leaves Secrets as they are.
    type: bool
    default: true
  plan_file:
    description:
      - Path, on the managed node, of the file that M(iac.gitops.plan) wrote and that was approved. The run changes
        nothing when the plan or what it was made against has moved since, and says what moved.
      - A file tells more about what moved than O(plan_digest), and which release it is for.
      - On the Ansible controller itself a relative path starts at the working directory of C(ansible-playbook).
    type: path
  approval_max_age:
    description: Seconds for which a plan in O(plan_file) holds; V(0) for ever.
    type: int
    default: 0
  state:
    description:
      - V(absent) removes all objects of the release and its record, then waits until they are gone.
      - PersistentVolumeClaims stay, unless O(prune_kinds) names them. A removal can not be approved, so it is refused
        together with O(require_approval).
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.plan
  - module: iac.gitops.rollback
  - module: iac.gitops.release_info
  - module: iac.gitops.application
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
    rollback_on_failure: true

- name: Deploy an overlay
  iac.gitops.deploy:
    name: billing
    namespace: billing
    kustomize: billing/overlays/production

- name: Deploy a chart
  iac.gitops.deploy:
    name: mail
    namespace: mail
    helm:
      chart: charts/mail
      values:
        replicas: 2
      value_files: [mail-production.yaml]

- name: Deploy what was approved, or nothing
  iac.gitops.deploy:
    name: shop
    namespace: shop
    src: deploy/
    plan_file: plan.json
    require_approval: true
    approved_by: "{{ approver }}"
    approval_max_age: 86400

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
  description:
    - Revision of the release; V(0) when there is none. In check mode the revision that the run would make.
  returned: success
  type: int
  sample: 3
digest:
  description: Digest of the set; the same set on the same cluster has the same digest. Empty when the release is gone.
  returned: success
  type: str
  sample: sha256:1f3c9a2b...
plan_digest:
  description: Digest of the plan that was carried out, or would be. Empty with O(state=absent).
  returned: success
  type: str
  sample: sha256:7be01d4c...
rolled_back_to:
  description: Always V(0); M(iac.gitops.rollback) returns the revision that it went back to.
  returned: success
  type: int
  sample: 0
changes:
  description: What was done, one entry per changed object; in check mode what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(configure), V(recreate), V(prune) or V(delete).
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
counts:
  description: Number of objects by action, unchanged ones included.
  returned: success
  type: dict
  sample: {configure: 1, unchanged: 4}
code:
  description: Stable name of the error, for C(failed_when) and C(rescue).
  returned: failure
  type: str
  sample: deploy.not_ready
hint:
  description: What can be done about the error; may be empty.
  returned: failure
  type: str
  sample: Correct the cause and run again.
details:
  description: Facts about the error - an entry per object that is not ready, what moved since the approval.
  returned: failure
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, STATE, WAIT
from ansible_collections.iac.gitops.plugins.module_utils._release import NAMED, RUN, SOURCE, SOURCES, ReleaseModule


class Deploy(ReleaseModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.deploy import deploy

        if self.params["state"] == "absent":
            return self.remove()
        spec = self.request()
        with connect(self.connection()) as cluster:
            return self.outcome(deploy(cluster, spec, check=self.check_mode))

    def remove(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.deploy import remove
        from pulumi_gitops.core.deploy.spec import GUARDED_KINDS
        from pulumi_gitops.core.errors import ApprovalMissingError

        params = self.params
        if params["require_approval"] or params["plan_file"] or params["plan_digest"]:
            raise ApprovalMissingError(
                f"release {params['namespace']}/{params['name']} is not removed: a removal has no plan to approve",
                hint="Leave require_approval, plan_file and plan_digest out to remove the release.",
            )
        claims = "PersistentVolumeClaim"
        with connect(self.connection()) as cluster:
            result = remove(
                cluster,
                params["name"],
                params["namespace"],
                check=self.check_mode,
                wait=params["wait"],
                wait_timeout=params["wait_timeout"],
                lock_timeout=params["lock_timeout"],
                prune_kinds=GUARDED_KINDS if claims in params["prune_kinds"] else GUARDED_KINDS - {claims},
            )
        return self.outcome(result)


def main():
    module = Deploy(
        argument_spec={
            **CONNECTION,
            **WAIT,
            **NAMED,
            **SOURCE,
            **RUN,
            "stall_timeout": {"type": "int", "default": 0},
            "rollback_on_failure": {"type": "bool", "default": False},
            "history_limit": {"type": "int", "default": 10},
            "history_secrets": {"type": "bool", "default": True, "no_log": False},
            "plan_file": {"type": "path"},
            "approval_max_age": {"type": "int", "default": 0},
            "state": STATE,
        },
        mutually_exclusive=[SOURCES],
        required_if=[("state", "present", SOURCES, True)],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
