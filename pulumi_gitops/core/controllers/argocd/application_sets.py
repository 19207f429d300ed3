# SPDX-License-Identifier: Apache-2.0
"""Declare an ApplicationSet, make Argo CD look at it, and wait until its applications are made.

The rules follow the ApplicationSet controller (applicationset/controllers/applicationset_controller.go, v3.2 to v3.6).

- The refresh annotation makes it look now, past what is remembered of repositories, if it is there when it begins to
  look. When it has made the applications it removes the annotation, also one that came meanwhile. So it is asked in the
  same request that changes a set, and once more after a change: the second look began after the first one.
- After an error it leaves it. Its status does not say which generation it is of, and is written only when it changes.
  So an error is taken away before it is asked: one that is there then is new.
- That update, which webhooks cause too, writes the spec as Go has it: with empty fields that nobody gave, and without
  those that were given empty. From then on it owns what it wrote.
"""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...cluster import Cluster
from ...deploy import Action, Change, Progress, ProgressCallback, apply_objects, object_digest
from ...errors import (
    ConflictError,
    ControllerError,
    ForbiddenError,
    NotFoundError,
    SyncFailedError,
    SyncTimeoutError,
)
from ...objects import KubeObject, ObjectRef, annotations_of, uid_of, with_metadata
from ..marks import is_ours
from .status import hint_for, is_transient
from .waiting import await_change
from .wiring import API_VERSION

REFRESH_ANNOTATION = "argocd.argoproj.io/application-set-refresh"
APPLIED_ANNOTATION = "pulumi-gitops/applied"

_CONTROLLER = "argocd"  # begin of the names under which it owns fields

_SELECTOR = "app.kubernetes.io/part-of=argocd,app.kubernetes.io/component=applicationset-controller"
# A Secret or AppProject made a moment ago may not have reached the controller: it is asked once more.
_GRACE, _PAUSE = 1.0, 1.0
_TRANSIENT_GRACE, _TRANSIENT_PAUSE = 30.0, 3.0
_SETTLE = 1.0
_MEANWHILE = "the object has been modified"
_HINTS = (
    (
        r"(?i)go template|parse template|map has no entry",
        "Check the template: its parameters have to come from the generators. In a playbook tag it with !unsafe.",
    ),
    (r"(?i)duplicate name", "Put something into metadata.name of the template that differs for each application."),
    (
        r"(?i)destination spec is invalid",
        "Register the cluster first, or use the server https://kubernetes.default.svc.",
    ),
)


@dataclass(frozen=True, slots=True)
class SetStatus:
    """The state of an ApplicationSet that matters for a wait.

    Attributes:
        refreshing: It is to be looked at: what else is told may be stale.
        error: What stops it, the controller's words; "" when nothing does.
        up_to_date: All applications are made.
    """

    refreshing: bool
    error: str
    up_to_date: bool

    @property
    def done(self) -> bool:
        """Whether the applications are made from the newest set."""
        return not self.refreshing and not self.error and self.up_to_date


def read(obj: KubeObject) -> SetStatus:
    """Return the state of an ApplicationSet."""
    conditions = (obj.get("status") or {}).get("conditions") or []
    holding = {condition.get("type"): condition for condition in conditions if condition.get("status") == "True"}
    failed = holding.get("ErrorOccurred")
    return SetStatus(
        refreshing=REFRESH_ANNOTATION in annotations_of(obj),
        error=str(failed.get("message") or failed.get("reason") or "an error") if failed else "",
        up_to_date="ResourcesUpToDate" in holding,
    )


def declare(cluster: Cluster, objects: Sequence[KubeObject], *, check: bool, ask: bool = False) -> tuple[Change, ...]:
    """Apply sets; what their controller made of them counts as unchanged, and is taken back with the next change.

    Args:
        cluster: Cluster of Argo CD.
        objects: The sets.
        check: Change nothing.
        ask: Let the controller look at those that change.

    Raises:
        ConflictError: Somebody else owns a field.
        GitOpsError: As :func:`...deploy.apply_objects`.
    """
    return tuple(change for obj in objects for change in _declare(cluster, obj, check=check, ask=ask and not check))


def _declare(cluster: Cluster, obj: KubeObject, *, check: bool, ask: bool) -> tuple[Change, ...]:
    ref, digest = ObjectRef.of(obj), object_digest(obj)
    live = cluster.find(ref)
    known = live is not None and is_ours(live) and annotations_of(live).get(APPLIED_ANNOTATION) == digest
    if known and _same(obj["spec"], (live or {}).get("spec") or {}):
        return (Change(Action.UNCHANGED, ref),)
    asking = {REFRESH_ANNOTATION: uuid.uuid4().hex} if ask else {}
    if ask and live is not None:
        _forget_error(cluster, live)
    marked = with_metadata(obj, annotations={**annotations_of(obj), APPLIED_ANNOTATION: digest, **asking})
    try:
        return apply_objects(cluster, [marked], check=check)
    except ConflictError as error:
        owners = {str(conflict["manager"]) for conflict in error.details.get("conflicts") or ()}
        if not owners or not all(owner.startswith(_CONTROLLER) for owner in owners):
            raise
    return apply_objects(cluster, [marked], check=check, force=True)


