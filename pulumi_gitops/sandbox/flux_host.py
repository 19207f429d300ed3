# SPDX-License-Identifier: Apache-2.0
"""Flux's own processes on this machine: source-, kustomize-, helm- and notification-controller.

In the cluster their pods are simulated; these do the work, one for every Deployment that is there, with the arguments
and the rights that it has there: they act as its ServiceAccount. All listen on 127.0.0.1.
"""

from __future__ import annotations

from pathlib import Path

from .hosting import Hosted, Place, Started, write_kubeconfig
from .processes import Command

RECEIVERS = "webhook-receiver"
"""Name of the port on which notification-controller takes webhooks."""

_HOST = "127.0.0.1"
_RECONCILERS = ("source-controller", "kustomize-controller", "helm-controller")
_CONTROLLERS = (*_RECONCILERS, "notification-controller")
_STORAGE = "source-controller-storage"
_EVENTS = "notification-controller-events"
# Before the arguments of the Deployment, which win. In a sandbox one rather tries too often than waits.
_TUNING = ("--requeue-dependency=5s",)


def _commands(place: Place) -> dict[str, Command]:
    listed: dict[str, Command] = {}
    for name in _CONTROLLERS:
        settings = place.workloads.get(name)
        if isinstance(settings, Started):
            listed[name] = _command(place, name, settings)
    return listed


def _command(place: Place, name: str, settings: Started) -> Command:
    home = FLUX.home(place.folder) / name
    for path in (home, home / "tmp", home / "data"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig = home / "kubeconfig"
    write_kubeconfig(kubeconfig, place, settings.account)
    env = {
        "KUBECONFIG": str(kubeconfig),
        "RUNTIME_NAMESPACE": place.namespace,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "TUF_ROOT": str(home / "tmp" / ".sigstore"),
        "GOGC": "50",
    }
    wanted = (argument.replace("$(RUNTIME_NAMESPACE)", place.namespace) for argument in settings.arguments)
    tuning = _TUNING if name in _RECONCILERS else ()
    # Of a flag that is given twice the last one counts.
    argv = (str(place.binaries[name]), *tuning, *wanted, *_addresses(place, name, home))
    return Command(name, argv, env)


def _addresses(place: Place, name: str, home: Path) -> tuple[str, ...]:
    """Return the flags that can not be as in a pod."""

    def at(port: str) -> str:
        return f"{_HOST}:{place.ports[port]}"

    common = (
        "--enable-leader-election=false",
        f"--metrics-addr={at(f'{name}-metrics')}",
        f"--health-addr={at(f'{name}-health')}",
    )
    if name == "notification-controller":
        return (*common, f"--events-addr={at(_EVENTS)}", f"--receiverAddr={at(RECEIVERS)}")
    events = f"--events-addr=http://{at(_EVENTS)}/"
    if name == "source-controller":
        storage = (
            f"--storage-path={home / 'data'}",
            f"--storage-addr={at(_STORAGE)}",
            f"--storage-adv-addr={at(_STORAGE)}",
        )
        return (*common, events, *storage)
    return (*common, events)


FLUX = Hosted(
    name="flux",
    title="Flux",
    binaries=_CONTROLLERS,
    ports=(
        *(f"{name}-{what}" for name in _CONTROLLERS for what in ("metrics", "health")),
        _STORAGE,
        _EVENTS,
        RECEIVERS,
    ),
    kinds=("Deployment",),
    selector="app.kubernetes.io/part-of=flux",
    workloads=_CONTROLLERS,
    settings=Started.of,
    commands=_commands,
)
"""Every process runs while its own Deployment is there, and is started anew when that has other arguments."""
