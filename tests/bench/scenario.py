# SPDX-License-Identifier: Apache-2.0
"""One round of one tool: first apply, no-op, diff, one change, prune, each checked for what it did to the cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.objects import ObjectRef, annotations_of
from tests.support.apiproxy import ApiProxy

from .contenders import Contender, Place
from .measure import Command, ToolFailedError, Usage, measure
from .results import CHANGE, DIFF, FIRST, NO_OP, PRUNE, ROWS, Sample
from .sets import CHANGED, SET_LABEL, STATE, KubeObject, ObjectSet, kinds

_GONE_SECONDS = 300.0


def play(
    tool: Contender,
    objects: ObjectSet,
    place: Place,
    proxy: ApiProxy,
    cluster: Cluster,
    *,
    patience: float = float("inf"),
) -> Iterator[Sample]:
    """Let a tool do everything once, in a namespace of its own that is empty afterwards.

    Args:
        tool: Who.
        objects: What is deployed.
        place: Where; the namespace is made here.
        proxy: What the place's kubeconfig leads to; its delay is the added round-trip time.
        cluster: A connection of our own, past the proxy.
        patience: When the first apply takes longer than so many seconds, only the no-op is measured besides.

    Yields:
        A sample for each row that the tool can do, up to the first that fails.
    """
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace}})
    tool.prepare(place)
    rows = list(ROWS)
    try:
        for row in rows:
            if row == PRUNE and not objects.prunes:
                continue
            try:
                command = _command(row, tool, objects, place)
                if command is None:
                    continue
                sample, usage = _measured(row, command, proxy)
                if row == DIFF:
                    _check_diff(usage, tool, objects)
                _check_objects(row, objects, place.namespace, cluster)
            except ToolFailedError as error:
                yield Sample(row, error=str(error))
                return
            yield sample
            if row == FIRST and sample.wall > patience:
                del rows[rows.index(NO_OP) + 1 :]
    finally:
        _clean(cluster, objects.first, place.namespace)


def _command(row: str, tool: Contender, objects: ObjectSet, place: Place) -> Command | None:
    if row == DIFF:
        return tool.diff(place, objects.changed, wait=objects.wait)
    if row == PRUNE:
        before = tool.prepare_prune(place, objects)
        if before is not None:
            measure(before)
        return tool.prune(place, objects.half, wait=objects.wait)
    return tool.apply(place, objects.changed if row == CHANGE else objects.first, wait=objects.wait)


def _measured(row: str, command: Command, proxy: ApiProxy) -> tuple[Sample, Usage]:
    proxy.forget()
    usage = measure(command)
    verbs = {f"{verb} {resource}": count for (verb, resource), count in sorted(proxy.counts().items())}
    return Sample(row, usage.wall, usage.cpu, usage.memory, verbs), usage


def _check_diff(usage: Usage, tool: Contender, objects: ObjectSet) -> None:
    """Raise ToolFailedError unless the tool has shown what would change."""
    shown = (CHANGED, objects.touched, *filter(None, (tool.told,)))
    if not any(text in usage.output for text in shown):
        raise ToolFailedError(f"the diff does not show what changes:\n{usage.output[-2000:]}")


def _check_objects(row: str, objects: ObjectSet, namespace: str, cluster: Cluster) -> None:
    """Raise ToolFailedError unless the cluster has what it should have after a row."""
    wanted = {FIRST: objects.first, NO_OP: objects.first, DIFF: objects.first, PRUNE: objects.half}
    expected = {ObjectRef.of(obj).key: annotations_of(obj)[STATE] for obj in wanted.get(row, objects.changed)}
    found = {ObjectRef.of(obj).key: annotations_of(obj).get(STATE) for obj in _live(cluster, objects.first, namespace)}
    if found != expected:
        wrong = sorted(key for key in {*found, *expected} if found.get(key) != expected.get(key))
        raise ToolFailedError(
            f"after {row} {len(wrong)} of {len(expected)} objects are not as they should be, for example "
            f"{wrong[0]}: {found.get(wrong[0])} instead of {expected.get(wrong[0])}"
        )


def _live(cluster: Cluster, objects: Sequence[KubeObject], namespace: str) -> Iterator[KubeObject]:
    for api_version, kind in kinds(objects):
        if cluster.serves(api_version, kind):
            selector = f"{SET_LABEL}={namespace}"
            yield from cluster.list(api_version, kind, label_selector=selector, metadata_only=True)


def _clean(cluster: Cluster, objects: Sequence[KubeObject], namespace: str) -> None:
    """Delete all objects of the set and wait until they, and the pods that they made, are gone."""
    deadline = time.monotonic() + _GONE_SECONDS
    selector = {"labelSelector": f"{SET_LABEL}={namespace}"}
    for api_version, kind in reversed(kinds(objects)):
        if cluster.serves(api_version, kind):
            resource = cluster.resource(api_version, kind)
            path = resource.path(namespace if resource.namespaced else "")
            cluster.transport.json("DELETE", path, doing=f"delete {resource.plural}", query=selector)
    while any(_live(cluster, objects, namespace)) or cluster.list("v1", "Pod", namespace=namespace, metadata_only=True):
        if time.monotonic() > deadline:
            raise TimeoutError(f"the objects in {namespace} do not go away")
        time.sleep(0.2)
