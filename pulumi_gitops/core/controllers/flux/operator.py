# SPDX-License-Identifier: Apache-2.0
"""Flux by Flux Operator: we install the operator and declare a FluxInstance, the operator installs Flux from that.

What is done to manifests otherwise is said to the operator in its words. Field names follow the CRD
fluxcd.controlplane.io/v1. The operator is under the AGPL: it is installed from its release, none of it is copied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

from ...cluster import Cluster
from ...deploy import (
    Action,
    Change,
    DeployResult,
    ProgressCallback,
    ReleaseSpec,
    delete_objects,
    deploy,
    read_release,
)
from ...deploy.handover import give_up
from ...errors import InputError, OwnershipError, RemovalBlockedError
from ...objects import KubeObject, ObjectRef, labels_of
from .. import catalog
from ..patches import check_patch, for_kustomize
from ..specs import ControllerSpec
from .manifests import COMPONENTS, check_flags, check_known
from .wiring import kustomization_ref

GROUP, VERSION = "fluxcd.controlplane.io", "v1"
API_VERSION = f"{GROUP}/{VERSION}"

MANAGER = "flux-operator"
"""Field manager of the operator's server-side applies."""

_NAME = "flux"  # The operator looks at no other one.
_REGISTRY = "ghcr.io/fluxcd"
_BASE_URL = "https://github.com/controlplaneio-fluxcd/flux-operator/releases/download"
_DEFAULT_VERSION = "0.59.0"
_REASON = "Flux Operator applies it from now on"


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


def deploy_operator(
    cluster: Cluster, release: ReleaseSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> DeployResult:
    """Deploy the operator and the FluxInstance, and leave to the operator what this release applied of Flux before.

    That is pruned only when the operator has applied what it wants of it, so that Flux runs all the time.

    Args:
        cluster: Where.
        release: What.
        check: Change nothing.
        progress: Called for each step.

    Raises:
        OwnershipError: A Kustomization applies Flux.
        GitOpsError: As :func:`...deploy.deploy`.
    """
    _refuse_other_owners(cluster, release.namespace)
    found = read_release(cluster, release.name, release.namespace, drift=False)
    wanted = [ObjectRef.of(obj) for obj in release.objects]
    before = {item.ref.key for item in found.inventory} - {ref.key for ref in wanted} if found else set()
    if not before:
        return deploy(cluster, release, check=check, progress=progress)
    if check:
        return _handed_over(deploy(cluster, release, check=True, progress=progress), before)
    # Its FluxInstance has to be ready before anything is given up.
    first = deploy(cluster, dataclasses.replace(release, prune=False, wait=True), progress=progress)
    given = give_up(cluster, release.name, release.namespace, MANAGER, keep=wanted, progress=progress)
    pruned = [change for change in deploy(cluster, release, progress=progress).changes if change.ref.key in before]
    changes = [change for change in first.changes if change.ref.key not in before]
    handed = [Change(Action.HANDED_OVER, ref, reason=_REASON) for ref in given]
    current = read_release(cluster, release.name, release.namespace, drift=False)
    inventory = current.inventory if current else first.inventory
    return dataclasses.replace(first, changes=(*changes, *handed, *pruned), inventory=inventory)


def _handed_over(planned: DeployResult, before: Collection[str]) -> DeployResult:
    changes = tuple(
        dataclasses.replace(change, action=Action.HANDED_OVER, reason=_REASON)
        if change.ref.key in before and change.action in (Action.PRUNE, Action.UNCHANGED)
        else change
        for change in planned.changes
    )
    return dataclasses.replace(planned, changes=changes)


def _refuse_other_owners(cluster: Cluster, namespace: str) -> None:
    """Refuse to let the operator take Flux from a Kustomization that goes on applying it, as `flux bootstrap` makes it.

    Raises:
        OwnershipError: Names the Kustomization.
    """
    selector = "app.kubernetes.io/part-of=flux"
    for obj in cluster.list("apps/v1", "Deployment", namespace=namespace, label_selector=selector):
        labels = labels_of(obj)
        name = labels.get("kustomize.toolkit.fluxcd.io/name")
        if not name:
            continue
        ref = kustomization_ref(name, labels.get("kustomize.toolkit.fluxcd.io/namespace", namespace))
        live = cluster.find(ref)
        if live is not None and not (live.get("spec") or {}).get("suspend"):
            raise OwnershipError(
                f"{ref} applies Flux itself, from a repository, so the operator would have to fight it",
                hint=f"Nothing was applied. Suspend it (flux suspend kustomization {name}), run this again, take "
                "gotk-components.yaml out of the repository, and resume it.",
                details={"object": str(ref)},
            )


def remove_instance(
    cluster: Cluster, namespace: str, *, check: bool, timeout: float, progress: ProgressCallback | None
) -> tuple[Change, ...]:
    """Remove the FluxInstance while the operator runs, and with it Flux and its CRDs; none is no change.

    Raises:
        RemovalBlockedError: It does not go away in time; says what the operator says.
    """
    ref = instance_ref(namespace)
    try:
        return delete_objects(cluster, [ref], check=check, wait_timeout=timeout, progress=progress)
    except RemovalBlockedError as error:
        message = instance_message(cluster, namespace)
        raise RemovalBlockedError(
            "\n".join(part for part in (error.message, message) if part),
            hint="Its finalizer is processed by Flux Operator: does it run?",
            details=error.details,
        ) from error


def instance_message(cluster: Cluster, namespace: str) -> str:
    """Return what the operator says of Flux, "" for nothing."""
    status = (cluster.find(instance_ref(namespace)) or {}).get("status") or {}
    conditions = {
        condition["type"]: str(condition.get("message") or "") for condition in status.get("conditions") or ()
    }
    return conditions.get("Ready", "")
