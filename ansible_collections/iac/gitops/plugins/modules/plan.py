# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: plan
version_added: 0.1.0
short_description: Show what a push-style deployment would change
description:
  - Works out what M(iac.gitops.deploy) with the same options would do, object by object and field by field, and changes
    nothing in the cluster.
  - What a deployment would refuse - a conflict with another field manager, a missing right, a webhook, a policy - is
    shown with its object; the rest of the plan stands.
  - The digest of a plan covers what would be sent and the live fields that it was computed against. It is what is
    approved, and what M(iac.gitops.deploy) checks again before it changes anything.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.all_group
  - iac.gitops._attributes.action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._release
  - iac.gitops._release.source
options:
  plan_file:
    description:
      - Path, on the managed node, to write the plan to, for O(iac.gitops.deploy#module:plan_file) in a later stage.
      - On the Ansible controller itself a relative path starts at the working directory of C(ansible-playbook).
      - Holds digests and actions, no manifest and no secret. Only its owner can read it.
    type: path
  report:
    description:
      - Path to write the plan to as Markdown, for people. It fits into the comment of a pull request.
      - Relative paths work as with O(plan_file).
    type: path
  fail_on_change:
    description:
      - Whether to fail when anything would change, or could not be deployed. For jobs that look for drift.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    details:
      - Nothing is changed outside of check mode either. The files are written in both modes.
  idempotent:
    support: partial
    details:
      - Changes nothing. Reports C(changed=true) each time until the plan is deployed.
seealso:
  - module: iac.gitops.deploy
  - module: iac.gitops.rollback
    description: Its plan is shown by its check mode.
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: Plan the shop, for approval and for deployment in a later stage
  iac.gitops.plan:
    name: shop
    namespace: shop
    src: deploy/
    images:
      shop: "registry.example.com/shop:{{ build }}"
    plan_file: plan.json
    report: plan.md

- name: Fail when the shop is not as it should be
  iac.gitops.plan:
    name: shop
    namespace: shop
    kustomize: deploy/overlays/production
    fail_on_change: true
"""

RETURN = r"""
digest:
  description: Digest of the plan, for O(iac.gitops.deploy#module:plan_digest).
  returned: always, unless the plan could not be made
  type: str
  sample: sha256:7be01d4c...
set_digest:
  description: Digest of the set of objects.
  returned: always, unless the plan could not be made
  type: str
  sample: sha256:1f3c9a2b...
revision:
  description: Revision that the deployment would make; the present one when nothing would change.
  returned: always, unless the plan could not be made
  type: int
  sample: 3
refused:
  description: Number of objects that a deployment would fail for.
  returned: always, unless the plan could not be made
  type: int
  sample: 0
changes:
  description: What would be done, one entry per object that is not simply unchanged.
  returned: always, unless the plan could not be made
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(configure), V(recreate), V(prune), V(handed_over), V(conflict), V(blocked).
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
    fields:
      description: What changes in an object that exists, field by field. Secrets are masked.
      returned: when the object is changed
      type: list
      elements: dict
      sample: [{path: .spec.replicas, before: 2, after: 3}]
    conflicts:
      description: Fields that other managers own.
      returned: when there are some
      type: list
      elements: dict
      sample: [{field: .spec.replicas, manager: kubectl-edit}]
    error:
      description: What a deployment would fail with.
      returned: when a deployment would fail for this object
      type: dict
      sample: {code: cluster.forbidden, message: "...", hint: "..."}
changes_omitted:
  description: Number of changes that are not listed, as the result would be too long. Usually V(0).
  returned: always, unless the plan could not be made
  type: int
  sample: 0
counts:
  description: Number of objects by action, unchanged ones included.
  returned: always, unless the plan could not be made
  type: dict
  sample: {configure: 1, unchanged: 4}
report:
  description: The plan for people.
  returned: always, unless the plan could not be made
  type: dict
  contains:
    text:
      description: As lines for a terminal.
      returned: always
      type: str
      sample: "release shop/shop: 1 to configure, 4 unchanged"
    markdown:
      description: As Markdown that fits into the comment of a pull request.
      returned: always
      type: str
      sample: "### Plan for release `shop/shop`"
code:
  description: Stable name of the error, for C(failed_when) and C(rescue).
  returned: failure
  type: str
  sample: plan.changes
hint:
  description: What can be done about the error; may be empty.
  returned: failure
  type: str
  sample: Deploy the release.
details:
  description: Facts about the error.
  returned: failure
  type: dict
  sample: {}
"""

import contextlib
import os
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.iac.gitops.plugins.module_utils._common import (
    CONNECTION,
    MOST_CHARACTERS,
    MOST_FIELDS,
    bounded,
    change_diff,
    presentable,
)
from ansible_collections.iac.gitops.plugins.module_utils._release import NAMED, SOURCE, SOURCES, ReleaseModule

LONGEST_REPORT = MOST_CHARACTERS // 10
LONGEST_VALUE = 1000


class Plan(ReleaseModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.deploy import plan
        from pulumi_gitops.core.deploy.report import summary

        # plan_file and report name files to write here.
        spec = self.request(plan_file=None)
        with connect(self.connection()) as cluster:
            found = plan(cluster, spec)
        result = self.result(found)
        self.write(found, result["report"]["markdown"])
        if self.params["fail_on_change"] and (found.changed or found.refused):
            what = [f"- {change}" for change in found.changes if change.changed or change.error is not None]
            more = [f"- and {len(what) - 20} more"] if len(what) > 20 else []
            told = [f"release {found.namespace}/{found.release}: {summary(found)}", *what[:20], *more]
            self.fail_json(
                presentable("\n".join(told)),
                code="plan.changes",
                hint="Deploy the release, or find out who changed the objects.",
                details={},
                **result,
            )
        return result

    def result(self, found):
        from pulumi_gitops.core.deploy.report import as_json, as_markdown, as_text

        document = as_json(found)
        self.warn_all(document["warnings"])
        told = [change for change in found.changes if change.changed or change.error is not None]
        return {
            **{key: document[key] for key in ("changed", "digest", "set_digest", "revision", "refused", "counts")},
            **bounded("changes", document["changes"], shortened),
            **self.diffs(told, change_diff),
            "report": {"text": cut(as_text(found)), "markdown": as_markdown(found)},
        }

    def write(self, found, markdown):
        from pulumi_gitops.core.deploy import write_plan_file
        from pulumi_gitops.core.errors import InputError

        if self.params["plan_file"]:
            with replaced(Path(self.params["plan_file"])) as path:
                write_plan_file(found, path)
        if self.params["report"]:
            try:
                Path(self.params["report"]).write_text(markdown, encoding="utf-8")
            except OSError as error:
                raise InputError(f"the report {self.params['report']} can not be written: {error.strerror}") from error


@contextlib.contextmanager
def replaced(path):
    """Give a file that only its owner can read, and put it in the place of `path` when it is complete."""
    from pulumi_gitops.core.errors import InputError

    try:
        number, name = tempfile.mkstemp(prefix=".plan-", dir=path.parent)
    except OSError as error:
        raise InputError(f"the plan file {path} can not be written: {error.strerror}") from error
    os.close(number)
    temporary = Path(name)
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise InputError(f"the plan file {path} can not be written: {error.strerror}") from error
    finally:
        temporary.unlink(missing_ok=True)


def shortened(entry):
    """Return the entry of an object with at most so many fields, and values that fit a line or two."""
    fields = entry.get("fields", [])
    if not fields:
        return entry
    kept = [{key: shortened_value(value) for key, value in field.items()} for field in fields[:MOST_FIELDS]]
    more = {"fields_omitted": len(fields) - MOST_FIELDS} if len(fields) > MOST_FIELDS else {}
    return {**entry, "fields": kept, **more}


def shortened_value(value):
    text = value if isinstance(value, str) else str(value)
    return f"{text[:LONGEST_VALUE]}... ({len(text)} characters)" if len(text) > LONGEST_VALUE else value


def cut(text):
    """Return a text with whole lines only, and not too many of them."""
    if len(text) <= LONGEST_REPORT:
        return text
    kept = text[:LONGEST_REPORT].rpartition("\n")[0]
    return f"{kept}\nand {text[len(kept) :].count(chr(10))} more lines"


def main():
    module = Plan(
        argument_spec={
            **CONNECTION,
            **NAMED,
            **SOURCE,
            "plan_file": {"type": "path"},
            "report": {"type": "path"},
            "fail_on_change": {"type": "bool", "default": False},
        },
        mutually_exclusive=[SOURCES],
        required_one_of=[SOURCES],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
