# SPDX-License-Identifier: Apache-2.0
"""Keep the sources of Flux apart: those that are connected repositories, and those that an application has for itself.

Both are objects of the same kinds and may be given the same name. Neither may overwrite or remove the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..cluster import Cluster
from ..errors import OwnershipError
from ..objects import KubeObject, ObjectRef, annotations_of
from .flux.wiring import OWN_SOURCE, SOURCE_GROUP
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
        if ref.group != SOURCE_GROUP or not cluster.serves(ref.api_version, ref.kind):
            continue
        live = cluster.find(ref)
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


def without_foreign(cluster: Cluster, refs: Sequence[ObjectRef], application: str = "") -> list[ObjectRef]:
    """Return what of some objects belongs to an application, or to a connected repository.

    Args:
        cluster: Cluster of Flux.
        refs: What would be removed.
        application: Name of the application; "" for a repository.
    """

    def is_foreign(ref: ObjectRef) -> bool:
        if ref.group != SOURCE_GROUP or not cluster.serves(ref.api_version, ref.kind):
            return False
        live = cluster.find(ref)
        return live is not None and is_ours(live) and annotations_of(live).get(OWN_SOURCE, "") != application

    return [ref for ref in refs if not is_foreign(ref)]
