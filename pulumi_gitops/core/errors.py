# SPDX-License-Identifier: Apache-2.0
"""The one exception tree of the engine.

Every error has a stable ``code`` for machines, a message that says what happened to which object, a ``hint`` that says
what to do next, and ``details`` for structured results. ``str()`` is redacted, so an error may be printed anywhere.
Errors of libraries never leave their adapter: they are chained as ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from .redact import redact


class GitOpsError(Exception):
    """Base of all errors that the engine raises on purpose.

    Args:
        message: What happened, to which object. One or two sentences.
        hint: What the user can do about it. May be empty.
        details: Structured facts (JSON types only) for results and tests.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, *, hint: str = "", details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self._message = message
        self._hint = hint
        self.details: dict[str, Any] = dict(details or {})

    @property
    def message(self) -> str:
        """What happened, redacted."""
        return redact(self._message)

    @property
    def hint(self) -> str:
        """What to do next, redacted; empty when there is nothing to say."""
        return redact(self._hint)

    def __str__(self) -> str:
        """The message, followed by the hint on a line of its own."""
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def as_dict(self) -> dict[str, Any]:
        """JSON form: ``{"code", "message", "hint", "details"}``."""
        return {"code": self.code, "message": self.message, "hint": self.hint, "details": self.details}


# --- input -----------------------------------------------------------------------------------------------------------


class InputError(GitOpsError):
    """An option or a value is not valid; nothing was touched."""

    code = "input.invalid"


class ManifestError(InputError):
    """A manifest can not be read.

    Args:
        message: What is wrong.
        source: File name, or a name for the text.
        line: 1-based, 0 when unknown.
        column: 1-based, 0 when unknown.
        hint: What to do.
    """

    code = "input.manifest"

    def __init__(self, message: str, *, source: str = "", line: int = 0, column: int = 0, hint: str = "") -> None:
        place = ":".join([source or "<text>", *(str(n) for n in (line, column) if n)])
        super().__init__(f"{place}: {message}", hint=hint, details={"source": source, "line": line, "column": column})
        self.source, self.line, self.column = source, line, column


class EmptySetError(InputError):
    """The set of objects is empty; refusing to treat that as "delete everything"."""

    code = "input.empty_set"


class ChecksumMismatchError(InputError):
    """Downloaded or local content does not have the pinned sha256."""

    code = "input.checksum"


class SourceUnavailableError(GitOpsError):
    """Manifests or another input can not be fetched or found."""

    code = "input.unavailable"


# --- cluster ---------------------------------------------------------------------------------------------------------


class ClusterError(GitOpsError):
    """Base of all errors of the Kubernetes API adapter."""

    code = "cluster.error"


class ClusterConfigError(ClusterError):
    """The connection settings are wrong: no kubeconfig, unknown context, broken certificate, failing exec plugin."""

    code = "cluster.config"


class ClusterUnreachableError(ClusterError):
    """The API server can not be reached or does not answer in time."""

    code = "cluster.unreachable"


class ApiError(ClusterError):
    """The API server refused a request.

    Args:
        message: What happened to which object.
        status: HTTP status.
        reason: ``reason`` of the Status object, for example ``NotFound``.
        causes: ``details.causes`` of the Status object.
        hint: What to do.
        details: More structured facts.
    """

    code = "cluster.api"

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        reason: str = "",
        causes: Sequence[Mapping[str, Any]] = (),
        hint: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details={"status": status, "reason": reason, **(details or {})})
        self.status = status
        self.reason = reason
        self.causes = tuple(causes)


class UnauthorizedError(ApiError):
    """401: the credentials are missing, wrong or expired."""

    code = "cluster.unauthorized"


class ForbiddenError(ApiError):
    """403: a right is missing; the message names verb, resource and namespace."""

    code = "cluster.forbidden"


class NotFoundError(ApiError):
    """404 for an object."""

    code = "cluster.not_found"


class AlreadyExistsError(ApiError):
    """409 AlreadyExists."""

    code = "cluster.already_exists"


class ConflictError(ApiError):
    """409 Conflict: another field manager owns a field, or the object changed or vanished meanwhile."""

    code = "cluster.conflict"


class InvalidObjectError(ApiError):
    """400 or 422: the object is not valid; the message names the fields."""

    code = "cluster.invalid"


