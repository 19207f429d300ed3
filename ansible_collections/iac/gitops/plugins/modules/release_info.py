# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release_info
version_added: 0.1.0
short_description: Show releases, their history, and how the cluster differs from them
description:
  - Reads what M(iac.gitops.deploy) and the C(Release) of the Pulumi package recorded - who deployed what when, from
    where, with which approval and result.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
options:
  name:
    description: Name of a release. All releases without it.
    type: str
  namespace:
    description: Namespace of the releases. All namespaces without it, which needs the right to list Secrets in all.
    type: str
  drift:
    description: Whether to compare the cluster with what was applied. Costs a request per kind and namespace.
    type: bool
    default: false
attributes:
  diff_mode:
    support: none
    details:
      - Nothing is changed.
seealso:
  - module: iac.gitops.deploy
  - module: iac.gitops.rollback
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Read the history of the shop
  iac.gitops.release_info:
    name: shop
    namespace: shop
  register: shop

- name: Show what was deployed when by whom
  ansible.builtin.debug:
    msg: "{{ item.number }} {{ item.status }} {{ item.time }} {{ item.user | default('') }}"
  loop: "{{ shop.releases[0].revisions }}"

- name: Look for drift in all releases
  iac.gitops.release_info:
    drift: true
"""

RETURN = r"""
releases:
  description: The releases, by namespace and name. Empty when there is none; that is no error.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the release.
      returned: always
      type: str
      sample: shop
    namespace:
      description: Its namespace.
      returned: always
      type: str
      sample: shop
    revision:
      description: Newest revision.
      returned: always
      type: int
      sample: 3
    digest:
      description: Digest of its set of objects.
      returned: always
      type: str
      sample: sha256:1f3c9a2b...
    status:
      description: Status of the newest revision - V(applying), V(deployed) or V(failed).
      returned: always
      type: str
      sample: deployed
    objects:
      description: Number of objects of the release.
      returned: always
      type: int
      sample: 5
    drift:
      description: What differs from what was applied - V(changed) or V(missing), by object.
      returned: always; empty unless O(drift=true)
      type: dict
      sample: {apps/Deployment/shop/web: changed}
    drift_omitted:
      description: Number of objects that differ and are not listed, as the result would be too long.
      returned: always
      type: int
      sample: 0
    revisions:
      description: What was deployed, oldest first. What is empty is left out.
      returned: always
      type: list
      elements: dict
      contains:
        number:
          description: Number of the revision.
          returned: always
          type: int
          sample: 3
        digest:
          description: Digest of the set of objects.
          returned: always
          type: str
          sample: sha256:1f3c9a2b...
        time:
          description: When it began.
          returned: always
          type: str
          sample: "2026-11-25T07:30:00Z"
        status:
          description: V(applying), V(deployed) or V(failed).
          returned: always
          type: str
          sample: deployed
        message:
          description: Why it failed.
          returned: when it failed
          type: str
          sample: 1 of 5 objects failed
        seconds:
          description: How long it took.
          returned: when it has ended
          type: float
          sample: 4.2
        face:
          description: What deployed it - V(ansible), V(pulumi) or V(cli).
          returned: when known
          type: str
          sample: ansible
        user:
          description: Who started it.
          returned: when known
          type: str
          sample: ann
        pipeline:
          description: URL of the CI run.
          returned: when known
          type: str
          sample: https://ci.example.com/7
        commit:
          description: Commit of the sources.
          returned: when known
          type: str
          sample: 1f3c9a20b7a4e1f8a7c6d1b9a3f5e2c4d6b8a0e1
        images:
          description: Images of its containers.
          returned: when there are some
          type: list
          elements: str
          sample: ["registry.example.com/shop:1.4"]
        plan_digest:
          description: Digest of the plan that was carried out.
          returned: when known
          type: str
          sample: sha256:7be01d4c...
        approved_by:
          description: Who approved it.
          returned: when somebody did
          type: str
          sample: bob
        rolled_back_to:
          description: Revision that it went back to.
          returned: when it is a rollback
          type: int
          sample: 1
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

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, EngineModule, bounded


class ReleaseInfo(EngineModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect

        with connect(self.connection()) as cluster:
            return {"changed": False, "releases": [shown(state.as_dict()) for state in self.states(cluster)]}

    def states(self, cluster):
        from pulumi_gitops.core.deploy import list_releases, read_release

        name, namespace, drift = (self.params[option] for option in ("name", "namespace", "drift"))
        if name and namespace:
            state = read_release(cluster, name, namespace, drift=drift)
            return [state] if state else []
        listed = [state for state in list_releases(cluster, namespace or "") if name in (None, "", state.name)]
        if not drift:
            return listed
        read = (read_release(cluster, state.name, state.namespace, drift=True) for state in listed)
        return [state for state in read if state is not None]  # one may have been removed meanwhile


def shown(release):
    """Return a release with not too much drift in it."""
    drift = bounded("drift", list(release["drift"].items()), list)
    return {**release, **drift, "drift": dict(drift["drift"])}


def main():
    module = ReleaseInfo(
        argument_spec={
            **CONNECTION,
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "drift": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
