# SPDX-License-Identifier: Apache-2.0
"""What an application of Flux has for itself: a source, and the namespace that it deploys into.

Sources are objects of the same kinds as connected repositories, and may be given the same name: neither may overwrite
or remove the other. A namespace goes with the application that it was made for, unless another one deploys into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..cluster import Cluster
from ..errors import OwnershipError
from ..objects import KubeObject, ObjectRef, annotations_of
from .flux.wiring import (
    HELM_GROUP,
    HELM_VERSION,
    KUSTOMIZE_GROUP,
    KUSTOMIZE_VERSION,
    MADE_FOR,
    OWN_KINDS,
    SOURCE_GROUP,
    source_ref,
)
from .marks import is_ours

_DEPLOYING = (
    (f"{KUSTOMIZE_GROUP}/{KUSTOMIZE_VERSION}", "Kustomization"),
    (f"{HELM_GROUP}/{HELM_VERSION}", "HelmRelease"),
)


def refuse_mixing(cluster: Cluster, objects: Iterable[KubeObject]) -> None:
    """Refuse to make a source where one of ours for another purpose is.

    Args:
        cluster: Cluster of Flux.
        objects: What is about to be made.

    Raises:
        OwnershipError: Names the source, and whose it is.
    """
    for obj in objects:
        ref = ObjectRef.of(obj)
        live = cluster.find(ref) if ref.group == SOURCE_GROUP else None
        if live is None or not is_ours(live):
            continue
        owner, wanted = annotations_of(live).get(MADE_FOR, ""), annotations_of(obj).get(MADE_FOR, "")
        if owner and owner != wanted:
            raise OwnershipError(
                f"{ref} is the source of the application {owner}", hint="Give the repository another name."
            )
        if wanted and not owner:
            raise OwnershipError(
                f"{ref} is a connected repository, not a source of the application {wanted}",
                hint=f"Read from it with `repository: {ref.name}`, or give the application another name.",
            )


def without_applications(cluster: Cluster, refs: Sequence[ObjectRef]) -> list[ObjectRef]:
    """Return what of some objects is no source that an application has for itself.

    Args:
        cluster: Cluster of Flux.
        refs: What a repository consists of.
    """

    def is_own(ref: ObjectRef) -> bool:
        live = cluster.find(ref) if ref.group == SOURCE_GROUP else None
        return live is not None and is_ours(live) and bool(annotations_of(live).get(MADE_FOR))

    return [ref for ref in refs if not is_own(ref)]


def own_sources(cluster: Cluster, application: str, namespace: str) -> list[ObjectRef]:
    """Return the sources that an application has for itself, of whatever kind it once needed.

    Args:
        cluster: Cluster of Flux.
        application: Name of the application.
        namespace: Its namespace.
    """
    found = []
    for kind in OWN_KINDS:
        ref = source_ref(kind, application, namespace)
        live = cluster.find(ref)
        if live is not None and _is_made_for(live, application):
            found.append(ref)
    return found


def without_existing_namespace(cluster: Cluster, objects: Sequence[KubeObject], application: str) -> list[KubeObject]:
    """Return the objects of an application without its namespace, if that is there and was not made for it.

    Args:
        cluster: Cluster of Flux.
        objects: The objects.
        application: Name of the application.
    """

    def stays(obj: KubeObject) -> bool:
        if obj["kind"] != "Namespace":
            return True
        live = cluster.find(ObjectRef.of(obj))
        return live is None or _is_made_for(live, application)

    return [obj for obj in objects if stays(obj)]


def own_namespaces(cluster: Cluster, applications: Sequence[KubeObject]) -> list[ObjectRef]:
    """Return the namespaces that go with applications: made for them, and no other one deploys there.

    Args:
        cluster: Cluster of Flux.
        applications: The Kustomizations and HelmReleases that are about to be removed.
    """
    going = {ObjectRef.of(obj) for obj in applications}
    found = []
    for obj in applications:
        ref = ObjectRef("", "v1", "Namespace", "", str(obj["spec"].get("targetNamespace") or ""))
        live = cluster.find(ref) if ref.name else None
        if live is None or not _is_made_for(live, obj["metadata"]["name"]) or ref in found:
            continue
        if "deletionTimestamp" in live["metadata"]:
            continue  # somebody else removes it
        there = (one for kind in _DEPLOYING if cluster.serves(*kind) for one in cluster.list(*kind))
        others = [one for one in there if one["spec"].get("targetNamespace") == ref.name]
        if all(ObjectRef.of(one) in going for one in others):
            found.append(ref)
    return found


def _is_made_for(live: KubeObject, application: str) -> bool:
    return is_ours(live) and annotations_of(live).get(MADE_FOR) == application
