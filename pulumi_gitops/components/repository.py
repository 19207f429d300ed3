# SPDX-License-Identifier: Apache-2.0
"""The component ``Repository``."""

from typing import TYPE_CHECKING, Any, NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import RepositorySpec, repository_objects
from .options import given, require_gitops_provider

if TYPE_CHECKING:
    from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict


class RepositoryArgs(TypedDict):
    """Inputs of Repository."""

    url: pulumi.Input[str]
    """URL of the Git repository."""
    controller: NotRequired[pulumi.Input[str]]
    """Which controller gets access: argocd. Default: argocd."""
    username: NotRequired[pulumi.Input[str]]
    """User for HTTP basic authentication."""
    password: NotRequired[pulumi.Input[str]]
    """Password or token; kept as a secret."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the controller. Default: argocd."""


class Repository(pulumi.ComponentResource):
    """Access of a controller to a Git repository: a Secret in the controller's namespace.

    A new password replaces the Secret, unless the kubernetes provider has enableSecretMutable.
    """

    url: pulumi.Output[str]
    """URL of the repository."""
    secret_name: pulumi.Output[str]
    """Name of the Secret that holds the credentials."""

    def __init__(self, name: str, args: RepositoryArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        from pulumi_kubernetes.core.v1 import Secret

        require_gitops_provider(opts)
        values = given(args, RepositoryArgs)
        if "password" in values:
            values["password"] = pulumi.Output.secret(values["password"])
        super().__init__("gitops:index:Repository", name, values, opts)

        def content(known: dict[str, Any]) -> dict[str, Any]:
            return repository_objects(RepositorySpec(name=name, **known))[0]

        secret = pulumi.Output.all(**values).apply(content)
        # Only stringData holds the password; the rest may be seen in previews and policies.
        public = pulumi.Output.unsecret(secret)
        self.secret = Secret(
            name,
            metadata=public.apply(_metadata),
            type=public.apply(lambda s: str(s["type"])),
            string_data=secret.apply(lambda s: s["stringData"]),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.from_input(args["url"])
        self.secret_name = public.apply(lambda s: str(s["metadata"]["name"]))
        self.register_outputs({"url": self.url, "secretName": self.secret_name})


def _metadata(secret: dict[str, Any]) -> "ObjectMetaArgsDict":
    metadata = secret["metadata"]
    return {
        "name": metadata["name"],
        "namespace": metadata["namespace"],
        "labels": metadata["labels"],
        "annotations": {"pulumi.com/patchFieldManager": "pulumi-gitops"},
    }
