# SPDX-License-Identifier: Apache-2.0
"""The objects that connect Argo CD with repositories: as values, nothing is sent."""

from __future__ import annotations

from typing import Any

from ...objects import KubeObject, ObjectRef
from ..application_spec import ApplicationSpec
from ..marks import MANAGED_BY
from ..repository_spec import RepositorySpec

GROUP, VERSION = "argoproj.io", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
"""With it the controller deletes what an Application or AppProject deployed before the object itself goes."""

SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type"  # noqa: S105  # the name of a label
WAVE_ANNOTATION = "argocd.argoproj.io/sync-wave"


def application_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of an Application."""
    return ObjectRef(GROUP, VERSION, "Application", namespace, name)


def application_set_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of an ApplicationSet."""
    return ObjectRef(GROUP, VERSION, "ApplicationSet", namespace, name)


def project_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of an AppProject."""
    return ObjectRef(GROUP, VERSION, "AppProject", namespace, name)


def repository_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of the Secret that holds a repository's connection."""
    return ObjectRef("", "v1", "Secret", namespace, f"repo-{name}")


def repository_objects(spec: RepositorySpec) -> list[KubeObject]:
    """Return the Secret that gives Argo CD access to a repository (docs: declarative setup, repositories)."""
    given = {
        "type": "helm" if spec.type == "oci" else spec.type,
        "url": spec.url.removeprefix("oci://"),
        "enableOCI": "true" if spec.type == "oci" else None,
        "name": None if spec.template or spec.type == "git" else spec.name,
        # Token servers take any user name, but not an empty one.
        "username": spec.username or ("git" if spec.password is not None else None),
        "password": spec.password,
        "bearerToken": spec.bearer_token,
        "sshPrivateKey": spec.ssh_private_key,
        "githubAppID": spec.github_app_id,
        "githubAppInstallationID": spec.github_app_installation_id,
        "githubAppPrivateKey": spec.github_app_private_key,
        "githubAppEnterpriseBaseUrl": spec.github_app_url,
        "tlsClientCertData": spec.client_cert,
        "tlsClientCertKey": spec.client_key,
        "proxy": spec.proxy,
        "noProxy": spec.no_proxy,
        "project": spec.project,
    }
    ref = repository_ref(spec.name, spec.target_namespace)
    secret = wiring_object(ref, labels={SECRET_TYPE_LABEL: "repo-creds" if spec.template else "repository"})
    data = {key: value for key, value in given.items() if value is not None}
    return [{**secret, "type": "Opaque", "stringData": data}]


def application_objects(spec: ApplicationSpec) -> list[KubeObject]:
    """Return the Application."""
    application = wiring_object(
        application_ref(spec.name, spec.target_namespace),
        labels=dict(spec.labels),
        annotations={WAVE_ANNOTATION: str(spec.sync_wave)} if spec.sync_wave is not None else None,
        finalizers=[FINALIZER],
    )
    sources: dict[str, Any] = {"sources": [dict(source) for source in spec.sources]} if spec.sources else {}
    content: dict[str, Any] = {
        "project": spec.project,
        **(sources or {"source": _source(spec)}),
        "destination": {"server": "https://kubernetes.default.svc", "namespace": spec.destination_namespace},
        "syncPolicy": _sync_policy(spec),
    }
    if spec.ignore_differences:
        content["ignoreDifferences"] = [dict(rule) for rule in spec.ignore_differences]
    return [{**application, "spec": content}]


def _source(spec: ApplicationSpec) -> dict[str, Any]:
    """Return the one source of an Application."""
    source: dict[str, Any] = {"repoURL": spec.url.removeprefix("oci://")}
    if spec.is_chart:
        source |= {"chart": spec.helm["chart"], "targetRevision": str(spec.helm.get("version", "*"))}
    else:
        source |= {"path": spec.path, "targetRevision": spec.revision}
    helm = {
        "releaseName": spec.helm.get("release_name"),
        "valuesObject": spec.helm.get("values"),
        "valueFiles": spec.helm.get("value_files"),
        "parameters": [
            {"name": str(name), "value": str(value)} for name, value in (spec.helm.get("parameters") or {}).items()
        ]
        or None,
    }
    given = {key: value for key, value in helm.items() if value is not None}
    if given:
        source["helm"] = given
    if spec.kustomize:
        source["kustomize"] = dict(spec.kustomize)
    return source


def _sync_policy(spec: ApplicationSpec) -> dict[str, Any]:
    automated: dict[str, Any] = {"prune": spec.prune, "selfHeal": spec.self_heal}
    if not spec.auto_sync:
        automated = {"enabled": False, **automated}
    # Server-side apply: Argo CD then owns the fields that Git sets, and no others, so releases move from push to pull
    # without a change, and objects may be larger than the annotation of client-side apply allows.
    options = ["ServerSideApply=true"]
    if spec.create_namespace:
        options.append("CreateNamespace=true")
    names = {option.partition("=")[0] for option in spec.sync_options}
    options = [option for option in options if option.partition("=")[0] not in names]
    policy: dict[str, Any] = {"automated": automated, "syncOptions": [*options, *spec.sync_options]}
    if spec.retry:
        policy["retry"] = dict(spec.retry)
    return policy


def default_project(namespace: str) -> KubeObject:
    """Return the AppProject ``default`` as argocd-server makes it (server/server.go, initializeDefaultProject)."""
    return {
        **wiring_object(project_ref("default", namespace)),
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def wiring_object(
    ref: ObjectRef,
    *,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    finalizers: list[str] | None = None,
) -> KubeObject:
    """Return an object that is marked as made by us, without what it is about."""
    metadata: dict[str, Any] = {
        "name": ref.name,
        "namespace": ref.namespace,
        "labels": {**(labels or {}), **MANAGED_BY},
    }
    if annotations:
        metadata["annotations"] = annotations
    if finalizers:
        metadata["finalizers"] = finalizers
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}
