# SPDX-License-Identifier: Apache-2.0
"""The component ``Application``."""

from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from ..core.controllers import ApplicationSpec, application_objects
from .options import given, require_gitops_provider
from .resources import Sync, SyncArgs


class ApplicationArgs(TypedDict):
    """Inputs of Application."""

    url: pulumi.Input[str]
    """URL of the Git repository."""
    path: pulumi.Input[str]
    """Folder of the repository that holds the manifests."""
    destination_namespace: pulumi.Input[str]
    """Namespace that the objects go to."""
    controller: NotRequired[pulumi.Input[str]]
    """Which controller syncs it: argocd. Default: argocd."""
    revision: NotRequired[pulumi.Input[str]]
    """Branch, tag or commit. Default: HEAD."""
    project: NotRequired[pulumi.Input[str]]
    """Argo CD project. Default: default."""
    auto_sync: NotRequired[bool]
    """Sync by itself whenever the repository changes. Without it nothing is awaited. Default: true."""
    prune: NotRequired[pulumi.Input[bool]]
    """Remove objects that left the repository. Default: true."""
    self_heal: NotRequired[pulumi.Input[bool]]
    """Undo changes that were made past the repository. Default: false."""
    create_namespace: NotRequired[pulumi.Input[bool]]
    """Create the destination namespace. Default: false."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the controller. Default: argocd."""
    wait: NotRequired[bool]
    """Wait until the application is synced and healthy. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""


class Application(pulumi.ComponentResource):
    """An application that a controller pulls from Git."""

    revision: pulumi.Output[Optional[str]]
    """Commit that is synced; empty when nothing is awaited."""
    sync: pulumi.Output[Optional[str]]
    """Sync status, for example Synced; empty when nothing is awaited."""
    health: pulumi.Output[Optional[str]]
    """Health status, for example Healthy; empty when nothing is awaited."""

    def __init__(self, name: str, args: ApplicationArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        from pulumi_kubernetes.apiextensions import CustomResource

        require_gitops_provider(opts)
        values = given(args, ApplicationArgs)
        super().__init__("gitops:index:Application", name, values, opts)
        awaited = bool(values.get("wait", True) and values.get("auto_sync", True))

        def content(known: dict[str, Any]) -> dict[str, Any]:
            spec = ApplicationSpec(name=name, **known)
            application = application_objects(spec)[0]
            return {**application, "metadata": {**application["metadata"], "annotations": _annotations(spec, awaited)}}

        application = pulumi.Output.all(**values).apply(content)
        self.application = CustomResource(
            name,
            api_version="argoproj.io/v1alpha1",
            kind="Application",
            metadata=application.apply(lambda a: a["metadata"]),
            spec=application.apply(lambda a: a["spec"]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if awaited:
            settings = {key: values[key] for key in ("controller", "namespace", "wait_timeout") if key in values}
            # Our own resource finds out what is synced and healthy: the status may be that of an earlier revision.
            synced = Sync(
                name,
                cast(
                    "SyncArgs", {"application": name, "triggers": [application.apply(lambda a: a["spec"])], **settings}
                ),
                pulumi.ResourceOptions(parent=self, depends_on=[self.application]),
            )
            self.revision, self.sync, self.health = synced.revision, synced.sync, synced.health
        else:
            self.revision = self.sync = self.health = pulumi.Output.from_input(None)
        self.register_outputs({"revision": self.revision, "sync": self.sync, "health": self.health})


def _annotations(spec: ApplicationSpec, awaited: bool) -> dict[str, str]:
    annotations = {"pulumi.com/patchFieldManager": "pulumi-gitops"}
    if awaited:
        # The controller has looked at it. Waiting for Synced here as well would hide an error until time runs out.
        annotations |= {
            "pulumi.com/waitFor": "jsonpath={.status.sync.status}",
            "pulumi.com/timeoutSeconds": str(int(spec.wait_timeout)),
        }
    return annotations
