# SPDX-License-Identifier: Apache-2.0
"""An Argo CD project: which repositories may deploy what, where, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..objects import KubeObject
from . import catalog
from .argocd.wiring import FINALIZER, project_ref, wiring_object
from .names import check_name, check_namespace
from .openpgp import check_key_ids

_WINDOW_KINDS = ("allow", "deny")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSpec:
    """An AppProject.

    Attributes:
        controller: ``argocd``.
        name: Name of the project.
        description: What it is for.
        source_repos: URLs (``*`` matches) that its applications may use.
        destinations: Where they may deploy: ``{"namespace": ..., "server": ...}``, ``*`` matches.
        cluster_resources: Cluster-scoped kinds that they may deploy: ``{"group": ..., "kind": ...}``.
        namespace_resources: Namespaced kinds that they may deploy; all when empty.
        roles: ``{"name": ..., "policies": [...], "groups": [...]}``. Tokens that Argo CD adds to a role are left alone.
        sync_windows: ``{"kind": "allow" or "deny", "schedule": ..., "duration": ..., "applications": [...]}``.
        signature_keys: Ids, or fingerprints, of the GPG keys, one of which every commit has to be signed with.
        orphaned_resources: Warn of objects in its namespaces that belong to no application.
        namespace: Namespace of Argo CD; its usual one when None.
    """

    controller: str = "argocd"
    name: str
    description: str | None = None
    source_repos: Sequence[str] = ("*",)
    destinations: Sequence[Mapping[str, str]] = ()
    cluster_resources: Sequence[Mapping[str, str]] = ()
    namespace_resources: Sequence[Mapping[str, str]] = ()
    roles: Sequence[Mapping[str, Any]] = ()
    sync_windows: Sequence[Mapping[str, Any]] = ()
    signature_keys: Sequence[str] = ()
    orphaned_resources: bool = False
    namespace: str | None = None

    def __post_init__(self) -> None:
        only_argocd(self.controller, "projects")
        check_name("name", self.name)
        check_namespace(self.namespace)
        check_key_ids("signature_keys", self.signature_keys)
        for role in self.roles:
            if not role.get("name"):
                raise InputError(f"project {self.name}: a role has no name")
        for window in self.sync_windows:
            if window.get("kind") not in _WINDOW_KINDS:
                raise InputError(f"project {self.name}: kind of a sync window is none of {', '.join(_WINDOW_KINDS)}")

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace

    def objects(self) -> list[KubeObject]:
        """Return the AppProject."""
        given: dict[str, Any] = {
            "description": self.description,
            "namespaceResourceWhitelist": [dict(kind) for kind in self.namespace_resources],
            "roles": [dict(role) for role in self.roles],
            "syncWindows": [dict(window) for window in self.sync_windows],
            "signatureKeys": [{"keyID": key} for key in self.signature_keys],
            "orphanedResources": {"warn": True} if self.orphaned_resources else None,
        }
        spec = {
            "sourceRepos": list(self.source_repos),
            "destinations": [{"server": "*", **destination} for destination in self.destinations],
            "clusterResourceWhitelist": [dict(kind) for kind in self.cluster_resources],
            **{key: value for key, value in given.items() if value},
        }
        ref = project_ref(self.name, self.target_namespace)
        return [{**wiring_object(ref, finalizers=[FINALIZER]), "spec": spec}]


def only_argocd(controller: str, what: str) -> None:
    """Raise InputError unless the controller is Argo CD."""
    if controller != "argocd":
        raise InputError(f"{catalog.controller(controller).title} has no {what}", hint="They are a notion of Argo CD.")
