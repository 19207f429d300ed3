# SPDX-License-Identifier: Apache-2.0
"""The provider's other custom resources as Python classes: inputs and outputs in snake_case, camelCase on the wire.

The schema for other languages is inferred from these classes, documentation strings included.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, Optional, TypedDict, cast

import pulumi

from .custom import GitOpsResource, beside_the_program, versioned
from .options import camel

if TYPE_CHECKING:
    Manifests = Mapping[str, Any] | Sequence[Mapping[str, Any]] | str
    Sources = str | Sequence[str]
else:
    # The analyzer of Pulumi knows no unions; the provider's schema says what these are.
    Manifests = Sources = Any


class HelmChart(TypedDict):
    """A Helm chart, rendered by ``helm template``."""

    chart: pulumi.Input[str]
    """Folder or archive of the chart, relative to the program, or oci://registry/repository."""
    version: NotRequired[pulumi.Input[str]]
    """Version of the chart; an oci:// chart has to have one."""
    values: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]
    """Values; they win over files. Kept as a secret."""
    value_files: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Files with values, relative to the program; later ones win."""
    release_name: NotRequired[pulumi.Input[str]]
    """Name of the release as templates see it. Default: the name of the release."""


class ReleaseArgs(TypedDict):
    """Inputs of Release. Exactly one of definition, src, kustomize and helm is needed."""

    namespace: pulumi.Input[str]
    """Namespace of the release, and of objects that name none."""
    release: NotRequired[pulumi.Input[str]]
    """Name of the release, a DNS label of at most 63 characters. Default: the name of the resource."""
    definition: NotRequired[pulumi.Input[Manifests]]
    """The objects: one, a list of them, or YAML text."""
    src: NotRequired[pulumi.Input[Sources]]
    """Files, folders and globs with manifests, relative to the program."""
    kustomize: NotRequired[pulumi.Input[str]]
    """Folder of a kustomization, relative to the program."""
    helm: NotRequired[pulumi.Input[HelmChart]]
    """A Helm chart."""
    allow_network: NotRequired[pulumi.Input[bool]]
    """Let kustomize and helm fetch what they refer to. Default: false."""
    images: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Image overrides: container or repository -> image reference. Each has to match something."""
    image_paths: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """More places where images stand, for custom kinds: spec.image."""
    replicas: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[int]]]]
    """Workload -> number of replicas. Each has to match something."""
    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels for every object and pod template."""
    annotations: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Annotations for every object and pod template."""
    set_namespace: NotRequired[pulumi.Input[bool]]
    """Move every object that names a namespace into that of the release. Default: false."""
    create_namespace: NotRequired[pulumi.Input[bool]]
    """Create the namespace if it does not exist. Default: true."""
    prune: NotRequired[pulumi.Input[bool]]
    """Remove objects of the release that are no longer in the set. Default: true."""
    prune_kinds: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Namespace, CustomResourceDefinition, PersistentVolumeClaim: those that prune may remove too."""
    prune_limit: NotRequired[pulumi.Input[int]]
    """The most objects that prune may remove in one update; any number when absent."""
    wait: NotRequired[pulumi.Input[bool]]
    """Wait until all objects are ready. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait; wins over the resource option customTimeouts. Default: 300."""
    stall_timeout: NotRequired[pulumi.Input[int]]
    """Seconds without any progress after which waiting ends; 0 for no such limit. Default: 0."""
    wait_for: NotRequired[pulumi.Input[Sequence[pulumi.Input[Any]]]]
    """More conditions for readiness: condition=Ready, jsonpath={.status.phase}=Running, or a map that limits one to an
    object: {kind, name, condition or jsonpath}."""
    force_conflicts: NotRequired[pulumi.Input[str]]
    """When to take fields of other managers: never, own_fields or all. Default: own_fields."""
    ownership: NotRequired[pulumi.Input[str]]
    """Which objects to take in that exist and are not of this release: must_match, adopt_if_unowned or adopt.
    Default: adopt_if_unowned."""
    ignore_fields: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Fields to leave to others: Deployment/web:/spec/replicas."""
    recreate: NotRequired[pulumi.Input[bool]]
    """Delete and create anew what can not be changed in place. Default: false."""
    rollback_on_failure: NotRequired[pulumi.Input[bool]]
    """Go back to the last deployed revision when applying or waiting fails. The update fails all the same.
    Default: false."""
    rollback_to: NotRequired[pulumi.Input[int]]
    """Revision to go back to, as long as this is set: its objects are brought back, the declared set is not deployed.
    """
    history_limit: NotRequired[pulumi.Input[int]]
    """Revisions that the record in the cluster keeps. Default: 10."""
    history_secrets: NotRequired[pulumi.Input[bool]]
    """Keep what Secrets held in the record, which a rollback needs to restore them. Default: true."""
    lock_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait for another run of the release to end. Default: 60."""
    plan_file: NotRequired[pulumi.Input[str]]
    """Plan that was approved, relative to the program: deploy exactly that or fail."""
    plan_digest: NotRequired[pulumi.Input[str]]
    """Digest of the plan that was approved, instead of a plan file; a preview tells it."""
    require_approval: NotRequired[pulumi.Input[bool]]
    """Refuse to change anything without an approved plan and approved_by. Default: false."""
    approved_by: NotRequired[pulumi.Input[str]]
    """Who approved the plan; kept in the record."""
    approval_max_age: NotRequired[pulumi.Input[int]]
    """Seconds for which a plan file holds; 0 for ever. Default: 0."""


class GitFilesArgs(TypedDict):
    """Inputs of GitFiles."""

    url: pulumi.Input[str]
    """URL of the repository, without credentials."""
    files: pulumi.Input[Mapping[str, pulumi.Input[str]]]
    """Path -> content. Files that leave the map are deleted; files that never were in it are not touched."""
    branch: NotRequired[pulumi.Input[str]]
    """Branch to commit to. Default: main."""
    create_branch: NotRequired[pulumi.Input[bool]]
    """Start the branch from the default branch if it does not exist. Default: false."""
    username: NotRequired[pulumi.Input[str]]
    """User for HTTP basic authentication."""
    password: NotRequired[pulumi.Input[str]]
    """Password or token; kept as a secret."""
    ca_cert: NotRequired[pulumi.Input[str]]
    """File with the CA certificates (PEM) to verify the Git server with, relative to the program."""
    delete: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Paths to delete."""
    message: NotRequired[pulumi.Input[str]]
    """Commit message."""
    author: NotRequired[pulumi.Input[str]]
    """Author: Name <mail@example.com>."""
    allow_plaintext_secret: NotRequired[pulumi.Input[bool]]
    """Accept manifests of kind Secret that are not encrypted. Default: false."""


