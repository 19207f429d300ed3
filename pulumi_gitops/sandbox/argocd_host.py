# SPDX-License-Identifier: Apache-2.0
"""Argo CD's own processes on this machine: Redis, repo-server, application- and ApplicationSet controller, API server.

In the cluster its pods are simulated; these do the work. Flags are those that were tried for Argo CD 3.5. All listen on
127.0.0.1, except that application-controller serves its metrics on every interface: it has no option for that. The API
server has no user interface, whose files are not in the Go module.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ..core.cluster import Cluster
from ..core.errors import ClusterError, NotFoundError, SandboxError, UnknownKindError
from ..core.objects import KubeObject
from . import control_plane
from .builder import bin_dir
from .hosting import Hosted, Place
from .processes import Command
from .state import write_private

SERVER = "argocd-server"
"""Name of the API server, of its Deployment, and of the port that it takes: plain HTTP."""

_HOST = "127.0.0.1"
_CONTROLLER = "argocd-application-controller"
_APPLICATION_SETS = "argocd-applicationset-controller"
_REPO_SERVER = "argocd-repo-server"
_OPTIONAL = (SERVER, _APPLICATION_SETS)
_VERIFIES = "ARGOCD_GPG_ENABLED"
_SOCKET = "ask-pass.sock"
_LONGEST_SOCKET = 107  # bytes: what Linux takes as the path of a socket


def check_folder(folder: Path) -> None:
    """Refuse a folder of a sandbox in which repo-server could not listen on its socket.

    Raises:
        SandboxError: Its path is too long.
    """
    excess = len(os.fsencode(ARGOCD.home(folder) / _SOCKET)) - _LONGEST_SOCKET
    if excess > 0:
        raise SandboxError(
            f"the folder {folder} is {excess} characters too long for the sockets of Argo CD",
            hint="XDG_STATE_HOME puts the sandboxes elsewhere; a shorter name helps as well.",
        )


def commands(place: Place) -> dict[str, Command]:
    """Make the folder of Argo CD and return its processes: none without the one that syncs."""
    if _CONTROLLER not in place.workloads:
        return {}
    folder, ports, binaries = place.folder, place.ports, place.binaries
    # helm, kustomize and Argo CD's wrapper scripts
    tools = bin_dir(ARGOCD.binaries)
    base = ARGOCD.home(folder)
    for name in ("tls", "ssh", "gpg", "gpg-keys", "plugins", "tmp"):
        (base / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    (base / "ssh" / "ssh_known_hosts").touch()
    password = _password(base / "redis-password")
    redis_config = base / "redis.conf"
    # Redis reads its password from a file, since arguments can be read by everybody on the machine.
    redis_settings = (
        f"bind {_HOST}",
        f"port {ports['redis']}",
        f"requirepass {password}",
        'save ""',
        "appendonly no",
        "set-proc-title no",  # the title would overwrite the mark in the environment by which a process is found
        f"dir {base}",
    )
    write_private(redis_config, "\n".join((*redis_settings, "")).encode())
    env = {
        "PATH": os.pathsep.join((str(tools), os.environ.get("PATH", os.defpath))),
        "TMPDIR": str(base / "tmp"),
        "HOME": str(base),
        "REDIS_PASSWORD": password,
        "GOGC": "50",
        # What Argo CD takes for the cluster that it runs in.
        "KUBECONFIG": str(control_plane.kubeconfig(folder)),
        "ARGOCD_FAKE_IN_CLUSTER": "true",
        "ARGOCD_TLS_DATA_PATH": str(base / "tls"),
        "ARGOCD_SSH_DATA_PATH": str(base / "ssh"),
        "ARGOCD_GNUPGHOME": str(base / "gpg"),
        "ARGOCD_GPG_DATA_PATH": str(base / "gpg-keys"),
        _VERIFIES: "true" if place.workloads.get(_REPO_SERVER) is True else "false",
        # Its default is one path in /tmp: two sandboxes would answer for each other's credentials.
        "ARGOCD_ASK_PASS_SOCK": str(base / _SOCKET),
        "ARGOCD_PLUGINSOCKFILEPATH": str(base / "plugins"),
    }
    redis = f"{_HOST}:{ports['redis']}"
    repo_server = f"{_HOST}:{ports['repo-server']}"
    roles = {
        _REPO_SERVER: (
            f"--redis={redis}",
            f"--address={_HOST}",
            f"--port={ports['repo-server']}",
            f"--metrics-address={_HOST}",
            f"--metrics-port={ports['repo-server-metrics']}",
            # No webhook tells of a commit here, so what a branch points to is asked anew at every comparison.
            "--revision-cache-expiration=2s",
            "--loglevel=warn",
        ),
        _CONTROLLER: (
            f"--kubeconfig={control_plane.kubeconfig(folder)}",
            f"--namespace={place.namespace}",
            f"--redis={redis}",
            f"--repo-server={repo_server}",
            f"--metrics-port={ports['application-controller-metrics']}",
            "--app-resync=10",
            "--app-resync-jitter=0",
            # Every hand edit is healed about as fast as the first one.
            "--self-heal-timeout-seconds=1",
            "--self-heal-backoff-timeout-seconds=1",
            "--self-heal-backoff-factor=1",
            "--self-heal-backoff-cap-seconds=1",
        ),
        SERVER: (
            f"--kubeconfig={control_plane.kubeconfig(folder)}",
            f"--namespace={place.namespace}",
            f"--redis={redis}",
            f"--repo-server={repo_server}",
            f"--address={_HOST}",
            f"--port={ports[SERVER]}",
            f"--metrics-port={ports['server-metrics']}",
            f"--staticassets={base / 'assets'}",
            "--insecure",
            "--loglevel=warn",
        ),
        _APPLICATION_SETS: (
            f"--kubeconfig={control_plane.kubeconfig(folder)}",
            f"--namespace={place.namespace}",
            f"--argocd-repo-server={repo_server}",
            f"--metrics-addr={_HOST}:{ports['applicationset-metrics']}",
            f"--probe-addr={_HOST}:{ports['applicationset-health']}",
            f"--webhook-addr={_HOST}:{ports['applicationset-webhook']}",
            "--enable-leader-election=false",
            "--loglevel=warn",
        ),
    }
    listed = {"argocd-redis": Command("argocd-redis", (str(binaries["redis-server"]), str(redis_config)), env)}
    for name, flags in roles.items():
        if name in _OPTIONAL and name not in place.workloads:
            continue
        # One binary plays all roles; the variable tells which.
        listed[name] = Command(name, (str(binaries["argocd"]), *flags), env | {"ARGOCD_BINARY_NAME": name})
    return listed


def _settings(workload: KubeObject) -> bool | None:
    """Tell whether a workload says outright that it verifies signatures, as Argo CD does by default: it takes gpg."""
    containers = workload["spec"]["template"]["spec"].get("containers") or ()
    variables = [variable for container in containers for variable in container.get("env") or ()]
    return True if {"name": _VERIFIES, "value": "true"} in variables else None


def _password(path: Path) -> str:
    """Return what is in a file; the first time it is made. With another one at every change all would be restarted."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(24).encode())
    return path.read_text()


