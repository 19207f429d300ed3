# SPDX-License-Identifier: Apache-2.0
"""Runs Argo CD's processes while, and only while, Argo CD is installed in the cluster of a sandbox.

``python -m pulumi_gitops.sandbox.follower FOLDER``, started with the sandbox, stopped with it. Its own log tells what
it does. Once the workload of the controller is removed, the processes go on until no Application has a finalizer left,
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
from dataclasses import dataclass, field
from pathlib import Path

from ..core.cluster import DELETED, Cluster, ConnectionOptions, Event, connect
from ..core.errors import ClusterError, NotFoundError, UnknownKindError
from . import argocd_host, control_plane
from .builder import bin_dir, find_or_build
from .processes import Command, ProcessId, kill, reap, spawn, tail
from .startup import free_ports, port_was_taken
from .state import remove_tree

_WORKLOAD = "argocd-application-controller"
_KINDS = ("StatefulSet", "Deployment")
_SELECTOR = "app.kubernetes.io/part-of=argocd"
_WATCH_SECONDS = 3e8  # longer than any sandbox lives: what a second watch would miss between the two stays unknown
_CHECK_SECONDS = 0.5
_LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class Installations:
    """Where Argo CD is installed, as told by the events of its workload.

    Attributes:
        found: UIDs of workloads that should have pods -> namespace.
        removed: Namespaces whose workload was deleted, not scaled to zero.
    """

    found: dict[str, str] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def take(self, event: Event) -> None:
        """Take note of a change of a StatefulSet or Deployment."""
        metadata = event.object["metadata"]
        namespace = metadata["namespace"]
        if event.type == DELETED or "deletionTimestamp" in metadata:
            self.found.pop(metadata["uid"], None)
            self.removed.add(namespace)
            return
        self.removed.discard(namespace)
        if event.object.get("spec", {}).get("replicas", 1) == 0:
            self.found.pop(metadata["uid"], None)
        else:
            self.found[metadata["uid"]] = namespace

    @property
    def namespace(self) -> str:
        """The namespace that is served: the first one in which it was installed; "" when there is none."""
        return next(iter(self.found.values()), "")


class Host:
    """Argo CD's processes for one namespace at a time.

    Args:
        folder: Folder of the sandbox.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._binaries = find_or_build(argocd_host.BINARIES)
        self._tools = bin_dir(argocd_host.BINARIES)
        self._namespace = ""
        self._commands: dict[str, Command] = {}
        self._running: dict[str, ProcessId] = {}
        self._deaths = 0
        self._again = 0.0

    @property
    def namespace(self) -> str:
        """The namespace that is served; "" when there is none."""
        return self._namespace

    def serve(self, namespace: str) -> None:
        """Serve this namespace from now on; none when it is empty."""
        if namespace != self._namespace:
            self._stop()
            self._namespace = namespace
            self._deaths = 0
            if namespace:
                self._start()

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
            self._stop()
            self._start()
        else:
            for name in dead:
                self._spawn(name)

    def _start(self) -> None:
        say(f"Argo CD is installed in {self._namespace}: starting its processes")
        ports = free_ports(argocd_host.PORTS)
        self._commands = argocd_host.commands(self._folder, self._namespace, ports, self._binaries, self._tools)
        for name in self._commands:
            self._spawn(name)

    def _spawn(self, name: str) -> None:
        self._running[name] = spawn(self._commands[name], folder=self._folder, log=self._log(name))
        argocd_host.save_processes(self._folder, self._running)

    def _stop(self) -> None:
        if not self._running:
            return
        say(f"stopping the processes of Argo CD in {self._namespace}")
        kill(self._running.values())
        self._running = {}
        remove_tree(argocd_host.home(self._folder))

    def _log(self, name: str) -> Path:
        return self._folder / "logs" / f"{name}.log"


def say(text: str) -> None:
    """Write to the follower's log."""
    sys.stdout.write(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}\n")
    sys.stdout.flush()


def watch(cluster: Cluster, kind: str, events: queue.SimpleQueue[Event]) -> None:
    """Put every change of Argo CD's workload of this kind into a queue, for ever."""
    while True:
        try:
            for event in cluster.watch(
                "apps/v1",
                kind,
                label_selector=_SELECTOR,
                field_selector=f"metadata.name={_WORKLOAD}",
                timeout=_WATCH_SECONDS,
            ):
                events.put(event)
        except ClusterError as e:
            say(f"the cluster does not answer: {e.message}")
            time.sleep(_CHECK_SECONDS)


def unfinished(cluster: Cluster, namespace: str) -> bool:
    """Tell whether a namespace has Applications with a finalizer; yes while the cluster does not answer."""
    try:
        applications = cluster.list("argoproj.io/v1alpha1", "Application", namespace=namespace)
    except (NotFoundError, UnknownKindError):
        return False
    except ClusterError:
        return True
    return any(application["metadata"].get("finalizers") for application in applications)


def follow(folder: Path) -> None:
    """Follow the installation in the sandbox of this folder until the process is stopped."""
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    installations = Installations()
    host = Host(folder)
    with connect(ConnectionOptions(kubeconfig=str(control_plane.kubeconfig(folder)))) as cluster:
        for kind in _KINDS:
            threading.Thread(target=watch, args=(cluster, kind, events), daemon=True).start()
        while True:
            try:
                installations.take(events.get(timeout=_CHECK_SECONDS))
            except queue.Empty:
                host.check()
            left = host.namespace in installations.removed and installations.namespace != host.namespace
            if not (left and unfinished(cluster, host.namespace)):
                host.serve(installations.namespace)


def main() -> None:
    """Run the follower as a process of its own."""
    parser = argparse.ArgumentParser(prog="follower")
    parser.add_argument("folder", type=Path)
    follow(parser.parse_args().folder)


if __name__ == "__main__":
    main()
