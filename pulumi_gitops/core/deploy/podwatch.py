# SPDX-License-Identifier: Apache-2.0
"""Follow the pods of workloads, and say which of them is why a rollout will not get ready.

Only pods of the newest revision count: an old pod that crashes is what the rollout is to replace. Whose pod it is and
of which revision is told by UIDs (pod, ReplicaSet, Deployment) and looked up only once a pod is in trouble.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

from ..cluster import FIELD_MANAGER, Cluster
from ..errors import GitOpsError
from ..objects import KubeObject, ObjectRef, annotations_of, labels_of, uid_of
from .pods import CRASH_LOOP, UNSCHEDULABLE, rejection, trouble_of
from .states import Readiness, Trouble, View, dicts, failed, mapping, number, time_of, written_at

# Kinds whose pods are followed.
WORKLOADS = frozenset({"apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "batch/Job"})
# They say in no condition that their pods are refused, only in events.
SAID_BY_EVENTS = frozenset({"apps/StatefulSet", "apps/DaemonSet", "batch/Job"})
# Their state while pods have still to be created.
SHORT = frozenset({"LessReplicas", "LessCurrent", "JobNotStarted", "JobWithoutPods"})
# Until a node is added: cloud providers need one to four minutes.
SCALE_UP_SECONDS = 300.0
# What did not count just now is judged again after this.
_ASK_SECONDS = 5.0

_REVISION = "deployment.kubernetes.io/revision"
_TEMPLATE_HASH = "pod-template-hash"
_REVISION_HASH = "controller-revision-hash"
# Events of cluster-autoscaler, Karpenter and the scheduler: a node for the pod is on its way.
_NODE_COMES = frozenset({"TriggeredScaleUp", "Nominated"})


@dataclass(frozen=True, slots=True)
class Workload:
    """What has to be known of a workload to judge its pods.

    Attributes:
        ref: Which.
        uid: Its UID.
        generation: Its generation.
        observed: Whether its controller has seen that generation: the newest revision is known then.
        revision: Revision of a Deployment, hash of a StatefulSet's newest revision; "" elsewhere.
        selector: Label selector of its pods, "" when it can not be written as one.
        written: When we wrote it, by the API server's clock.
    """

    ref: ObjectRef
    uid: str
    generation: int
    observed: bool
    revision: str
    selector: str
    written: dt.datetime | None

    @classmethod
    def of(cls, obj: KubeObject) -> Workload:
        """Return the facts about a workload as read."""
        view, ref = View.of(obj), ObjectRef.of(obj)
        revision = annotations_of(obj).get(_REVISION) if ref.kind == "Deployment" else view.status.get("updateRevision")
        labels = mapping(mapping(view.spec.get("selector")).get("matchLabels"))
        return cls(
            ref=ref,
            uid=uid_of(obj),
            generation=view.generation,
            observed=view.observed and (ref.kind == "Job" or view.status.get("observedGeneration") is not None),
            revision=str(revision or ""),
            selector=",".join(f"{key}={value}" for key, value in sorted(labels.items())),
            written=written_at(obj, FIELD_MANAGER),
        )


@dataclass(frozen=True, slots=True)
class PodRecord:
    """What is kept of a pod.

    Attributes:
        ref: Which.
        uid: Its UID.
        family: Key of the workload that it belongs to, going by names.
        owner: Its controller.
        owner_uid: UID of the controller.
        revision: Hash of its revision (StatefulSet, DaemonSet).
        phase: Phase and readiness: what changes when it gets further.
        ending: It is being deleted.
        trouble: What it is stuck in.
        since: Since when, ``time.monotonic()``.
    """

    ref: ObjectRef
    uid: str
    family: str
    owner: ObjectRef
    owner_uid: str
    revision: str
    phase: str
    ending: bool
    trouble: Trouble | None
    since: float


class Pods:
    """The pods of the namespaces that are followed.

    Args:
        cluster: Where, for the few look-ups.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._records: dict[str, PodRecord] = {}
        self._revisions: dict[tuple[str, ...], str] = {}
        self._nodes_asked: dict[str, float] = {}

    def get(self, uid: str) -> PodRecord | None:
        """Return a pod, None when it is gone."""
        return self._records.get(uid)

    def take(self, obj: KubeObject, *, gone: bool) -> tuple[PodRecord | None, PodRecord | None]:
        """Take in what a watch saw; return what was known before and what is known now."""
        uid = uid_of(obj)
        before = self._records.pop(uid, None)
        if gone:
            return before, None
        record = _record(obj, before)
        if record is not None:
            self._records[uid] = record
        return before, record

    def verdict(self, record: PodRecord, workload: Workload) -> Readiness | float | None:
        """Say what a pod whose grace is over means for its workload.

        Returns:
            A failure; or seconds after which to ask again; or None when it does not count.
        """
        trouble = record.trouble
        if trouble is None or record.ending:
            return None
        if workload.ref.kind == "Job" and trouble.topic == CRASH_LOOP:
            return None  # a Job says itself how often is too often (backoffLimit)
        if not workload.observed:
            return 1.0
        if not self._is_newest(record, workload):
            return _ASK_SECONDS  # a rollback may make it the newest again
        if trouble.topic == UNSCHEDULABLE:
            if any(other.ending and other.family == record.family for other in self._records.values()):
                return 2.0  # pods of the workload that end make room
            now = time.monotonic()
            if now < self._nodes_asked.get(record.family, 0.0) + _ASK_SECONDS:
                return _ASK_SECONDS
            if now - record.since < SCALE_UP_SECONDS and self.node_comes(record.ref, record.uid):
                self._nodes_asked[record.family] = now
                return _ASK_SECONDS
        return failed(trouble.reason, f"pod {record.ref.name}: {trouble.message}")

    def node_comes(self, ref: ObjectRef, uid: str) -> bool:
        """Tell whether a node is being added for a pod that has no place."""
        try:
            events = self._cluster.list(
                "v1", "Event", namespace=ref.namespace, field_selector=f"involvedObject.uid={uid}"
            )
        except GitOpsError:
            return False
        return any(event.get("reason") in _NODE_COMES for event in events)

    def _is_newest(self, record: PodRecord, workload: Workload) -> bool:
        kind = workload.ref.kind
        if kind == "Deployment":
            return bool(workload.revision) and self._replica_set_revision(record, workload) == workload.revision
        if record.owner_uid != workload.uid:
            return False
        if kind == "StatefulSet":
            return bool(workload.revision) and record.revision == workload.revision
        if kind == "DaemonSet":
            return bool(record.revision) and record.revision == self._daemon_set_revision(workload)
        return True

    def _replica_set_revision(self, record: PodRecord, workload: Workload) -> str:
        """Return the revision of a pod's ReplicaSet, "" when that is not one of this Deployment."""
        # A rollback gives an old ReplicaSet a new revision, so what is remembered holds for this revision only.
        key = (record.owner_uid, workload.uid, workload.revision)
        if key not in self._revisions:
            found = self._find(record.owner)
            ours = uid_of(found) == record.owner_uid and _controller(found).get("uid") == workload.uid
            self._revisions[key] = str(annotations_of(found).get(_REVISION) or "") if ours else ""
        return self._revisions[key]

    def _daemon_set_revision(self, workload: Workload) -> str:
        key = (workload.uid, str(workload.generation))
        if key not in self._revisions:
            try:
                found = self._cluster.list(
                    "apps/v1",
                    "ControllerRevision",
                    namespace=workload.ref.namespace,
                    label_selector=workload.selector,
                )
            except GitOpsError:
                found = []
            ours = [entry for entry in found if _controller(entry).get("uid") == workload.uid]
            newest = max(ours, key=lambda entry: number(entry, "revision"), default={})
            self._revisions[key] = labels_of(newest).get(_REVISION_HASH, "")
        return self._revisions[key]

    def _find(self, ref: ObjectRef) -> KubeObject:
        try:
            return self._cluster.find(ref) or {}
        except GitOpsError:
            return {}


