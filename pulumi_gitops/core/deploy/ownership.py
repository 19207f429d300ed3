# SPDX-License-Identifier: Apache-2.0
"""Who owns an object: a release of ours, another release, or another tool that must not be fought."""

from __future__ import annotations

from ..objects import KubeObject, annotations_of, labels_of
from .prepare import PART_OF_LABEL

_ANNOTATION_OWNERS = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "meta.helm.sh/release-name": "Helm",
}
_LABEL_OWNERS = {
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
    "fluxcd.controlplane.io/name": "Flux Operator",
    "resourceset.fluxcd.controlplane.io/name": "Flux Operator",
}
_KEEP = {
    "cli-utils.sigs.k8s.io/on-remove": "keep",
    "client.lifecycle.config.k8s.io/deletion": "detach",
    "helm.sh/resource-policy": "keep",
}

# Managers of tools that a person ran once. Everything else that owns a field acts again at any time.
_ONE_SHOT_MANAGERS = ("kubectl", "helm", "OpenAPI-Generator", "before-first-apply", "Mozilla", "pulumi", "Terraform")
# Managers that put a field back whenever somebody else changes it: to force theirs is to fight.
_CONTROLLERS = (
    "kube-controller-manager",
    "argocd-",
    "kustomize-controller",
    "helm-controller",
    "flux-operator",
    "vpa-",
    "cluster-autoscaler",
)


def release_of(live: KubeObject) -> str:
    """Return the ApplySet id that the object is labelled with, "" for none."""
    return str(labels_of(live).get(PART_OF_LABEL) or "")


def foreign_owner(live: KubeObject, *, adopt: bool = False) -> str:
    """Return the GitOps controller or tool whose mark the object carries, "" for none.

    Args:
        live: The object.
        adopt: Helm's mark does not count: its objects are taken over.
    """
    for marks, values in ((_ANNOTATION_OWNERS, annotations_of(live)), (_LABEL_OWNERS, labels_of(live))):
        for name, owner in marks.items():
            if values.get(name) and not (adopt and owner == "Helm"):
                return f"{owner} ({values[name].split(':')[0]})"
    return ""


def is_kept(live: KubeObject) -> bool:
    """Tell whether an annotation asks to keep the object when it leaves the set."""
    annotations = annotations_of(live)
    return any(annotations.get(name) == value for name, value in _KEEP.items())


def has_owner_reference(live: KubeObject) -> bool:
    """Tell whether another object owns it; the garbage collector then decides over its life."""
    return bool((live.get("metadata") or {}).get("ownerReferences"))


def is_one_shot(manager: str) -> bool:
    """Tell whether a field manager is a tool that a person ran (kubectl, Helm, kapp, ...)."""
    if manager.startswith("kapp"):
        return not manager.startswith("kapp-controller")  # which applies again by itself
    # helm-controller is no helm.
    return manager.startswith(_ONE_SHOT_MANAGERS) and not is_controller(manager)


def is_controller(manager: str) -> bool:
    """Tell whether a field manager is a known controller."""
    return manager.startswith(_CONTROLLERS)
