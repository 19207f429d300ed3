# SPDX-License-Identifier: Apache-2.0
"""The provider's custom resources as Python classes: inputs and outputs in snake_case, camelCase on the wire.

The schema for other languages is inferred from these classes, documentation strings included.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, Optional, TypedDict, cast

import pulumi

from ..core import __version__

if TYPE_CHECKING:
    Manifests = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str
    Sources = str | Sequence[str]
else:
    # The analyzer of Pulumi knows no unions; the provider's schema says what these are.
    Manifests = Sources = Any


class ControllerArgs(TypedDict):
    """Inputs of Controller."""

    controller: NotRequired[pulumi.Input[str]]
    """Which controller: argocd. Default: argocd."""
    version: NotRequired[pulumi.Input[str]]
    """Version without a leading v. Default: the newest that this package pins."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace to install into. Default: the usual one of the controller."""
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
    """Wait until everything is ready. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""


class ReleaseArgs(TypedDict):
    """Inputs of Release."""

    namespace: pulumi.Input[str]
    """Namespace of the release, and of objects that name none."""
    release: NotRequired[pulumi.Input[str]]
    """Name of the release. Default: the name of the resource."""
    create_namespace: NotRequired[pulumi.Input[bool]]
    """Create the namespace if it does not exist. Default: true."""
    definition: NotRequired[pulumi.Input[Manifests]]
    """The objects: one, a list of them, or YAML text. Either this or src."""
    src: NotRequired[pulumi.Input[Sources]]
    """Files, folders or globs with manifests, relative to the program. Either this or definition."""
    images: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Image overrides: name of a container or of an image's repository -> reference."""
    wait: NotRequired[pulumi.Input[bool]]
    """Wait until everything is ready. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""
    prune: NotRequired[pulumi.Input[bool]]
    """Remove objects that left the set. Default: true."""
    force_conflicts: NotRequired[pulumi.Input[str]]
    """Which fields of other managers to take: never, own_fields or all. Default: own_fields."""
    ownership: NotRequired[pulumi.Input[str]]
    """Which objects to take in that exist and are not of this release: must_match, adopt_if_unowned or adopt.
    Default: adopt_if_unowned."""


class GitFilesArgs(TypedDict):
    """Inputs of GitFiles."""

    url: pulumi.Input[str]
    """URL of the repository, without credentials."""
    files: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    """Path -> content. Files that leave the map are deleted; files that never were in it are not touched."""
    branch: NotRequired[pulumi.Input[str]]
    """Branch; it has to exist. Default: main."""
    username: NotRequired[pulumi.Input[str]]
    """User for HTTP basic authentication."""
    password: NotRequired[pulumi.Input[str]]
    """Password or token; kept as a secret."""
    delete: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Paths to delete."""
    message: NotRequired[pulumi.Input[str]]
    """Commit message."""
    author: NotRequired[pulumi.Input[str]]
    """Author: Name <mail@example.com>."""


