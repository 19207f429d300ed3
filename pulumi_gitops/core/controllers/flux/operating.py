# SPDX-License-Identifier: Apache-2.0
"""Hand Flux over to Flux Operator and back, and remove both: at every moment one of the two owns it, and it runs on.

What the operator has applied carries its mark, which keeps a release from applying or pruning it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from typing import Any

from ...cluster import FIELD_MANAGER, Cluster
from ...deploy import (
    Action,
    Change,
    DeployResult,
    ProgressCallback,
    ReleaseSpec,
    ReleaseState,
    delete_objects,
    deploy,
    read_release,
)
from ...deploy.handover import give_up
from ...errors import OwnershipError, RemovalBlockedError, RemovalRefusedError
from ...objects import KubeObject, ObjectRef, labels_of
from .operator import API_VERSION, instance_ref
from .wiring import kustomization_ref

MANAGER = "flux-operator"
"""Field manager of the operator's server-side applies."""

_MARKS = ("fluxcd.controlplane.io/name", "fluxcd.controlplane.io/namespace")
# The operator then leaves Flux alone, and keeps it when the FluxInstance goes.
_LEAVE = {"metadata": {"annotations": {"fluxcd.controlplane.io/reconcile": "disabled"}}}
_GIVEN = "Flux Operator applies it from now on"
_TAKEN = "taken back from Flux Operator"


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
    cluster.discovery.refresh()  # the operator may have come or gone since this connection read the kinds
    _refuse_other_owners(cluster, release.namespace)
    found = read_release(cluster, release.name, release.namespace, drift=False)
    wanted = [ObjectRef.of(obj) for obj in release.objects]
    before = {item.ref.key for item in found.inventory} - {ref.key for ref in wanted} if found else set()
    if not before:
        return deploy(cluster, release, check=check, progress=progress)
    if check:
        planned = deploy(cluster, release, check=True, progress=progress)
        return planned if _has_instance(found) else _handed_over(planned, before)
    # Its FluxInstance has to be ready before anything is given up.
    first = deploy(cluster, dataclasses.replace(release, prune=False, wait=True), progress=progress)
    given = give_up(cluster, release.name, release.namespace, MANAGER, keep=wanted, progress=progress)
    pruned = [change for change in deploy(cluster, release, progress=progress).changes if change.ref.key in before]
    changes = [change for change in first.changes if change.ref.key not in before]
    handed = [Change(Action.HANDED_OVER, ref, reason=_GIVEN) for ref in given]
    current = read_release(cluster, release.name, release.namespace, drift=False)
    inventory = current.inventory if current else first.inventory
    return dataclasses.replace(first, changes=(*changes, *handed, *pruned), inventory=inventory)


def _has_instance(found: ReleaseState | None) -> bool:
    return found is not None and any(item.ref.kind == "FluxInstance" for item in found.inventory)


def _handed_over(planned: DeployResult, before: Collection[str]) -> DeployResult:
    changes = tuple(
        dataclasses.replace(change, action=Action.HANDED_OVER, reason=_GIVEN)
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


def deploy_manifests(
    cluster: Cluster, release: ReleaseSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> DeployResult:
    """Deploy Flux itself, and take it back if this release has let the operator install it before.

    Args:
        cluster: Where.
        release: What.
        check: Change nothing.
        progress: Called for each step.

    Raises:
        OwnershipError: It belongs to an operator that somebody else has installed.
        RemovalRefusedError: The operator looks after something else.
        GitOpsError: As :func:`...deploy.deploy`.
    """
    cluster.discovery.refresh()
    ref = instance_ref(release.namespace)
    live, found = cluster.find(ref), read_release(cluster, release.name, release.namespace, drift=False)
    if not _has_instance(found):
        if live is not None:
            raise OwnershipError(
                f"Flux is installed by Flux Operator, from {ref}",
                hint="Install it with method: operator, which takes that over.",
            )
        return deploy(cluster, release, check=check, progress=progress)
    _refuse_resource_sets(cluster)
    if check:
        return _taken_back(deploy(cluster, release, check=True, progress=progress))
    if live is not None:
        cluster.patch(ref, _LEAVE)
        remove_instance(cluster, release.namespace, check=False, timeout=release.wait_timeout, progress=progress)
    marked = [obj for obj in map(cluster.find, map(ObjectRef.of, release.objects)) if obj and _is_marked(obj)]
    for obj in marked:
        cluster.patch(ObjectRef.of(obj), _unmarked(obj))
    return deploy(cluster, release, progress=progress)


def _refuse_resource_sets(cluster: Cluster) -> None:
    kind = (API_VERSION, "ResourceSet")
    if cluster.serves(*kind) and (there := cluster.list(*kind, metadata_only=True)):
        raise RemovalRefusedError(
            f"Flux Operator is not removed: it still looks after {ObjectRef.of(there[0])}",
            hint="Remove the ResourceSets first.",
        )


def _is_marked(obj: KubeObject) -> bool:
    return any(mark in labels_of(obj) for mark in _MARKS)


def _unmarked(obj: KubeObject) -> dict[str, Any]:
    """Return a patch that takes the operator's mark from an object, and makes its fields ours: an apply drops some."""
    metadata = obj["metadata"]
    entries = metadata.get("managedFields") or []
    ours = any(entry.get("manager") == FIELD_MANAGER for entry in entries)
    fields = [
        {**entry, "manager": FIELD_MANAGER} if entry.get("manager") == MANAGER else entry
        for entry in entries
        if not (ours and entry.get("manager") == MANAGER)
    ]
    labels = dict.fromkeys(_MARKS)
    return {"metadata": {"resourceVersion": metadata["resourceVersion"], "labels": labels, "managedFields": fields}}


def _taken_back(planned: DeployResult) -> DeployResult:
    changes = tuple(
        dataclasses.replace(change, action=Action.CONFIGURE, reason=_TAKEN)
        if change.action is Action.HANDED_OVER
        else change
        for change in planned.changes
    )
    return dataclasses.replace(planned, changes=changes)


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
