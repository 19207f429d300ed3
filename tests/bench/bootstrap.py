# SPDX-License-Identifier: Apache-2.0
"""What a Pulumi program takes that installs Argo CD by our component, waits for it, and removes it.

The same objects as resources of pulumi-kubernetes can only be measured where its plugin is to be had. Figures that were
recorded with it elsewhere stand beside ours and are called so: an order of magnitude, no measurement of this machine.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_gitops.core.cluster import Cluster
from pulumi_gitops.core.objects import ObjectRef

from .contenders import OursPulumi, Place
from .measure import Command, ToolFailedError, measure
from .results import Bootstrap

RECORDED = Bootstrap(up=55.0, again=8.0, destroy=49.0, state=1_900_000)
"""Argo CD's install manifest as resources of pulumi-kubernetes 4.32 against the same control plane, another machine."""


def bootstrap(tool: OursPulumi, place: Place, cluster: Cluster, manifest: Path) -> Bootstrap:
    """Install Argo CD, look whether it is installed, and remove it; return what each took.

    Args:
        tool: Runs the program.
        place: Where; Argo CD gets the namespace of this name, which is gone afterwards.
        cluster: A connection of our own, to see that it was done.
        manifest: The install manifest.
    """
    tool.prepare(place)
    inputs = {"namespace": place.namespace, "manifests": str(manifest), "wait_timeout": 600}
    program = f'import pulumi_gitops as gitops\n\ngitops.ArgoCD("argocd", {inputs!r})\n'
    (place.folder / "__main__.py").write_text(program)
    namespace = ObjectRef("", "v1", "Namespace", "", place.namespace)
    try:
        up, again = measure(_command(tool, place, "up")), measure(_command(tool, place, "up"))
        if cluster.find(namespace) is None:
            raise ToolFailedError("Argo CD is not installed")
        state = sum(len(path.read_bytes()) for path in (place.folder / "state" / ".pulumi" / "stacks").rglob("*.json"))
        destroy = measure(_command(tool, place, "destroy"))
        if cluster.find(namespace) is not None:
            raise ToolFailedError("Argo CD is still there")
    except ToolFailedError as error:
        return Bootstrap(error=str(error))
    return Bootstrap(up.wall, again.wall, destroy.wall, state)


def _command(tool: OursPulumi, place: Place, verb: str) -> Command:
    return Command([*tool.argv(verb, place), "--yes", "--skip-preview"], tool.environment(place), place.folder)
