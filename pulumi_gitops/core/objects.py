# SPDX-License-Identifier: Apache-2.0
"""Kubernetes objects as plain dicts, and the identity of one."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

KubeObject = dict[str, Any]

CRD_GROUP = "apiextensions.k8s.io"

_Json = TypeVar("_Json")


class ObjectRef(NamedTuple):
    """The identity of an object. A tuple, as thousands are made in a run.

    Attributes:
        group: API group, "" for the core group.
        version: Version within the group, for example ``v1``. Not part of :attr:`key`.
        kind: Kind, for example ``Deployment``.
        namespace: Namespace, "" for a cluster-scoped object.
        name: Name.
    """

    group: str
    version: str
    kind: str
    namespace: str
    name: str

    @classmethod
    def of(cls, obj: KubeObject) -> ObjectRef:
        """Return the identity of `obj`; missing parts become ""."""
        group, _, version = str(obj.get("apiVersion", "")).rpartition("/")
        metadata = obj.get("metadata") or {}
        namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
        return cls(group, version, str(obj.get("kind", "")), namespace, name)

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def group_kind(self) -> str:
        """``apps/Deployment``, or ``ConfigMap`` for the core group."""
        return f"{self.group}/{self.kind}" if self.group else self.kind

    @property
    def key(self) -> str:
        """Stable text form without the version: ``apps/Deployment/shop/web``, ``Namespace/shop``."""
        place = f"{self.kind}/{self.namespace}/{self.name}" if self.namespace else f"{self.kind}/{self.name}"
        return f"{self.group}/{place}" if self.group else place

    def __str__(self) -> str:
        """For people: ``Deployment shop/web``, ``Namespace shop``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def labels_of(obj: KubeObject) -> dict[str, str]:
    """Return the labels of `obj` (an empty dict when there are none)."""
    return (obj.get("metadata") or {}).get("labels") or {}


def annotations_of(obj: KubeObject) -> dict[str, str]:
    """Return the annotations of `obj` (an empty dict when there are none)."""
    return (obj.get("metadata") or {}).get("annotations") or {}


def uid_of(obj: KubeObject) -> str:
    """Return ``metadata.uid``, "" when absent."""
    return str((obj.get("metadata") or {}).get("uid") or "")


def copied(value: _Json) -> _Json:
    """Return a deep copy of a JSON value: several times as fast as ``copy.deepcopy``, which looks for cycles."""
    if isinstance(value, dict):
        return {key: copied(below) for key, below in value.items()}  # type: ignore[return-value]  # the same type
    if isinstance(value, list):
        return [copied(item) for item in value]  # type: ignore[return-value]  # the same type
    return value


def with_metadata(obj: KubeObject, **fields: Any) -> KubeObject:
    """Return a copy of `obj` (metadata copied deeply, the rest shared) with these metadata fields set."""
    return {**obj, "metadata": {**copied(obj.get("metadata") or {}), **fields}}


def is_crd(obj: KubeObject) -> bool:
    """Tell whether `obj` is a CustomResourceDefinition."""
    return obj.get("kind") == "CustomResourceDefinition" and str(obj.get("apiVersion", "")).startswith(CRD_GROUP + "/")


def pod_template_of(obj: KubeObject) -> KubeObject | None:
    """Return the pod template (a dict with ``spec``) that a workload carries, or None.

    Knows Pod itself, every kind with ``spec.template.spec`` (Deployment, StatefulSet, DaemonSet, ReplicaSet, Job and
    custom workloads of that shape) and CronJob.
    """
    spec = obj.get("spec")
    if not isinstance(spec, dict):
        return None
    if obj.get("kind") == "Pod":
        return obj
    template: Any = spec.get("template")
    if obj.get("kind") == "CronJob":
        template = ((spec.get("jobTemplate") or {}).get("spec") or {}).get("template")
    if isinstance(template, dict) and isinstance(template.get("spec"), dict):
        return template
    return None
