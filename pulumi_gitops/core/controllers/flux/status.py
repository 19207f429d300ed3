# SPDX-License-Identifier: Apache-2.0
"""What the status of Flux's objects means: pure rules, nothing is sent.

The rules follow the conventions of fluxcd/pkg/runtime: a controller that has seen a generation writes it into
``observedGeneration``, one that was asked to reconcile writes the token into ``lastHandledReconcileAt``, and ``Ready``
tells the outcome of the last attempt. ``Stalled`` means that only a change of the object helps.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...objects import KubeObject, ObjectRef

REQUEST_ANNOTATION = "reconcile.fluxcd.io/requestedAt"
# With the token of a request it makes helm-controller forget how often it has failed.
RESET_ANNOTATION = "reconcile.fluxcd.io/resetAt"
# "main@sha1:<commit>", "v1.0@sha1:<commit>", "sha1:<commit>", "latest@sha256:<digest>"
_REVISION = re.compile(r"(?:(?P<name>.+)@)?(?P<algorithm>sha1|sha256):(?P<digest>[0-9a-f]+)")
# Messages that say nothing about the object: a component is starting, the network hiccups, something comes first.
_TRANSIENT = re.compile(
    r"(?i)connection re(fused|set)|i/o timeout|\bEOF\b|no such host|server misbehaving|context deadline|"
    r"dependency .* is not ready|dependencies do not meet|artifact not found|source artifact not found|"
    r"not found, requeuing|the server is currently unable"
)
# The first one that fits counts: what is particular stands before what is general.
_HINTS = (
    (r"(?i)proxy authentication required", "The proxy refuses: check its URL, user name and password."),
    (
        r"(?i)/access_tokens|github app",
        (
            "GitHub refuses the App: check github_app_id, github_app_installation_id, github_app_private_key and "
            "github_app_url of the repository."
        ),
    ),
    (
        r"(?i)ssh: unable to authenticate",
        "The Git server does not take the key: add its public key there, or correct ssh_private_key of the repository.",
    ),
    (
        r"(?i)key mismatch",
        (
            "The server has another host key than before. If its owner has changed it, correct known_hosts of the "
            "repository."
        ),
    ),
    (r"(?i)knownhosts|host key|known_hosts", "Add the host key of the server to known_hosts of the repository."),
    (
        r"(?i)tls: (certificate required|bad certificate)",
        "The server wants a client certificate that it knows: client_cert and client_key of the repository.",
    ),
    (
        r"(?i)unknown authority",
        "The certificate of the server is signed by an authority that Flux does not know: ca_cert of the repository.",
    ),
    (
        r"(?i)signature verification|cannot verify (signature|tag)|SSH signature|PGP signature",
        "Only what is signed by a key in the Secret that verify names is taken: sign it, or add the key.",
    ),
    (
        r"(?i)kustomize build failed|accumulating resources|error converting YAML",
        "Correct the kustomization: `kustomize build` shows the same.",
    ),
    (
        r"(?i)authentication|authorization failed|unauthorized|invalid credentials|\b40[13]\b",
        "The Git server or registry refuses Flux: check the credentials of the repository.",
    ),
    (
        r"(?i)repository not found",
        "Check the URL of the repository. Some servers also say so to those who may not see it.",
    ),
    (
        r"(?i)couldn't find remote ref|(reference|object) not found|unable to resolve|no match found for semver",
        "The branch, tag, version or commit is not in the repository: check its name, or push it first.",
    ),
    (
        r"(?i)manifest.?unknown|name.?unknown|/manifests/\S+ .*\b404\b",
        (
            "The registry has no such artifact: check the tag or version, and the URL, to which an application adds "
            "helm.chart."
        ),
    ),
    (
        r"(?i)failed to find layer|chart illegally contains|chart\.yaml file is missing",
        (
            "The artifact is no chart as `helm push` makes it: check the URL, and layer_selector of the repository. "
            "A folder of manifests has path in place of helm."
        ),
    ),
    (
        r"(?i)artifact revision .* does not match chart version",
        "The tag has to be the version of the chart, as `helm push` makes it, or no version at all.",
    ),
    (
        r"(?i)helm (install|upgrade) failed.*(execution error|parse error|values don't meet)",
        "Correct the chart or the values: `helm template` shows the same.",
    ),
    (
        r"(?i)path not found|no such file or directory|stat .*: no such",
        "The path is not in the repository at this revision: check it, or push it first.",
    ),
    (r"(?i)namespaces? \"[^\"]*\" not found", "Set create_namespace, or create the destination namespace."),
    (
        r"(?i)forbidden|cannot patch resource",
        "The service account that Flux applies with lacks this right: give it a role there.",
    ),
    (r"(?i)dry-run failed|is invalid", "Correct the manifest in the repository."),
    (
        # A server that wants a client certificate says so, but its closing can outrun its words (TLS 1.3).
        r"(?i)https://.*(broken pipe|connection reset by peer|\bEOF\b)",
        (
            "The Git server, or a proxy before it, hung up. If it wants a client certificate: client_cert and "
            "client_key of the repository."
        ),
    ),
    (
        r"(?i)connection refused|no such host|i/o timeout|dial tcp|certificate|x509",
        "Flux can not reach the repository: the URL has to work from inside the cluster.",
    ),
)


class Outcome(enum.StrEnum):
    """What the controller says of an object."""

    WAIT = "wait"
    READY = "ready"
    TROUBLE = "trouble"
    """The last attempt failed; the next one may not."""
    FAILED = "failed"
    """Only a change helps."""


@dataclass(frozen=True, slots=True)
class FluxStatus:
    """The state of one object of Flux.

    Attributes:
        outcome: What the controller says.
        message: Its own words.
        revision: Commit id (or digest) that it is at; "" for none.
        source: What it is at, as Flux writes it: ``main@sha1:...``.
        attempted: Commit id, or digest of the artifact, of the last attempt; "" for a chart of a Helm repository.
    """

    outcome: Outcome
    message: str = ""
    revision: str = ""
    source: str = ""
    attempted: str = ""


def digest_of(revision: str) -> str:
    """Return the commit id in a revision as Flux writes it, "" when there is none."""
    found = _REVISION.fullmatch(revision or "")
    return found["digest"] if found else ""


def read(obj: KubeObject | None, *, token: str = "") -> FluxStatus:
    """Return the state of an object.

    Args:
        obj: The object; None when it is not there (yet).
        token: What the controller was asked to reconcile with; a status from before that does not count.
    """
    if obj is None:
        return FluxStatus(Outcome.WAIT, "it is not there yet")
    status = obj.get("status") or {}
    artifact = status.get("artifact") or {}
    source = str(status.get("lastAppliedRevision") or artifact.get("revision") or _deployed_digest(status))
    attempted = str(status.get("lastAttemptedRevisionDigest") or status.get("lastAttemptedRevision") or "")
    ref = ObjectRef.of(obj)
    if (obj.get("spec") or {}).get("suspend"):
        return FluxStatus(Outcome.READY, "it is suspended", digest_of(source), source, digest_of(attempted))
    found = {str(c.get("type")): c for c in status.get("conditions") or []}
    ready = found.get("Ready") or {}
    message = str(ready.get("message") or "")
    generation = int((obj.get("metadata") or {}).get("generation") or 0)
    outcome = Outcome.WAIT
    if (found.get("Stalled") or {}).get("status") == "True":
        outcome, message = Outcome.FAILED, str(found["Stalled"].get("message") or message)
    elif int(status.get("observedGeneration") or 0) < generation or (
        token and status.get("lastHandledReconcileAt") != token
    ):
        # While an attempt fails, observedGeneration stays behind on purpose; the condition tells which one it is of.
        seen = int(ready.get("observedGeneration") or 0)
        handled = not token or status.get("lastHandledReconcileAt") == token
        outcome = Outcome.TROUBLE if ready.get("status") == "False" and seen >= generation and handled else Outcome.WAIT
        message = message or f"waiting for {ref.kind} to be looked at"
    elif ready.get("status") == "True":
        outcome = Outcome.READY
    elif ready.get("status") == "False":
        outcome = Outcome.TROUBLE
    return FluxStatus(outcome, message, digest_of(source), source, digest_of(attempted))


def _deployed_digest(status: Mapping[str, Any]) -> str:
    """Return the digest of the artifact whose chart a HelmRelease has deployed; "" for one of a Helm repository."""
    deployed = [entry for entry in status.get("history") or [] if entry.get("status") == "deployed"]
    return str(deployed[0].get("ociDigest") or "") if deployed else ""


def is_transient(message: str) -> bool:
    """Tell whether a message says nothing about the object itself."""
    return _TRANSIENT.search(message) is not None


def hint_for(message: str) -> str:
    """Return what a user can do about a message of a controller, "" when nothing is known."""
    return next((hint for pattern, hint in _HINTS if re.search(pattern, message)), "")
