# SPDX-License-Identifier: Apache-2.0
"""The component ``Application``."""

from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from ..core.controllers import ApplicationSpec, application_objects
from ..core.objects import KubeObject, annotations_of
from .options import given, plain, require_gitops_provider, uncamel
from .resources import Sync, SyncArgs
from .wiring import wire


class ApplicationArgs(TypedDict):
    """Inputs of Application: a folder of a repository, or a chart."""

    destination_namespace: pulumi.Input[str]
    """Namespace of the objects that name none."""
    controller: NotRequired[str]
    """Which controller syncs it: argocd or flux. Default: argocd."""
    url: NotRequired[pulumi.Input[str]]
    """URL of the repository. Not needed with repository or sources. For OCI artifacts, oci://, it has to be a plain
    value."""
    path: NotRequired[pulumi.Input[str]]
    """Folder of the repository that holds the manifests."""
    revision: NotRequired[pulumi.Input[str]]
    """Branch, tag or commit. With Flux HEAD is the branch main, a tag is written tag:v1, a range of versions
    semver:1.x; with repository, that one says it. Default: HEAD."""
    project: NotRequired[pulumi.Input[str]]
    """Argo CD: project. Default: default."""
    auto_sync: NotRequired[bool]
    """Sync whenever the repository changes. Without it nothing is awaited, and Flux suspends the application; what a
    suspended one has deployed stays when it is removed. Default: true."""
    prune: NotRequired[pulumi.Input[bool]]
    """Remove objects that left the repository; for charts Flux always does. Default: true."""
    self_heal: NotRequired[pulumi.Input[bool]]
    """Undo changes that were made past the repository; Flux always does, at every interval. Default: false."""
    create_namespace: NotRequired[bool]
    """Create the destination namespace. Argo CD makes it if it is missing, and leaves it behind; for Flux it is a child
    of this component: it has to be new, and goes with the application, as it does in a playbook. Default: false."""
    helm: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]
    """A chart in place of path: {chart, version, values, releaseName}; Argo CD also {valueFiles, parameters}, Flux
    {valuesFrom}, and not a chart in a folder. In Python the names are release_name, value_files and values_from.

    For Flux, without chart and path, url is that of the chart itself, oci://, or repository is it, with repositoryType
    oci, and says the version too. Of oci:// the version may be a digest, sha256:..."""
    kustomize: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]
    """Argo CD: {images, namePrefix, nameSuffix, namespace, replicas, ...}."""
    sources: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """Argo CD: several sources in place of url, path and revision, as in the spec of an Application."""
    ignore_differences: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """Argo CD: differences to leave alone, as in the spec of an Application."""
    retry: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]
    """Argo CD: how a failed sync is tried again, as syncPolicy.retry of an Application."""
    sync_options: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Argo CD: more sync options, for example ApplyOutOfSyncOnly=true."""
    sync_wave: NotRequired[pulumi.Input[int]]
    """Argo CD: wave of this application within an app of apps."""
    repository: NotRequired[pulumi.Input[str]]
    """Flux: name of a connected repository to read from: the output name of a Repository. Without it the application
    has a source of its own, for url and revision."""
    repository_type: NotRequired[pulumi.Input[str]]
    """Flux: what that repository is, git or oci; the artifact of oci holds the folder, or is the chart that helm is
    about. With a chart's name in helm it is a Helm repository, and this is left out. Default: git."""
    interval: NotRequired[pulumi.Input[str]]
    """Flux: how often the cluster is compared with the source. Default: 10m."""
    retry_interval: NotRequired[pulumi.Input[str]]
    """Flux, folders: how soon a failure is tried again. Default: the interval."""
    timeout: NotRequired[pulumi.Input[str]]
    """Flux: how long one attempt may take."""
    depends_on: NotRequired[pulumi.Input[Sequence[pulumi.Input[str]]]]
    """Flux: names of applications that have to be ready before."""
    health_checks: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """Flux, folders: objects to check, {apiVersion, kind, name, namespace}; all when empty."""
    substitute: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Flux, folders: variables for the manifests."""
    substitute_from: NotRequired[pulumi.Input[Sequence[pulumi.Input[Mapping[str, pulumi.Input[Any]]]]]]
    """Flux, folders: objects that hold variables: {kind: ConfigMap or Secret, name}."""
    decryption: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Flux, folders: {provider: sops, secret: NAME}."""
    service_account: NotRequired[pulumi.Input[str]]
    """Flux: ServiceAccount that applies the objects."""
    remediation: NotRequired[pulumi.Input[int]]
    """Flux, charts: how often an installation or upgrade is retried before it is rolled back."""
    drift_detection: NotRequired[pulumi.Input[str]]
    """Flux, charts: enabled, warn or disabled."""
    labels: NotRequired[pulumi.Input[Mapping[str, pulumi.Input[str]]]]
    """Labels of the application object."""
    namespace: NotRequired[pulumi.Input[str]]
    """Namespace of the controller. Default: its usual one, argocd or flux-system."""
    wait: NotRequired[bool]
    """Wait until the newest commit is synced and healthy. Default: true."""
    wait_timeout: NotRequired[pulumi.Input[int]]
    """Seconds to wait. Default: 300."""


