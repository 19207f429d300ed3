# SPDX-License-Identifier: Apache-2.0
"""The resource ``Controller``, and the components ``ArgoCD``, ``Flux`` and ``WeaveGitOps`` over it."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from .custom import GitOpsResource, beside_the_program
from .options import given, require_gitops_provider


class InstallArgs(TypedDict):
    """Inputs that all controllers have."""

    version: NotRequired[pulumi.Input[str]]
    """Version without a leading v; with manifests it says what they hold. Default: the newest that this package
    knows."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace to install into. Default: the usual one, argocd, or flux-system for Flux and Weave GitOps."""
    manifests: NotRequired[pulumi.Input[str]]
    """URL, file or folder to install instead of the released manifest; paths are relative to the program. Of Weave
    GitOps it is its Helm chart, also as oci:// with a tag."""
    checksum: NotRequired[pulumi.Input[str]]
    """sha256 of the manifest file, with or without sha256: before it."""
    mirror: NotRequired[pulumi.Input[str]]
    """Base URL that takes the place of the one of the official releases; of Weave GitOps a Helm repository."""
    lock_file: NotRequired[pulumi.Input[str]]
    """File beside the program that remembers the sha256 of manifests which this package does not know: the first use
    records it, later ones compare."""
    patches: NotRequired[pulumi.Input[Sequence[pulumi.Input[Any]]]]
    """Changes to the manifests, as in a kustomization: {target: {kind, name}, patch}."""
    registry: NotRequired[pulumi.Input[str]]
    """Registry to pull all images from: host, optionally with port and path."""
    image_pull_secret: NotRequired[pulumi.Input[str]]
    """Name of the Secret that all pods pull with."""
    wait: NotRequired[pulumi.Input[bool]]
    """Wait until everything is ready. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""


class SelfManage(TypedDict):
    """A folder of the config repository from which Argo CD applies its own manifests."""

    url: pulumi.Input[str]
    """HTTP(S) URL of the repository, for us and for Argo CD, without credentials."""
    branch: NotRequired[pulumi.Input[str]]
    """Branch to commit to, and that Argo CD follows. Default: main."""
    path: NotRequired[pulumi.Input[str]]
    """Folder of the manifests. Default: argocd."""
    username: NotRequired[pulumi.Input[str]]
    """User name. Servers that take a token as password mostly ignore it."""
    password: NotRequired[pulumi.Input[str]]
    """Password or token; Argo CD reads with it too."""
    application: NotRequired[pulumi.Input[str]]
    """Name of the Application over the manifests. Default: argocd."""


class ArgoCDArgs(InstallArgs):
    """Inputs of ArgoCD."""

    profile: NotRequired[pulumi.Input[str]]
    """Argo CD: standard, ha, core, namespaced or ha-namespaced. Default: standard."""
    config: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Mapping[str, pulumi.Input[str]]]]]]
    """Argo CD: ConfigMap -> key -> value, for example argocd-cm and argocd-rbac-cm."""
    known_hosts: NotRequired[pulumi.Input[str]]
    """Argo CD: SSH host keys to accept beside the usual ones, as in a known_hosts file."""
    tls_certificates: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Argo CD: host -> certificates to trust, PEM."""
    gpg_keys: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Argo CD: id of 16 digits -> armoured public key that commits may be signed with."""
    self_manage: NotRequired[pulumi.Input[SelfManage]]
    """Argo CD: commit its manifests to a config repository, from which it applies them itself; left out later, they are
    taken back."""
    admin_secret: NotRequired[pulumi.Input[str]]
    """Argo CD: name of a Secret in its namespace whose key password is the password of the user admin. Both have to be
    there before; a refresh notices when the Secret holds another one."""


class FluxArgs(InstallArgs):
    """Inputs of Flux."""

    components: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Flux: controllers to install, for example source-controller; all of the manifests when empty."""
    network_policies: NotRequired[pulumi.Input[bool]]
    """Flux: keep the NetworkPolicies of the manifests. Default: true."""
    multitenant: NotRequired[pulumi.Input[bool]]
    """Flux: lock tenants into their namespaces. Default: false."""
    log_level: NotRequired[pulumi.Input[str]]
    """Flux: debug, info or error."""
    concurrency: NotRequired[pulumi.Input[int]]
    """Flux: how many objects each controller works on at a time."""
    method: NotRequired[pulumi.Input[str]]
    """Manifests to have the provider apply the objects of Flux, operator to have Flux Operator install it from a
    FluxInstance: version may then be a range, as 2.9.x, and manifests, mirror, checksum and lock_file are about the
    manifest of the operator. One that runs is handed over to it. Default: manifests."""
    operator_version: NotRequired[pulumi.Input[str]]
    """Flux: version of Flux Operator, without a leading v, with method operator."""


