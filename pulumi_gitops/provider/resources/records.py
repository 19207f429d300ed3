# SPDX-License-Identifier: Apache-2.0
"""What a release leaves in Pulumi's state, and how the cluster compares with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...core.cluster import Cluster
from ...core.deploy import DeployResult, ReleaseState, read_release, summarize
from ...core.deploy import record as release_record
from ...core.deploy.prepare import custom_kinds
from ...core.errors import DeployError, GitOpsError
from ...core.objects import KubeObject, ObjectRef, with_metadata
from .base import PartialFailureError, Values

# Between the summary of an object as it was applied and what is known to differ from it.
MARK = " | "


def identity(release: str, namespace: str) -> str:
    """Return the id of a resource that stands for a release."""
    return f"{namespace}/{release}"


def parse_identity(value: str) -> tuple[str, str]:
    """Return release and namespace of an id."""
    namespace, _, release = value.partition("/")
    return release, namespace


def outputs(result: DeployResult | ReleaseState | Any) -> Values:
    """Return the outputs of a release: anything with revision, digest and inventory."""
    return {
        "revision": result.revision,
        "digest": result.digest,
        "inventory": {item.ref.key: item.digest for item in result.inventory},
    }


def failed(cluster: Cluster, release: str, namespace: str, error: GitOpsError) -> PartialFailureError | None:
    """Return the error that keeps the state of a release, None when nothing was begun."""
    found = read_release(cluster, release, namespace, drift=False)
    return None if found is None else PartialFailureError(outputs(found), error)


def observed(found: ReleaseState, summaries: Mapping[str, str], applied: Mapping[str, str]) -> dict[str, str]:
    """Return the summaries of a release's objects as they are now: what differs is marked.

    Args:
        found: The release in the cluster.
        summaries: Summaries of the last update or refresh; empty for an import.
        applied: The inventory of the last update: key -> digest.
    """
    now = {item.ref.key: item.digest for item in found.inventory}
    objects = {key: text.partition(MARK)[0] for key, text in summaries.items()}
    for key in applied.keys() - now.keys():
        objects.pop(key, None)
    for key, digest in now.items():
        if key not in applied:
            objects[key] = f"not of this program{MARK}deployed in revision {found.revision}"
        elif applied[key] and digest != applied[key]:
            objects[key] = f"{objects.get(key, '')}{MARK}deployed differently in revision {found.revision}"
    for key, how in found.drift.items():
        objects[key] = f"{objects.get(key, '').partition(MARK)[0]}{MARK}drifted: {how}"
    return objects


def problem(found: ReleaseState) -> GitOpsError | None:
    """Return why a release is not as its newest revision wants it, None when that was completely deployed."""
    if not found.revisions or found.status == release_record.DEPLOYED:
        return None
    name = f"release {found.namespace}/{found.name}: revision {found.revision}"
    if found.status == release_record.FAILED:
        return DeployError(f"{name} failed\n{found.revisions[-1].message}", hint="The next update tries again.")
    return DeployError(f"{name} is being deployed, or was interrupted", hint="The next update completes it.")


def deployed_objects(cluster: Cluster, release: str, namespace: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return key -> summary of what the newest revision of a release deployed.

    Args:
        cluster: Where.
        release: Name of the release.
        namespace: Its namespace.
        known: Summaries of before; they hold for what the record has no manifest of.
    """
    record = release_record.read(cluster, release, namespace)
    if record is None or record.latest is None:
        return {}
    sent = release_record.manifests_of(cluster, record, record.latest.number) or []
    objects = objects_of(sent, namespace)
    for item in record.inventory:
        objects.setdefault(item.ref.key, known.get(item.ref.key, "").partition(MARK)[0])
    return objects


def objects_of(objects: Sequence[KubeObject], namespace: str) -> dict[str, str]:
    """Return key -> summary of a set, with the default namespace where an object names none.

    Without asking the cluster: a cluster-scoped kind is recognised if it is built in or its CRD is in the set, which
    is enough for a key that stays the same between two runs.
    """
    custom = custom_kinds(objects)
    located = [_located(obj, namespace, custom) for obj in objects]
    return {ObjectRef.of(obj).key: summarize(obj) for obj in located}


def _located(obj: KubeObject, namespace: str, custom: Mapping[tuple[str, str], bool]) -> KubeObject:
    ref = ObjectRef.of(obj)
    if not ref.namespace and custom.get((ref.group, ref.kind), ref.kind not in _CLUSTER_SCOPED):
        return with_metadata(obj, namespace=namespace)
    return obj


_CLUSTER_SCOPED: Iterable[str] = frozenset(
    {
        "APIService",
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "GatewayClass",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PriorityClass",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
    }
)
