# SPDX-License-Identifier: Apache-2.0
"""What differs between the controllers in the story: data, and where Flux's manifests come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..core.controllers import catalog


@dataclass(frozen=True, slots=True)
class Puller:
    """The controller that pulls in the story.

    Attributes:
        name: ``argocd`` or ``flux``.
        applications: What its applications are called in the cluster, for kubectl.
        settled: What an application is that has reached its commit.
        embedded: Returns the configuration of the Pulumi program that only the embedded sandbox needs.
    """

    name: str
    applications: str
    settled: str
    embedded: Callable[[], Mapping[str, str]] = dict

    @property
    def title(self) -> str:
        """Name for people."""
        return catalog.controller(self.name).title

    @property
    def namespace(self) -> str:
        """Namespace that it is installed in."""
        return catalog.controller(self.name).default_namespace


def _composed() -> Mapping[str, str]:
    # No module carries Flux's released manifest: the sandbox composes it.
    from ..sandbox import flux_manifest
    from ..sandbox.catalogue import GO_TOOLS

    return {"manifests": str(flux_manifest()), "version": GO_TOOLS["flux"].version.removeprefix("v")}


ARGOCD = Puller("argocd", "applications", "Synced, Healthy")
FLUX = Puller("flux", "kustomizations", "Ready", _composed)
