# SPDX-License-Identifier: Apache-2.0
"""What is common to the GitOps controllers whose own processes run beside the cluster of a sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..core.cluster import Cluster
from ..core.objects import KubeObject
from . import control_plane
from .processes import Command, ProcessId
from .state import write_private

_RECORD = "processes.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes of a controller are started.

    Attributes:
        folder: Folder of the sandbox.
        namespace: Namespace that holds the controller's manifests.
        ports: Free ports, for the names that the controller lists.
        binaries: Paths of what the controller lists.
        workloads: Workloads in the namespace -> what of them the processes depend on.
    """

    folder: Path
    namespace: str
    ports: Mapping[str, int]
    binaries: Mapping[str, Path]
    workloads: Mapping[str, Hashable]


@dataclass(frozen=True, slots=True)
class Started:
    """What a process is started with as its Deployment has it: arguments, and the ServiceAccount that it acts as."""

    arguments: tuple[str, ...]
    account: str

    @classmethod
    def of(cls, deployment: KubeObject) -> Started:
        """Return what the container ``manager``, or the first one, is started with."""
        pod = deployment["spec"]["template"]["spec"]
        containers = pod.get("containers") or [{}]
        manager = next((container for container in containers if container.get("name") == "manager"), containers[0])
        return cls(tuple(manager.get("args") or ()), pod.get("serviceAccountName") or "default")


def write_kubeconfig(path: Path, place: Place, account: str) -> None:
    """Write a kubeconfig of all rights that are used to act as a ServiceAccount, and so to have its rights only."""
    content = json.loads(control_plane.kubeconfig(place.folder).read_bytes())
    for user in content["users"]:
        user["user"]["as"] = f"system:serviceaccount:{place.namespace}:{account}"
    write_private(path, json.dumps(content, indent=1).encode())


def _nothing(_cluster: Cluster, _namespace: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Hosted:
    """A controller: pods of it in the cluster are simulated, its processes here do the work.

    Attributes:
        name: Short name.
        title: Name for people.
        binaries: Tools that are built or found before a start.
        ports: Names of the ports that the processes take.
        kinds: Kinds, of ``apps/v1``, of its workloads.
        selector: Label selector of its workloads.
        workloads: Names of the workloads that decide which processes run.
        settings: What of a workload the processes depend on: when it changes, :attr:`commands` is asked anew.
        commands: Makes files as needed and returns the processes, in the order of their start; those that are the same
            as before go on.
        unfinished: Whether there is work in a namespace that only the processes can finish; otherwise they end with
            their workload, as pods do, finalizers or not.
        lasting: Those of the workloads whose processes stay for that work after the workload was deleted.
        mounts: ConfigMap -> folder inside :meth:`home` that is kept as the kubelet keeps a volume of it.
    """

    name: str
    title: str
    binaries: tuple[str, ...]
    ports: tuple[str, ...]
    kinds: tuple[str, ...]
    selector: str
    workloads: tuple[str, ...]
    settings: Callable[[KubeObject], Hashable]
    commands: Callable[[Place], dict[str, Command]]
    unfinished: Callable[[Cluster, str], bool] = _nothing
    lasting: tuple[str, ...] = ()
    mounts: Mapping[str, str] = field(default_factory=dict)

    def home(self, folder: Path) -> Path:
        """Return the folder, inside that of the sandbox, that holds all files of the controller."""
        return folder / self.name


def save(folder: Path, hosted: Hosted, running: Mapping[str, ProcessId], ports: Mapping[str, int]) -> None:
    """Record the processes of a controller, and the ports that they have, for :func:`processes` and :func:`ports`."""
    record = {"processes": {name: asdict(process) for name, process in running.items()}, "ports": dict(ports)}
    write_private(hosted.home(folder) / _RECORD, json.dumps(record).encode())


def processes(folder: Path) -> dict[str, ProcessId]:
    """Return the processes of all controllers that have been started and not been stopped, by name."""
    return {name: ProcessId(**process) for record in _records(folder) for name, process in record["processes"].items()}


def ports(folder: Path) -> dict[str, int]:
    """Return the ports of the processes of all controllers, by name."""
    return {name: port for record in _records(folder) for name, port in record["ports"].items()}


def _records(folder: Path) -> list[dict[str, dict[str, Any]]]:
    found = []
    for path in sorted(folder.glob(f"*/{_RECORD}")):
        try:
            found.append(json.loads(path.read_bytes()))
        except FileNotFoundError:  # stopped meanwhile
            continue
    return found
