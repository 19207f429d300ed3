# SPDX-License-Identifier: Apache-2.0
"""Objects and releases that tests deploy."""

from __future__ import annotations

from pulumi_gitops.core.deploy import DeployResult, Plan, ReleaseSpec
from pulumi_gitops.core.objects import KubeObject, ObjectRef


def config(name: str = "web", *, annotations: dict[str, str] | None = None, **data: str) -> KubeObject:
    """Return a ConfigMap."""
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"color": "blue"}}


def secret(name: str = "web", **values: str) -> KubeObject:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def deployment(name: str = "web", *, replicas: int = 1, image: str = "registry.example.com/web:1") -> KubeObject:
    """Return a Deployment with one container."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": name, "image": image}]},
            },
        },
    }


def job(name: str = "migrate", *, image: str = "registry.example.com/migrate:1", **annotations: str) -> KubeObject:
    """Return a Job; kwok completes its pods."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": name, "image": image}]}}},
    }


def custom_kind(group: str) -> tuple[KubeObject, KubeObject]:
    """Return the definition of a kind called Widget, whose ``spec.size`` is a number, and a widget."""
    size = {"type": "object", "properties": {"size": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": size}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
    return definition, {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}


def release(namespace: str, *objects: KubeObject, **more: object) -> ReleaseSpec:
    """Return a release called shop."""
    return ReleaseSpec(**{"name": "shop", "namespace": namespace, "objects": objects, "wait_timeout": 60, **more})


def config_ref(namespace: str, name: str = "web") -> ObjectRef:
    """Return the identity of a ConfigMap."""
    return ObjectRef("", "v1", "ConfigMap", namespace, name)


def actions(result: DeployResult | Plan) -> dict[str, str]:
    """Return object -> action, without namespaces."""
    return {f"{change.ref.kind} {change.ref.name}": str(change.action) for change in result.changes}
