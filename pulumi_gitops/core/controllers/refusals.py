# SPDX-License-Identifier: Apache-2.0
"""What keeps a controller from being installed or removed: said before anything is touched."""

from __future__ import annotations

from collections.abc import Sequence

from ..cluster import Cluster
from ..deploy import ReleaseSpec, read_release
from ..errors import ChecksumMismatchError, ControllerMissingError, OwnershipError, RemovalRefusedError
from ..objects import ObjectRef
from . import catalog
from .argocd import self_managed
from .backends import backend
from .presence import DIGEST_FACT, OPERATOR_FACT, VERSION_FACT, installed, list_kind
from .specs import ControllerSpec
from .traits import Kind, dependents, traits


def require_needs(cluster: Cluster, name: str, title: str) -> None:
    """Raise ControllerMissingError unless the controllers are there that this one works with."""
    for other in traits(name).needs:
        needed = backend(other)
        # It may have come or gone since this connection read the kinds.
        cluster.discovery.refresh()
        if not cluster.serves(*needed.needs):
            raise ControllerMissingError(
                f"{title} needs {needed.title}, which is not installed: the cluster does not know its "
                f"{needed.needs[1]}s",
                hint=f"Nothing was applied. Install {needed.title} first.",
            )


def refuse_other_method(cluster: Cluster, spec: ControllerSpec, release: ReleaseSpec, title: str) -> None:
    """Refuse another method: Helm refuses objects that are there, and ours would be pruned from under it."""
    found = read_release(cluster, release.name, release.namespace, drift=False) if spec.name == "weave_gitops" else None
    if found is None or not found.inventory:
        return
    there = "helm_release" if any(item.ref.kind == "HelmRelease" for item in found.inventory) else "manifests"
    if there != spec.method:
        raise OwnershipError(
            f"{title} is installed by method {there}, which can not be changed to {spec.method}",
            hint="Remove it first, and install it anew: it keeps no data.",
            details={"property": "method"},
        )


def refuse_second(cluster: Cluster, spec: ControllerSpec, release: ReleaseSpec, title: str) -> None:
    """Two installations would fight over the ClusterRoleBindings, which name the ServiceAccounts of one namespace."""
    if spec.method == "operator":  # whose set has none of Flux's
        there = installed(cluster, spec.name)
        if there is not None and there.namespace != release.namespace:
            raise _second(title, there.namespace, release.namespace)
    for obj in release.objects:
        if obj.get("kind") != "ClusterRoleBinding":
            continue
        live = cluster.find(ObjectRef.of(obj))
        names = {s.get("namespace") for s in (live or {}).get("subjects") or [] if s.get("kind") == "ServiceAccount"}
        if names and release.namespace not in names:
            raise _second(title, ", ".join(sorted(str(name) for name in names)), release.namespace)


def _second(title: str, other: str, namespace: str) -> OwnershipError:
    return OwnershipError(
        f"{title} is installed in namespace {other} already, so it can not be installed in {namespace}",
        hint=f"Use namespace: {other}, or remove that installation first.",
        details={"namespace": other},
    )


def refuse_other_content(cluster: Cluster, release: ReleaseSpec, title: str) -> None:
    """Refuse manifests of the installed version that are not those which were installed: somebody replaced them."""
    digest = release.facts[DIGEST_FACT]
    found = read_release(cluster, release.name, release.namespace, drift=False) if digest else None
    told = (VERSION_FACT, OPERATOR_FACT)
    if found is None or any(found.facts.get(fact, "") != release.facts[fact] for fact in told):
        return
    before = found.facts.get(DIGEST_FACT)
    if before and before != digest:
        raise ChecksumMismatchError(
            f"the manifests of {title} {release.facts[VERSION_FACT]} have sha256 {digest}, but {before} were installed",
            hint="Nothing was applied. If the new content is wanted, look at it and give its checksum.",
            details={"expected": before, "found": digest},
        )


def refuse_applications(cluster: Cluster, title: str, kinds: Sequence[Kind], namespace: str) -> None:
    """Refuse to remove a controller that still looks after something; what it applies itself of its own is nothing."""
    itself = self_managed.find(cluster, namespace)
    remaining = [ObjectRef.of(obj) for kind in kinds for obj in list_kind(cluster, kind)]
    remaining = [ref for ref in remaining if itself is None or ref != ObjectRef.of(itself)]
    if not remaining:
        return
    listed = ", ".join(str(ref) for ref in remaining[:5])
    more = f" and {len(remaining) - 5} more" if len(remaining) > 5 else ""
    raise RemovalRefusedError(
        f"{title} is not removed: it still looks after {listed}{more}",
        hint="Remove the applications first. With the controller and its CRDs gone they would be orphaned or stuck.",
        details={"applications": [str(ref) for ref in remaining]},
    )


def refuse_dependents(cluster: Cluster, name: str, title: str) -> None:
    """Refuse to remove a controller that another one needs."""
    for other in dependents(name):
        there = installed(cluster, other)
        if there is not None:
            needing = catalog.controller(other).title
            raise RemovalRefusedError(
                f"{title} is not removed: {needing} in namespace {there.namespace} needs it",
                hint=f"Remove {needing} first.",
            )