def _same(wanted: Any, live: Any) -> bool:
    """Tell whether two values differ in nothing but empty fields."""
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return all(_same(wanted.get(key), live.get(key)) for key in {*wanted, *live})
    if isinstance(wanted, Sequence) and isinstance(live, Sequence) and not isinstance(wanted, str) and wanted:
        return len(wanted) == len(live) and all(map(_same, wanted, live))
    return bool(wanted == live) or (_is_empty(wanted) and _is_empty(live))


def _is_empty(value: Any) -> bool:
    return all(map(_is_empty, value.values())) if isinstance(value, Mapping) else not value


def controller_is_there(cluster: Cluster, namespace: str) -> bool:
    """Tell whether the ApplicationSet controller is installed; yes when we must not know."""
    try:
        found = cluster.list("apps/v1", "Deployment", namespace=namespace, label_selector=_SELECTOR)
    except ForbiddenError:
        return True
    return any((deployment.get("spec") or {}).get("replicas", 1) for deployment in found)


def applications_of(cluster: Cluster, live: KubeObject | None, *, going: bool = False) -> tuple[str, ...]:
    """Return the names of the applications that a set has made in its namespace; none for no set.

    Args:
        cluster: Cluster of Argo CD.
        live: The set.
        going: Also those that are being deleted.
    """
    if live is None:
        return ()
    namespace, uid = ObjectRef.of(live).namespace, uid_of(live)
    found = cluster.list(API_VERSION, "Application", namespace=namespace, metadata_only=True)
    there = [obj for obj in found if going or "deletionTimestamp" not in obj["metadata"]]
    owned = (o for o in there if any(owner.get("uid") == uid for owner in o["metadata"].get("ownerReferences") or []))
    return tuple(sorted(ObjectRef.of(obj).name for obj in owned))


def await_applications(
    cluster: Cluster, ref: ObjectRef, timeout: float, progress: ProgressCallback, *, asked: bool = False
) -> KubeObject:
    """Let the controller look at a set, and wait until it has made all applications.

    Args:
        cluster: Cluster of Argo CD.
        ref: The ApplicationSet.
        timeout: Seconds.
        progress: Gets a message at the begin and for each error that may pass.
        asked: The controller was asked to look already.

    Returns:
        The set.

    Raises:
        SyncFailedError: The controller reports an error, in its own words.
        SyncTimeoutError: It took longer.
        ControllerError: There is no such set, or it was deleted meanwhile.
    """
    deadline = time.monotonic() + timeout
    progress(Progress("wait", f"ApplicationSet {ref.name}: waiting for the controller", total=1, ref=ref))
    failures, since = 0, time.monotonic()
    live = cluster.get(ref) if asked else _ask(cluster, ref)
    while not (status := read(live)).done:
        if status.error:
            since = since if failures else time.monotonic()
            failures += 1
            transient = is_transient(status.error) or _MEANWHILE in status.error
            grace, pause = (_TRANSIENT_GRACE, _TRANSIENT_PAUSE) if transient else (_GRACE, _PAUSE)
            if failures > 1 and time.monotonic() - since >= grace:
                raise _failed(ref, status.error)
            progress(Progress("wait", f"ApplicationSet {ref.name}: {status.error}", total=1, ref=ref))
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            if time.monotonic() >= deadline:
                raise _failed(ref, status.error)
            live = _ask(cluster, ref)
            continue
        changed = await_change(cluster, ref, live, deadline)
        if changed is None:
            raise SyncTimeoutError(
                f"ApplicationSet {ref.name}: the controller has not made its applications within {timeout:g} s",
                hint=f"Does Argo CD's ApplicationSet controller run, and does it watch namespace {ref.namespace}?",
                details={"application_set": ref.name, "namespace": ref.namespace},
            )
        live = changed
    return live


def make_anew(cluster: Cluster, ref: ObjectRef, timeout: float, progress: ProgressCallback) -> KubeObject:
    """Let the controller make the applications from what the repositories hold now; else as `await_applications`."""
    await_applications(cluster, ref, timeout, progress)
    # A look that was going on took what it remembers, and so does the one that followed at once: both are over then.
    time.sleep(_SETTLE)
    return await_applications(cluster, ref, timeout, progress)


def _ask(cluster: Cluster, ref: ObjectRef) -> KubeObject:
    """Let the controller look at a set now; return the set as it is then."""
    live = cluster.find(ref)
    if live is not None:
        _forget_error(cluster, live)
    try:
        # Each time another value, as it is a change that makes the controller look.
        return cluster.patch(ref, {"metadata": {"annotations": {REFRESH_ANNOTATION: uuid.uuid4().hex}}})
    except NotFoundError as e:
        raise ControllerError(
            f"there is no {ref}", hint="Check its name, and the namespace: it is the one of the controller."
        ) from e


def _forget_error(cluster: Cluster, live: KubeObject) -> None:
    if read(live).error:
        # Without the right to do so an error of before may count as one of now.
        with contextlib.suppress(ForbiddenError, NotFoundError):
            cluster.patch(ObjectRef.of(live), {"status": {"conditions": None}}, subresource="status")


def _failed(ref: ObjectRef, message: str) -> SyncFailedError:
    hint = next((hint for pattern, hint in _HINTS if re.search(pattern, message)), hint_for(message))
    return SyncFailedError(
        f"ApplicationSet {ref.name}: {message.strip()}",
        hint=hint,
        details={"application_set": ref.name, "namespace": ref.namespace},
    )
