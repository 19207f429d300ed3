# SPDX-License-Identifier: Apache-2.0
"""For every specification of what is wired, and every controller: options as users give them, each at least once."""

from __future__ import annotations

from pulumi_gitops.core import controllers

URL = "https://git.example.com/team/config.git"
SSH = "ssh://git@git.example.com/team/config.git"
CHARTS = "https://charts.example.com"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0LWtleS1ieXRlcw==\n-----END OPENSSH PRIVATE KEY-----\n"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
LOGIN = {"username": "ci", "password": "pass-word-of-ci"}
GITHUB_APP = {
    "github_app_id": "1",
    "github_app_installation_id": "2",
    "github_app_private_key": KEY,
    "github_app_url": "https://github.example.com/api/v3",
}
CLIENT = {"client_cert": PEM, "client_key": KEY}
APP = {"url": URL, "path": "apps/shop", "destination_namespace": "shop"}
CHART = {"url": CHARTS, "destination_namespace": "shop"}
TEMPLATE = {
    "metadata": {"name": "{{.name}}", "labels": {"team": "shop"}},
    "spec": {
        "project": "default",
        "source": {"repoURL": URL, "path": "apps/{{.name}}", "targetRevision": "main"},
        "destination": {"name": "{{.cluster}}", "namespace": "shop"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    },
}
KUSTOMIZATION = {"kind": "Kustomization", "name": "*"}

CASES = {
    (controllers.RepositorySpec, "argocd"): (
        {"url": URL, **LOGIN, "project": "team", "proxy": "http://proxy.example.com", "no_proxy": "example.com"},
        {"url": "https://git.example.com/team", "bearer_token": "token-of-ci", "template": True},
        {"url": SSH, "ssh_private_key": KEY},
        {"url": "https://github.example.com/team/config.git", **GITHUB_APP},
        {"url": CHARTS, "type": "helm", **CLIENT},
        {"url": "oci://registry.example.com/charts", "type": "oci", **LOGIN},
    ),
    (controllers.RepositorySpec, "flux"): (
        {"url": URL, **LOGIN, "branch": "prod", "interval": "5m", "ignore": "*.md", "ca_cert": PEM},
        {"url": URL, "bearer_token": "token-of-ci", "tag": "v1", "include": {"base": "vendor/base"}},
        {"url": SSH, "ssh_private_key": KEY, "known_hosts": "git.example.com ssh-ed25519 AAAA", "commit": 40 * "a"},
        {"url": URL, **GITHUB_APP, "semver": ">=1.2.0 <2", "verify": {"mode": "HEAD", "secret": "keys"}},
        {"url": URL, **CLIENT, "proxy": "http://proxy.example.com:3128"},
        {"url": CHARTS, "type": "helm", **LOGIN, **CLIENT, "ca_cert": PEM},
        {"url": "oci://registry.example.com/charts", "type": "helm", **LOGIN},
        {"url": "oci://registry.example.com/manifests", "type": "oci"},
        {"url": "oci://registry.example.com/manifests", "type": "oci", **LOGIN, **CLIENT, "ca_cert": PEM,
         "proxy": "http://proxy.example.com", "semver": "1.x", "ignore": "*.md",
         "verify": {"provider": "cosign", "secret": "keys"}},
        {"url": "oci://registry.example.com/manifests", "type": "oci", "tag": "1.2.3"},
        {"url": "oci://registry.example.com/manifests", "type": "oci", "commit": "sha256:" + 64 * "a"},
        {"url": "oci://registry.example.com/charts/web", "type": "oci", "semver": "1.x",
         "layer_selector": {"media_type": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                            "operation": "copy"}},
    ),
    (controllers.ApplicationSpec, "argocd"): (
        {**APP, "project": "team", "revision": "prod", "self_heal": True, "create_namespace": True,
         "sync_options": ["RespectIgnoreDifferences=true"], "sync_wave": 2, "labels": {"team": "shop"},
         "retry": {"limit": 5, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "3m"}},
         "ignore_differences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"],
                                 "jqPathExpressions": [".spec"], "managedFieldsManagers": ["hpa"]}],
         "kustomize": {"images": ["shop=registry.example.com/shop:1.7"], "namePrefix": "a-", "nameSuffix": "-b",
                       "namespace": "shop", "replicas": [{"name": "web", "count": 3}], "commonLabels": {"a": "b"},
                       "patches": [{"target": {"kind": "Deployment"}, "patch": "- op: test"}]}},
        {**APP, "auto_sync": False, "prune": False, "wait": False, "wait_timeout": 60.0},
        {**CHART, "helm": {"chart": "web", "version": "1.2.3", "release_name": "hello", "parameters": {"image": "6"},
                           "values": {"replicas": 2, "nested": {"list": [1, "two", None]}}}},
        {**APP, "helm": {"value_files": ["values-prod.yaml"], "values": {"replicas": 2}}},
        {"destination_namespace": "shop", "sources": [
            {"repoURL": CHARTS, "chart": "web", "targetRevision": "1", "helm": {"valueFiles": ["$values/web.yaml"]}},
            {"repoURL": URL, "targetRevision": "main", "ref": "values"},
        ]},
    ),
    (controllers.ApplicationSpec, "flux"): (
        {**APP, "revision": "tag:v1", "create_namespace": True, "interval": "5m", "retry_interval": "30s",
         "timeout": "3m", "depends_on": ["base"], "labels": {"team": "shop"}, "service_account": "shop",
         "health_checks": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "namespace": "shop"}],
         "substitute": {"stage": "prod"}, "substitute_from": [{"kind": "ConfigMap", "name": "cluster-prod"}],
         "decryption": {"provider": "sops", "secret": "keys"}, "prune": False, "self_heal": True},
        {"repository": "config", "path": "apps/shop", "destination_namespace": "shop", "auto_sync": False,
         "wait": False, "wait_timeout": 60.0, "decryption": {"secret": "keys"}},
        {**APP, "revision": "semver:1.x"},
        {**APP, "url": "oci://registry.example.com/manifests", "revision": "semver:1.x"},
        {**APP, "url": "oci://registry.example.com/manifests", "revision": "sha256:" + 64 * "a"},
        {"repository": "artifacts", "repository_type": "oci", "path": ".", "destination_namespace": "shop"},
        {**APP, "revision": 40 * "a"},
        {**APP, "revision": "refs/pull/1/head"},
        {**CHART, "remediation": 3, "drift_detection": "enabled", "interval": "5m", "timeout": "1h30m",
         "depends_on": ["base"], "service_account": "shop", "auto_sync": False, "create_namespace": True,
         "helm": {"chart": "web", "version": ">=1 <2", "release_name": "hello",
                  "values": {"replicas": 2, "nested": {"list": [1, "two"]}},
                  "values_from": [{"kind": "Secret", "name": "web", "valuesKey": "values.yaml", "optional": True}]}},
        {**CHART, "url": "oci://registry.example.com/charts", "helm": {"chart": "web"}, "drift_detection": "warn"},
        {**CHART, "url": "oci://registry.example.com/charts/web", "helm": {"version": "1.2.3", "values": {"a": 1}}},
        {**CHART, "url": "oci://registry.example.com/charts/web", "helm": {"version": "sha256:" + 64 * "a"}},
        {"repository": "web", "repository_type": "oci", "destination_namespace": "shop", "helm": {"values": {}}},
        {"repository": "charts", "destination_namespace": "shop", "helm": {"chart": "web"}, "remediation": 0,
         "drift_detection": "disabled"},
    ),
    (controllers.ProjectSpec, "argocd"): (
        {},
        {"description": "Shop", "source_repos": [URL], "namespace_resources": [{"group": "*", "kind": "*"}],
         "destinations": [{"namespace": "shop"}, {"server": "*", "namespace": "*", "name": "edge"}],
         "cluster_resources": [{"group": "", "kind": "Namespace"}], "signature_keys": ["4AEE18F83AFDEB23"],
         "roles": [{"name": "ci", "description": "CI", "groups": ["team"],
                    "policies": ["p, proj:team:ci, applications, sync, team/*, allow"]}],
         "sync_windows": [{"kind": "deny", "schedule": "0 22 * * *", "duration": "1h", "applications": ["*"],
                           "namespaces": ["shop"], "clusters": ["*"], "manualSync": True, "timeZone": "UTC"}],
         "orphaned_resources": True},
    ),
    (controllers.ApplicationSetSpec, "argocd"): (
        {"template": TEMPLATE, "preserve_resources": True, "sync_policy": "create-update", "go_template": False,
         "wait": False, "wait_timeout": 60.0,
         "generators": [
             {"list": {"elements": [{"name": "web", "cluster": "edge"}]}},
             {"git": {"repoURL": URL, "revision": "main", "directories": [{"path": "apps/*"}]}},
             {"clusters": {"selector": {"matchLabels": {"stage": "prod"}}, "values": {"a": "b"}}},
         ]},
        {"template": TEMPLATE,
         "generators": [
             {"matrix": {"generators": [{"git": {"repoURL": URL, "revision": "main", "files": [{"path": "*.json"}]}},
                                        {"clusters": {}}]}},
             {"merge": {"mergeKeys": ["name"], "generators": [{"clusters": {}}, {"list": {"elements": []}}]}},
             {"plugin": {"configMapRef": {"name": "plugin"}, "requeueAfterSeconds": 30}},
             {"pullRequest": {"github": {"owner": "team", "repo": "shop"}, "requeueAfterSeconds": 60}},
             {"scmProvider": {"gitea": {"owner": "team", "api": "https://git.example.com"}}},
             {"clusterDecisionResource": {"configMapRef": "decisions", "name": "edge"}},
         ],
         "strategy": {"type": "RollingSync", "rollingSync": {"steps": [
             {"matchExpressions": [{"key": "stage", "operator": "In", "values": ["test"]}], "maxUpdate": "10%"}]}}},
    ),
    (controllers.ClusterSpec, "argocd"): (
        {"server": "https://edge.example.com", "token": "token-of-edge", "ca_cert": PEM, "labels": {"stage": "prod"},
         "metadata": {"vpc": "vpc-1", "example.com/account": "123"}, "project": "team",
         "tls_server_name": "edge.internal.example.com"},
        {"server": "https://edge.example.com", **CLIENT, "insecure": True},
        {"server": "https://edge.example.com", "exec_plugin": {"command": "login", "args": ["edge"]}},
    ),
    (controllers.ClusterSpec, "flux"): ({"metadata": {"vpc": "vpc-1", "account.id": "123"}},),
    (controllers.NotificationSpec, "flux"): (
        {"type": "slack", "address": "https://hooks.example.com/secret-path", "channel": "shop", "username": "flux",
         "severity": "error", "exclude": ["no changes"], "sources": [KUSTOMIZATION]},
        {"type": "github", "address": "https://github.example.com/team/shop", "token": "token-of-ci"},
        {"type": "generic", "receiver": True, "token": "token-of-ci", "events": ["push"],
         "sources": [{"kind": "GitRepository", "name": "config"}]},
    ),
}  # fmt: skip
"""Specification and controller -> the options of each case, beside name, controller and namespace."""


def objects_of(kind, controller, options, *, name="shop", namespace="gitops"):
    """Return the objects of a case, as all faces would make them."""
    spec = kind(controller=controller, name=name, namespace=namespace, **options)
    if kind is controllers.RepositorySpec:
        return controllers.repository_objects(spec)
    if kind is controllers.ApplicationSpec:
        return controllers.application_objects(spec)
    return spec.objects()