class ImmutableFieldError(InvalidObjectError):
    """422: a field that can not change after creation was changed."""

    code = "cluster.immutable"


class AdmissionDeniedError(ApiError):
    """An admission webhook or policy refused the object."""

    code = "cluster.admission"


class GoneError(ApiError):
    """410: the resourceVersion of a watch or list continuation has expired."""

    code = "cluster.gone"


class ServerBusyError(ApiError):
    """429, 5xx after all retries."""

    code = "cluster.busy"


class UnknownKindError(ClusterError):
    """The cluster does not serve this apiVersion and kind (CRD missing?)."""

    code = "cluster.unknown_kind"


# --- deploy ----------------------------------------------------------------------------------------------------------


class DeployError(GitOpsError):
    """Base of errors of plan, apply, wait and prune."""

    code = "deploy.error"


class OwnershipError(DeployError):
    """An object belongs to another release or another tool."""

    code = "deploy.ownership"


class ApplyError(DeployError):
    """Some objects could not be applied; ``details["failures"]`` names each one."""

    code = "deploy.apply"


class NotReadyError(DeployError):
    """Objects failed or did not become ready in time; ``details["objects"]`` says why, one entry per object."""

    code = "deploy.not_ready"


class PruneRefusedError(DeployError):
    """A prune guard stopped the removal of objects."""

    code = "deploy.prune_refused"


class RemovalBlockedError(DeployError):
    """Objects did not go away in time; the message names the finalizers that block."""

    code = "deploy.removal_blocked"


class RecordError(DeployError):
    """The release record is damaged or belongs to another tool."""

    code = "deploy.record"


class PlanMovedError(DeployError):
    """The approved plan does not hold any more; ``details["moved"]`` says for each object what moved."""

    code = "deploy.plan_moved"


class ApprovalMissingError(DeployError):
    """The deployment needs an approval that is missing or too old."""

    code = "deploy.approval_missing"


class LockedError(DeployError):
    """Another run holds the lock of the release; ``details`` has ``holder`` and ``since``."""

    code = "deploy.locked"


class RevisionNotFoundError(DeployError):
    """The release, the revision, or what it sent is not in the record any more."""

    code = "deploy.revision_not_found"


class RolledBackError(DeployError):
    """The deployment failed and the release was rolled back; ``details`` has ``failure`` and ``rollback``."""

    code = "deploy.rolled_back"


class RollbackFailedError(DeployError):
    """The deployment failed and so did its rollback; ``details`` has ``failure`` and ``rollback``."""

    code = "deploy.rollback_failed"


# --- git -------------------------------------------------------------------------------------------------------------


class GitError(GitOpsError):
    """Base of errors of the git adapter."""

    code = "git.error"


class GitMissingError(GitError):
    """The git binary is not installed or too old."""

    code = "git.missing"


class GitUnreachableError(GitError):
    """The Git server can not be reached, or there is no repository at the URL."""

    code = "git.unreachable"


class GitAuthError(GitError):
    """The Git server refused the credentials."""

    code = "git.auth"


class BranchNotFoundError(GitError):
    """The branch does not exist."""

    code = "git.branch_not_found"


class PushRejectedError(GitError):
    """The server refused the push (protected branch, hook, missing right) though the branch had not moved."""

    code = "git.push_rejected"


class LostRaceError(GitError):
    """The branch moved under every one of our attempts."""

    code = "git.lost_race"


# --- controllers -----------------------------------------------------------------------------------------------------


class ControllerError(GitOpsError):
    """Base of errors about GitOps controllers and what they sync."""

    code = "controller.error"


class ControllerMissingError(ControllerError):
    """The controller (its CRDs) is not installed in the cluster."""

    code = "controller.missing"


class RemovalRefusedError(ControllerError):
    """Removing the controller would orphan or delete applications that are not ours."""

    code = "controller.removal_refused"


class SyncFailedError(ControllerError):
    """The controller reports that the sync or the health of an application failed."""

    code = "controller.sync_failed"


class SyncTimeoutError(ControllerError):
    """The application did not reach the wanted revision, sync and health in time."""

    code = "controller.sync_timeout"


# --- local tools and sandbox -----------------------------------------------------------------------------------------


class ProcessError(GitOpsError):
    """A program that we ran failed or timed out."""

    code = "process.failed"


class SandboxError(GitOpsError):
    """The local control plane can not be built, started or stopped."""

    code = "sandbox.error"