class Application(pulumi.ComponentResource):
    """What a controller keeps in sync: an Application of Argo CD, or a Kustomization or HelmRelease of Flux."""

    name: pulumi.Output[str]
    """Name of the application."""
    revision: pulumi.Output[Optional[str]]
    """Commit that is synced; empty when nothing is awaited."""
    sync: pulumi.Output[Optional[str]]
    """Sync status, for example Synced; empty when nothing is awaited."""
    health: pulumi.Output[Optional[str]]
    """Health status, for example Healthy; empty when nothing is awaited."""

    def __init__(self, name: str, args: ApplicationArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        require_gitops_provider(opts)
        values = given(args, ApplicationArgs)
        shape = plain(values, "controller", "auto_sync", "create_namespace", "wait")
        if isinstance(values.get("url"), str):
            shape["url"] = values["url"]  # it tells the kind of a source of its own
        if "helm" in values:
            values["helm"] = pulumi.Output.from_input(values["helm"]).apply(_chart)
            # The chart takes the place of the path, and need not be known yet.
            shape["helm"] = {} if "path" in values else {"chart": "x"}
        super().__init__("gitops:index:Application", name, values, opts)
        awaited = bool(values.get("wait", True) and values.get("auto_sync", True))

        def build(spec: ApplicationSpec) -> list[KubeObject]:
            objects = application_objects(spec)
            return _watched(objects, spec) if awaited and spec.controller == "argocd" else objects

        wired = wire(self, name, ApplicationSpec, build, values, shape)
        self.resources = wired.resources
        if awaited:
            settings = {key: values[key] for key in ("controller", "namespace", "wait_timeout") if key in values}
            # Our own resource finds out what is synced and healthy: the status may be that of an earlier revision.
            triggers = wired.objects.apply(lambda made: [obj["spec"] for obj in made if "spec" in obj])
            synced = Sync(
                name,
                cast("SyncArgs", {"application": name, "triggers": triggers, **settings}),
                pulumi.ResourceOptions(parent=self, depends_on=list(wired.resources)),
            )
            self.revision, self.sync, self.health = synced.revision, synced.sync, synced.health
            self.name = pulumi.Output.all(synced.urn).apply(lambda _: name)
        else:
            self.revision = self.sync = self.health = pulumi.Output.from_input(None)
            self.name = wired.after(name)
        self.register_outputs({"name": self.name, "revision": self.revision, "sync": self.sync, "health": self.health})


def _chart(helm: Mapping[str, Any]) -> dict[str, Any]:
    return uncamel(helm, "release_name", "value_files", "values_from")


def _watched(objects: list[KubeObject], spec: ApplicationSpec) -> list[KubeObject]:
    """Let pulumi-kubernetes wait until the controller has looked at the Application.

    Waiting for Synced here as well would hide an error until time runs out.
    """
    *rest, application = objects
    metadata = application["metadata"]
    wait = {
        "pulumi.com/waitFor": "jsonpath={.status.sync.status}",
        "pulumi.com/timeoutSeconds": str(int(spec.wait_timeout)),
    }
    annotations = {**annotations_of(application), **wait}
    return [*rest, {**application, "metadata": {**metadata, "annotations": annotations}}]
