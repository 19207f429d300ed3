# SPDX-License-Identifier: Apache-2.0
"""Fit released manifests to a cluster: namespace, image registry, pull secret. Nothing is changed in place."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from ..objects import KubeObject, ObjectRef, is_crd, pod_template_of

# Cluster-scoped kinds of the groups that Kubernetes itself serves (v1.36); all others of these groups live in a
# namespace. Scopes are needed offline: a preview may have no cluster yet.
_CLUSTER_SCOPED = {
    "": {"ComponentStatus", "Namespace", "Node", "PersistentVolume"},
    "admissionregistration.k8s.io": {
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    },
    "apiextensions.k8s.io": {"CustomResourceDefinition"},
    "apiregistration.k8s.io": {"APIService"},
    "apps": set(),
    "autoscaling": set(),
    "batch": set(),
    "certificates.k8s.io": {"CertificateSigningRequest", "ClusterTrustBundle"},
    "coordination.k8s.io": set(),
    "discovery.k8s.io": set(),
    "flowcontrol.apiserver.k8s.io": {"FlowSchema", "PriorityLevelConfiguration"},
    "networking.k8s.io": {"IngressClass", "IPAddress", "ServiceCIDR"},
    "node.k8s.io": {"RuntimeClass"},
    "policy": set(),
    "rbac.authorization.k8s.io": {"ClusterRole", "ClusterRoleBinding"},
    "scheduling.k8s.io": {"PriorityClass"},
    "storage.k8s.io": {"CSIDriver", "CSINode", "StorageClass", "VolumeAttachment", "VolumeAttributesClass"},
}
_DOCKER_HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")


def set_namespace(objects: Sequence[KubeObject], namespace: str) -> list[KubeObject]:
    """Return the objects moved into a namespace, as kustomize's namespace transformer does.

    All namespaced objects get it, whatever they named before. ServiceAccounts that are in the set are followed where
    ClusterRoleBindings and RoleBindings name them as subjects with a namespace. A custom kind counts as namespaced when
    its CRD in the set says so; one whose CRD is elsewhere stays as it is.
    """
    crds = {
        (str(obj["spec"].get("group")), str(obj["spec"].get("names", {}).get("kind"))): obj["spec"].get("scope")
        for obj in objects
        if is_crd(obj) and isinstance(obj.get("spec"), dict)
    }
    accounts = {obj["metadata"]["name"] for obj in objects if obj.get("kind") == "ServiceAccount"}
    moved = []
    for original in objects:
        obj = copy.deepcopy(original)
        ref = ObjectRef.of(obj)
        if _is_namespaced(ref) or crds.get((ref.group, ref.kind)) == "Namespaced":
            obj["metadata"]["namespace"] = namespace
        if ref.kind in ("ClusterRoleBinding", "RoleBinding"):
            for subject in obj.get("subjects") or []:
                # A RoleBinding may leave the namespace out: its own then counts.
                follows = ref.kind == "ClusterRoleBinding" or "namespace" in subject
                if follows and subject.get("kind") == "ServiceAccount" and subject.get("name") in accounts:
                    subject["namespace"] = namespace
        moved.append(obj)
    return moved


def _is_namespaced(ref: ObjectRef) -> bool:
    cluster_scoped = _CLUSTER_SCOPED.get(ref.group)
    return cluster_scoped is not None and ref.kind not in cluster_scoped


def set_registry(objects: Iterable[KubeObject], registry: str) -> list[KubeObject]:
    """Return the objects with all images of containers and init containers pulled from `registry`.

    The host of each image is replaced, the rest is kept: ``quay.io/argoproj/argocd:v3.5.7`` becomes
    ``<registry>/argoproj/argocd:v3.5.7``, and ``redis:8``, which means ``docker.io/library/redis:8``, becomes
    ``<registry>/library/redis:8``.
    """
    changed = []
    for original in objects:
        obj = copy.deepcopy(original)
        for container in _containers(obj):
            if isinstance(container.get("image"), str):
                container["image"] = f"{registry}/{_without_host(container['image'])}"
        changed.append(obj)
    return changed


def _containers(obj: KubeObject) -> list[dict[str, Any]]:
    spec = (pod_template_of(obj) or {}).get("spec") or {}
    return [c for part in ("initContainers", "containers") for c in spec.get(part) or [] if isinstance(c, dict)]


def _without_host(image: str) -> str:
    # The first part is a host if it has a dot or a port, or is localhost (distribution/reference, splitDockerDomain).
    host, slash, rest = image.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", image
    if host in _DOCKER_HUB and "/" not in rest:
        return f"library/{rest}"
    return rest


def set_pull_secret(objects: Iterable[KubeObject], name: str) -> list[KubeObject]:
    """Return the objects with the Secret `name` as image pull secret of every pod template and ServiceAccount."""
    changed = []
    for original in objects:
        obj = copy.deepcopy(original)
        if obj.get("kind") == "ServiceAccount" and obj.get("apiVersion") == "v1":
            _add_pull_secret(obj, name)
        template = pod_template_of(obj)
        if template is not None:
            _add_pull_secret(template["spec"], name)
        changed.append(obj)
    return changed


def _add_pull_secret(holder: dict[str, Any], name: str) -> None:
    secrets = holder.get("imagePullSecrets") or []
    if {"name": name} not in secrets:
        holder["imagePullSecrets"] = [*secrets, {"name": name}]
