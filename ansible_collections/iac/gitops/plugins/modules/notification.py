# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: notification
version_added: 0.1.0
short_description: Let Flux tell of events, or be told of commits
description:
  - Declares a C(Provider) and an C(Alert), so that events of Flux are sent somewhere; or, with O(receiver=true), a
    C(Receiver), a webhook that makes Flux look at a repository at once.
  - Argo CD has no such objects; give O(iac.gitops.controller#module:config) of its C(argocd-notifications-cm) instead.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wiring
  - iac.gitops._wiring.flux
  - iac.gitops._wait.removal
options:
  name:
    description: Name of the objects.
    type: str
    required: true
  type:
    description:
      - Type of the provider (V(slack), V(generic), V(github), ...), or with O(receiver=true) of the sender (V(github),
        V(gitlab), V(generic), ...), as Flux names them. Required with O(state=present).
    type: str
  address:
    description: URL that events are sent to. It is kept in a C(Secret), as such addresses are often secret.
    type: str
  channel:
    description: Channel that events are sent to.
    type: str
  username:
    description: Name that events are sent under.
    type: str
  token:
    description: Token of the provider, or secret of the webhook. It is kept in a C(Secret).
    type: str
  severity:
    description: The least severity of events that are sent.
    type: str
    choices: [info, error]
    default: info
  sources:
    description:
      - Objects whose events are sent, or that Flux looks at when the receiver is called, each with C(kind) and C(name).
      - All sources, C(Kustomizations) and C(HelmReleases) when empty. A receiver needs at least one.
    type: list
    elements: dict
    default: []
  exclude:
    description: Regular expressions. Events whose message matches one are not sent.
    type: list
    elements: str
    default: []
  receiver:
    description: Whether to make a C(Receiver) instead of a C(Provider) and an C(Alert).
    type: bool
    default: false
  events:
    description: Events of the sender that the receiver heeds, for example V(push). All when empty.
    type: list
    elements: str
    default: []
  state:
    description: V(absent) removes all objects of this name.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.controller
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Tell the team of errors
  iac.gitops.notification:
    name: team
    type: slack
    address: "{{ lookup('ansible.builtin.env', 'SLACK_WEBHOOK') }}"
    channel: shop
    username: flux
    severity: error
    exclude:
      - waiting.*socket

- name: Write the state of one application to its commits
  iac.gitops.notification:
    name: commits
    type: github
    address: https://github.com/example/config
    token: "{{ lookup('ansible.builtin.env', 'GIT_TOKEN') }}"
    sources:
      - kind: Kustomization
        name: shop

- name: Look at the config repository as soon as somebody has pushed
  iac.gitops.notification:
    name: pushed
    receiver: true
    type: github
    token: "{{ lookup('ansible.builtin.env', 'WEBHOOK_SECRET') }}"
    events: [ping, push]
    sources:
      - kind: GitRepository
        name: config

- name: Remove the webhook
  iac.gitops.notification:
    name: pushed
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
      sample: Provider
    namespace:
      description: Namespace of the object, empty for an object of the whole cluster.
      returned: always
      type: str
      sample: flux-system
    name:
      description: Name of the object.
      returned: always
      type: str
      sample: team
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
from ansible_collections.iac.gitops.plugins.module_utils._wiring import REMOVAL, ObjectsModule, identity_for


class Notification(ObjectsModule, AnsibleModule):
    kind = "NotificationSpec"

    def unwanted(self, kind):
        # Provider and Alert; then Receiver and Secret, which only something secret makes part of the objects.
        receiver = {"receiver": True, "token": "unused-and-not-a-secret", "sources": [{"kind": "none", "name": "none"}]}
        return [
            self.identified(kind, type="generic"),
            self.identified(kind, type="generic", **receiver),
        ]


def main():
    module = Notification(
        argument_spec={
            **CONNECTION,
            **identity_for("flux"),
            **REMOVAL,
            "type": {"type": "str"},
            "address": {"type": "str", "no_log": True},
            "channel": {"type": "str"},
            "username": {"type": "str"},
            "token": {"type": "str", "no_log": True},
            "severity": {"type": "str", "default": "info", "choices": ["info", "error"]},
            "sources": {"type": "list", "elements": "dict", "default": []},
            "exclude": {"type": "list", "elements": "str", "default": []},
            "receiver": {"type": "bool", "default": False},
            "events": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("state", "present", ("type",))],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