def _record(obj: KubeObject, before: PodRecord | None) -> PodRecord | None:
    view, ref, controller = View.of(obj), ObjectRef.of(obj), _controller(obj)
    if not controller:
        return None
    group, _, version = str(controller.get("apiVersion") or "").rpartition("/")
    kind, name = str(controller.get("kind") or ""), str(controller.get("name") or "")
    owner = ObjectRef(group, version, kind, ref.namespace, name)
    labels = labels_of(obj)
    family, template = owner.key, labels.get(_TEMPLATE_HASH)
    if kind == "ReplicaSet" and template and name.endswith(f"-{template}"):
        family = ObjectRef(group, version, "Deployment", ref.namespace, name.removesuffix(f"-{template}")).key
    trouble = None if view.says("Ready") else trouble_of(view)
    known = before.trouble if before else None
    goes_on = before is not None and trouble is not None and known is not None and known.topic == trouble.topic
    return PodRecord(
        ref=ref,
        uid=uid_of(obj),
        family=family,
        owner=owner,
        owner_uid=str(controller.get("uid") or ""),
        revision=str(labels.get(_REVISION_HASH) or ""),
        phase=f"{view.status.get('phase')} {view.condition('Ready').get('status')}",
        ending=bool(view.metadata.get("deletionTimestamp")),
        trouble=trouble,
        since=before.since if before is not None and goes_on else time.monotonic(),
    )


def _controller(obj: KubeObject) -> dict[str, object]:
    owners = dicts(mapping(obj.get("metadata")).get("ownerReferences"))
    return next((dict(owner) for owner in owners if owner.get("controller")), {})


def event_trouble(event: KubeObject, workload: Workload, state: Readiness) -> Trouble | None:
    """Return the trouble that an event of a workload tells about, None when it tells of none that matters now."""
    seen = time_of(mapping(event.get("series")).get("lastObservedTime") or event.get("lastTimestamp"))
    if seen is not None and workload.written is not None and seen < workload.written:
        return None  # about what was there before our write
    return rejection(str(event.get("message") or ""), topic=state.message)
