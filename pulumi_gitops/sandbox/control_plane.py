# SPDX-License-Identifier: Apache-2.0
"""What the control plane is made of: the commands of its processes, their files, and what has to be in the cluster.

Flags are those that were tried for Kubernetes 1.36, etcd 3.6 and kwok 0.7. Everything listens on 127.0.0.1.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .certificates import write_keys
from .processes import Command
from .state import State, write_private

BINARIES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
"""Built or found before a start."""

PORTS = ("etcd", "etcd-peer", "kube-apiserver", "kwok", "git")
"""Names of the ports that the control plane and the Git server take."""

USERS: Mapping[str, tuple[str, ...]] = {"admin": ("system:masters",), "viewer": (), "nobody": ()}
"""User -> groups. ``viewer`` may read what the cluster role ``view`` allows, ``nobody`` has no rights of its own."""

_SERVICES = "10.96.0.0/16"
_FIRST_SERVICE = "10.96.0.1"
_HOST = "127.0.0.1"

# Half of Go's default garbage collection threshold: fewer megabytes for a few percent of CPU.
_FRUGAL = {"GOGC": "50"}
# Collecting garbage is a third of what the API server does with the CRDs of Argo CD.
_GENEROUS = {"GOGC": "200"}


def server_url(state: State) -> str:
    """Return the URL of the API server."""
    return f"https://{_HOST}:{state.ports['kube-apiserver']}"


def git_url(state: State) -> str:
    """Return the URL below which the repositories are."""
    return f"http://{_HOST}:{state.ports['git']}"


def kubeconfig(folder: Path, user: str = "admin") -> Path:
    """Return the path of a user's kubeconfig."""
    return folder / ("kubeconfig" if user == "admin" else f"kubeconfig-{user}")


def write_files(state: State) -> None:
    """Write keys, tokens and kubeconfigs into a new folder."""
    pki = state.folder / "pki"
    for path in (pki, state.folder / "data", state.folder / "git"):
        path.mkdir(mode=0o700)
    write_keys(pki, service_address=_FIRST_SERVICE)
    # Tokens are in a file because arguments can be read by everybody on the machine.
    lines = (f'{state.tokens[user]},{user},{user},"{",".join(groups)}"\n' for user, groups in USERS.items())
    write_private(pki / "tokens.csv", "".join(lines).encode())
    for user in USERS:
        write_kubeconfig(state, user)


def write_kubeconfig(state: State, user: str) -> None:
    """Write a user's kubeconfig, which needs no other file. JSON is YAML, so every reader takes it."""
    authority = (state.folder / "pki" / "ca.crt").read_bytes()
    name = f"sandbox-{state.name}"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server_url(state),
                    "certificate-authority-data": base64.b64encode(authority).decode(),
                },
            }
        ],
        "users": [{"name": f"{name}-{user}", "user": {"token": state.tokens[user]}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": f"{name}-{user}"}}],
        "current-context": name,
    }
    write_private(kubeconfig(state.folder, user), json.dumps(content, indent=1).encode())


def commands(state: State, binaries: Mapping[str, Path]) -> dict[str, Command]:
    """Return the commands of all processes, in the order of their start.

    Args:
        state: Its folder, ports and name.
        binaries: Paths of `BINARIES`.
    """
    listed = {
        "etcd": Command("etcd", (str(binaries["etcd"]), *_etcd(state)), _FRUGAL),
        "kube-apiserver": Command("kube-apiserver", (str(binaries["kube-apiserver"]), *_apiserver(state)), _GENEROUS),
        "git-server": python_command(
            "git-server", "gitserver", "--root", str(state.folder / "git"), "--port", str(state.ports["git"])
        ),
    }
    config = str(kubeconfig(state.folder))
    for name, flags in {
        "kube-controller-manager": _controller_manager(state),
        "kube-scheduler": ("--leader-elect=false", "--secure-port=0", "--kube-api-qps=200", "--kube-api-burst=400"),
        "kwok": (
            "--manage-all-nodes=true",
            # Without leases the node lifecycle controller marks the pods unready after 40 s.
            "--node-lease-duration-seconds=40",
            f"--server-address={_HOST}:{state.ports['kwok']}",
        ),
    }.items():
        listed[name] = Command(name, (str(binaries[name]), f"--kubeconfig={config}", *flags), _FRUGAL)
    return listed


def python_command(name: str, module: str, *arguments: str, env: Mapping[str, str] | None = None) -> Command:
    """Return the command that runs a module of this package with this interpreter."""
    packages = str(Path(__file__).parents[2])
    argv = (sys.executable, "-m", f"{__package__}.{module}", *arguments)
    return Command(name, argv, {"PYTHONPATH": packages, **(env or {})})


def initial_objects(state: State) -> Iterator[dict[str, Any]]:
    """Yield what a new cluster gets: its nodes, and the rights of ``viewer``."""
    for number in range(1, state.nodes + 1):
        name = f"node-{number}"
        resources = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": "250"}
        yield {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                # install manifests select nodes by their operating system
                "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, "type": "kwok"},
                "annotations": {"kwok.x-k8s.io/node": "fake"},
            },
            "status": {"allocatable": resources, "capacity": resources},
        }
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "sandbox-viewer"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
    }


def _etcd(state: State) -> tuple[str, ...]:
    client, peer = (f"http://{_HOST}:{state.ports[name]}" for name in ("etcd", "etcd-peer"))
    return (
        f"--data-dir={state.folder / 'data' / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # nothing of a sandbox has to survive a power cut
        "--log-level=warn",
    )


def _apiserver(state: State) -> tuple[str, ...]:
    pki = state.folder / "pki"
    return (
        f"--etcd-servers=http://{_HOST}:{state.ports['etcd']}",
        f"--bind-address={_HOST}",
        f"--secure-port={state.ports['kube-apiserver']}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--token-auth-file={pki / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        f"--service-cluster-ip-range={_SERVICES}",
        "--endpoint-reconciler-type=none",  # a service can not have endpoints on loopback
        "--allow-privileged=true",
        # Pods are simulated: they need no token, and their creation does not wait for a service account.
        "--disable-admission-plugins=ServiceAccount",
        "--profiling=false",
        # The cache keeps the last hundred states of large objects: hundreds of megabytes.
        "--watch-cache-sizes=customresourcedefinitions.apiextensions.k8s.io#0",
    )


def _controller_manager(state: State) -> tuple[str, ...]:
    pki = state.folder / "pki"
    return (
        f"--service-account-private-key-file={pki / 'service-accounts.key'}",
        f"--root-ca-file={pki / 'ca.crt'}",
        "--leader-elect=false",
        "--secure-port=0",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--profiling=false",
    )