class SyncArgs(TypedDict):
    """Inputs of Sync."""

    application: pulumi.Input[str]
    """Name of the application."""
    controller: NotRequired[pulumi.Input[str]]
    """Which controller: argocd. Default: argocd."""
    revision: NotRequired[pulumi.Input[str]]
    """Commit, branch or tag to wait for. Default: the newest commit of what the application follows."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the controller. Default: its usual one."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""
    triggers: NotRequired[pulumi.Input[Sequence[Any]]]
    """Sync again whenever one of these values changes."""


class ProviderArgs(TypedDict):
    """Configuration of the provider."""

    kubeconfig: NotRequired[pulumi.Input[str]]
    """Path or content of a kubeconfig. Default: as kubectl."""
    context: NotRequired[pulumi.Input[str]]
    """Context of the kubeconfig. Default: its current one."""


class Provider(pulumi.ProviderResource):
    """Which cluster to use; without it, that of the default kubeconfig."""

    def __init__(self, name: str, args: ProviderArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        values: dict[str, Any] = {key: value for key, value in args.items() if value is not None}
        if "kubeconfig" in values:
            values["kubeconfig"] = pulumi.Output.secret(values["kubeconfig"])
        super().__init__("gitops", name, values, _versioned(opts))


class _GitOpsResource(pulumi.CustomResource):
    """A resource of the provider.

    Names are translated here and not by the SDK, which would translate the keys of maps (paths, manifests) as well.
    """

    def __init__(
        self, name: str, args: Mapping[str, Any], outputs: Sequence[str], opts: Optional[pulumi.ResourceOptions]
    ) -> None:
        given = {_camel(key): value for key, value in args.items() if value is not None}
        unknown_yet = dict.fromkeys(map(_camel, outputs))
        super().__init__(f"gitops:index:{type(self).__name__}", name, {**unknown_yet, **given}, _versioned(opts))
        for output in outputs:
            setattr(self, output, pulumi.get(self, _camel(output)))


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)


def _versioned(opts: Optional[pulumi.ResourceOptions]) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(version=__version__), opts)


class Controller(_GitOpsResource):
    """A GitOps controller, installed by the engine as one set with a difference per object.

    Most programs use the component ArgoCD.
    """

    version: pulumi.Output[str]
    """Version that is installed."""
    namespace: pulumi.Output[str]
    """Namespace of the controller."""
    revision: pulumi.Output[int]
    """Revision of the installation; grows with each change."""
    digest: pulumi.Output[str]
    """Digest of the set of objects."""
    inventory: pulumi.Output[Mapping[str, str]]
    """Objects of the release: group/Kind/namespace/name -> digest of what was applied."""
    objects: pulumi.Output[Mapping[str, str]]
    """One line per object, by key."""

    def __init__(self, name: str, args: ControllerArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        outputs = ("version", "namespace", "revision", "digest", "inventory", "objects")
        super().__init__(name, cast("Mapping[str, Any]", args), outputs, opts)


class Release(_GitOpsResource):
    """A push-style deployment of a set of objects: applied, awaited, pruned and recorded."""

    revision: pulumi.Output[int]
    """Revision of the release; grows with each change."""
    digest: pulumi.Output[str]
    """Digest of the set of objects."""
    inventory: pulumi.Output[Mapping[str, str]]
    """Objects of the release: group/Kind/namespace/name -> digest of what was applied."""
    objects: pulumi.Output[Mapping[str, str]]
    """One line per object, by key."""

    def __init__(self, name: str, args: ReleaseArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        values: dict[str, Any] = dict(args)
        if "src" in values:
            values["src"] = pulumi.Output.from_input(values["src"]).apply(_beside_the_program)
        super().__init__(name, values, ("revision", "digest", "inventory", "objects"), opts)


def _beside_the_program(src: Any) -> Any:
    """Return paths that the provider's process can open: it runs in another folder than an inline program."""
    return [str(Path(path).absolute()) for path in src] if isinstance(src, list) else str(Path(src).absolute())


class GitFiles(_GitOpsResource):
    """Files in the config repository, one commit per update."""

    commit: pulumi.Output[str]
    """Commit that holds the files."""
    changed_paths: pulumi.Output[Sequence[str]]
    """Paths that the last update changed."""

    def __init__(self, name: str, args: GitFilesArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        values: dict[str, Any] = dict(args)
        if values.get("password") is not None:
            values["password"] = pulumi.Output.secret(values["password"])
        super().__init__(name, values, ("commit", "changed_paths"), opts)


class Sync(_GitOpsResource):
    """Makes a controller sync an application and waits for a revision."""

    revision: pulumi.Output[str]
    """Commit that is synced."""
    sync: pulumi.Output[str]
    """Sync status, for example Synced."""
    health: pulumi.Output[str]
    """Health status, for example Healthy."""

    def __init__(self, name: str, args: SyncArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, cast("Mapping[str, Any]", args), ("revision", "sync", "health"), opts)
