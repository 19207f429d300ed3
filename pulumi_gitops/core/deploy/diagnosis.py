# SPDX-License-Identifier: Apache-2.0
"""Find out why an object is not ready: its warning events, what its pods wait for, what they said last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster import Cluster
from ..errors import ForbiddenError, GitOpsError
from ..objects import KubeObject, ObjectRef, uid_of
from ..redact import redact
from .pods import containers, last_exit, waiting_for
from .states import View, mapping, number

# An error message is read by a person, in a log that others write to as well: a few findings, each a line.
_EVENTS, _PODS, _LENGTH = 3, 3, 300
_LOGS, _LINES, _LINE_LENGTH = 2, 10, 200


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found out about an object, redacted and bounded.

    Attributes:
        findings: For people, one line each; log lines are indented.
        events: ``{"object", "reason", "message", "count"}``.
        containers: ``{"pod", "container", "state", "reason", "message", "restarts"}``.
        logs: ``{"pod", "container", "previous", "lines"}``.
    """

    findings: tuple[str, ...] = ()
    events: tuple[dict[str, Any], ...] = ()
    containers: tuple[dict[str, Any], ...] = ()
    logs: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    def as_dict(self) -> dict[str, Any]:
        """JSON form, without what is empty."""
        parts = {
            "findings": list(self.findings),
            "events": list(self.events),
            "containers": list(self.containers),
            "logs": list(self.logs),
        }
        return {name: part for name, part in parts.items() if part or name == "findings"}


def diagnose(cluster: Cluster, obj: KubeObject | None, ref: ObjectRef) -> list[str]:
    """Return short findings about an object, redacted; an empty list when nothing can be read.

    Args:
        cluster: Where.
        obj: The object as last seen, None if it was never seen.
        ref: Its identity.
    """
    return list(examine(cluster, obj, ref).findings) if obj is not None else []


def examine(cluster: Cluster, obj: KubeObject | None, ref: ObjectRef) -> Diagnosis:
    """Find out about an object what its own status does not say. What can not be read is left out, not an error.

    Args:
        cluster: Where.
        obj: The object; None to read it.
        ref: Its identity.
    """
    examination = _Examination(cluster, ref)
    try:
        live = obj or cluster.find(ref)
        if live is not None:
            examination.run(live)
    except GitOpsError as error:
        examination.findings.append(_short(f"no further findings: {error.message}"))
    return examination.result()


class _Examination:
    def __init__(self, cluster: Cluster, ref: ObjectRef) -> None:
        self._cluster = cluster
        self._ref = ref
        self.findings: list[str] = []
        self._events: list[dict[str, Any]] = []
        self._containers: list[dict[str, Any]] = []
        self._logs: list[dict[str, Any]] = []

    def result(self) -> Diagnosis:
        lines = tuple(line for log in self._logs for line in _log_lines(log))
        findings = (*dict.fromkeys(self.findings), *lines)
        return Diagnosis(findings, tuple(self._events), tuple(self._containers), tuple(self._logs))

    def run(self, obj: KubeObject) -> None:
        self._read_events(obj, self._ref)
        for pod in self._pods(obj):
            self._read_pod(pod)

    def _read_events(self, obj: KubeObject, ref: ObjectRef, told: str = "") -> None:
        try:
            found = self._cluster.list(
                "v1",
                "Event",
                namespace=ref.namespace or "default",
                field_selector=f"involvedObject.uid={uid_of(obj)},type=Warning",
            )
        except ForbiddenError as error:
            self.findings.append(_short(f"no events: {error.message}"))
            return
        found.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        for event in found[-_EVENTS:]:
            reason, message = str(event.get("reason")), _short(str(event.get("message")))
            count = number(event, "count", number(mapping(event.get("series")), "count", 1))
            self._events.append({"object": str(ref), "reason": reason, "message": message, "count": count})
            if message == told:
                continue
            times = f" ({count} times)" if count > 1 else ""
            self.findings.append(_short(f"event {reason}{times}: {message}"))

    def _pods(self, obj: KubeObject) -> Iterable[KubeObject]:
        if self._ref.group_kind == "Pod":
            return [obj]
        labels = mapping(mapping(mapping(obj.get("spec")).get("selector")).get("matchLabels"))
        if not labels or not self._ref.namespace:
            return []
        found = self._cluster.list(
            "v1",
            "Pod",
            namespace=self._ref.namespace,
            label_selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        )
        stuck = [pod for pod in found if not _is_well(View.of(pod))]
        # The newest are those of the rollout that does not get ready.
        stuck.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp") or ""), reverse=True)
        return stuck[:_PODS]

    def _read_pod(self, pod: KubeObject) -> None:
        view, ref = View.of(pod), ObjectRef.of(pod)
        scheduled, unscheduled = view.condition("PodScheduled"), ""
        if scheduled.get("status") == "False":
            unscheduled = _short(str(scheduled.get("message")))
            self.findings.append(_short(f"pod {ref.name}: {scheduled.get('reason')}: {unscheduled}"))
        for container in containers(view):
            state, reason, message = _state_of(container)
            if not state:
                continue
            name = str(container.get("name"))
            entry = {"pod": ref.name, "container": name, "state": state, "reason": reason, "message": _short(message)}
            self._containers.append({**entry, "restarts": number(container, "restartCount")})
            parts = (f"pod {ref.name}, container {name}", reason or state, message)
            self.findings.append(_short(": ".join(part for part in parts if part)))
            self._read_log(ref, container)
        self._read_events(pod, ref, told=unscheduled)

    def _read_log(self, pod: ObjectRef, container: Mapping[str, Any]) -> None:
        ended = last_exit(container)
        if len(self._logs) >= _LOGS or not (ended or mapping(container.get("state")).get("running")):
            return
        # A container that waits for its next start has said its last words in the one before.
        previous = bool(waiting_for(container)[0]) and bool(ended)
        name = str(container.get("name"))
        try:
            text = self._cluster.logs(pod.namespace, pod.name, name, previous=previous, tail_lines=_LINES)
        except GitOpsError:
            return  # no such right, the node does not answer, or nothing was ever written
        lines = [line[:_LINE_LENGTH] for line in redact(text).splitlines() if line.strip()][-_LINES:]
        if lines:
            self._logs.append({"pod": pod.name, "container": name, "previous": previous, "lines": lines})


def _is_well(view: View) -> bool:
    return view.says("Ready") or view.status.get("phase") == "Succeeded" or "deletionTimestamp" in view.metadata


def _state_of(container: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return state, reason and message of a container that is not as it should be, empty texts otherwise."""
    state = mapping(container.get("state"))
    for name in ("waiting", "terminated"):
        found = mapping(state.get(name))
        if found and found.get("reason") != "Completed":
            message = str(found.get("message") or "") or last_exit(container)
            return name, str(found.get("reason") or ""), message
    if state.get("running") and not container.get("ready"):
        return "running", "NotReady", last_exit(container)
    return "", "", ""


def _log_lines(log: Mapping[str, Any]) -> Iterator[str]:
    start = " (before its restart)" if log["previous"] else ""
    yield f"last lines of pod {log['pod']}, container {log['container']}{start}:"
    yield from (f"  | {line}" for line in log["lines"])


def _short(text: str) -> str:
    return redact(text)[:_LENGTH]
