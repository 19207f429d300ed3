# SPDX-License-Identifier: Apache-2.0
"""Readiness of what is no workload: claims, Services, Ingresses, autoscalers, definitions."""

from __future__ import annotations

from .states import READY, Readiness, State, View, dicts, failed, first_gap, mapping, progressing, why

# Written by the scheduler once a pod that uses the claim was placed.
_SELECTED_NODE = "volume.kubernetes.io/selected-node"


def volume_claim(view: View) -> Readiness:
    """kstatus, but a claim of a StorageClass that waits for the first pod is ready until there is one."""
    phase = str(view.status.get("phase") or "Pending")
    if phase == "Lost":
        return failed("Lost", "the volume that it was bound to is gone")
    selected = mapping(view.metadata.get("annotations")).get(_SELECTED_NODE)
    if phase == "Pending" and view.late_binding and not selected:
        return Readiness(State.CURRENT, "WaitForFirstConsumer", "the volume comes with the first pod that uses it")
    return first_gap((phase != "Bound", "NotBound", f"phase is {phase}"))


def service(view: View) -> Readiness:
    """kstatus, which asks for a cluster IP only; with `strict_lb` a load balancer's address is needed too."""
    if view.spec.get("type") != "LoadBalancer":
        return READY
    return first_gap(
        (not view.spec.get("clusterIP"), "NoClusterIP", "the Service has no address yet"),
        (view.strict_lb and not _has_address(view), "NoAddress", "the load balancer has no address yet"),
    )


def ingress(view: View) -> Readiness:
    """Ready, since many controllers write no status; with `strict_lb` an address is needed."""
    return first_gap(
        (view.strict_lb and not _has_address(view), "NoAddress", "no Ingress controller has given it an address yet")
    )


def _has_address(view: View) -> bool:
    return bool(dicts(mapping(view.status.get("loadBalancer")).get("ingress")))


def autoscaler(view: View) -> Readiness:
    """Ready unless its controller says that it can not work.

    Metrics that are missing do not count: those of new pods take a minute, and the workload is awaited by itself.
    """
    if view.says("AbleToScale", "False"):
        return progressing(*why(view.condition("AbleToScale"), "NotAbleToScale"))
    active = view.condition("ScalingActive")
    if active.get("status") == "False":
        reason, message = why(active, "NotActive")
        if reason != "ScalingDisabled" and "Metric" not in reason:
            return progressing(reason, message)
        return Readiness(State.CURRENT, reason, message)
    return READY


def api_service(view: View) -> Readiness:
    """Ready when the API server reaches what serves it."""
    if view.says("Available"):
        return READY
    return progressing(*why(view.condition("Available"), "NotAvailable"))


def namespace(view: View) -> Readiness:
    """Ready when it is active."""
    phase = str(view.status.get("phase") or "")
    return first_gap((phase not in ("", "Active"), "NotActive", f"phase is {phase}"))


def crd(view: View) -> Readiness:
    """Kstatus."""
    accepted = view.condition("NamesAccepted")
    if accepted.get("status") == "False":
        return failed(*why(accepted, "NamesNotAccepted"))
    established = view.condition("Established")
    if established.get("status") == "False" and established.get("reason") != "Installing":
        return failed(*why(established, "NotEstablished"))
    return first_gap((established.get("status") != "True", "Installing", "not served yet"))


def always(_: View) -> Readiness:
    """Ready as soon as it exists."""
    return READY
