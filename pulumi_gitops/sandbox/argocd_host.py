# SPDX-License-Identifier: Apache-2.0
"""Argo CD's own processes on this machine: Redis, repo-server and application-controller.

In the cluster its pods are simulated; these do the work. Flags are those that were tried for Argo CD 3.5. All listen on
127.0.0.1, except that application-controller serves its metrics on every interface: it has no option for that.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from . import control_plane
from .processes import Command, ProcessId
from .state import write_private

BINARIES = ("argocd", "helm", "kustomize", "redis-server")
"""Built or found before a start."""

PORTS = ("redis", "repo-server", "repo-server-metrics", "application-controller-metrics")
"""Names of the ports that the processes take."""

_HOST = "127.0.0.1"
_RECORD = "processes.json"


def home(folder: Path) -> Path:
    """Return the folder, inside that of the sandbox, that holds all files of Argo CD."""
    return folder / "argocd"


def processes(folder: Path) -> dict[str, ProcessId]:
    """Return the processes that have been started and not been stopped, by name."""
    try:
        record = json.loads((home(folder) / _RECORD).read_bytes())
    except FileNotFoundError:
        return {}
    return {name: ProcessId(**process) for name, process in record.items()}


def save_processes(folder: Path, running: Mapping[str, ProcessId]) -> None:
    """Record the processes, for :func:`processes`."""
    write_private(
        home(folder) / _RECORD, json.dumps({name: asdict(process) for name, process in running.items()}).encode()
    )


def commands(
    folder: Path, namespace: str, ports: Mapping[str, int], binaries: Mapping[str, Path], tools: Path
) -> dict[str, Command]:
    """Make the folder of Argo CD and return the commands of its processes, in the order of their start.

    Args:
        folder: Folder of the sandbox.
        namespace: Namespace that holds Argo CD's manifests.
        ports: Ports for `PORTS`.
        binaries: Paths of `BINARIES`.
        tools: Folder for PATH with helm, kustomize and Argo CD's wrapper scripts.
    """
    base = home(folder)
    for name in ("tls", "ssh", "gpg", "plugins", "tmp"):
        (base / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    (base / "ssh" / "ssh_known_hosts").touch()
    password = secrets.token_urlsafe(24)
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
        "ARGOCD_GPG_ENABLED": "false",
        # Its default is one path in /tmp: two sandboxes would answer for each other's credentials.
        "ARGOCD_ASK_PASS_SOCK": str(base / "ask-pass.sock"),
        "ARGOCD_PLUGINSOCKFILEPATH": str(base / "plugins"),
    }
    redis = f"{_HOST}:{ports['redis']}"
    repo_server = f"{_HOST}:{ports['repo-server']}"
    roles = {
        "repo-server": (
            f"--redis={redis}",
            f"--address={_HOST}",
            f"--port={ports['repo-server']}",
            f"--metrics-address={_HOST}",
            f"--metrics-port={ports['repo-server-metrics']}",
            # No webhook tells of a commit here, so what a branch points to is asked anew at every comparison.
            "--revision-cache-expiration=2s",
            "--loglevel=warn",
        ),
        "application-controller": (
            f"--kubeconfig={control_plane.kubeconfig(folder)}",
            f"--namespace={namespace}",
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
    }
    listed = {"argocd-redis": Command("argocd-redis", (str(binaries["redis-server"]), str(redis_config)), env)}
    for role, flags in roles.items():
        name = f"argocd-{role}"
        # One binary plays all roles; the variable tells which.
        listed[name] = Command(name, (str(binaries["argocd"]), *flags), env | {"ARGOCD_BINARY_NAME": name})
    return listed
