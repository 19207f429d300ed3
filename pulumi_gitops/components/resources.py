# SPDX-License-Identifier: Apache-2.0
"""The provider's custom resources as Python classes: inputs and outputs in snake_case, camelCase on the wire."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from ..core import __version__


class ControllerArgs(TypedDict, total=False):
    """Inputs of :class:`Controller`, named as the options of the Ansible module ``controller``."""

    controller: pulumi.Input[str]
    version: pulumi.Input[str]
    namespace: pulumi.Input[str]
    manifests: pulumi.Input[str]
    checksum: pulumi.Input[str]
    patches: pulumi.Input[Sequence[Any]]
    registry: pulumi.Input[str]
    image_pull_secret: pulumi.Input[str]
    wait: pulumi.Input[bool]
    wait_timeout: pulumi.Input[int]


class ReleaseArgs(TypedDict):
    """Inputs of :class:`Release`, named as the options of the Ansible module ``deploy``."""

    namespace: pulumi.Input[str]
    release: NotRequired[pulumi.Input[str]]
    create_namespace: NotRequired[pulumi.Input[bool]]
    definition: NotRequired[pulumi.Input[Any]]
    src: NotRequired[pulumi.Input[Any]]
    images: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    wait: NotRequired[pulumi.Input[bool]]
    wait_timeout: NotRequired[pulumi.Input[int]]
    prune: NotRequired[pulumi.Input[bool]]
    force_conflicts: NotRequired[pulumi.Input[str]]
    adopt: NotRequired[pulumi.Input[bool]]


class GitFilesArgs(TypedDict):
    """Inputs of :class:`GitFiles`, named as the options of the Ansible module ``files``."""

    url: pulumi.Input[str]
    files: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    branch: NotRequired[pulumi.Input[str]]
    username: NotRequired[pulumi.Input[str]]
    password: NotRequired[pulumi.Input[str]]
    delete: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    message: NotRequired[pulumi.Input[str]]
    author: NotRequired[pulumi.Input[str]]


class SyncArgs(TypedDict):
    """Inputs of :class:`Sync`, named as the options of the Ansible module ``sync``."""

    application: pulumi.Input[str]
    controller: NotRequired[pulumi.Input[str]]
    revision: NotRequired[pulumi.Input[str]]
    namespace: NotRequired[pulumi.Input[str]]
    wait_timeout: NotRequired[pulumi.Input[int]]
    triggers: NotRequired[pulumi.Input[Sequence[Any]]]


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


class _GitOpsResource(pulumi.CustomResource):
    """A resource of the provider ``gitops``.

    Names are translated here and not by the SDK, which would translate the keys of maps (paths, manifests) as well.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        args: Mapping[str, Any],
        outputs: Sequence[str],
        opts: Optional[pulumi.ResourceOptions],
    ) -> None:
        given = {_camel(key): value for key, value in args.items() if value is not None}
        props = {**dict.fromkeys(outputs), **given}
        merged = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=__version__), opts)
        super().__init__(f"gitops:index:{kind}", name, props, merged)

    def _output(self, name: str) -> pulumi.Output[Any]:
        return cast("pulumi.Output[Any]", pulumi.get(self, name))


class Controller(_GitOpsResource):
    """A GitOps controller, installed as one set; most programs use the component :class:`ArgoCD`."""

    version: pulumi.Output[str]
    namespace: pulumi.Output[str]
    revision: pulumi.Output[int]
    digest: pulumi.Output[str]
    inventory: pulumi.Output[Sequence[str]]

    def __init__(
        self, name: str, args: Optional[ControllerArgs] = None, opts: Optional[pulumi.ResourceOptions] = None
    ) -> None:
        outputs = ("version", "namespace", "revision", "digest", "inventory")
        super().__init__("Controller", name, cast("Mapping[str, Any]", args or {}), outputs, opts)


class Release(_GitOpsResource):
    """A push-style deployment of a set of objects."""

    revision: pulumi.Output[int]
    digest: pulumi.Output[str]
    inventory: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, args: ReleaseArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        outputs = ("revision", "digest", "inventory")
        super().__init__("Release", name, cast("Mapping[str, Any]", args), outputs, opts)


class GitFiles(_GitOpsResource):
    """Files in the config repository, one commit per update."""

    commit: pulumi.Output[str]

    def __init__(self, name: str, args: GitFilesArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        secret = pulumi.ResourceOptions.merge(pulumi.ResourceOptions(additional_secret_outputs=["password"]), opts)
        values: dict[str, Any] = dict(args)
        if values.get("password") is not None:
            values["password"] = pulumi.Output.secret(values["password"])
        super().__init__("GitFiles", name, values, ("commit", "changedPaths"), secret)

    @property
    def changed_paths(self) -> pulumi.Output[Sequence[str]]:
        """Paths that the last update changed."""
        return self._output("changedPaths")


class Sync(_GitOpsResource):
    """Makes a controller sync an application and waits for a revision."""

    revision: pulumi.Output[str]
    sync: pulumi.Output[str]
    health: pulumi.Output[str]

    def __init__(self, name: str, args: SyncArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        outputs = ("revision", "sync", "health")
        super().__init__("Sync", name, cast("Mapping[str, Any]", args), outputs, opts)
