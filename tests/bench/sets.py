# SPDX-License-Identifier: Apache-2.0
"""The sets of objects that are deployed: small ConfigMaps by number, and Argo CD's own install manifest."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

KubeObject = dict[str, Any]

SET_LABEL = "bench.example.com/set"
"""On every object; its value is the namespace."""

STATE = "bench.example.com/state"
"""Annotation on every object; `CHANGED` on the one that changes."""

CHANGED = "changed-by-the-bench"

ARGOCD = "argocd"
"""Name of the set that is Argo CD's install manifest."""

_CLUSTER_SCOPED = frozenset({"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "Namespace"})


@dataclass(frozen=True, slots=True)
class ObjectSet:
    """One set in its three states.

    Attributes:
        name: ``300``, ``argocd``.
        first: What is applied first.
        changed: The same with one object changed.
        half: Every second object of `changed`; the same objects as `changed` where nothing is to be pruned.
        touched: Name of the object that changes.
        wait: Whether the tools wait until all is ready.
    """

    name: str
    first: Sequence[KubeObject] = field(repr=False)
    changed: Sequence[KubeObject] = field(repr=False)
    half: Sequence[KubeObject] = field(repr=False)
    touched: str
    wait: bool

    @property
    def prunes(self) -> bool:
        """Whether there is something to prune."""
        return len(self.half) < len(self.changed)


def small(count: int, namespace: str) -> ObjectSet:
    """Return `count` ConfigMaps of a few lines each."""
    objects: list[KubeObject] = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": f"small-{i:05}", "namespace": namespace},
            "data": {"number": str(i), "greeting": "hello", "state": "first"},
        }
        for i in range(count)
    ]
    return _three_states(str(count), objects, namespace, touched=count // 2, wait=True)


def install_manifest(path: Path, namespace: str) -> ObjectSet:
    """Return the objects of Argo CD's install manifest. CRDs are not pruned, and nobody waits for workloads."""
    objects = [obj for obj in yaml.load_all(path.read_bytes(), yaml.CSafeLoader) if obj]
    for obj in objects:
        if obj["kind"] not in _CLUSTER_SCOPED:
            obj["metadata"]["namespace"] = namespace
    touched = next(i for i, obj in enumerate(objects) if obj["kind"] == "ConfigMap")
    return _three_states(ARGOCD, objects, namespace, touched=touched, wait=False)


def write(objects: Sequence[KubeObject], path: Path) -> Path:
    """Write objects as a file of YAML documents, as a person or `helm template` would, and return the path."""
    with path.open("w") as file:
        yaml.dump_all(objects, file, Dumper=yaml.CSafeDumper, sort_keys=False, explicit_start=True)
    return path


def kinds(objects: Sequence[KubeObject]) -> list[tuple[str, str]]:
    """Return the (apiVersion, kind) pairs of the objects, each once."""
    return list(dict.fromkeys((obj["apiVersion"], obj["kind"]) for obj in objects))


def _three_states(name: str, objects: list[KubeObject], namespace: str, *, touched: int, wait: bool) -> ObjectSet:
    for obj in objects:
        metadata = obj["metadata"]
        metadata["labels"] = {**(metadata.get("labels") or {}), SET_LABEL: namespace}
        metadata["annotations"] = {**(metadata.get("annotations") or {}), STATE: "first"}
    changed = list(objects)
    changed[touched] = copy.deepcopy(objects[touched])
    changed[touched]["metadata"]["annotations"][STATE] = CHANGED
    if changed[touched].get("data"):
        changed[touched]["data"]["state"] = CHANGED
    prunable = [obj for obj in changed if obj["kind"] != "CustomResourceDefinition"]
    gone = {id(obj) for obj in prunable[1::2]}
    half = [obj for obj in changed if id(obj) not in gone]
    return ObjectSet(name, objects, changed, half, objects[touched]["metadata"]["name"], wait)
