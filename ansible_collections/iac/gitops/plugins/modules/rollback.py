# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback
version_added: 0.1.0
short_description: Bring back an earlier revision of a release
description:
  - Restores exactly the objects of an earlier revision of a release that M(iac.gitops.deploy) or the C(Release) of the
    Pulumi package deployed, and removes what came after it. Is itself a new revision.
  - Without O(revision) it goes back to the last one with other objects that was deployed before the newest.
  - Check mode shows what would be done; its RV(plan_digest) can be approved.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wait
  - iac.gitops._release
  - iac.gitops._release.run
options:
  revision:
    description: Revision to go back to. V(0) for the last one with other objects, deployed before the newest.
    type: int
    default: 0
attributes:
  idempotent:
    support: partial
    details:
      - Only with O(revision). Without it a second run brings back what the first one replaced.
seealso:
  - module: iac.gitops.release_info
  - module: iac.gitops.deploy
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Go back to what was there before the last deployment
  iac.gitops.rollback:
    name: shop
    namespace: shop

- name: Go back to a given revision
  iac.gitops.rollback:
    name: shop
    namespace: shop
    revision: 7
"""

RETURN = r"""
revision:
  description: Revision of the release. In check mode the revision that the run would make.
  returned: success
  type: int
  sample: 9
rolled_back_to:
  description: Revision whose objects were brought back; V(0) when nothing was done, so in check mode too.
  returned: success
  type: int
  sample: 7
digest:
  description: Digest of the set of objects.
  returned: success
  type: str
  sample: sha256:1f3c9a2b...
plan_digest:
  description: Digest of the plan that was carried out, or would be.
  returned: success
  type: str
  sample: sha256:7be01d4c...
changes:
  description: What was done, one entry per changed object; in check mode what would be done.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(configure), V(recreate) or V(prune).
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
  sample: deploy.revision_not_found
hint:
  description: What can be done about the error; may be empty.
  returned: failure
  type: str
  sample: It has 1 (deployed), 2 (failed).
details:
  description: Facts about the error.
  returned: failure
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iac.gitops.plugins.module_utils._common import CONNECTION, WAIT
from ansible_collections.iac.gitops.plugins.module_utils._release import NAMED, RUN, ReleaseModule


class Rollback(ReleaseModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.deploy import Approval, ForceConflicts, detect_origin, rollback

        params = self.params
        approval = Approval(
            plan_digest=params["plan_digest"] or "",
            required=params["require_approval"],
            approved_by=params["approved_by"] or "",
        )
        with connect(self.connection()) as cluster:
            result = rollback(
                cluster,
                params["name"],
                params["namespace"],
                to=params["revision"],
                wait=params["wait"],
                wait_timeout=params["wait_timeout"],
                lock_timeout=params["lock_timeout"],
                force_conflicts=ForceConflicts(params["force_conflicts"]),
                approval=approval,
                origin=detect_origin("ansible"),
                check=self.check_mode,
            )
        return self.outcome(result)


def main():
    module = Rollback(
        argument_spec={
            **CONNECTION,
            **WAIT,
            **NAMED,
            **RUN,
            "revision": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
