# SPDX-License-Identifier: Apache-2.0
"""The component ``ApplicationSet``."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import ApplicationSetSpec
from .options import given, plain, require_gitops_provider
from .wiring import wire


class ApplicationSetArgs(TypedDict):
    """Inputs of ApplicationSet."""

    generators: pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]
    """What the applications are made from, as in the spec of an ApplicationSet: {list: ...}, {git: ...},
    {clusters: ...}."""
    template: pulumi.Input[Mapping[str, pulumi.Input[Any]]]
    """Metadata and spec of each application, with parameters of the generators in it."""
    controller: NotRequired[str]
    """Which controller: argocd. Default: argocd."""
    go_template: NotRequired[pulumi.Input[bool]]
    """Parameters are Go templates ({{.name}}), and one that is missing is an error. Default: true."""
    preserve_resources: NotRequired[pulumi.Input[bool]]
    """What the applications deployed stays when the set is removed. Default: false."""
    sync_policy: NotRequired[pulumi.Input[str]]
    """What the set may do to its applications: create-only, create-update, create-delete or sync."""
    strategy: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]
    """Order in which the applications are synced, as in the spec of an ApplicationSet."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of Argo CD. Default: argocd."""


class ApplicationSet(pulumi.ComponentResource):
    """An ApplicationSet of Argo CD: applications made from lists, clusters and folders of a repository."""

    name: pulumi.Output[str]
    """Name of the set."""

    def __init__(self, name: str, args: ApplicationSetArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = given(args, ApplicationSetArgs)
        super().__init__("gitops:index:ApplicationSet", name, values, opts)
        wired = wire(self, name, ApplicationSetSpec, ApplicationSetSpec.objects, values, plain(values, "controller"))
        self.resources = wired.resources
        self.name = wired.after(name)
        self.register_outputs({"name": self.name})
