# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application
version_added: 0.1.0
short_description: Let a GitOps controller sync a folder of a repository, or a chart
description:
  - Declares an application - for Argo CD an C(Application), for Flux a C(Kustomization) or C(HelmRelease) - and waits
    until the controller has synced the newest commit of what it follows and everything in it is healthy.
  - Fails at once, with the message of the controller, when the sync fails.
extends_documentation_fragment:
  - iac.gitops._attributes
  - iac.gitops._attributes.wiring_group
  - iac.gitops._attributes.no_action_plugin
  - iac.gitops._kube_auth
  - iac.gitops._wait
  - iac.gitops._wiring
  - iac.gitops._wiring.any_controller
options:
  name:
    description: Name of the application.
    type: str
    required: true
  url:
    description: URL of the repository. Required with O(state=present), unless there is O(repository) or O(sources).
    type: str
  path:
    description:
      - Folder in the repository that holds the manifests. Required with O(state=present), unless there is
        O(helm.chart) or O(sources).
    type: str
  revision:
    description:
      - Branch, tag or commit to follow. For Flux V(HEAD) is the branch V(main), a tag is written V(tag:v1), a range of
        versions V(semver:1.x). Of OCI artifacts it is a tag (V(HEAD) is V(latest)), a range, or a digest V(sha256:...).
      - For Flux it is not given along with O(repository), which says itself what is followed, nor for a chart.
    type: str
    default: HEAD
  destination_namespace:
    description: Namespace that objects without one go to. Required with O(state=present).
    type: str
  project:
    description: Project of the application. Argo CD only.
    type: str
    default: default
  auto_sync:
    description: Whether the controller syncs by itself. Without it nothing is awaited; see M(iac.gitops.sync).
    type: bool
    default: true
  prune:
    description: Whether the controller removes objects that left the repository. For charts Flux always does.
    type: bool
    default: true
  self_heal:
    description: Whether the controller reverts changes that others make in the cluster. Flux always does.
    type: bool
    default: false
  create_namespace:
    description:
      - Whether to create O(destination_namespace). For Flux one that was created goes with the application, unless
        another one deploys into it; one that was there before, and that of an application of Argo CD, stays.
    type: bool
    default: false
  helm:
    description:
      - How to render a Helm chart, in O(path) or, with O(helm.chart), from a Helm repository or C(oci://) registry at
        O(url). Flux renders none in O(path).
      - For Flux O(helm) without O(helm.chart) and O(path) is a chart whose own URL is O(url), or that of the
        O(repository) with O(repository_type=oci).
    type: dict
    default: {}
    suboptions:
      chart:
        description: Name of the chart in the Helm repository or registry.
        type: str
      version:
        description:
          - Version of the chart, or a range. The newest one without it. For Flux, if O(url) begins with C(oci://), it
            may be a digest, V(sha256:...).
          - It is not given along with O(repository_type=oci), as the repository says itself what is followed.
        type: str
      values:
        description: Values.
        type: dict
      value_files:
        description: Files with values in the repository. Argo CD only.
        type: list
        elements: str
      values_from:
        description: ConfigMaps and Secrets with values, as in the C(spec) of a C(HelmRelease). Flux only.
        type: list
        elements: dict
      parameters:
        description: Single values by their paths, V(image.tag). Argo CD only.
        type: dict
      release_name:
        description: Name of the Helm release. That of the application without it.
        type: str
  kustomize:
    description:
      - Changes to a kustomization, as in the C(spec) of an C(Application) - C(images), C(namePrefix), C(replicas) and
        so on. Argo CD only.
    type: dict
    default: {}
  sources:
    description:
      - Several sources instead of O(url), O(path), O(revision) and O(helm), as in the C(spec) of an C(Application).
        Argo CD only.
    type: list
    elements: dict
    default: []
  ignore_differences:
    description: Differences that do not count, as in the C(spec) of an C(Application). Argo CD only.
    type: list
    elements: dict
    default: []
  retry:
    description: How failed syncs are tried again, as C(syncPolicy.retry) of an C(Application). Argo CD only.
    type: dict
    default: {}
  sync_options:
    description:
      - More C(syncOptions) of the C(Application). V(ServerSideApply=true) is there unless it is given with another
        value. Argo CD only.
    type: list
    elements: str
    default: []
  sync_wave:
    description: Wave of this application among those of one app of apps. Argo CD only.
    type: int
  repository:
    description:
      - Name of a repository (see M(iac.gitops.repository)) to read from. Without it the application gets a source of
        its own, without credentials, for O(url) and O(revision). Flux only.
    type: str
  repository_type:
    description:
      - What O(repository) is; with V(oci) its artifact holds the folder O(path), or is the chart that O(helm) is about.
        With O(helm.chart) it is a Helm repository, and this is left out. Flux only.
    type: str
    choices: [git, oci]
    default: git
  interval:
    description: How often the cluster is compared with the repository. Flux only.
    type: str
    default: 10m
  retry_interval:
    description: How soon a failure is tried again. Default is O(interval). Flux only, and not for charts.
    type: str
  timeout:
    description: How long one attempt may take. Flux only.
    type: str
  depends_on:
    description: Names of applications that have to be ready before. Flux only.
    type: list
    elements: str
    default: []
  health_checks:
    description:
      - Objects that have to be healthy, each with C(apiVersion), C(kind), C(name) and C(namespace). All that were
        applied when empty. Flux only, and not for charts.
    type: list
    elements: dict
    default: []
  substitute:
    description: Variables for the manifests, C(${name}) in them. Values are texts. Flux only, and not for charts.
    type: dict
    default: {}
  substitute_from:
    description:
      - ConfigMaps and Secrets that hold variables, each with C(kind) and C(name). Flux only, and not for charts.
    type: list
    elements: dict
    default: []
  decryption:
    description: How to decrypt manifests. Flux only, and not for charts.
    type: dict
    default: {}
    suboptions:
      provider:
        description: Kind of encryption. Default is V(sops).
        type: str
      secret:
        description: Name of the Secret in the namespace of Flux that holds the keys.
        type: str
  service_account:
    description: Service account that applies the objects. Flux only.
    type: str
  remediation:
    description: How often an installation or upgrade of a chart is tried again before it counts as failed. Flux only.
    type: int
  drift_detection:
    description: What is done about changes that others make to the objects of a chart. Flux only.
    type: str
    choices: [enabled, warn, disabled]
  labels:
    description: Labels of the application object.
    type: dict
    default: {}
  state:
    description:
      - V(absent) removes the application, and with it the objects that it deployed. O(name) is enough for it; a
        connected repository stays.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: iac.gitops.repository
  - module: iac.gitops.project
  - module: iac.gitops.application_set
  - module: iac.gitops.sync
author:
  - pulumi-gitops contributors (@pulumi-gitops)
"""

EXAMPLES = r"""
- name: The shop is pulled from the config repository
  iac.gitops.application:
    controller: argocd
    name: shop
    url: https://git.example.com/config.git
    path: apps/shop
    destination_namespace: shop
    create_namespace: true
    self_heal: true

- name: A kustomization with another image, in a project, tried again when the sync fails
  iac.gitops.application:
    name: shop
    project: shop
    url: https://git.example.com/config.git
    path: apps/shop/overlays/staging
    destination_namespace: shop
    kustomize:
      images:
        - shop=registry.example.com/shop:1.7
    ignore_differences:
      - group: apps
        kind: Deployment
        jsonPointers: [/spec/replicas]
    retry:
      limit: 5
      backoff: {duration: 10s, factor: 2, maxDuration: 3m}
    sync_options: [RespectIgnoreDifferences=true]
    sync_wave: 2
    labels: {team: shop}

- name: A chart with values
  iac.gitops.application:
    name: podinfo
    url: https://charts.example.com
    helm:
      chart: podinfo
      version: 6.9.2
      release_name: hello
      values:
        replicaCount: 2
      parameters:
        image.tag: 6.9.2
    destination_namespace: podinfo

- name: A chart, with values from another repository
  iac.gitops.application:
    name: podinfo
    sources:
      - repoURL: https://charts.example.com
        chart: podinfo
        targetRevision: 6.9.2
        helm:
          valueFiles: [$values/podinfo/values.yaml]
      - repoURL: https://git.example.com/config.git
        targetRevision: main
        ref: values
    destination_namespace: podinfo

- name: Flux syncs a folder of a connected repository, after another one, with variables and encrypted secrets
  iac.gitops.application:
    controller: flux
    name: shop
    repository: config
    path: apps/shop
    destination_namespace: shop
    create_namespace: true
    interval: 5m
    retry_interval: 30s
    timeout: 3m
    depends_on: [database]
    health_checks:
      - {apiVersion: apps/v1, kind: Deployment, name: shop, namespace: shop}
    substitute:
      stage: staging
    substitute_from:
      - {kind: ConfigMap, name: cluster-production}
    decryption:
      secret: sops-age
    service_account: shop

- name: Flux syncs a tag of a public repository
  iac.gitops.application:
    controller: flux
    name: podinfo
    url: https://git.example.com/podinfo.git
    revision: tag:6.9.2
    path: kustomize
    destination_namespace: podinfo

- name: Flux syncs a folder of OCI artifacts of a connected registry
  iac.gitops.application:
    controller: flux
    name: shop
    repository: artifacts
    repository_type: oci
    path: shop
    destination_namespace: shop

- name: Flux installs a chart
  iac.gitops.application:
    controller: flux
    name: podinfo
    repository: charts
    helm:
      chart: podinfo
      version: ">=6.9.0 <7"
      values_from:
        - {kind: Secret, name: podinfo-values}
    remediation: 3
    drift_detection: enabled
    destination_namespace: podinfo

- name: Flux installs a chart of a public registry, at one version
  iac.gitops.application:
    controller: flux
    name: podinfo
    url: oci://registry.example.com/charts/podinfo
    helm:
      version: 6.9.2
      values:
        replicaCount: 2
    destination_namespace: podinfo

- name: Flux installs a chart that is a connected repository of type oci, which follows its versions
  iac.gitops.application:
    controller: flux
    name: podinfo
    repository: podinfo
    repository_type: oci
    helm:
      values:
        replicaCount: 2
    destination_namespace: podinfo

- name: Remove an application with what it deployed
  iac.gitops.application:
    name: shop
    state: absent
"""

RETURN = r"""
revision:
  description: Commit that the application is synced to; empty when it was never synced.
  returned: success
  type: str
  sample: 1f3c9a20b7a4e1f8a7c6d1b9a3f5e2c4d6b8a0e1
sync:
  description: State of the sync as the controller names it.
  returned: success
  type: str
  sample: Synced
health:
  description: Health as the controller names it.
  returned: success
  type: str
  sample: Healthy
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
      sample: Application
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
from ansible_collections.iac.gitops.plugins.module_utils._wiring import IDENTITY, WiringModule


class Application(WiringModule, AnsibleModule):
    def work(self):
        from pulumi_gitops.core.cluster import connect
        from pulumi_gitops.core.controllers import ApplicationSpec, apply_application, remove_application

        if self.params["state"] == "present":
            spec, act = self.spec(ApplicationSpec), apply_application
        else:
            spec, act = self.unwanted(ApplicationSpec), remove_application
        with connect(self.connection()) as cluster:
            result = act(cluster, spec, check=self.check_mode)
        return self.report(result.changes, revision=result.revision, sync=result.sync, health=result.health)

    def unwanted(self, kind):
        """Return a spec of what is to be removed; it has to be complete, though only its name counts."""
        return self.identified(
            kind,
            url="https://unused.invalid/unused",
            path="unused",
            destination_namespace="unused",
            wait=self.params["wait"],
            wait_timeout=self.params["wait_timeout"],
        )


def main():
    module = Application(
        argument_spec={
            **CONNECTION,
            **WAIT,
            **IDENTITY,
            "url": {"type": "str"},
            "path": {"type": "str"},
            "revision": {"type": "str", "default": "HEAD"},
            "destination_namespace": {"type": "str"},
            "project": {"type": "str", "default": "default"},
            "auto_sync": {"type": "bool", "default": True},
            "prune": {"type": "bool", "default": True},
            "self_heal": {"type": "bool", "default": False},
            "create_namespace": {"type": "bool", "default": False},
            "helm": {
                "type": "dict",
                "default": {},
                "options": {
                    "chart": {"type": "str"},
                    "version": {"type": "str"},
                    "values": {"type": "dict"},
                    "value_files": {"type": "list", "elements": "str"},
                    "values_from": {"type": "list", "elements": "dict"},
                    "parameters": {"type": "dict"},
                    "release_name": {"type": "str"},
                },
            },
            "kustomize": {"type": "dict", "default": {}},
            "sources": {"type": "list", "elements": "dict", "default": []},
            "ignore_differences": {"type": "list", "elements": "dict", "default": []},
            "retry": {"type": "dict", "default": {}},
            "sync_options": {"type": "list", "elements": "str", "default": []},
            "sync_wave": {"type": "int"},
            "repository": {"type": "str"},
            "repository_type": {"type": "str", "default": "git", "choices": ["git", "oci"]},
            "interval": {"type": "str", "default": "10m"},
            "retry_interval": {"type": "str"},
            "timeout": {"type": "str"},
            "depends_on": {"type": "list", "elements": "str", "default": []},
            "health_checks": {"type": "list", "elements": "dict", "default": []},
            "substitute": {"type": "dict", "default": {}},
            "substitute_from": {"type": "list", "elements": "dict", "default": []},
            "decryption": {
                "type": "dict",
                "default": {},
                "options": {"provider": {"type": "str"}, "secret": {"type": "str", "no_log": False}},
            },
            "service_account": {"type": "str"},
            "remediation": {"type": "int"},
            "drift_detection": {"type": "str", "choices": ["enabled", "warn", "disabled"]},
            "labels": {"type": "dict", "default": {}},
        },
        required_if=[("state", "present", ("destination_namespace",))],
        supports_check_mode=True,
    )
    module.run()


if __name__ == "__main__":
    main()
