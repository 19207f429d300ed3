# SPDX-License-Identifier: Apache-2.0
"""Change Flux's install manifests as the options of a controller say."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from ...errors import InputError
from ...objects import KubeObject, ObjectRef, is_crd, pod_template_of
from ..specs import ControllerSpec

COMPONENTS = (
    "source-controller",
    "kustomize-controller",
    "helm-controller",
    "notification-controller",
    "image-reflector-controller",
    "image-automation-controller",
    "source-watcher",
)
_LEVELS = ("debug", "info", "error")
# The API groups whose CRDs go with a component that is left out.
_GROUPS = {
    "source-controller": "source.toolkit.fluxcd.io",
    "kustomize-controller": "kustomize.toolkit.fluxcd.io",
    "helm-controller": "helm.toolkit.fluxcd.io",
    "notification-controller": "notification.toolkit.fluxcd.io",
}
# What flux2's multi-tenancy lockdown sets (docs: installation, multi-tenancy).
_LOCKDOWN = ("--no-cross-namespace-refs=true",)
_REMOTE_BASES = "--no-remote-bases=true"
_DEFAULT_ACCOUNT = "--default-service-account=default"
_EVENTS_TO = "notification-controller"
_APPLIERS = frozenset({"kustomize-controller", "helm-controller"})


def adjust(objects: Sequence[KubeObject], spec: ControllerSpec) -> list[KubeObject]:
    """Return the manifests with the components that are wanted, and the flags of their controllers set.

    Raises:
        InputError: A component is unknown or not in the manifests, or a value is not valid.
    """
    wanted = _wanted(objects, spec)
    result = [obj for obj in objects if _stays(obj, wanted, network_policies=spec.network_policies)]
    flags = [*check_flags(spec), *(_LOCKDOWN if spec.multitenant else ())]
    if spec.components and _EVENTS_TO not in wanted:
        # As `flux install --components` does: nobody would take the events.
        flags.append("--events-addr=")
    return [_with_flags(obj, flags, spec) for obj in result]


def _wanted(objects: Sequence[KubeObject], spec: ControllerSpec) -> frozenset[str]:
    there = frozenset(ref.name for ref in map(ObjectRef.of, objects) if ref.kind == "Deployment")
    if not spec.components:
        return there
    check_known(spec.components)
    missing = sorted(set(spec.components) - there)
    if missing:
        raise InputError(
            f"components: the manifests do not hold {', '.join(missing)}",
            hint=f"They hold {', '.join(sorted(there & set(COMPONENTS))) or 'none'}.",
        )
    return frozenset(spec.components)


def check_known(components: Sequence[str]) -> None:
    """Raise InputError unless all of these are components of Flux."""
    unknown = sorted(set(components) - set(COMPONENTS))
    if unknown:
        raise InputError(f"components: {', '.join(unknown)} is none of {', '.join(COMPONENTS)}")


def _stays(obj: KubeObject, wanted: frozenset[str], *, network_policies: bool) -> bool:
    ref = ObjectRef.of(obj)
    if ref.kind == "NetworkPolicy" and not network_policies:
        return False
    left_out = set(COMPONENTS) - wanted
    if ref.name in left_out and ref.kind in ("Deployment", "ServiceAccount", "Service"):
        return False
    if _EVENTS_TO in left_out and ref.name in ("webhook-receiver", "allow-webhooks"):
        return False
    group = str((obj.get("spec") or {}).get("group") or "") if is_crd(obj) else ""
    return not group or group not in {_GROUPS.get(component) for component in left_out}


def check_flags(spec: ControllerSpec) -> list[str]:
    """Return the flags for how much is logged and done at a time.

    Raises:
        InputError: A value is not valid.
    """
    if spec.log_level is not None and spec.log_level not in _LEVELS:
        raise InputError(f"log_level {spec.log_level!r} is none of {', '.join(_LEVELS)}")
    if spec.concurrency is not None and spec.concurrency < 1:
        raise InputError(f"concurrency is {spec.concurrency}; it has to be at least 1")
    flags = [f"--log-level={spec.log_level}"] if spec.log_level else []
    return flags + ([f"--concurrent={spec.concurrency}"] if spec.concurrency else [])


def _with_flags(obj: KubeObject, flags: Sequence[str], spec: ControllerSpec) -> KubeObject:
    ref = ObjectRef.of(obj)
    if ref.kind != "Deployment" or ref.name not in COMPONENTS:
        return obj
    own = [flag for flag in flags if not (ref.name == "source-controller" and flag in _LOCKDOWN)]
    if spec.multitenant and ref.name in _APPLIERS:
        own.append(_DEFAULT_ACCOUNT)
    if spec.multitenant and ref.name == "kustomize-controller":
        own.append(_REMOTE_BASES)
    if not own:
        return obj
    result = copy.deepcopy(obj)
    template = pod_template_of(result)
    for container in (template or {}).get("spec", {}).get("containers") or []:
        if container.get("name") == "manager":
            names = {flag.partition("=")[0] for flag in own}
            kept = [arg for arg in container.get("args") or [] if str(arg).partition("=")[0] not in names]
            container["args"] = [*kept, *own]
    return result