class SyncArgs(TypedDict):
    """Inputs of Sync."""

    application: pulumi.Input[str]
    """Name of the application, or of the application set."""
    kind: NotRequired[pulumi.Input[str]]
    """What it is that application names: application, or of Argo CD application_set, which makes its applications anew
    and has no revision. Default: application."""
    controller: NotRequired[pulumi.Input[str]]
    """Which controller: argocd or flux. Default: argocd."""
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
        super().__init__("gitops", name, values, versioned(opts))


class Release(GitOpsResource):
    """A push-style deployment of a set of objects: planned, applied, awaited, pruned, recorded, rolled back."""

    revision: pulumi.Output[int]
    """Revision of the release; grows with each change."""
    digest: pulumi.Output[str]
    """Digest of the set of objects."""
    inventory: pulumi.Output[Mapping[str, str]]
    """Objects of the release: group/Kind/namespace/name -> digest of what was applied."""
    plan_digest: pulumi.Output[str]
    """Digest of the plan that was carried out."""
    rolled_back_to: pulumi.Output[int]
    """Revision whose objects are deployed after a rollback; 0 when it was none."""
    objects: pulumi.Output[Mapping[str, str]]
    """One line per object that is deployed, by key."""

    def __init__(self, name: str, args: ReleaseArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        values = beside_the_program(args, "src", "kustomize", "plan_file")
        if "helm" in values:
            helm = values["helm"]
            # A plain map is translated as it is: what is secret or unknown in it stays so by itself.
            values["helm"] = _chart(helm) if isinstance(helm, Mapping) else pulumi.Output.from_input(helm).apply(_chart)
        outputs = ("revision", "digest", "inventory", "plan_digest", "rolled_back_to", "objects")
        super().__init__(name, values, outputs, opts)


def _chart(helm: Mapping[str, Any]) -> dict[str, Any]:
    return beside_the_program({camel(key): value for key, value in helm.items()}, "chart", "valueFiles")


class GitFiles(GitOpsResource):
    """Files in the config repository, one commit per update."""

    commit: pulumi.Output[str]
    """Commit that holds the files."""
    changed_paths: pulumi.Output[Sequence[str]]
    """Paths that the last update changed."""

    def __init__(self, name: str, args: GitFilesArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        values = beside_the_program(args, "ca_cert")
        if "password" in values:
            values["password"] = pulumi.Output.secret(values["password"])
        super().__init__(name, values, ("commit", "changed_paths"), opts)


class Sync(GitOpsResource):
    """Makes a controller sync an application and waits for a revision."""

    revision: pulumi.Output[str]
    """Commit that is synced."""
    sync: pulumi.Output[str]
    """Sync status, for example Synced."""
    health: pulumi.Output[str]
    """Health status, for example Healthy."""

    def __init__(self, name: str, args: SyncArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__(name, cast("Mapping[str, Any]", args), ("revision", "sync", "health"), opts)
