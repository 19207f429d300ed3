# SPDX-License-Identifier: Apache-2.0
"""What the status of an Argo CD Application means: pure rules, nothing is sent.

The rules follow the application controller (controller/appcontroller.go, v3.2 to v3.6): it removes the refresh
annotation in the very patch that writes the status of that refresh, so a status without the annotation is newer than
whatever was written before the refresh was requested; and automated sync sets ``operation`` before that patch.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

from ...objects import KubeObject, annotations_of
from ..names import is_commit

REFRESH_ANNOTATION = "argocd.argoproj.io/refresh"

_ERROR_CONDITIONS = ("ComparisonError", "UnknownError", "DeletionError")
_RESOLVED = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_FAILED_PHASES = ("Failed", "Error")

# Messages that say nothing about the application: a component is starting, or the network hiccups.
_TRANSIENT = re.compile(
    r"(?i)code = (Unavailable|DeadlineExceeded|ResourceExhausted|Canceled|Aborted)|connection re(fused|set)|"
    r"i/o timeout|\bEOF\b|TLS handshake timeout|no such host|Temporary failure|server misbehaving|context deadline"
)
# The first one that fits counts: what is particular stands before what is general.
_HINTS = (
    # What people call themselves is in these messages.
    (
        r"GIT/GPG: |signature made with \w+ key|verify commit signature|but a signature is required",
        (
            "The project takes only what is signed by one of its signature_keys: sign it with such a key. The key has "
            "to be in gpg_keys of the controller, too; Argo CD's pods see it about a minute later."
        ),
    ),
    (r"(?i)proxy authentication required|proxy connect", "The proxy refuses: check its URL, user name and password."),
    (
        r"(?i)installation id|/access_tokens",
        (
            "GitHub refuses the App: check github_app_id, github_app_installation_id, github_app_private_key and "
            "github_app_url of the repository's connection."
        ),
    ),
    (
        r"(?i)ssh: unable to authenticate|permission denied \(publickey",
        (
            "The Git server does not take the key: add its public key there, or correct ssh_private_key of the "
            "repository's connection."
        ),
    ),
    (
        r"(?i)key mismatch|host identification has changed",
        (
            "The server has another host key than before. If its owner has changed it, correct known_hosts of the "
            "controller; Argo CD's pods see that about a minute later."
        ),
    ),
    (
        r"(?i)key is unknown|host key verification failed|hostkey",
        "Add the host key of the server to known_hosts of the controller; Argo CD's pods see it about a minute later.",
    ),
    (
        r"(?i)tls: (certificate required|bad certificate)|alert (certificate required|bad certificate)",
        (
            "The Git server wants a client certificate that it knows: client_cert and client_key of the repository's "
            "connection."
        ),
    ),
    (
        r"(?i)unknown authority|unable to get (local )?issuer|self.signed certificate",
        (
            "Add the certificate of the server's authority to tls_certificates of the controller, under the host's "
            "name; Argo CD's pods see it about a minute later."
        ),
    ),
    (
        r"(?i)kustomize build|accumulating resources|invalid kustomization",
        "Correct the kustomization: `kustomize build` of its folder says the same.",
    ),
    (
        r"(?i)authentication|authorization failed|unauthorized|could not read username|invalid credentials|\b40[13]\b",
        "The Git server refuses the controller: check username, password or token of the repository's connection.",
    ),
    (
        (
            r"(?i)unable to resolve .* to a commit|couldn't find remote ref|unknown revision|not our ref|"
            r"reference not found"
        ),
        "The revision is not in the repository: check the name of the branch or tag, or push the commit first.",
    ),
    (
        r"(?i)app path does not exist|path .*does not exist|no such file or directory",
        "The path is not in the repository at this revision: check it, or push it first.",
    ),
    (
        r"^it follows ",
        "The commit was not pushed there, or newer ones followed; without a revision the newest commit is awaited.",
    ),
    (
        r"(?i)repository not found|repository .* does not exist",
        "Check the URL of the repository. Some servers also say so to those who may not see it.",
    ),
    (r"(?i)referenc(es|ing) project", "Create the AppProject, or use the project `default`."),
    (
        r"(?i)not permitted in project|allowed destinations in project",
        "The AppProject does not allow this repository, destination or kind.",
    ),
    (r"(?i)namespaces? \"[^\"]*\" not found", "Set create_namespace, or create the destination namespace."),
    (
        r"(?i)will wipe out all resources",
        "The path holds no manifests any more; the controller keeps what runs. Remove the application instead.",
    ),
    (
        # A server that wants a client certificate says so, but its closing can outrun its words (TLS 1.3).
        r"(?i)https://.*(broken pipe|connection reset by peer|\bEOF\b)",
        (
            "The Git server, or a proxy before it, hung up. If it wants a client certificate: client_cert and "
            "client_key of the repository's connection."
        ),
    ),
    (
        r"(?i)connection refused|no such host|i/o timeout|dial tcp|certificate|x509",
        "The controller can not reach the repository: the URL has to work from inside the cluster.",
    ),
)


@dataclass(frozen=True, slots=True)
class Operation:
    """The newest sync operation of an application.

    Attributes:
        running: It runs, waits to be retried, or is about to start.
        phase: ``Running``, ``Succeeded``, ``Failed``, ``Error``, ``Terminating``; "" when there never was one.
        revision: Commit id (or what was asked for) that it syncs.
        started: When it began; tells operations apart.
        message: The controller's words.
        retries: How often it failed and is to be tried again.
    """

    running: bool
    phase: str
    revision: str
    started: str
    message: str
    retries: int

    @property
    def failed(self) -> bool:
        """Whether it ended without success."""
        return not self.running and self.phase in _FAILED_PHASES


@dataclass(frozen=True, slots=True)
class AppStatus:
    """The state of an Application that matters for a wait.

    Attributes:
        refreshing: A refresh is requested: everything else may be stale.
        revision: Commit id that the cluster was compared with; "" when there is none.
        target: What the application follows: branch, tag, commit id.
        sync: ``Synced``, ``OutOfSync``, ``Unknown``, or "".
        health: ``Healthy``, ``Progressing``, ``Degraded``, ``Suspended``, ``Missing``, ``Unknown``, or "".
        errors: Conditions that stop it, the controller's words.
        sync_error: Why automated sync does not act, or "".
        operation: Newest sync.
        automated: The controller syncs by itself.
        self_heal: It also undoes changes made by hand.
        prune: Syncs remove what left the repository.
        only_prune: Out of sync for nothing but objects that would have to be removed.
        unhealthy: Objects that are not healthy: ``Deployment shop/web is Degraded: ...``.
        out_of_sync: Objects that are not in sync: ``Deployment shop/web``.
    """

    refreshing: bool
    revision: str
    target: str
    sync: str
    health: str
    errors: tuple[str, ...]
    sync_error: str
    operation: Operation
    automated: bool
    self_heal: bool
    prune: bool
    only_prune: bool
    unhealthy: tuple[str, ...]
    out_of_sync: tuple[str, ...]


def read(app: KubeObject) -> AppStatus:
    """Return the state of an Application."""
    spec, status = app.get("spec") or {}, app.get("status") or {}
    revision = str((status.get("sync") or {}).get("revision") or "")
    automated: dict[str, Any] | None = (spec.get("syncPolicy") or {}).get("automated")
    resources = status.get("resources") or []
    conditions = [(str(c.get("type")), str(c.get("message"))) for c in status.get("conditions") or []]
    out_of_sync = [r for r in resources if r.get("status") == "OutOfSync"]
    return AppStatus(
        refreshing=REFRESH_ANNOTATION in annotations_of(app),
        # While it can not be resolved the controller writes the name here.
        revision=revision if _RESOLVED.fullmatch(revision) else "",
        target=str((spec.get("source") or {}).get("targetRevision") or "HEAD"),
        sync=str((status.get("sync") or {}).get("status") or ""),
        health=str((status.get("health") or {}).get("status") or ""),
        errors=_errors(conditions),
        sync_error=next((message for kind, message in conditions if kind == "SyncError"), ""),
        operation=_operation(app),
        automated=automated is not None and automated.get("enabled", True) is not False,
        self_heal=bool((automated or {}).get("selfHeal")),
        prune=bool((automated or {}).get("prune")),
        only_prune=bool(out_of_sync) and all(r.get("requiresPruning") for r in out_of_sync),
        unhealthy=tuple(_unhealthy(r) for r in resources if _health_of(r) not in ("", "Healthy", "Suspended")),
        out_of_sync=tuple(_named(r) for r in out_of_sync),
    )


def _errors(conditions: list[tuple[str, str]]) -> tuple[str, ...]:
    invalid = tuple(message for kind, message in conditions if kind == "InvalidSpecError")
    # With an invalid spec the controller compares nothing: its other conditions are of an earlier spec.
    return invalid or tuple(message for kind, message in conditions if kind in _ERROR_CONDITIONS)


def _operation(app: KubeObject) -> Operation:
    state = (app.get("status") or {}).get("operationState") or {}
    requested = app.get("operation") or {}
    result = state.get("syncResult") or {}
    asked = ((state.get("operation") or requested).get("sync") or {}).get("revision")
    phase = str(state.get("phase") or "")
    return Operation(
        running=bool(requested) or phase in ("Running", "Terminating"),
        phase=phase,
        revision=str(result.get("revision") or asked or ""),
        started=str(state.get("startedAt") or ""),
        message=str(state.get("message") or ""),
        retries=int(state.get("retryCount") or 0),
    )


def _named(resource: dict[str, Any]) -> str:
    place = "/".join(part for part in (resource.get("namespace"), resource.get("name")) if part)
    return f"{resource.get('kind')} {place}"


def _health_of(resource: dict[str, Any]) -> str:
    return str((resource.get("health") or {}).get("status") or "")


def _unhealthy(resource: dict[str, Any]) -> str:
    message = (resource.get("health") or {}).get("message")
    return f"{_named(resource)} is {_health_of(resource)}" + (f": {message}" if message else "")


def is_transient(message: str) -> bool:
    """Tell whether a message says nothing about what was asked for, so that the next attempt may succeed."""
    return bool(_TRANSIENT.search(message))


def hint_for(message: str) -> str:
    """Return what a user can do about a message of the controller, "" when nothing is known."""
    return next((hint for pattern, hint in _HINTS if re.search(pattern, message)), "")


# --- what to do next -------------------------------------------------------------------------------------------------


class Step(enum.StrEnum):
    """What a wait does next."""

    DONE = "done"
    WAIT = "wait"
    REFRESH = "refresh"
    """The status is older than the newest operation: ask for a new one."""
    SYNC = "sync"
    """Nobody syncs unless we ask for it."""
    STOP = "stop"
    """A failing sync of another revision is tried again and again, and holds up the one that is wanted."""
    TROUBLE = "trouble"
    """An error, unless the next refreshes make it go away."""
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a status means for a goal.

    Attributes:
        step: What to do next.
        message: Why, for people.
        grace: With TROUBLE: seconds that it may last.
        pause: With TROUBLE: seconds until the controller is asked to look again.
        revision: With DONE: commit id that the cluster is at.
    """

    step: Step
    message: str = ""
    grace: float = 0.0
    pause: float = 0.0
    revision: str = ""


