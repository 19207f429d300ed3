# SPDX-License-Identifier: Apache-2.0
"""Have Flux install the chart: deploy what tells it so, and wait until it has, or say why it has not."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...cluster import Cluster
from ...deploy import DeployResult, ProgressCallback, ReleaseSpec, deploy
from ...deploy.model import ignore_progress
from ...errors import GitOpsError, NotReadyError, SyncFailedError, SyncTimeoutError
from ...objects import ObjectRef
from ..flux.status import Outcome, read
from ..flux.waiting import Wait, request, source_of
from ..flux.wiring import helm_release_ref

# It says so before it tries anything, so this is about a controller that does not run.
_TAKE_UP_SECONDS = 10.0
# The first one that fits counts: what is particular stands before what is general.
_HINTS = (
    (
        r"Helm (install|upgrade) failed",
        "Flux has the chart, but not what it makes of it: correct values, or what the API server complains of.",
    ),
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
        SyncFailedError, SyncTimeoutError: Likewise, about another version of the chart.
        GitOpsError: As :func:`...deploy.deploy`.
    """
    if check:
        return deploy(cluster, release, check=True, progress=progress)
    _try_again(cluster, release)
    try:
        result = deploy(cluster, release, progress=progress)
        if release.wait and result.changed and _is_artifact(release):
            # Another version changes the source alone; the HelmRelease stays Ready until its controller sees that.
            ref = helm_release_ref(release.name, release.namespace)
            Wait(cluster, ref, release.wait_timeout, progress or ignore_progress).run()
    except (NotReadyError, SyncFailedError, SyncTimeoutError) as error:
        raise explained(error) from error
    return result


def _is_artifact(release: ReleaseSpec) -> bool:
    return any(obj.get("kind") == "OCIRepository" for obj in release.objects)


def _try_again(cluster: Cluster, release: ReleaseSpec) -> None:
    """Have Flux try again what failed when nothing else makes it: who has corrected the cause runs the same again.

    It would look at its source at the next interval only, and at a release that it has given up never.
    """
    ref = helm_release_ref(release.name, release.namespace)
    live = cluster.find(ref) if cluster.serves(ref.api_version, ref.kind) else None
    if live is None or read(live).outcome not in (Outcome.TROUBLE, Outcome.FAILED):
        return
    planned = deploy(cluster, release, check=True)
    if any(change.changed and change.ref == ref for change in planned.changes):
        return
    source = source_of(live)
    if cluster.find(source) is not None:
        request(cluster, source)
    request(cluster, ref, reset=True)
    _await_taken_up(cluster, ref)


def _await_taken_up(cluster: Cluster, ref: ObjectRef) -> None:
    """Wait until Flux no longer says that it has given up, which the wait would take for the end."""
    only = f"metadata.name={ref.name}"
    for event in cluster.watch(
        ref.api_version, ref.kind, namespace=ref.namespace, field_selector=only, timeout=_TAKE_UP_SECONDS
    ):
        if read(event.object).outcome is not Outcome.FAILED:
            return


def explained(error: GitOpsError) -> GitOpsError:
    """Return the error with what to do about what Flux says; as it is, when nothing is known."""
    for text in _told(error):
        for pattern, hint in _HINTS:
            if re.search(pattern, text):
                rest = f" {error.hint}" if isinstance(error, NotReadyError) else ""
                return type(error)(error.message, hint=f"{hint}{rest}", details=error.details)
    return error


def _told(error: GitOpsError) -> Iterator[str]:
    """Yield what the objects say, the source first: what it lacks the HelmRelease only passes on."""
    objects = error.details.get("objects")
    if objects is None:
        yield error.message
        return
    for entry in sorted(objects, key=lambda entry: entry["kind"] == "HelmRelease"):
        yield " ".join([str(entry["message"]), *entry.get("findings", ())])
