# SPDX-License-Identifier: Apache-2.0
"""Keep the sources of Flux apart: those that are connected repositories, and those that an application has for itself.

Both are objects of the same kinds and may be given the same name. Neither may overwrite or remove the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..cluster import Cluster
from ..errors import OwnershipError
from ..objects import KubeObject, ObjectRef, annotations_of
from .flux.wiring import OWN_KINDS, OWN_SOURCE, SOURCE_GROUP, source_ref
from .marks import is_ours


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
        owner, wanted = annotations_of(live).get(OWN_SOURCE, ""), annotations_of(obj).get(OWN_SOURCE, "")
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
        return live is not None and is_ours(live) and bool(annotations_of(live).get(OWN_SOURCE))

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
        if live is not None and is_ours(live) and annotations_of(live).get(OWN_SOURCE) == application:
            found.append(ref)
    return found
