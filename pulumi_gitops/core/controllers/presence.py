# SPDX-License-Identifier: Apache-2.0
"""Which controllers are in a cluster, and who looks after them."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ..cluster import Cluster
from ..deploy import read_release
from ..objects import KubeObject
from . import catalog, manifests
from .traits import Kind, traits

VERSION_FACT = "controller-version"
# sha256 of the manifests of the installed version: CI workspaces vanish, and lock files with them.
DIGEST_FACT = "controller-manifests"
# Version of the operator that it is installed by.
OPERATOR_FACT = "controller-operator"


class InstallState(enum.StrEnum):
    """Who looks after an installed controller."""

    MANAGED = "managed"
    """A release of ours."""
    UNMANAGED = "unmanaged"
    """Somebody else: installing takes it over."""


@dataclass(frozen=True, slots=True)
class InstalledController:
    """A controller that is in the cluster.

    Attributes:
        version: Its version, "" when it can not be told.
        namespace: Its namespace.
        state: Who looks after it.
    """

    version: str
    namespace: str
    state: InstallState


def installed(cluster: Cluster, name: str = "argocd", namespace: str | None = None) -> InstalledController | None:
    """Return the controller that is installed, None if there is none.

    Args:
        cluster: Where.
        name: ``argocd``, ``flux`` or ``weave_gitops``.
        namespace: Look only here; in all namespaces when None.

    Raises:
        ForbiddenError: The rights to list StatefulSets, or to read the release's record, are missing.
    """
    entry, known = catalog.controller(name), traits(name)
    workloads = cluster.list(*known.workload, namespace=namespace or "", label_selector=known.selector)
    found = {str(obj["metadata"]["namespace"]): obj for obj in workloads}
    # The record counts too: what it names is ours to repair or remove, even with the StatefulSet gone.
    candidates = [namespace] if namespace else [*sorted(found), entry.default_namespace]
    for place in candidates:
        release = read_release(cluster, entry.release, place, drift=False)
        if release is not None:
            return InstalledController(release.facts.get(VERSION_FACT, ""), place, InstallState.MANAGED)
    for place, workload in sorted(found.items()):
        return InstalledController(manifests.version_of([workload], known.image), place, InstallState.UNMANAGED)
    return None


def list_kind(cluster: Cluster, kind: Kind) -> list[KubeObject]:
    """Return the metadata of all objects of a kind; none where the cluster does not know it."""
    return cluster.list(*kind, metadata_only=True) if cluster.serves(*kind) else []
