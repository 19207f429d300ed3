# SPDX-License-Identifier: Apache-2.0
"""An Argo CD ApplicationSet: applications made from lists, clusters and folders of a repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError
from ..objects import KubeObject
from . import catalog
from .argocd.wiring import application_set_ref, wiring_object
from .names import check_name, check_namespace, check_timeout
from .project import only_argocd

_GENERATORS = ("list", "git", "clusters", "matrix", "merge", "scmProvider", "pullRequest", "clusterDecisionResource",
               "plugin")  # fmt: skip
_SYNC_POLICIES = ("create-only", "create-update", "create-delete", "sync")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationSetSpec:
    """An ApplicationSet.

    Attributes:
        controller: ``argocd``.
        name: Name of the set.
        generators: As in an ApplicationSet's spec: ``{"list": ...}``, ``{"git": ...}``, ``{"clusters": ...}``.
        template: Metadata and spec of each application, with parameters of the generators in it.
        go_template: Parameters are Go templates (``{{.name}}``), and one that is missing is an error.
        preserve_resources: What the applications deployed stays when the set is removed.
        sync_policy: ``create-only``, ``create-update``, ``create-delete`` or ``sync``: what the set may do to them.
        strategy: Order in which they are synced, as in an ApplicationSet's spec.
        namespace: Namespace of Argo CD; its usual one when None.
        wait: Wait until the applications are made.
        wait_timeout: Seconds.
    """

    controller: str = "argocd"
    name: str
    generators: Sequence[Mapping[str, Any]]
    template: Mapping[str, Any]
    go_template: bool = True
    preserve_resources: bool = False
    sync_policy: str | None = None
    strategy: Mapping[str, Any] = field(default_factory=dict)
    namespace: str | None = None
    wait: bool = True
    wait_timeout: float = 300.0

    def __post_init__(self) -> None:
        only_argocd(self.controller, "application sets")
        check_name("name", self.name)
        check_namespace(self.namespace)
        check_timeout(self.wait_timeout)
        if self.sync_policy is not None and self.sync_policy not in _SYNC_POLICIES:
            raise InputError(f"sync_policy {self.sync_policy!r} is none of {', '.join(_SYNC_POLICIES)}")
        if not self.generators:
            raise InputError(f"application set {self.name} has no generators")
        for generator in self.generators:
            unknown = sorted(set(generator) - {*_GENERATORS, "selector"})
            if unknown or not set(generator) & set(_GENERATORS):
                raise InputError(
                    f"application set {self.name}: {', '.join(unknown) or 'an entry'} is no generator",
                    hint=f"Generators: {', '.join(_GENERATORS)}.",
                )
        if not self.template.get("spec") or not (self.template.get("metadata") or {}).get("name"):
            raise InputError(f"application set {self.name}: the template needs metadata.name and spec")

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace

    def objects(self) -> list[KubeObject]:
        """Return the ApplicationSet."""
        policy: dict[str, Any] = {"preserveResourcesOnDeletion": True} if self.preserve_resources else {}
        if self.sync_policy:
            policy["applicationsSync"] = self.sync_policy
        optional: dict[str, Any] = {
            "goTemplate": self.go_template,
            "goTemplateOptions": ["missingkey=error"] if self.go_template else None,
            "syncPolicy": policy,
            "strategy": dict(self.strategy),
        }
        spec = {
            "generators": [dict(generator) for generator in self.generators],
            "template": dict(self.template),
            **{key: value for key, value in optional.items() if value},
        }
        ref = application_set_ref(self.name, self.target_namespace)
        return [{**wiring_object(ref), "spec": spec}]
