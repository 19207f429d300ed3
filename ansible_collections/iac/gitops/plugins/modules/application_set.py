# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_set
version_added: 0.1.0
short_description: Let Argo CD make applications from lists, clusters and folders of a repository
description:
  - Declares an C(ApplicationSet), and waits until the ApplicationSet controller of Argo CD has made its applications.
    Without that controller nothing is awaited.
  - Fails with the message of the controller when it can not make them, for example because of the template, or of a
    repository.
  - It is not awaited that the applications are synced; see M(iac.gitops.sync) for one of them.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wiring
  - iac.gitops._wiring.argocd
  - iac.gitops._wait
options:
  name:
    description: Name of the set.
    type: str
    required: true
  generators:
    description:
      - What there is an application for, as in the C(spec) of an C(ApplicationSet) - V(list), V(git), V(clusters),
        V(matrix), V(merge), V(scmProvider), V(pullRequest), V(clusterDecisionResource), V(plugin).
      - Required with O(state=present).
    type: list
    elements: dict
  template:
    description:
      - The application, C(metadata) and C(spec), with parameters of the generators in it. Required with
        O(state=present).
      - Its parameters have the form of Ansible's own templates. Tag the texts with C(!unsafe), or read them from a file
        with P(ansible.builtin.file#lookup) and C(from_yaml), so that Ansible leaves them alone.
    type: dict
  go_template:
    description: Whether parameters are Go templates (C({{.name}})); one that is missing is an error then.
    type: bool
    default: true
  preserve_resources:
    description: Whether what the applications deployed stays when the set is removed.
    type: bool
    default: false
  sync_policy:
    description: What the set may do to its applications. Anything without it.
    type: str
    choices: [create-only, create-update, create-delete, sync]
  strategy:
    description: Order in which the applications are synced, as in the C(spec) of an C(ApplicationSet).
    type: dict
    default: {}
  state:
    description: V(absent) removes the set, its applications, and what they deployed unless O(preserve_resources=true).
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.application
  - module: iac.gitops.cluster
    description: Registers the clusters that the generator C(clusters) selects from.
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: One application for each stage
  iac.gitops.application_set:
    name: shop
    generators:
      - list:
          elements:
            - stage: staging
              replicas: "1"
            - stage: production
              replicas: "3"
    template:
      metadata:
        name: !unsafe 'shop-{{.stage}}'
      spec:
        project: shop
        source:
          repoURL: https://git.example.com/config.git
          targetRevision: main
          path: !unsafe 'apps/shop/{{.stage}}'
        destination:
          server: https://kubernetes.default.svc
          namespace: !unsafe 'shop-{{.stage}}'
        syncPolicy:
          automated:
            prune: true

- name: One application for each folder, on every cluster that is labelled so; staging first
  iac.gitops.application_set:
    name: addons
    generators:
      - matrix:
          generators:
            - git:
                repoURL: https://git.example.com/config.git
                revision: main
                directories:
                  - path: addons/*
            - clusters:
                selector:
                  matchLabels:
                    addons: "true"
    template:
      metadata:
        name: !unsafe '{{.path.basename}}-{{.name}}'
        labels:
          stage: !unsafe '{{.metadata.labels.stage}}'
      spec:
        project: default
        source:
          repoURL: https://git.example.com/config.git
          targetRevision: main
          path: !unsafe '{{.path.path}}'
        destination:
          server: !unsafe '{{.server}}'
          namespace: !unsafe '{{.path.basename}}'
    preserve_resources: true
    sync_policy: create-update
    strategy:
      type: RollingSync
      rollingSync:
        steps:
          - matchExpressions:
              - {key: stage, operator: In, values: [staging]}
          - matchExpressions:
              - {key: stage, operator: In, values: [production]}

- name: Remove the set
  iac.gitops.application_set:
    name: shop
    state: absent
"""

RETURN = r"""
applications:
  description: Names of the applications that the set has made in the namespace of Argo CD.
  returned: success
  type: list
  elements: str
  sample: [shop-production, shop-staging]
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
      sample: ApplicationSet
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, WAIT
from ansible_collections.iac.gitops.plugins.module_utils._wiring import WiringModule, identity_for


class ApplicationSet(WiringModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import ApplicationSetSpec, apply_application_set, remove_application_set

        if self.params["state"] == "present":
            spec, act = self.spec(ApplicationSetSpec), apply_application_set
        else:
            spec, act = self.unwanted(ApplicationSetSpec), remove_application_set
        with connect(self.connection()) as cluster:
            result = act(cluster, spec, check=self.check_mode)
        return self.report(result.changes, applications=list(result.applications))

    def unwanted(self, kind):
        """Return a set of this name; a spec is always complete, though nothing else counts."""
        template = {"metadata": {"name": "unused"}, "spec": {"project": "unused"}}
        waits = {"wait": self.params["wait"], "wait_timeout": self.params["wait_timeout"]}
        return self.identified(kind, generators=[{"list": {}}], template=template, **waits)


def main():
    module = ApplicationSet(
        argument_spec={
            **CONNECTION,
            **identity_for("argocd"),
            **WAIT,
            "generators": {"type": "list", "elements": "dict"},
            "template": {"type": "dict"},
            "go_template": {"type": "bool", "default": True},
            "preserve_resources": {"type": "bool", "default": False},
            "sync_policy": {"type": "str", "choices": ["create-only", "create-update", "create-delete", "sync"]},
            "strategy": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ("generators", "template"))],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
