# SPDX-License-Identifier: Apache-2.0
"""Runs a controller's processes while, and only while, the controller is installed in the cluster of a sandbox.

``python -m pulumi_gitops.sandbox.follower FOLDER CONTROLLER``, started with the sandbox, stopped with it. Its own log
tells what it does. Once Argo CD's workload is removed, its processes go on until no Application has a finalizer left,
so that Applications deleted after it still go away. Scaling to zero stops them at once. Deleting the whole namespace
first can still leave it Terminating, as in a real cluster: Argo CD needs its AppProject and ConfigMaps to finish.
"""

from __future__ import annotations

import argparse
import datetime as dt
import queue
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.cluster import DELETED, Cluster, ConnectionOptions, Event, connect
from ..core.errors import ClusterError
from . import control_plane, hosting
from .argocd_host import ARGOCD
from .builder import find_or_build
from .flux_host import FLUX
from .flux_operator_host import FLUX_OPERATOR
from .hosting import Hosted, Place
from .processes import Command, ProcessId, kill, reap, spawn, tail
from .startup import free_ports, port_was_taken
from .state import remove_tree, write_private
from .weave_host import WEAVE_GITOPS

CONTROLLERS: Mapping[str, Hosted] = {hosted.name: hosted for hosted in (ARGOCD, FLUX, FLUX_OPERATOR, WEAVE_GITOPS)}
"""What can be followed, by name."""

_WATCH_SECONDS = 3e8  # longer than any sandbox lives: what a second watch would miss between the two stays unknown
_CHECK_SECONDS = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload that should have pods: where it is, and what of it the processes depend on."""

    namespace: str
    name: str
    settings: Hashable


@dataclass(slots=True)
class Installations:
    """Where a controller is installed, as told by the events of its workloads.

    Attributes:
        hosted: The controller.
        found: UID -> workload, for those that should have pods.
        removed: Namespace and name of workloads that were deleted, not scaled to zero.
    """

    hosted: Hosted
    found: dict[str, Workload] = field(default_factory=dict)
    removed: set[tuple[str, str]] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Take note of a change of a workload; those that decide nothing are ignored."""
        metadata = event.object["metadata"]
        name, namespace = metadata["name"], metadata["namespace"]
        if name not in self.hosted.workloads:
            return
        if event.type == DELETED or "deletionTimestamp" in metadata:
            self.found.pop(metadata["uid"], None)
            self.removed.add((namespace, name))
            return
        self.removed.discard((namespace, name))
        if event.object.get("spec", {}).get("replicas", 1) == 0:
            self.found.pop(metadata["uid"], None)
        else:
            self.found[metadata["uid"]] = Workload(namespace, name, self.hosted.settings(event.object))

    @property
    def namespace(self) -> str:
        """The namespace that is served: the first one in which it was installed; "" when there is none."""
        return next((workload.namespace for workload in self.found.values()), "")

    @property
    def workloads(self) -> dict[str, Hashable]:
        """What is there in the namespace that is served: name -> settings."""
        return self.of(self.namespace)

    def of(self, namespace: str) -> dict[str, Hashable]:
        """Return what is there in a namespace: name -> settings."""
        return {workload.name: workload.settings for workload in self.found.values() if workload.namespace == namespace}

    def lingering(self, namespace: str, served: Mapping[str, Hashable]) -> dict[str, Hashable]:
        """Return those of the served workloads of a namespace that were deleted, and may have to finish their work."""
        return {
            name: settings
            for name, settings in served.items()
            if name in self.hosted.lasting and (namespace, name) in self.removed
        }