def unfinished(cluster: Cluster, namespace: str) -> bool:
    """Tell whether a namespace has Applications with a finalizer; yes while the cluster does not answer."""
    try:
        applications = cluster.list("argoproj.io/v1alpha1", "Application", namespace=namespace)
    except (NotFoundError, UnknownKindError):
        return False
    except ClusterError:
        return True
    return any(application["metadata"].get("finalizers") for application in applications)


ARGOCD = Hosted(
    name="argocd",
    title="Argo CD",
    binaries=("argocd", "helm", "kustomize", "redis-server"),
    ports=(
        "redis",
        "repo-server",
        "repo-server-metrics",
        "application-controller-metrics",
        SERVER,
        "server-metrics",
        "applicationset-metrics",
        "applicationset-health",
        "applicationset-webhook",
    ),
    kinds=("StatefulSet", "Deployment"),
    selector="app.kubernetes.io/part-of=argocd",
    workloads=(_CONTROLLER, _REPO_SERVER, *_OPTIONAL),
    settings=_settings,
    commands=commands,
    lasting=(_CONTROLLER,),
    unfinished=unfinished,
    mounts={
        "argocd-ssh-known-hosts-cm": "ssh",
        "argocd-tls-certs-cm": "tls",
        "argocd-gpg-keys-cm": "gpg-keys",
    },
)
"""Starts when its application-controller is installed, and goes on after it until no Application has a finalizer.

API server and ApplicationSet controller run while their own Deployments are there as well. Signatures of commits are
verified when repo-server's container has ``ARGOCD_GPG_ENABLED=true``, and the machine a ``gpg``.
"""
