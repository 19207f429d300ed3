# SPDX-License-Identifier: Apache-2.0
"""Is an object ready? The rules of kstatus (kubernetes-sigs/cli-utils, ``pkg/kstatus/status``), with the holes closed.

Deviations, each on purpose: a Job is ready when it is complete, not when it runs (as fluxcd/pkg has it); a Namespace
is ready when it is Active; a failed Pod is Failed; a paused Deployment is ready; a Ready condition of an older
generation does not count; objects of Argo CD and Flux have rules of their own. Time is not part of a rule: what
kstatus fails after 15 s (a pod that can not be scheduled) is a trouble here, and the wait lets its grace pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..objects import KubeObject, ObjectRef
from . import rules_gitops, rules_resources, rules_workloads
from .states import READY, Readiness, State, View, failed, number, progressing, why
from .wait_for import WaitFor

__all__ = ["Readiness", "State", "may_change_by_itself", "readiness"]


def readiness(
    obj: KubeObject,
    *,
    generation: int = 0,
    wait_for: Sequence[WaitFor] = (),
    strict_lb: bool = False,
    late_binding: bool = False,
) -> Readiness:
    """Compute the state of an object.

    Args:
        obj: The object as read.
        generation: The generation that our apply returned; an older one is not looked at any further.
        wait_for: What has to hold, in place of the rule of its kind. What the rule calls failed stays failed.
        strict_lb: LoadBalancer Services and Ingresses are ready only with an address.
        late_binding: For a PersistentVolumeClaim: its StorageClass makes the volume when a pod needs it.
    """
    view = View.of(obj, strict_lb=strict_lb, late_binding=late_binding)
    group_kind = ObjectRef.of(obj).group_kind
    stale = _stale(view, generation)
    if stale is not None:
        told = stale.reason == _UNOBSERVED and _is_flux(group_kind) and rules_gitops.flux_failed(view)
        return _by_rule(view, group_kind) if told else stale
    if not wait_for:
        return _by_rule(view, group_kind)
    for expression in wait_for:
        unmet = expression.unmet(obj)
        if unmet:
            found = _by_rule(view, group_kind)
            return found if found.state is State.FAILED else progressing("WaitFor", unmet, found.trouble)
    return READY


def _stale(view: View, generation: int) -> Readiness | None:
    """Return why nothing that the object says counts, None when it does."""
    if view.metadata.get("deletionTimestamp"):
        finalizers = view.metadata.get("finalizers") or []
        return Readiness(State.TERMINATING, "Terminating", f"waits for finalizers {finalizers}" if finalizers else "")
    if view.generation < generation:
        return progressing("OldGeneration", f"generation {view.generation} seen, {generation} applied")
    if not view.observed and not view.spec.get("suspend"):
        observed = number(view.status, "observedGeneration")
        return progressing(_UNOBSERVED, f"generation {view.generation}, observed {observed}")
    return None


def _by_rule(view: View, group_kind: str) -> Readiness:
    rule = _rule_for(group_kind)
    if view.says("Stalled"):
        return failed(*why(view.condition("Stalled"), "Stalled"))
    # Flux says what went wrong in Ready, and beside it that it goes on trying.
    if view.says("Reconciling") and not _is_flux(group_kind):
        return progressing(*why(view.condition("Reconciling"), "Reconciling"))
    if rule is not None:
        return rule(view)
    ready = view.conditions.get("Ready")
    if ready is None:
        return READY
    if not view.is_fresh(ready):
        return progressing(_UNOBSERVED, "the condition Ready is of an older generation")
    return READY if ready.get("status") == "True" else progressing(*why(ready, "NotReady"))


def _is_flux(group_kind: str) -> bool:
    return group_kind.partition("/")[0].endswith(_FLUX)


def may_change_by_itself(ref: ObjectRef, *, strict_lb: bool = False) -> bool:
    """Tell whether an object of this kind can be not ready; the others need no watching."""
    return ref.group_kind not in _STATIC and (strict_lb or ref.group_kind not in _ADDRESSED)


_UNOBSERVED = "LatestGenerationNotObserved"
_FLUX = (".toolkit.fluxcd.io", "fluxcd.controlplane.io")
_RULES: dict[str, Callable[[View], Readiness]] = {
    "apps/Deployment": rules_workloads.deployment,
    "apps/StatefulSet": rules_workloads.stateful_set,
    "apps/DaemonSet": rules_workloads.daemon_set,
    "apps/ReplicaSet": rules_workloads.replica_set,
    "batch/Job": rules_workloads.job,
    "Pod": rules_workloads.pod,
    "PersistentVolumeClaim": rules_resources.volume_claim,
    "Service": rules_resources.service,
    "networking.k8s.io/Ingress": rules_resources.ingress,
    "autoscaling/HorizontalPodAutoscaler": rules_resources.autoscaler,
    "apiregistration.k8s.io/APIService": rules_resources.api_service,
    "Namespace": rules_resources.namespace,
    "apiextensions.k8s.io/CustomResourceDefinition": rules_resources.crd,
    "argoproj.io/Application": rules_gitops.application,
    "argoproj.io/ApplicationSet": rules_gitops.application_set,
    "kustomize.toolkit.fluxcd.io/Kustomization": rules_gitops.flux_applier,
    "helm.toolkit.fluxcd.io/HelmRelease": rules_gitops.flux_applier,
}
_RULES |= {
    f"fluxcd.controlplane.io/{kind}": rules_gitops.flux_other
    for kind in ("FluxInstance", "ResourceSet", "ResourceSetInputProvider")
}
_RULES |= {
    f"source.toolkit.fluxcd.io/{kind}": rules_gitops.flux_source
    for kind in ("GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Bucket")
}
# Notification objects of Flux have no status in their newest version.
_FLUX_STATIC = frozenset({"Alert", "Provider"})

# Ready as soon as they are applied. PodDisruptionBudgets and CronJobs as in kstatus.
_STATIC = frozenset(
    {
        "ConfigMap",
        "Endpoints",
        "Event",
        "LimitRange",
        "PodTemplate",
        "ResourceQuota",
        "Secret",
        "ServiceAccount",
        "admissionregistration.k8s.io/MutatingAdmissionPolicy",
        "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
        "admissionregistration.k8s.io/MutatingWebhookConfiguration",
        "admissionregistration.k8s.io/ValidatingAdmissionPolicy",
        "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
        "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
        "apps/ControllerRevision",
        "argoproj.io/AppProject",
        "batch/CronJob",
        "coordination.k8s.io/Lease",
        "discovery.k8s.io/EndpointSlice",
        "networking.k8s.io/IngressClass",
        "networking.k8s.io/NetworkPolicy",
        "node.k8s.io/RuntimeClass",
        "policy/PodDisruptionBudget",
        "rbac.authorization.k8s.io/ClusterRole",
        "rbac.authorization.k8s.io/ClusterRoleBinding",
        "rbac.authorization.k8s.io/Role",
        "rbac.authorization.k8s.io/RoleBinding",
        "scheduling.k8s.io/PriorityClass",
        "storage.k8s.io/CSIDriver",
        "storage.k8s.io/StorageClass",
    }
)
# Not ready only while they have no address, and then only for those who insist on one: the API server gives a
# Service its cluster IP before it answers the apply.
_ADDRESSED = frozenset({"Service", "networking.k8s.io/Ingress"})


def _rule_for(group_kind: str) -> Callable[[View], Readiness] | None:
    if group_kind in _STATIC:
        return rules_resources.always
    group, _, kind = group_kind.partition("/")
    if group.endswith(_FLUX) and group_kind not in _RULES:
        return rules_resources.always if kind in _FLUX_STATIC else rules_gitops.flux_other
    return _RULES.get(group_kind)