class WeaveGitOpsArgs(InstallArgs):
    """Inputs of WeaveGitOps."""

    method: NotRequired[pulumi.Input[str]]
    """Weave GitOps: manifests to have the provider apply its objects, helm_release to have Flux install its chart.
    Default: manifests."""
    values: NotRequired[pulumi.Input[Mapping[str, Any]]]
    """Weave GitOps: values for its Helm chart; a secret for Pulumi."""
    admin_secret: NotRequired[pulumi.Input[str]]
    """Weave GitOps: name of a Secret in its namespace with the password of its user under password, in clear or as
    bcrypt hash, and the user's name under username if it is not admin. Both have to be there before; a refresh notices
    when the Secret holds something else."""


class ControllerArgs(ArgoCDArgs, FluxArgs, WeaveGitOpsArgs):
    """Inputs of Controller."""

    method: NotRequired[pulumi.Input[str]]
    """Manifests to have the provider apply the objects; operator, for Flux, to have Flux Operator install it;
    helm_release, for Weave GitOps, to have Flux install its chart. Default: manifests."""
    controller: NotRequired[pulumi.Input[str]]
    """Which controller: argocd, flux or weave_gitops. Default: argocd."""


class Controller(GitOpsResource):
    """A GitOps controller, installed by the engine as one set with a difference per object.

    Most programs use the components ArgoCD and Flux.
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
    manifests_digest: pulumi.Output[str]
    """sha256 of the manifests where neither this package nor a checksum tells it; empty otherwise. The next update of
    the same version compares."""
    objects: pulumi.Output[Mapping[str, str]]
    """One line per object, by key."""

    def __init__(self, name: str, args: ControllerArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        values = beside_the_program(_hidden(args), "manifests", "lock_file")
        outputs = ("version", "namespace", "revision", "digest", "inventory", "manifests_digest", "objects")
        super().__init__(name, values, outputs, opts)


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
        values = _hidden(given(args, ArgoCDArgs))
        super().__init__("gitops:index:ArgoCD", name, values, opts)
        self.controller = _controller(self, name, values, "argocd")
        self.version, self.namespace = self.controller.version, self.controller.namespace
        self.digest, self.revision = self.controller.digest, self.controller.revision
        self.register_outputs(_outputs(self.controller))


class Flux(pulumi.ComponentResource):
    """Flux, installed from its release manifest by the engine.

    The digests of Flux's manifests are not part of this package: give a lock_file, or a checksum.
    """

    version: pulumi.Output[str]
    """Version that is installed."""
    namespace: pulumi.Output[str]
    """Namespace of Flux."""
    digest: pulumi.Output[str]
    """Digest of the installed set of objects."""
    revision: pulumi.Output[int]
    """Revision of the installation; grows with each change."""

    def __init__(self, name: str, args: FluxArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = given(args, FluxArgs)
        super().__init__("gitops:index:Flux", name, values, opts)
        self.controller = _controller(self, name, values, "flux")
        self.version, self.namespace = self.controller.version, self.controller.namespace
        self.digest, self.revision = self.controller.digest, self.controller.revision
        self.register_outputs(_outputs(self.controller))


class WeaveGitOps(pulumi.ComponentResource):
    """Weave GitOps, the dashboard of Flux, installed from its Helm chart: by the engine, or by Flux.

    It needs Flux in the cluster: give the component depends_on. Upstream has published release candidates only since
    0.38.0; the web interfaces of Flux Operator and of Argo CD are the maintained alternatives.
    """

    version: pulumi.Output[str]
    """Version that is installed."""
    namespace: pulumi.Output[str]
    """Namespace of Weave GitOps."""
    digest: pulumi.Output[str]
    """Digest of the installed set of objects."""
    revision: pulumi.Output[int]
    """Revision of the installation; grows with each change."""

    def __init__(self, name: str, args: WeaveGitOpsArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = _hidden(given(args, WeaveGitOpsArgs))
        super().__init__("gitops:index:WeaveGitOps", name, values, opts)
        self.controller = _controller(self, name, values, "weave_gitops")
        self.version, self.namespace = self.controller.version, self.controller.namespace
        self.digest, self.revision = self.controller.digest, self.controller.revision
        self.register_outputs(_outputs(self.controller))


def _hidden(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with secrets marked: the values of a chart, and the password of self_manage.

    All of self_manage is, if it is an output itself.
    """
    values = dict(args)
    if values.get("values") is not None:
        values["values"] = pulumi.Output.secret(values["values"])
    place = values.get("self_manage")
    if isinstance(place, Mapping):
        password = place.get("password")
        secret = {} if password is None else {"password": pulumi.Output.secret(password)}
        values["self_manage"] = {**place, **secret}
    elif place is not None:
        values["self_manage"] = pulumi.Output.secret(place)
    return values


def _controller(parent: pulumi.ComponentResource, name: str, values: Mapping[str, Any], which: str) -> Controller:
    installed = cast("ControllerArgs", {**values, "controller": which})
    return Controller(name, installed, pulumi.ResourceOptions(parent=parent))


def _outputs(controller: Controller) -> dict[str, pulumi.Output[Any]]:
    return {
        "version": controller.version,
        "namespace": controller.namespace,
        "digest": controller.digest,
        "revision": controller.revision,
    }
