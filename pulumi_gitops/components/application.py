# SPDX-License-Identifier: Apache-2.0
"""The component ``Application``."""

from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import ApplicationSpec, application_objects
from .options import require_both_providers
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

        require_both_providers(opts)
        given: dict[str, Any] = {key: value for key, value in args.items() if value is not None}
        super().__init__("gitops:index:Application", name, given, opts)

        def content(values: dict[str, Any]) -> dict[str, Any]:
            # Over the wire of a remote component every number is a float.
            return application_objects(ApplicationSpec(name=name, **values))[0]

        application = pulumi.Output.all(**given).apply(content)
        self.application = CustomResource(
            name,
            api_version="argoproj.io/v1alpha1",
            kind="Application",
            metadata=application.apply(
                lambda a: {**a["metadata"], "annotations": {"pulumi.com/patchFieldManager": "pulumi-gitops"}}
            ),
            spec=application.apply(lambda a: a["spec"]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        if args.get("wait", True) and args.get("auto_sync", True):
            awaited: SyncArgs = {
                "application": name,
                "controller": given.get("controller", "argocd"),
                "wait_timeout": given.get("wait_timeout", 300),
                "triggers": [application.apply(lambda a: a["spec"])],
            }
            if "namespace" in given:
                awaited["namespace"] = given["namespace"]
            synced = Sync(name, awaited, pulumi.ResourceOptions(parent=self, depends_on=[self.application]))
            self.revision, self.sync, self.health = synced.revision, synced.sync, synced.health
        else:
            self.revision = self.sync = self.health = pulumi.Output.from_input(None)
        self.register_outputs({"revision": self.revision, "sync": self.sync, "health": self.health})
