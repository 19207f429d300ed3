# SPDX-License-Identifier: Apache-2.0
"""The component ``ApplicationSet``."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from ..core.controllers import ApplicationSetSpec
from ..core.objects import KubeObject, with_metadata
from .options import given, plain, require_gitops_provider
from .resources import Sync, SyncArgs
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
    wait: NotRequired[bool]
    """Wait until the ApplicationSet controller, if there is one, has made the applications; not until they are synced.
    Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""


class ApplicationSet(pulumi.ComponentResource):
    """An ApplicationSet of Argo CD: applications made from lists, clusters and folders of a repository."""

    name: pulumi.Output[str]
    """Name of the set."""

    def __init__(self, name: str, args: ApplicationSetArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = given(args, ApplicationSetArgs)
        super().__init__("gitops:index:ApplicationSet", name, values, opts)
        shape = plain(values, "controller", "wait")
        wired = wire(self, name, ApplicationSetSpec, _forced, values, shape)
        self.resources = wired.resources
        if values.get("wait", True):
            settings = {key: values[key] for key in ("controller", "namespace", "wait_timeout") if key in values}
            triggers = wired.objects.apply(lambda made: [obj["spec"] for obj in made])
            # It tells what the controller reports, which a condition that is waited for would not.
            synced = Sync(
                name,
                cast("SyncArgs", {"application": name, "kind": "application_set", "triggers": triggers, **settings}),
                pulumi.ResourceOptions(parent=self, depends_on=list(wired.resources)),
            )
            self.name = pulumi.Output.all(synced.urn).apply(lambda _: name)
        else:
            self.name = wired.after(name)
        self.register_outputs({"name": self.name})


def _forced(spec: ApplicationSetSpec) -> list[KubeObject]:
    """Let a change win over Argo CD, which writes the spec in its own form, and owns it then."""
    return [with_metadata(obj, annotations={"pulumi.com/patchForce": "true"}) for obj in spec.objects()]
