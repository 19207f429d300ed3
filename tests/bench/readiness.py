# SPDX-License-Identifier: Apache-2.0
"""How soon a waiting run notices that what it waits for has come about.

A Deployment's pods are held back by a scheduling gate. When the tool has applied it and waits, the gates are opened; a
watch of our own sees the pods and the Deployment get ready. What counts is the time from there to the tool's end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.objects import KubeObject, ObjectRef
from pulumi_gitops.sandbox import tool_path

from .contenders import Contender, Kubectl, Place
from .measure import Command, ToolFailedError, measure
from .results import Latency

_NAME, _PODS, _GATE = "waits", 3, "bench.example.com/closed"
_SECONDS = 120.0
_SETTLE_SECONDS = 2.0  # from the first sight of the pods until a tool has surely begun to wait


def latency(tool: Contender, place: Place, cluster: Cluster) -> Latency:
    """Let a tool deploy a Deployment and wait for it; return how long it went on after that was ready.

    Args:
        tool: Who.
        place: Where; the namespace is made here.
        cluster: A connection of our own.
    """
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place.namespace}})
    tool.prepare(place)
    commands = [tool.apply(place, [_deployment(place.namespace)], wait=True)]
    if isinstance(tool, Kubectl):  # its apply does not wait
        status = ("rollout", "status", f"deployment/{_NAME}", "--namespace", place.namespace)
        commands.append(Command([str(tool_path("kubectl")), *status], place.env(), place.folder))
    stop = threading.Event()
    with ThreadPoolExecutor(3) as pool:
        pods = pool.submit(_until, cluster, "v1", "Pod", place.namespace, stop, _pods_ready)
        workload = pool.submit(_until, cluster, "apps/v1", "Deployment", place.namespace, stop, _rolled_out)
        opened = pool.submit(_open, cluster, place.namespace, stop)
        try:
            ended = [measure(command).ended for command in commands][-1]
            opened.result()
            return Latency(ended - pods.result(_SECONDS), ended - workload.result(_SECONDS))
        except ToolFailedError as error:
            return Latency(error=str(error))
        finally:
            stop.set()
            cluster.delete(ObjectRef("", "v1", "Namespace", "", place.namespace))


def _deployment(namespace: str) -> KubeObject:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _NAME, "namespace": namespace},
        "spec": {
            "replicas": _PODS,
            "selector": {"matchLabels": {"app": _NAME}},
            "template": {
                "metadata": {"labels": {"app": _NAME}},
                "spec": {
                    "schedulingGates": [{"name": _GATE}],
                    "containers": [{"name": _NAME, "image": "registry.example.com/waits:1"}],
                },
            },
        },
    }


def _open(cluster: Cluster, namespace: str, stop: threading.Event) -> None:
    """Open the gates of all pods some time after they have appeared."""
    pods: list[KubeObject] = []
    while len(pods) < _PODS:
        if stop.wait(0.05):
            return
        pods = cluster.list("v1", "Pod", namespace=namespace, metadata_only=True)
    time.sleep(_SETTLE_SECONDS)
    for pod in pods:
        cluster.patch(ObjectRef.of(pod), {"spec": {"schedulingGates": None}})


def _until(
    cluster: Cluster,
    api_version: str,
    kind: str,
    namespace: str,
    stop: threading.Event,
    done: Callable[[dict[str, KubeObject]], bool],
) -> float:
    """Return the time at which all objects of a kind, by name, are as they should be."""
    seen: dict[str, KubeObject] = {}
    for event in cluster.watch(api_version, kind, namespace=namespace, timeout=_SECONDS, stop=stop):
        seen[event.object["metadata"]["name"]] = event.object
        if done(seen):
            return time.monotonic()
    raise ToolFailedError(f"the {kind} did not get ready")


def _pods_ready(pods: dict[str, KubeObject]) -> bool:
    ready = [
        condition
        for pod in pods.values()
        for condition in pod.get("status", {}).get("conditions", [])
        if (condition["type"], condition["status"]) == ("Ready", "True")
    ]
    return len(ready) == _PODS


def _rolled_out(deployments: dict[str, KubeObject]) -> bool:
    status = deployments.get(_NAME, {}).get("status", {})
    return status.get("observedGeneration") is not None and status.get("availableReplicas") == _PODS
