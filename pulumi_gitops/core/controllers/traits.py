# SPDX-License-Identifier: Apache-2.0
"""What is particular to each controller when it is installed, found and removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..objects import KubeObject
from .argocd import manifests as argocd
from .argocd.wiring import API_VERSION as ARGO
from .argocd.wiring import default_project
from .flux import manifests as flux
from .flux import operator
from .flux.wiring import HELM_GROUP, HELM_VERSION, KUSTOMIZE_GROUP, KUSTOMIZE_VERSION, SOURCE_GROUP, SOURCE_VERSION
from .specs import ControllerSpec

Kind = tuple[str, str]
"""apiVersion and kind."""

_SOURCE = f"{SOURCE_GROUP}/{SOURCE_VERSION}"
_NOTIFICATION = "notification.toolkit.fluxcd.io"


@dataclass(frozen=True, slots=True)
class Traits:
    """What is particular to a controller.

    Attributes:
        workload: Kind of the workload by which an installation is recognised.
        selector: Labels of that workload.
        image: Last part of the repository of its image.
        applications: Kinds of what it looks after: while there are any it is not removed.
        first: Kinds that are removed before it, as it has to process their finalizers.
        secrets: Secrets that it makes for itself; in a namespace that stays they would outlive it.
        adjust: Changes its manifests as the options of the spec say.
        defaults: Returns objects that are made sure of after the installation.
        needs: Controllers that have to be in the cluster before it, and as long as it is.
    """

    workload: Kind
    selector: str
    image: str
    applications: Sequence[Kind]
    first: Sequence[Kind]
    secrets: Sequence[str]
    adjust: Callable[[Sequence[KubeObject], ControllerSpec], list[KubeObject]]
    defaults: Callable[[str], list[KubeObject]]
    needs: Sequence[str] = ()


_TRAITS = {
    "argocd": Traits(
        workload=("apps/v1", "StatefulSet"),
        # Labels of the application controller in every flavour of the manifests, Helm's included.
        selector="app.kubernetes.io/part-of=argocd,app.kubernetes.io/component=application-controller",
        image="argocd",
        applications=((ARGO, "Application"), (ARGO, "ApplicationSet")),
        first=((ARGO, "AppProject"),),
        secrets=("argocd-initial-admin-secret", "argocd-redis"),
        adjust=argocd.adjust,
        # argocd-server would make it, core installs have none.
        defaults=lambda namespace: [default_project(namespace)],
    ),
    "flux": Traits(
        workload=("apps/v1", "Deployment"),
        selector="app.kubernetes.io/part-of=flux,app.kubernetes.io/component=source-controller",
        image="source-controller",
        applications=(
            (f"{KUSTOMIZE_GROUP}/{KUSTOMIZE_VERSION}", "Kustomization"),
            (f"{HELM_GROUP}/{HELM_VERSION}", "HelmRelease"),
            (operator.API_VERSION, "ResourceSet"),
        ),
        first=(
            (f"{_NOTIFICATION}/v1", "Receiver"),
            (f"{_NOTIFICATION}/v1beta3", "Alert"),
            (f"{_NOTIFICATION}/v1beta3", "Provider"),
            (_SOURCE, "HelmChart"),
            (_SOURCE, "GitRepository"),
            (_SOURCE, "HelmRepository"),
            (_SOURCE, "OCIRepository"),
            (_SOURCE, "Bucket"),
        ),
        secrets=(),
        adjust=lambda objects, spec: (operator if spec.method == "operator" else flux).adjust(objects, spec),
        defaults=lambda _: [],
    ),
    "weave_gitops": Traits(
        workload=("apps/v1", "Deployment"),
        selector="app.kubernetes.io/part-of=weave-gitops",
        image="wego-app",
        applications=(),
        first=(),
        secrets=(),
        adjust=lambda objects, _: list(objects),
        defaults=lambda _: [],
        needs=("flux",),
    ),
}


def traits(name: str) -> Traits:
    """Return what is particular to a controller of the catalog."""
    return _TRAITS[name]


def dependents(name: str) -> list[str]:
    """Return the controllers that need this one."""
    return [other for other, known in _TRAITS.items() if name in known.needs]
