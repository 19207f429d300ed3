# SPDX-License-Identifier: Apache-2.0
"""Have Flux install the chart: deploy what tells it so, and wait until it has, or say why it has not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...cluster import Cluster
from ...deploy import DeployResult, ProgressCallback, ReleaseSpec, deploy
from ...errors import NotReadyError

# The first one that fits counts: what is particular stands before what is general.
_HINTS = (
    (
        r"(?i)no such host|connection refused|i/o timeout|dial tcp|x509|certificate",
        "Flux can not reach the repository of the chart: its URL has to work from inside the cluster.",
    ),
    (
        r"(?i)unauthorized|authentication|denied|\b40[13]\b",
        "Flux logs in nowhere for the chart: give a mirror that needs no login, or use method manifests.",
    ),
    (
        r"(?i)chart with version|no chart name found|manifest unknown|\b404\b|not found",
        "The chart, or this version of it, is not there: check mirror, or the reference in manifests.",
    ),
    (
        r"(?i)values don't meet|execution error|template:|cannot (patch|unmarshal)|is invalid",
        "The chart does not take these values, or the API server not what it makes of them: correct values.",
    ),
)


def deploy_chart(
    cluster: Cluster, release: ReleaseSpec, *, check: bool = False, progress: ProgressCallback | None = None
) -> DeployResult:
    """Deploy the source of the chart and the HelmRelease, and wait until Flux has installed it.

    Args:
        cluster: Where.
        release: What.
        check: Change nothing.
        progress: Called for each step.

    Raises:
        NotReadyError: Flux could not; in its own words, with what to do about them.
        GitOpsError: As :func:`...deploy.deploy`.
    """
    try:
        return deploy(cluster, release, check=check, progress=progress)
    except NotReadyError as error:
        raise explained(error) from error


def explained(error: NotReadyError) -> NotReadyError:
    """Return the error with what to do about what Flux says; as it is, when nothing is known."""
    for text in _told(error):
        for pattern, hint in _HINTS:
            if re.search(pattern, text):
                return NotReadyError(error.message, hint=f"{hint} {error.hint}", details=error.details)
    return error


def _told(error: NotReadyError) -> Iterator[str]:
    """Yield what the objects say, the source first: what it lacks the HelmRelease only passes on."""
    objects = error.details.get("objects") or []
    for entry in sorted(objects, key=lambda entry: entry["kind"] == "HelmRelease"):
        yield " ".join([str(entry["message"]), *entry.get("findings", ())])
