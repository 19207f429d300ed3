# SPDX-License-Identifier: Apache-2.0
"""The server of Weave GitOps on this machine, while its Deployment is in the cluster, where its pods are simulated.

It has the arguments and variables of the Deployment, and logs in as its ServiceAccount: whom it may act for is decided
by the roles of the chart. It serves plain HTTP on 127.0.0.1. Its API is complete; the files of its user interface are
not in the Go module.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..core.objects import KubeObject
from ..core.process import allowed_env, run
from . import control_plane
from .hosting import Hosted, Place
from .processes import Command, direct
from .state import write_private

API = "gitops-server"
"""Name of the process, and of the port on which it serves its API."""

_DEPLOYMENT = "weave-gitops"
_METRICS = "gitops-server-metrics"
_HOST = "127.0.0.1"
_TOKEN_SECONDS = 60.0
_LIFE = "8760h"


@dataclass(frozen=True, slots=True)
class _Settings:
    """What the process of the Deployment is started with."""

    arguments: tuple[str, ...]
    variables: tuple[tuple[str, str], ...]
    account: str


def _settings(deployment: KubeObject) -> _Settings:
    pod = deployment["spec"]["template"]["spec"]
    (server, *_) = pod.get("containers") or [{}]
    variables = tuple((entry["name"], str(entry.get("value") or "")) for entry in server.get("env") or ())
    return _Settings(tuple(server.get("args") or ()), variables, pod.get("serviceAccountName") or "default")


def _commands(place: Place) -> dict[str, Command]:
    settings = place.workloads.get(_DEPLOYMENT)
    if not isinstance(settings, _Settings):
        return {}
    home = WEAVE_GITOPS.home(place.folder)
    (home / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig = home / "kubeconfig"
    write_private(kubeconfig, _kubeconfig(place, settings.account))
    env = {"KUBECONFIG": str(kubeconfig), "HOME": str(home), "TMPDIR": str(home / "tmp")}
    # Of a flag that is given twice the last one counts.
    addresses = (
        "--insecure",
        f"--host={_HOST}",
        f"--port={place.ports[API]}",
        f"--metrics-address={_HOST}:{place.ports[_METRICS]}",
    )
    argv = (str(place.binaries[API]), *settings.arguments, *addresses)
    return {API: Command(API, argv, dict(settings.variables) | env)}


def _kubeconfig(place: Place, account: str) -> bytes:
    """Return a kubeconfig with a token of a ServiceAccount, and with the namespace that a pod would find."""
    admin = control_plane.kubeconfig(place.folder)
    wanted = ("create", "token", account, f"--namespace={place.namespace}", f"--duration={_LIFE}")
    env = allowed_env({"KUBECONFIG": str(admin), **direct()})
    issued = run([str(place.binaries["kubectl"]), *wanted], timeout=_TOKEN_SECONDS, env=env)
    content = json.loads(admin.read_bytes())
    for user in content["users"]:
        user["user"] = {"token": issued.stdout.strip()}
    for context in content["contexts"]:
        context["context"]["namespace"] = place.namespace
    return json.dumps(content, indent=1).encode()


WEAVE_GITOPS = Hosted(
    name="weave_gitops",
    title="Weave GitOps",
    # helm renders the chart.
    binaries=(API, "kubectl", "helm"),
    ports=(API, _METRICS),
    kinds=("Deployment",),
    selector="app.kubernetes.io/part-of=weave-gitops",
    workloads=(_DEPLOYMENT,),
    settings=_settings,
    commands=_commands,
)
"""Started anew when the Deployment has other arguments. Without the Secret of its user it ends at once."""
