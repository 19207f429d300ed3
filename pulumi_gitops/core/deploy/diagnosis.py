# SPDX-License-Identifier: Apache-2.0
"""Find out why an object is not ready: its warning events, and what its pods are waiting for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..cluster import Cluster
from ..errors import GitOpsError
from ..objects import KubeObject, ObjectRef, uid_of
from ..redact import redact

_EVENTS, _PODS, _LENGTH = 3, 3, 300


def diagnose(cluster: Cluster, obj: KubeObject | None, ref: ObjectRef) -> list[str]:
    """Return short findings about an object, redacted; an empty list when nothing can be read.

    Args:
        cluster: Where.
        obj: The object as last seen, None if it was never seen.
        ref: Its identity.
    """
    if obj is None:
        return []
    try:
        findings = list(_events(cluster, obj, ref.namespace))
        for pod in _pods(cluster, obj, ref):
            findings += _containers(pod)
            findings += _events(cluster, pod, ref.namespace)
    except GitOpsError as error:
        return [f"no further findings: {error.message}"[:_LENGTH]]
    return [redact(finding)[:_LENGTH] for finding in dict.fromkeys(findings)]


def _events(cluster: Cluster, obj: KubeObject, namespace: str) -> list[str]:
    found = cluster.list(
        "v1", "Event", namespace=namespace or "default", field_selector=f"involvedObject.uid={uid_of(obj)},type=Warning"
    )
    found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
    return [f"event {event.get('reason')}: {event.get('message')}" for event in found[-_EVENTS:]]


def _pods(cluster: Cluster, obj: KubeObject, ref: ObjectRef) -> Iterable[KubeObject]:
    if ref.group_kind == "Pod":
        return [obj]
    selector: Any = (obj.get("spec") or {}).get("selector")
    labels = selector.get("matchLabels") if isinstance(selector, dict) else None
    if not labels or not ref.namespace:
        return []
    pods = cluster.list(
        "v1", "Pod", namespace=ref.namespace, label_selector=",".join(f"{k}={v}" for k, v in sorted(labels.items()))
    )
    return [pod for pod in pods if not _is_ready(pod)][:_PODS]


def _is_ready(pod: KubeObject) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _containers(pod: KubeObject) -> Iterable[str]:
    status = pod.get("status") or {}
    name = pod["metadata"]["name"]
    for condition in status.get("conditions") or []:
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"pod {name}: {condition.get('reason')}: {condition.get('message')}"
    for container in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        for kind in ("waiting", "terminated"):
            state = (container.get("state") or {}).get(kind)
            if state and state.get("reason") != "Completed":
                text = f"pod {name}, container {container.get('name')}: {state.get('reason', kind)}"
                yield f"{text}: {state['message']}" if state.get("message") else text
