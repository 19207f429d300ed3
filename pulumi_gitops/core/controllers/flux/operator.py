# SPDX-License-Identifier: Apache-2.0
"""Flux by Flux Operator: we install the operator and declare a FluxInstance, the operator installs Flux from that.

What is done to manifests otherwise is said to the operator in its words. Field names follow the CRD
fluxcd.controlplane.io/v1. The operator is under the AGPL: it is installed from its release, none of it is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from ...objects import KubeObject, ObjectRef
from .. import catalog
from ..patches import check_patch, for_kustomize
from ..specs import ControllerSpec
from .manifests import COMPONENTS, check_flags, check_known

GROUP, VERSION = "fluxcd.controlplane.io", "v1"
API_VERSION = f"{GROUP}/{VERSION}"

_NAME = "flux"  # The operator looks at no other one.
_REGISTRY = "ghcr.io/fluxcd"
_BASE_URL = "https://github.com/controlplaneio-fluxcd/flux-operator/releases/download"
_DEFAULT_VERSION = "0.59.0"


def version_of(spec: ControllerSpec) -> str:
    """Return the version of the operator, "" when `manifests` holds one that is not told."""
    return "" if spec.manifests else spec.operator_version or _DEFAULT_VERSION


def manifest_url(spec: ControllerSpec) -> str:
    """Return where the operator's manifest is."""
    return f"{(spec.mirror or _BASE_URL).rstrip('/')}/v{version_of(spec)}/install.yaml"


def instance_ref(namespace: str) -> ObjectRef:
    """Return the identity of the FluxInstance."""
    return ObjectRef(GROUP, VERSION, "FluxInstance", namespace, _NAME)


def adjust(objects: Sequence[KubeObject], spec: ControllerSpec) -> list[KubeObject]:
    """Return the operator's manifests, and the FluxInstance after them.

    The namespace is left out: the operator puts its mark on it, as on all of Flux, so it can not be the release's.

    Raises:
        InputError: What is there is no operator, or an option is not valid.
    """
    if not any(obj.get("kind") == "CustomResourceDefinition" and _defines_instances(obj) for obj in objects):
        raise InputError(
            "the manifests are not those of Flux Operator: they define no FluxInstance",
            hint="With method operator, manifests is the operator's install.yaml.",
            details={"property": "manifests"},
        )
    return [*(obj for obj in objects if obj.get("kind") != "Namespace"), instance(spec)]


def _defines_instances(crd: KubeObject) -> bool:
    spec = crd.get("spec") or {}
    return (spec.get("group"), (spec.get("names") or {}).get("kind")) == (GROUP, "FluxInstance")


def instance(spec: ControllerSpec) -> KubeObject:
    """Return the FluxInstance that a spec asks for.

    Raises:
        InputError: A component is unknown, or a value or patch is not valid.
    """
    check_known(spec.components)
    distribution = {
        "version": spec.version or catalog.controller("flux").default_version,
        "registry": f"{spec.registry}/fluxcd" if spec.registry else _REGISTRY,
    }
    if spec.image_pull_secret:
        distribution["imagePullSecret"] = spec.image_pull_secret
    content: dict[str, Any] = {
        "distribution": distribution,
        "cluster": {"multitenant": spec.multitenant, "networkPolicy": spec.network_policies},
    }
    if spec.components:
        content["components"] = list(spec.components)
    patches = [*_flags(spec), *(for_kustomize(*check_patch(patch, n)) for n, patch in enumerate(spec.patches, start=1))]
    if patches:
        content["kustomize"] = {"patches": patches}
    ref = instance_ref(spec.target_namespace)
    return {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "spec": content,
    }


def _flags(spec: ControllerSpec) -> list[dict[str, Any]]:
    """Return patches that add flags; of a flag that is given twice the controllers take the last one."""
    flags = check_flags(spec)
    if not flags:
        return []
    operations = [{"op": "add", "path": "/spec/template/spec/containers/0/args/-", "value": flag} for flag in flags]
    return [for_kustomize({"kind": "Deployment", "name": f"({'|'.join(COMPONENTS)})"}, operations)]
