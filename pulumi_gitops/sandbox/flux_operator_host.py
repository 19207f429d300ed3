# SPDX-License-Identifier: Apache-2.0
"""Flux Operator on this machine, while its Deployment is in the cluster, where its pods are simulated.

It acts as the Deployment's ServiceAccount, and installs Flux from the manifests of its own module, without network. It
has no user interface here.
"""

from __future__ import annotations

from pathlib import Path

from ..core.process import allowed_env, run
from .builder import built_folder, find_or_build
from .catalogue import GO_TOOLS
from .hosting import Hosted, Place, Started, write_kubeconfig
from .processes import Command
from .progress import BuildProgress
from .state import write_private

_NAME = "flux-operator"
_METRICS = f"{_NAME}-metrics"
_HEALTH = f"{_NAME}-health"
_HOST = "127.0.0.1"
_BUILD_SECONDS = 60.0


def flux_operator_manifest(*, progress: BuildProgress | None = None) -> Path:
    """Return the install manifest of Flux Operator, as its release makes it: ``kustomize build config/default``.

    Args:
        progress: Display, should something have to be built for it; on standard error when None.

    Raises:
        SandboxError: The operator can not be built.
        ProcessError: kustomize fails.
    """
    kustomize = find_or_build([_NAME, "kustomize"], progress=progress)["kustomize"]
    folder = built_folder(GO_TOOLS[_NAME])
    manifest = folder / "install.yaml"
    if not manifest.is_file():
        built = run(
            (str(kustomize), "build", str(folder / "config/default")), timeout=_BUILD_SECONDS, env=allowed_env()
        )
        write_private(manifest, built.stdout.encode())
    return manifest


def _commands(place: Place) -> dict[str, Command]:
    settings = place.workloads.get(_NAME)
    if not isinstance(settings, Started):
        return {}
    home = FLUX_OPERATOR.home(place.folder)
    (home / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig = home / "kubeconfig"
    write_kubeconfig(kubeconfig, place, settings.account)
    env = {
        "KUBECONFIG": str(kubeconfig),
        "RUNTIME_NAMESPACE": place.namespace,
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "GODEBUG": "fips140=on",  # it refuses to run without
    }
    # Of a flag that is given twice the last one counts.
    own = (
        "--enable-leader-election=false",
        f"--storage-path={built_folder(GO_TOOLS[_NAME]) / 'config/data'}",
        f"--metrics-addr={_HOST}:{place.ports[_METRICS]}",
        f"--health-addr={_HOST}:{place.ports[_HEALTH]}",
        "--web-server-port=0",
    )
    return {_NAME: Command(_NAME, (str(place.binaries[_NAME]), *settings.arguments, *own), env)}


FLUX_OPERATOR = Hosted(
    name="flux_operator",
    title="Flux Operator",
    binaries=(_NAME,),
    ports=(_METRICS, _HEALTH),
    kinds=("Deployment",),
    selector=f"app.kubernetes.io/name={_NAME}",
    workloads=(_NAME,),
    settings=Started.of,
    commands=_commands,
)
"""Started anew when the Deployment has other arguments. The processes of Flux itself are those of :mod:`.flux_host`."""
