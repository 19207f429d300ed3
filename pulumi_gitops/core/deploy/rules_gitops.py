# SPDX-License-Identifier: Apache-2.0
"""Readiness of what Argo CD and Flux reconcile: a status of an earlier spec or revision never counts.

Argo CD: the status of an Application is not a subresource and carries no observedGeneration. The controller decides
by ``status.sync.comparedTo`` whether its status is of the present spec (needRefreshAppStatus), and so do we. What it
does not compare (the project, labels) leads to no new status before its next round, three minutes by default.

Flux: its CRDs start with ``observedGeneration: -1``. A failure is tried again and may be of the time before our write,
so it gets a grace, unless the controller itself says that it has given up (``Stalled``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..cluster import FIELD_MANAGER
from .states import (
    READY,
    Readiness,
    State,
    Trouble,
    View,
    dicts,
    failed,
    first_gap,
    mapping,
    number,
    progressing,
    time_of,
    why,
    written_at,
)

# Longer than a refresh and a retry: a Secret, an AppProject or a commit of a moment ago is seen by then.
_ERROR_SECONDS = 20.0
# Rules of custom kinds may look at a condition of the previous generation, and pods crash once while they start.
_DEGRADED_SECONDS = 30.0
_ERROR_CONDITIONS = ("InvalidSpecError", "ComparisonError", "UnknownError", "DeletionError")
# The controller removes it in the very patch that writes the status of that refresh.
_REFRESH = "argocd.argoproj.io/refresh"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# Reasons of Ready=False with which Flux waits for something else, which is awaited by itself.
_FLUX_WAITS = frozenset({"DependencyNotReady", "ArtifactFailed", "SourceNotReady", "HelmChartNotReady", "Progressing"})
# A HelmChart that helm-controller makes is in no set, so nobody else awaits it: what source-controller calls its errors
# (BuildErrorReason of its internal/helm/chart).
_CHART_ERROR = re.compile(
    r"HelmChart '[^']*' is not ready: (invalid chart reference|chart (pull|metadata patch|package|verification) error|"
    r"values files merge error|dependency build error)"
)


# --- Argo CD ---------------------------------------------------------------------------------------------------------


def application(view: View) -> Readiness:
    """Ready when it is Synced and Healthy, seen with the present spec and at the revision that the spec pins."""
    status = view.status
    operation = mapping(status.get("operationState"))
    compared = mapping(status.get("sync"))
    sync = str(compared.get("status") or "Unknown")
    health = str(mapping(status.get("health")).get("status") or "Unknown")
    errors = [(c.get("type"), c.get("message")) for c in dicts(status.get("conditions"))]
    errors = [entry for entry in errors if entry[0] in _ERROR_CONDITIONS]
    if errors:
        reason, message = str(errors[0][0]), str(errors[0][1] or "")
        return progressing(reason, message, Trouble(reason, _ERROR_SECONDS, reason, message))
    if _REFRESH in mapping(view.metadata.get("annotations")) or not _is_of_this_spec(view):
        return progressing("NotReconciled", "Argo CD has not compared the present spec yet")
    if operation.get("phase") in ("Running", "Terminating") or view.obj.get("operation"):
        return progressing("Syncing", str(operation.get("message") or ""))
    settled = sync == "Synced" and health == "Healthy"
    if operation.get("phase") in ("Failed", "Error") and not settled and _is_current(view, operation):
        return failed("OperationFailed", str(operation.get("message") or ""))
    wanted = str(mapping(view.spec.get("source")).get("targetRevision") or "")
    revision = str(compared.get("revision") or "")
    other = bool(_COMMIT.fullmatch(wanted)) and not revision.startswith(wanted)
    trouble = None
    if health == "Degraded":
        trouble = Trouble("Degraded", _DEGRADED_SECONDS, "Degraded", _unhealthy(status))
    return first_gap(
        (other, "OtherRevision", f"it is at {revision or 'no commit'}, the spec wants {wanted}"),
        (sync != "Synced", sync, f"health is {health}"),
        (health != "Healthy", health, _unhealthy(status) or f"sync is {sync}"),
        trouble=trouble,
    )


def _is_of_this_spec(view: View) -> bool:
    compared = mapping(mapping(view.status.get("sync")).get("comparedTo"))
    if not view.status.get("reconciledAt"):
        return False
    for name in ("sources", "source"):
        if view.spec.get(name) and compared.get(name):
            return all(_compact(view.spec.get(part)) == _compact(compared.get(part)) for part in (name, "destination"))
    if view.spec.get("sources") or view.spec.get("source"):
        return not compared.get("sources") and not compared.get("source") and _is_newer_than_write(view)
    return _is_newer_than_write(view)  # a hydrated source: what it is compared with is derived


def _is_newer_than_write(view: View) -> bool:
    reconciled = time_of(view.status.get("reconciledAt"))
    written = written_at(view.obj, FIELD_MANAGER)
    return reconciled is not None and (written is None or reconciled >= written)


def _is_current(view: View, operation: Mapping[str, Any]) -> bool:
    """Tell whether an operation was about the present spec and revision, and ended after our write."""
    result = mapping(operation.get("syncResult"))
    for name in ("sources", "source"):
        if view.spec.get(name) and result.get(name) and _compact(view.spec[name]) != _compact(result[name]):
            return False
    revision, compared = result.get("revision"), mapping(view.status.get("sync")).get("revision")
    if revision and compared and revision != compared:
        return False
    finished = time_of(operation.get("finishedAt"))
    written = written_at(view.obj, FIELD_MANAGER)
    return finished is None or written is None or finished >= written


def _compact(value: Any) -> Any:
    """Drop what Go drops when it writes an empty field (omitempty)."""
    if isinstance(value, dict):
        found = {key: _compact(item) for key, item in value.items()}
        return {key: item for key, item in found.items() if item not in (None, "", False, 0, [], {})}
    return [_compact(item) for item in value] if isinstance(value, list) else value


def _unhealthy(status: Mapping[str, Any]) -> str:
    found = []
    for resource in dicts(status.get("resources")):
        health = mapping(resource.get("health"))
        if health.get("status") not in (None, "", "Healthy", "Suspended"):
            message = f": {health['message']}" if health.get("message") else ""
            found.append(f"{resource.get('kind')} {resource.get('name')} is {health['status']}{message}")
    return "; ".join(found[:5])


def application_set(view: View) -> Readiness:
    """Ready when its Applications are as it wants them (Argo CD's own health rule)."""
    error = view.condition("ErrorOccurred")
    if error.get("status") == "True":
        reason, message = why(error, "ErrorOccurred")
        return progressing(reason, message, Trouble(reason, _ERROR_SECONDS, reason, message))
    rollout = view.condition("RolloutProgressing")
    if rollout.get("status") == "True":
        return progressing(*why(rollout, "RolloutProgressing"))
    if view.condition("ResourcesUpToDate").get("status") == "True":
        return READY
    return progressing(*why(view.condition("ResourcesUpToDate"), "NotReconciled"))


# --- Flux ------------------------------------------------------------------------------------------------------------


def flux_source(view: View) -> Readiness:
    """GitRepository, OCIRepository, Bucket, HelmRepository, HelmChart: ready with an artifact of the present spec."""
    if view.obj.get("kind") == "HelmRepository" and view.spec.get("type") == "oci":
        return READY  # nothing reconciles it: charts are pulled by those who use it
    found = _flux(view)
    if not found.ready or view.spec.get("suspend"):
        return found
    artifact = mapping(view.status.get("artifact"))
    revision = str(artifact.get("revision") or "")
    commit = str(mapping(view.spec.get("ref")).get("commit") or "")
    digest = str(mapping(view.spec.get("ref")).get("digest") or "")
    return first_gap(
        (not artifact, "NoArtifact", "nothing was fetched yet"),
        (commit not in revision, "OtherRevision", f"it is at {revision}, the spec wants {commit}"),
        (digest not in revision, "OtherRevision", f"it is at {revision}, the spec wants {digest}"),
    )


def flux_applier(view: View) -> Readiness:
    """Kustomization, HelmRelease: ready when what was tried last is what is applied."""
    found = _flux(view)
    if not found.ready or view.spec.get("suspend"):
        return found
    applied = str(view.status.get("lastAppliedRevision") or "")
    attempted = str(view.status.get("lastAttemptedRevision") or "")
    # HelmRelease v2 has no lastAppliedRevision any more.
    behind = bool(attempted) and "lastAppliedRevision" in view.status and applied != attempted
    return first_gap((behind, "OtherRevision", f"{attempted} is not applied yet, {applied or 'nothing'} is"))


def flux_other(view: View) -> Readiness:
    """Return the state of what else Flux reconciles: ready when it says so about the present spec."""
    return _flux(view)


def flux_failed(view: View) -> bool:
    """Tell whether the last attempt at the present spec failed: ``observedGeneration`` stays behind on purpose then."""
    ready = view.condition("Ready")
    return ready.get("status") == "False" and number(ready, "observedGeneration", -1) >= view.generation


def _flux(view: View) -> Readiness:
    if view.spec.get("suspend"):
        return Readiness(State.CURRENT, "Suspended", "spec.suspend is set")
    ready = view.condition("Ready")
    if view.status.get("observedGeneration") is None and not ready:
        return progressing("NotReconciled", "its controller has not seen it yet")
    if view.says("Ready") and not view.says("Reconciling"):
        return READY
    reason, message = why(ready, "NotReconciled")
    if view.says("Ready", "False") and (reason not in _FLUX_WAITS or _CHART_ERROR.match(message)):
        return progressing(reason, message, Trouble(reason, _ERROR_SECONDS, reason, message))
    return progressing(reason, message)