@dataclass(slots=True)
class Goal:
    """What a wait is for, and what it knows so far.

    Attributes:
        revision: Commit id (may be short), branch or tag; None for the newest commit of what the application follows.
        ended: ``started`` of an operation that had ended before the wait, or that was taken into account already.
        syncs: Syncs that we asked for.
    """

    revision: str | None = None
    ended: str = ""
    syncs: int = 0

    def is_at(self, status: AppStatus) -> bool:
        """Tell whether the cluster was compared with what was asked for."""
        if self.revision is None or self.revision == status.target:
            return bool(status.revision)
        return is_commit(self.revision) and status.revision.startswith(self.revision)

    def is_met_by(self, operation: Operation) -> bool:
        """Tell whether a sync that we asked for was of what was asked for; the controller resolves names."""
        revision = self.revision
        return revision is None or not is_commit(revision) or operation.revision.startswith(revision)


def judge(status: AppStatus, goal: Goal) -> Verdict:
    """Say what a status means for a goal."""
    if status.refreshing:
        return Verdict(Step.WAIT, "waiting for the controller to look at it")
    if status.errors:
        return _trouble("; ".join(status.errors))
    at_goal = goal.is_at(status)
    if status.automated and not at_goal:
        return Verdict(
            Step.TROUBLE,
            f"it follows {status.target}, which is at {status.revision or 'no commit'}, not at {goal.revision}",
            grace=5.0,
            pause=2.0,
        )
    operation = status.operation
    if operation.running and operation.retries and at_goal and operation.revision not in ("", status.revision):
        return Verdict(Step.STOP, f"ending the failed sync of {operation.revision[:12]}: {operation.message}")
    if operation.running:
        return Verdict(Step.WAIT, operation.message or f"syncing {operation.revision[:12]}")
    news = bool(operation.phase) and operation.started != goal.ended
    if news and operation.failed and (not at_goal or operation.revision in ("", status.revision)):
        return Verdict(Step.FAIL, operation.message)
    if at_goal and (status.sync == "Synced" or (status.only_prune and not status.prune)):
        # The controller compares with live objects that have the new generation, so this health is of this revision.
        return _judge_health(status, status.revision)
    if news:
        return Verdict(Step.REFRESH, operation.message)
    if not at_goal and goal.syncs and goal.is_met_by(operation):
        # An older or other revision than the application follows, synced because we asked for it.
        return _judge_health(status, operation.revision)
    return _judge_out_of_sync(status, goal)


