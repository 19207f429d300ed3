# SPDX-License-Identifier: Apache-2.0
"""The component ``ArgoCD``."""

from collections.abc import Sequence
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from .options import given, require_gitops_provider
from .resources import Controller, ControllerArgs


class ArgoCDArgs(TypedDict):
    """Inputs of ArgoCD."""

    version: NotRequired[pulumi.Input[str]]
    """Version without a leading v. Default: the newest that this package pins."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace to install into. Default: argocd."""
    manifests: NotRequired[pulumi.Input[str]]
    """URL, file or folder to install instead of the pinned release."""
    checksum: NotRequired[pulumi.Input[str]]
    """sha256 of the manifests."""
    patches: NotRequired[pulumi.Input[Sequence[Any]]]
    """Changes to the manifests: {target: {kind, name}, patch}."""
    registry: NotRequired[pulumi.Input[str]]
    """Registry to pull all images from."""
    image_pull_secret: NotRequired[pulumi.Input[str]]
    """Name of the Secret that all pods pull with."""
    wait: NotRequired[pulumi.Input[bool]]
    """Wait until Argo CD is ready. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""


class ArgoCD(pulumi.ComponentResource):
    """Argo CD, installed from its pinned release manifest by the engine."""

    version: pulumi.Output[str]
    """Version that is installed."""
    namespace: pulumi.Output[str]
    """Namespace of Argo CD."""
    digest: pulumi.Output[str]
    """Digest of the installed set of objects."""
    revision: pulumi.Output[int]
    """Revision of the installation; grows with each change."""

    def __init__(self, name: str, args: ArgoCDArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = given(args, ArgoCDArgs)
        super().__init__("gitops:index:ArgoCD", name, values, opts)
        installed = cast("ControllerArgs", {**values, "controller": "argocd"})
        self.controller = Controller(name, installed, pulumi.ResourceOptions(parent=self))
        self.version = self.controller.version
        self.namespace = self.controller.namespace
        self.digest = self.controller.digest
        self.revision = self.controller.revision
        self.register_outputs(
            {
                "version": self.version,
                "namespace": self.namespace,
                "digest": self.digest,
                "revision": self.revision,
            }
        )
