# SPDX-License-Identifier: Apache-2.0
"""The component ``Cluster``."""

from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import ClusterSpec
from .options import given, plain, require_gitops_provider
from .wiring import secret_credentials, wire


class ClusterArgs(TypedDict):
    """Inputs of Cluster."""

    controller: NotRequired[str]
    """Which controller: argocd (a Secret that registers the cluster) or flux (a ConfigMap for substitute_from).
    Default: argocd."""
    server: NotRequired[pulumi.Input[str]]
    """Argo CD: URL of the API server; that of the cluster of Argo CD itself when absent.
    Default: https://kubernetes.default.svc."""
    token: NotRequired[pulumi.Input[str]]
    """Argo CD: bearer token of a service account there; kept as a secret."""
    ca_cert: NotRequired[pulumi.Input[str]]
    """Argo CD: certificates to trust, PEM."""
    client_cert: NotRequired[pulumi.Input[str]]
    """Argo CD: client certificate, PEM."""
    client_key: NotRequired[pulumi.Input[str]]
    """Argo CD: private key of the client certificate, PEM; kept as a secret."""
    tls_server_name: NotRequired[pulumi.Input[str]]
    """Argo CD: name in the certificate of the server."""
    insecure: NotRequired[pulumi.Input[bool]]
    """Argo CD: do not check the certificate of the server. Default: false."""
    exec_plugin: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]
    """Argo CD: a program that returns credentials, as execProviderConfig."""
    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Argo CD: labels, which cluster generators select by."""
    metadata: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Facts about the cluster, outputs of the program that made it: annotations for Argo CD, variables for Flux."""
    project: NotRequired[pulumi.Input[str]]
    """Argo CD: only this project may deploy there."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the controller. Default: its usual one, argocd or flux-system."""


class Cluster(pulumi.ComponentResource):
    """A cluster as a controller knows it, with facts about it from the program that made it (GitOps Bridge)."""

    name: pulumi.Output[str]
    """Name of the cluster."""
    object_name: pulumi.Output[str]
    """Name of the Secret (Argo CD) or of the ConfigMap (Flux, for the input substitute_from of an Application)."""

    def __init__(self, name: str, args: ClusterArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = secret_credentials(given(args, ClusterArgs), ClusterSpec)
        super().__init__("gitops:index:Cluster", name, values, opts)
        wired = wire(self, name, ClusterSpec, ClusterSpec.objects, values, plain(values, "controller"))
        self.resources = wired.resources
        self.name, self.object_name = wired.after(name), wired.after(wired.outline[0]["metadata"]["name"])
        self.register_outputs({"name": self.name, "objectName": self.object_name})
