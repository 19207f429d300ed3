# SPDX-License-Identifier: Apache-2.0
"""Turn answers of the API server into errors that say what happened to which object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import (
    AdmissionDeniedError,
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    ImmutableFieldError,
    InvalidObjectError,
    NotFoundError,
    ServerBusyError,
    UnauthorizedError,
)

# A body that is not a Status object may hold anything; show only its start.
_SHOWN = 256
# Server-side apply answers an unknown or ill-typed field with 500 (apimachinery, structured-merge-diff).
ILL_TYPED = "failed to create typed patch object"
# The API server names the reasons of 422 in prose only: apimachinery's validation texts.
_IMMUTABLE = ("field is immutable", "updates to statefulset spec for fields other than", "may not be changed")


def status_body(data: bytes) -> Mapping[str, Any]:
    """Return a ``kind: Status`` body as a dict; other bodies become one with the start of their text."""
    try:
        body = json.loads(data)
    except (ValueError, UnicodeDecodeError):
        body = None
    if isinstance(body, dict) and body.get("kind") == "Status":
        return body
    return {"message": data[:_SHOWN].decode("utf-8", "replace").strip()}


def error_for(status: int, data: bytes, *, doing: str, origin: str = "") -> ApiError:
    """Return the error for an HTTP answer of 400 or more.

    Args:
        status: HTTP status.
        data: Response body.
        doing: What was asked for, for example ``apply Deployment shop/web``.
        origin: Where the connection settings came from.
    """
    body = status_body(data)
    message = str(body.get("message") or f"HTTP {status}")
    reason = str(body.get("reason") or "")
    causes = [c for c in (body.get("details") or {}).get("causes") or [] if isinstance(c, dict)]
    common: dict[str, Any] = {"status": status, "reason": reason, "causes": causes}
    text = f"{doing}: {message}"
    if status == 401:
        where = f" ({origin})" if origin else ""
        return UnauthorizedError(
            f"{doing}: the API server does not accept the credentials{where}: {message}",
            hint="The token or certificate is missing, wrong or expired: log in again or renew it.",
            **common,
        )
    if "admission webhook" in message or "ValidatingAdmissionPolicy" in message:
        return AdmissionDeniedError(
            text, hint="The policy decides this; ask who runs it, or change the object.", **common
        )
    if status == 403:
        if "exceeded quota" in message:
            return ForbiddenError(text, hint="Raise the ResourceQuota of the namespace or ask for less.", **common)
        if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
            return ForbiddenError(text, hint="The namespace is being deleted: run again when it is gone.", **common)
        return ForbiddenError(text, hint="Grant this right with a Role or ClusterRole and a binding.", **common)
    if status == 404:
        return NotFoundError(text, **common)
    if status == 409:
        return _conflict(text, reason, causes, common)
    if status == 410 or reason in ("Expired", "Gone"):
        return GoneError(text, **common)
    if status in (400, 422) or ILL_TYPED in message:
        if any(marker in message for marker in _IMMUTABLE):
            return ImmutableFieldError(
                text,
                hint="This field can not change after creation: delete the object or give it another name.",
                **common,
            )
        return InvalidObjectError(text, hint="Correct the manifest; nothing of this object was changed.", **common)
    if status == 429 or status >= 500:
        return ServerBusyError(text, hint="The API server is overloaded or failing; try again later.", **common)
    return ApiError(text, **common)


def _conflict(text: str, reason: str, causes: list[dict[str, Any]], common: dict[str, Any]) -> ApiError:
    if reason == "AlreadyExists":
        return AlreadyExistsError(text, **common)
    owners = field_conflicts(causes)
    if not owners:
        return ConflictError(text, hint="The object changed meanwhile; run again.", **common)
    return ConflictError(
        text,
        hint="Remove the field from your manifest, or take it over with force_conflicts: all.",
        details={"conflicts": [{"manager": manager, "field": field} for manager, field in owners]},
        **common,
    )


def field_conflicts(causes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return (manager, field path) for each FieldManagerConflict cause of a 409."""
    found: list[tuple[str, str]] = []
    for cause in causes:
        if cause.get("reason") == "FieldManagerConflict":
            # 'conflict with "kubectl-edit" using apps/v1', with ' with subresource "scale"' before "using" at times.
            parts = str(cause.get("message", "")).split('"')
            found.append((parts[1] if len(parts) > 1 else "unknown", str(cause.get("field", ""))))
    return found
