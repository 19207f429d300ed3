# SPDX-License-Identifier: Apache-2.0
"""Kubernetes Events about releases: the audit trail that push-style deployment lacks otherwise."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import uuid

from ..cluster import Cluster
from ..errors import GitOpsError
from .record import TOOL, Record, record_ref

DEPLOYED, ROLLED_BACK, DEPLOY_FAILED = "Deployed", "RolledBack", "DeployFailed"
# corev1: a message of an event has at most 1024 characters.
_LONGEST = 1000


def record_event(cluster: Cluster, record: Record, reason: str, why: str = "") -> None:
    """Record an Event about a release, in its namespace. Best effort: without the right to, nothing is recorded.

    Args:
        cluster: Where.
        record: The release as it is now; its newest revision is what the event is about.
        reason: ``Deployed``, ``RolledBack`` or ``DeployFailed``.
        why: Why it failed, redacted.
    """
    ref = record_ref(record.name, record.namespace)
    latest = record.latest
    if latest is None:
        return
    back = f" (objects of revision {latest.rolled_back_to})" if latest.rolled_back_to else ""
    message = f"release {record.name}: revision {latest.number}{back}, {latest.digest}"
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{ref.name}.{uuid.uuid4().hex[:16]}", "namespace": record.namespace},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": record.uid,
        },
        "reason": reason,
        "message": (f"{message}: {why}" if why else message)[:_LONGEST],
        "type": "Warning" if reason == DEPLOY_FAILED else "Normal",
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": TOOL, "host": socket.gethostname()},
        "reportingComponent": TOOL,
        "reportingInstance": socket.gethostname(),
    }
    with contextlib.suppress(GitOpsError):
        cluster.create(event)