def _trouble(message: str) -> Verdict:
    if is_transient(message):
        return Verdict(Step.TROUBLE, message, grace=30.0, pause=3.0)
    # Asked once more before it counts: a Secret or AppProject made a moment ago may not have reached the controller.
    return Verdict(Step.TROUBLE, message, grace=1.0, pause=1.0)


def _judge_health(status: AppStatus, revision: str) -> Verdict:
    if status.health == "Healthy":
        return Verdict(Step.DONE, revision=revision)
    message = "; ".join(status.unhealthy[:5]) or f"health is {status.health or 'not known yet'}"
    if status.health == "Degraded":
        # Rules of custom kinds may look at a condition of the previous generation for a moment.
        return Verdict(Step.TROUBLE, message, grace=10.0, pause=5.0)
    return Verdict(Step.WAIT, message)


def _judge_out_of_sync(status: AppStatus, goal: Goal) -> Verdict:
    names = ", ".join(status.out_of_sync[:5])
    waiting = Verdict(Step.WAIT, f"out of sync: {names}" if names else f"sync is {status.sync or 'not known yet'}")
    if status.automated:
        operation = status.operation
        attempted = bool(operation.phase) and operation.revision in ("", status.revision)
        if status.sync_error and not operation.failed:
            return _trouble(status.sync_error)
        if status.sync != "OutOfSync" or not attempted or (status.self_heal and not operation.failed):
            return waiting
    # Nobody will sync: it is not automated, or the controller syncs a revision once and does not repeat what failed.
    return waiting if goal.syncs else Verdict(Step.SYNC, "asking for a sync")
