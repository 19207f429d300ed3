# SPDX-License-Identifier: Apache-2.0
"""The objects that connect Argo CD with repositories: as values, nothing is sent."""

from __future__ import annotations

from typing import Any

from ..objects import KubeObject, ObjectRef, labels_of
from .specs import ApplicationSpec, RepositorySpec

GROUP, VERSION = "argoproj.io", "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
FINALIZER = "resources-finalizer.argocd.argoproj.io"
"""With it the controller deletes what an Application or AppProject deployed before the object itself goes."""

SECRET_TYPE_LABEL = "argocd.argoproj.io/secret-type"  # noqa: S105  # the name of a label
_MANAGED_BY = {"app.kubernetes.io/managed-by": "pulumi-gitops"}


def application_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of an Application."""
    return ObjectRef(GROUP, VERSION, "Application", namespace, name)


def project_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of an AppProject."""
    return ObjectRef(GROUP, VERSION, "AppProject", namespace, name)


def repository_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of the Secret that holds a repository's connection."""
    return ObjectRef("", "v1", "Secret", namespace, f"repo-{name}")


def is_ours(obj: KubeObject) -> bool:
    """Tell whether one of our faces made a wiring object."""
    return _MANAGED_BY.items() <= labels_of(obj).items()


def repository_objects(spec: RepositorySpec) -> list[KubeObject]:
    """Return the Secret that gives Argo CD access to a repository (docs: declarative setup, repositories)."""
    data = {"type": "git", "url": spec.url}
    if spec.password is not None:
        # Token servers take any user name, but not an empty one.
        data |= {"username": spec.username or "git", "password": spec.password}
    elif spec.username is not None:
        data["username"] = spec.username
    ref = repository_ref(spec.name, spec.target_namespace)
    secret = _object(ref, labels={SECRET_TYPE_LABEL: "repository"})
    return [{**secret, "type": "Opaque", "stringData": data}]


def application_objects(spec: ApplicationSpec) -> list[KubeObject]:
    """Return the Application."""
    automated: dict[str, Any] = {"prune": spec.prune, "selfHeal": spec.self_heal}
    if not spec.auto_sync:
        automated = {"enabled": False, **automated}
    # Server-side apply: Argo CD then owns the fields that Git sets, and no others, so releases move from push to pull
    # without a change, and objects may be larger than the annotation of client-side apply allows.
    options = ["ServerSideApply=true"]
    if spec.create_namespace:
        options.append("CreateNamespace=true")
    application = _object(application_ref(spec.name, spec.target_namespace), finalizers=[FINALIZER])
    return [
        {
            **application,
            "spec": {
                "project": spec.project,
                "source": {"repoURL": spec.url, "path": spec.path, "targetRevision": spec.revision},
                "destination": {
                    "server": "https://kubernetes.default.svc",
                    "namespace": spec.destination_namespace,
                },
                "syncPolicy": {"automated": automated, "syncOptions": options},
            },
        }
    ]


def default_project(namespace: str) -> KubeObject:
    """Return the AppProject ``default`` as argocd-server makes it (server/server.go, initializeDefaultProject)."""
    return {
        **_object(project_ref("default", namespace)),
        "spec": {
            "sourceRepos": ["*"],
            "destinations": [{"server": "*", "namespace": "*"}],
            "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def _object(ref: ObjectRef, *, labels: dict[str, str] | None = None, finalizers: list[str] | None = None) -> KubeObject:
    metadata: dict[str, Any] = {
        "name": ref.name,
        "namespace": ref.namespace,
        "labels": {**_MANAGED_BY, **(labels or {})},
    }
    if finalizers:
        metadata["finalizers"] = finalizers
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}
