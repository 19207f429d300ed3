# SPDX-License-Identifier: Apache-2.0
"""The component ``Repository``."""

from collections.abc import Mapping
from typing import NotRequired, Optional, TypedDict

import pulumi

from ..core.controllers import RepositorySpec, repository_objects
from .options import given, plain, require_gitops_provider, uncamel
from .wiring import secret_credentials, wire


class RepositoryArgs(TypedDict):
    """Inputs of Repository.

    One kind of credentials: none, a password, a bearer token, an SSH key, or a GitHub App. A client certificate may
    come on top.
    """

    url: pulumi.Input[str]
    """URL of the repository, without credentials: https://, ssh://, git@host:path or oci://."""
    controller: NotRequired[str]
    """Which controller gets access: argocd or flux. Default: argocd."""
    type: NotRequired[str]
    """What is behind the URL: git, helm or oci. For Flux oci is one artifact, which may be a chart; an oci:// registry
    with many charts is helm. Default: git."""
    username: NotRequired[pulumi.Input[str]]
    """User name; git is used when there is a password only."""
    password: NotRequired[pulumi.Input[str]]
    """Password or token; kept as a secret."""
    bearer_token: NotRequired[pulumi.Input[str]]
    """Token that is sent as Authorization: Bearer; kept as a secret."""
    ssh_private_key: NotRequired[pulumi.Input[str]]
    """Private key in PEM or OpenSSH format; kept as a secret."""
    known_hosts: NotRequired[pulumi.Input[str]]
    """Flux: host keys to accept, as in a known_hosts file; SSH needs them. For Argo CD they are an input of ArgoCD."""
    github_app_id: NotRequired[pulumi.Input[str]]
    """Id of a GitHub App."""
    github_app_installation_id: NotRequired[pulumi.Input[str]]
    """Id of the installation of the GitHub App."""
    github_app_private_key: NotRequired[pulumi.Input[str]]
    """Private key of the GitHub App, PEM; kept as a secret."""
    github_app_url: NotRequired[pulumi.Input[str]]
    """API of a GitHub Enterprise server."""
    ca_cert: NotRequired[pulumi.Input[str]]
    """Flux: certificates to trust, PEM. Argo CD keeps them for all repositories: see ArgoCD."""
    client_cert: NotRequired[pulumi.Input[str]]
    """Client certificate, PEM. Argo CD shows it to a Git server only along with a password, token or GitHub App."""
    client_key: NotRequired[pulumi.Input[str]]
    """Private key of the client certificate, PEM; kept as a secret."""
    proxy: NotRequired[pulumi.Input[str]]
    """URL of a proxy; kept as a secret. Argo CD: for SSH socks5://host:port, for a GitHub App with a port."""
    no_proxy: NotRequired[pulumi.Input[str]]
    """Argo CD: hosts that need no proxy."""
    template: NotRequired[pulumi.Input[bool]]
    """Argo CD: the credentials are for every repository whose URL begins with url. Default: false."""
    project: NotRequired[pulumi.Input[str]]
    """Argo CD: only this project may use it."""
    branch: NotRequired[pulumi.Input[str]]
    """Flux: branch that the source follows. Default: main, unless tag, semver or commit is given."""
    tag: NotRequired[pulumi.Input[str]]
    """Flux: tag that the source follows."""
    semver: NotRequired[pulumi.Input[str]]
    """Flux: range of versions that the source follows, for example >=1.2.0 <2."""
    commit: NotRequired[pulumi.Input[str]]
    """Flux: commit that the source stays at; of OCI artifacts the digest, sha256:..."""
    interval: NotRequired[pulumi.Input[str]]
    """Flux: how often the source is looked at. Default: 1m."""
    ignore: NotRequired[pulumi.Input[str]]
    """Flux: paths to leave out, as in a .gitignore file."""
    include: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Flux: other repositories to copy in: name -> folder."""
    verify: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Flux: accept only what is signed: {mode: HEAD, secret: NAME}, or for OCI {provider: cosign, secret: NAME}.

    For Git the Secret has entries whose names end with .asc (PGP) or .sshpub (SSH).
    """
    layer_selector: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Flux, oci: which layer is taken, and how: {mediaType, operation: extract or copy}, in Python media_type. The
    first one, extracted, when empty.

    A chart is taken as it was pushed by application/vnd.cncf.helm.chart.content.v1.tar+gzip and copy.
    """
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the controller. Default: its usual one, argocd or flux-system."""


class Repository(pulumi.ComponentResource):
    """Access of a controller to a repository: for Argo CD a Secret, for Flux a source with its Secrets.

    New credentials replace the Secret, unless the kubernetes provider has enableSecretMutable.
    """

    url: pulumi.Output[str]
    """URL of the repository."""
    name: pulumi.Output[str]
    """Name of the connection, for the input repository of an Application."""
    secret_name: pulumi.Output[Optional[str]]
    """Name of the Secret that holds the credentials; empty when there are none."""

    def __init__(self, name: str, args: RepositoryArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = secret_credentials(given(args, RepositoryArgs), RepositorySpec)
        shape = plain(values, "controller", "type")
        if "layer_selector" in values:
            values["layer_selector"] = pulumi.Output.from_input(values["layer_selector"]).apply(_layer)
        super().__init__("gitops:index:Repository", name, values, opts)
        wired = wire(self, name, RepositorySpec, repository_objects, values, shape)
        self.resources = wired.resources
        self.url = pulumi.Output.from_input(args["url"])
        self.name = wired.after(name)
        secret = f"repo-{name}"
        self.secret_name = pulumi.Output.from_input(secret if wired.has("Secret", secret) else None)
        self.register_outputs({"url": self.url, "name": self.name, "secretName": self.secret_name})


def _layer(selector: Mapping[str, str]) -> dict[str, str]:
    return uncamel(selector, "media_type")