@dataclass(slots=True)
class Volumes:
    """What the ConfigMaps hold that a controller's pods have as volumes, as told by their events.

    Attributes:
        hosted: The controller.
        found: Namespace and name -> data.
    """

    hosted: Hosted
    found: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take note of a change of a ConfigMap. The files of one that is deleted stay, as in a pod that runs."""
        metadata = event.object["metadata"]
        if event.type != DELETED:
            self.found[metadata["namespace"], metadata["name"]] = dict(event.object.get("data") or {})

    def of(self, namespace: str) -> dict[str, dict[str, str]]:
        """Return what the volumes of a namespace hold: folder -> file -> content."""
        return {
            folder: self.found[namespace, name]
            for name, folder in self.hosted.mounts.items()
            if (namespace, name) in self.found
        }


@dataclass(frozen=True, slots=True)
class Watched:
    """Objects that are watched in all namespaces, and who takes note of their changes."""

    api_version: str
    kind: str
    take: Callable[[Event], None]
    labels: str = ""
    fields: str = ""


class Host:
    """The processes of a controller, for one namespace at a time.

    Args:
        folder: Folder of the sandbox.
        hosted: The controller.
    """

    def __init__(self, folder: Path, hosted: Hosted) -> None:
        self._folder = folder
        self._hosted = hosted
        self._binaries = find_or_build(hosted.binaries)
        self._namespace = ""
        self._workloads: dict[str, Hashable] = {}
        self._volumes: dict[str, dict[str, str]] = {}
        self._ports: dict[str, int] = {}
        self._commands: dict[str, Command] = {}
        self._running: dict[str, ProcessId] = {}
        self._deaths = 0
        self._again = 0.0

    @property
    def namespace(self) -> str:
        """The namespace that is served; "" when there is none."""
        return self._namespace

    @property
    def workloads(self) -> Mapping[str, Hashable]:
        """The workloads that are served: name -> settings."""
        return self._workloads

    def serve(self, namespace: str, workloads: Mapping[str, Hashable]) -> None:
        """Serve these workloads of a namespace from now on; none when it is empty."""
        if namespace != self._namespace:
            self._stop()
            self._namespace = namespace
            self._deaths = 0
            if namespace:
                say(f"{self._hosted.title} is installed in {namespace}: starting its processes")
        if workloads != self._workloads:
            self._workloads = dict(workloads)
            self._update()

    def mount(self, volumes: Mapping[str, Mapping[str, str]]) -> None:
        """Let folders of the controller hold these files from now on: folder -> file -> content."""
        wanted = {folder: dict(files) for folder, files in volumes.items()}
        if wanted != self._volumes:
            self._volumes = wanted
            self._write_volumes()

    def check(self) -> None:
        """Restart what has died, after a pause that grows with every death."""
        dead = [name for name, process in self._running.items() if not process.alive]
        if not dead or time.monotonic() < self._again:
            return
        for name in dead:
            reap(self._running[name].pid)
            say(f"{name} has died and is started again; its last lines:\n{tail(self._log(name))}")
        self._deaths += 1
        self._again = time.monotonic() + min(2.0**self._deaths, _LONGEST_PAUSE)
        if any(port_was_taken(self._log(name)) for name in dead):
            workloads = self._workloads
            self._stop()
            self._workloads = workloads
            self._update()
        else:
            self._spawn(dead)

    def _update(self) -> None:
        """Let run what belongs to the workloads, and nothing else."""
        if not self._workloads:
            self._stop()
            return
        self._ports = self._ports or free_ports(self._hosted.ports)
        place = Place(self._folder, self._namespace, self._ports, self._binaries, self._workloads)
        wanted = self._hosted.commands(place)
        ended = [name for name in self._running if wanted.get(name) != self._commands[name]]
        if ended:
            say(f"stopping {', '.join(ended)}: removed, or with other arguments now")
            kill(self._running.pop(name) for name in ended)
            self._save()
        self._commands = wanted
        self._write_volumes()
        self._spawn(name for name in wanted if name not in self._running)

    def _spawn(self, names: Iterable[str]) -> None:
        for name in names:
            self._running[name] = spawn(self._commands[name], folder=self._folder, log=self._log(name))
            self._save()

    def _write_volumes(self) -> None:
        for folder, files in self._volumes.items() if self._workloads else ():
            place = self._hosted.home(self._folder) / folder
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, content in files.items():
                write_private(place / name, content.encode())
            for path in place.iterdir():
                if path.name not in files:
                    path.unlink()

    def _save(self) -> None:
        hosting.save(self._folder, self._hosted, self._running, self._ports)

    def _stop(self) -> None:
        if self._running:
            say(f"stopping the processes of {self._hosted.title} in {self._namespace}")
            kill(self._running.values())
            remove_tree(self._hosted.home(self._folder))
        self._running, self._commands, self._workloads, self._ports = {}, {}, {}, {}

    def _log(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"


def say(text: str) -> None:
    """Write to the follower's log."""
    sys.stdout.write(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}\n")
    sys.stdout.flush()


def watch(cluster: Cluster, what: Watched, events: queue.SimpleQueue[tuple[Watched, Event]]) -> None:
    """Put every change of these objects into a queue, for ever."""
    while True:
        try:
            for event in cluster.watch(
                what.api_version,
                what.kind,
                label_selector=what.labels,
                field_selector=what.fields,
                timeout=_WATCH_SECONDS,
            ):
                events.put((what, event))
        except ClusterError as e:
            say(f"the cluster does not answer: {e.message}")
            time.sleep(_CHECK_SECONDS)


def follow(folder: Path, hosted: Hosted) -> None:
    """Follow the installation of a controller in the sandbox of this folder until the process is stopped."""
    events: queue.SimpleQueue[tuple[Watched, Event]] = queue.SimpleQueue()
    installations, volumes = Installations(hosted), Volumes(hosted)
    watched = [Watched("apps/v1", kind, installations.take, labels=hosted.selector) for kind in hosted.kinds]
    watched += [Watched("v1", "ConfigMap", volumes.take, fields=f"metadata.name={name}") for name in hosted.mounts]
    host = Host(folder, hosted)
    with connect(ConnectionOptions(kubeconfig=str(control_plane.kubeconfig(folder)))) as cluster:
        for what in watched:
            threading.Thread(target=watch, args=(cluster, what, events), daemon=True).start()
        while True:
            try:
                what, event = events.get(timeout=_CHECK_SECONDS)
            except queue.Empty:
                host.check()
            else:
                what.take(event)
            left = installations.lingering(host.namespace, host.workloads)
            if left and hosted.unfinished(cluster, host.namespace):
                host.serve(host.namespace, installations.of(host.namespace) | left)
            else:
                host.serve(installations.namespace, installations.workloads)
            host.mount(volumes.of(host.namespace))


def main() -> None:
    """Run the follower as a process of its own."""
    parser = argparse.ArgumentParser(prog="follower")
    parser.add_argument("folder", type=Path)
    parser.add_argument("controller", choices=list(CONTROLLERS))
    arguments = parser.parse_args()
    follow(arguments.folder, CONTROLLERS[arguments.controller])


if __name__ == "__main__":
    main()
