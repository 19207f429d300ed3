# SPDX-License-Identifier: Apache-2.0
"""Which kinds the cluster serves, and under which path. Two requests for all of it (aggregated discovery)."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..errors import ApiError, NotFoundError, UnknownKindError
from .transport import Transport

_ROOTS = ("/api", "/apis")
_AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,"
    "application/json"
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One served kind.

    Attributes:
        group: API group, "" for core.
        version: Version.
        kind: Kind.
        plural: Name in paths, for example ``deployments``.
        namespaced: Whether objects live in a namespace.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the request path of the collection, or of one object."""
        parts = [f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"]
        if self.namespaced and namespace:
            parts.append(f"namespaces/{namespace}")
        parts += [part for part in (self.plural, name, subresource) if part]
        return "/".join(parts)


def _builtin(api_version: str, namespaced: str, cluster: str = "") -> dict[tuple[str, str], Resource]:
    group, _, version = api_version.rpartition("/")
    return {
        (api_version, kind): Resource(group, version, kind, f"{kind.lower()}s", scope)
        for kinds, scope in ((namespaced, True), (cluster, False))
        for kind in kinds.split()
    }


# Every API server that we support (1.23 and newer) serves these, under these paths: a set of nothing else needs no
# discovery at all. Only kinds whose plural is their name with an s.
_ALWAYS = {
    **_builtin("v1", "ConfigMap Event PersistentVolumeClaim Pod Secret Service ServiceAccount", "Namespace"),
    **_builtin("apps/v1", "DaemonSet Deployment ReplicaSet StatefulSet"),
    **_builtin("batch/v1", "CronJob Job"),
    **_builtin("coordination.k8s.io/v1", "Lease"),
    **_builtin("rbac.authorization.k8s.io/v1", "Role RoleBinding", "ClusterRole ClusterRoleBinding"),
    **_builtin("apiextensions.k8s.io/v1", "", "CustomResourceDefinition"),
}


class Discovery:
    """The kinds of one cluster, read once and again when something is missing. Thread-safe."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], Resource] = {}
        self._loaded = False

    def find(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource, or None when the cluster does not serve it (as far as read already)."""
        always = _ALWAYS.get((api_version, kind))
        if always is not None:
            return always
        with self._lock:
            if not self._loaded:
                self._load()
            return self._known.get((api_version, kind))

    def resource(self, api_version: str, kind: str) -> Resource:
        """Return the resource; a missing one is looked for once more, since CRDs may have come meanwhile.

        Raises:
            UnknownKindError: The cluster does not serve it.
        """
        found = self.find(api_version, kind)
        if found is None:
            self.refresh()
            found = self.find(api_version, kind)
        if found is not None:
            return found
        others = sorted(v for v, k in self._known if k == kind)
        raise UnknownKindError(
            f"the cluster does not serve {kind} in {api_version}",
            hint=f"It serves {kind} in {', '.join(others)}."
            if others
            else "Install the CustomResourceDefinition first, or check apiVersion and kind for a typing error.",
            details={"api_version": api_version, "kind": kind},
        )

    def all(self) -> list[Resource]:
        """Return every served resource."""
        with self._lock:
            if not self._loaded:
                self._load()
            return list(self._known.values())

    def refresh(self) -> None:
        """Forget what was read."""
        with self._lock:
            self._loaded = False

    def _load(self) -> None:
        known: dict[tuple[str, str], Resource] = {}
        for root, body in zip(_ROOTS, self._roots(), strict=True):
            found = _aggregated(body) if body.get("kind") == "APIGroupDiscoveryList" else self._classic(root, body)
            for resource in found:
                known[resource.api_version, resource.kind] = resource
        self._known, self._loaded = known, True

    def _roots(self) -> list[dict[str, Any]]:
        def read(root: str) -> dict[str, Any]:
            body: dict[str, Any] = self._transport.json(
                "GET", root, doing="read the kinds of the cluster", accept=_AGGREGATED
            )
            return body

        with ThreadPoolExecutor(len(_ROOTS), thread_name_prefix="gitops-discovery") as pool:
            return list(pool.map(read, _ROOTS))

    def _classic(self, root: str, body: dict[str, Any]) -> Iterable[Resource]:
        """Read group by group, for API servers before 1.27."""
        if root == "/api":
            versions = [("", version) for version in body.get("versions") or []]
        else:
            versions = [
                (group["name"], version["version"])
                for group in body.get("groups") or []
                for version in group.get("versions") or []
            ]
        for group, version in versions:
            path = f"/apis/{group}/{version}" if group else f"/api/{version}"
            try:
                listing = self._transport.json("GET", path, doing=f"read the kinds of {group or 'core'}/{version}")
            except (NotFoundError, ApiError):
                # A dead aggregated API must not hide the others; its kinds are reported as unknown when asked for.
                continue
            for entry in listing.get("resources") or []:
                if "/" not in entry["name"]:
                    yield Resource(group, version, entry["kind"], entry["name"], bool(entry.get("namespaced")))


def _aggregated(body: dict[str, Any]) -> Iterable[Resource]:
    for group in body.get("items") or []:
        name = (group.get("metadata") or {}).get("name") or ""
        for version in group.get("versions") or []:
            for entry in version.get("resources") or []:
                kind = (entry.get("responseKind") or {}).get("kind")
                if kind:
                    yield Resource(
                        name, version["version"], kind, entry["resource"], entry.get("scope") == "Namespaced"
                    )
