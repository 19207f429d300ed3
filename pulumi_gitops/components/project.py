# SPDX-License-Identifier: Apache-2.0
"""The component ``Project``."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import ProjectSpec
from .options import given, plain, require_gitops_provider
from .wiring import wire


class ProjectArgs(TypedDict):
    """Inputs of Project."""

    controller: NotRequired[str]
    """Which controller: argocd. Default: argocd."""
    description: NotRequired[pulumi.Input[str]]
    """What the project is for."""
    source_repos: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """URLs that its applications may use; * matches. Default: ["*"]."""
    destinations: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[str]]]]]]
    """Where its applications may deploy: {namespace, server}; * matches."""
    cluster_resources: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[str]]]]]]
    """Cluster-scoped kinds that its applications may deploy: {group, kind}."""
    namespace_resources: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[str]]]]]]
    """Namespaced kinds that its applications may deploy: {group, kind}; all when empty."""
    roles: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """Roles: {name, policies, groups}."""
    sync_windows: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """When its applications may sync: {kind: allow or deny, schedule, duration, applications}."""
    signature_keys: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Ids, or fingerprints, of the GPG keys, one of which every commit has to be signed with."""
    orphaned_resources: NotRequired[pulumi.Input[bool]]
    """Warn of objects in its namespaces that belong to no application. Default: false."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of Argo CD. Default: argocd."""


class Project(pulumi.ComponentResource):
    """A project of Argo CD (AppProject): which repositories may deploy what, where, and when."""

    name: pulumi.Output[str]
    """Name of the project, for the input project of an Application."""

    def __init__(self, name: str, args: ProjectArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = given(args, ProjectArgs)
        super().__init__("gitops:index:Project", name, values, opts)
        wired = wire(self, name, ProjectSpec, ProjectSpec.objects, values, plain(values, "controller"))
        self.resources = wired.resources
        self.name = wired.after(name)
        self.register_outputs({"name": self.name})
