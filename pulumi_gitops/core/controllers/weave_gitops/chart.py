# SPDX-License-Identifier: Apache-2.0
"""Weave GitOps comes as a Helm chart: rendered to objects of a release, or declared for Flux to install.

Upstream has published release candidates only since 0.38.0; the catalog knows that version and no other.
"""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...objects import KubeObject, ObjectRef
from ...render import HelmChart, render_helm
from .. import catalog
from ..application_spec import ApplicationSpec
from ..flux import wiring as flux
from ..patches import check_patch, for_kustomize
from ..specs import ControllerSpec

NAME = "weave-gitops"
"""Name of the chart, of its release, and so of the Deployment."""

DEFAULT_USER = "admin"
"""Who logs in when the Secret names nobody."""

OCI = "oci://"
_REFERENCE = re.compile(r"(?P<url>oci://[^@\s]+)/(?P<chart>[^/:@\s]+):(?P<version>[^/:@\s]+)")
# What the chart makes for its local user, and names after it.
_BINDING = "{user}-user-read-resources-cr"
_IMAGE = "weaveworks/wego-app"


def chart_url(version: str, mirror: str | None) -> str:
    """Return where the chart of a version is: an OCI reference, or an archive of an HTTP(S) Helm repository.

    Raises:
        InputError: The version is not in the catalog.
    """
    known = catalog.controller("weave_gitops")
    base = (mirror or known.base_url).rstrip("/")
    number = known.chart_version(version)
    return f"{base}/{NAME}:{number}" if base.startswith(OCI) else f"{base}/{NAME}-{number}.tgz"


def render_archive(content: bytes, spec: ControllerSpec) -> list[KubeObject]:
    """Return the objects of a packed chart, see :func:`render_chart`."""
    with tempfile.NamedTemporaryFile(prefix="pulumi-gitops-", suffix=".tgz") as file:
        file.write(content)
        file.flush()
        return render_chart(file.name, spec)


def render_chart(chart: str | Path, spec: ControllerSpec) -> list[KubeObject]:
    """Return the objects of a chart, for the user :data:`DEFAULT_USER` where there is one.

    Args:
        chart: Folder or archive.
        spec: What is installed.

    Raises:
        GitOpsError: As :func:`...render.render_helm`.
    """
    wanted = HelmChart(
        chart=str(chart), release_name=NAME, namespace=spec.target_namespace, values=_with_user(spec.values, spec)
    )
    return render_helm(wanted).objects


def release_objects(spec: ControllerSpec) -> list[KubeObject]:
    """Return the source, a HelmRepository or OCIRepository, and the HelmRelease by which Flux installs the chart.

    What is done to rendered objects otherwise (another registry, a pull secret, patches) is said to Flux in its words.

    Raises:
        InputError: Flux can not fetch what `manifests` names, or a patch has not the form of one.
    """
    url, chart, version = _place(spec)
    values = _with_user(spec.values, spec)
    if spec.registry:
        values["image"] = {**_mapping(values, "image"), "repository": f"{spec.registry}/{_IMAGE}"}
    if spec.image_pull_secret:
        values["imagePullSecrets"] = [{"name": spec.image_pull_secret}]
    declared = ApplicationSpec(
        controller="flux",
        name=NAME,
        url=url,
        helm={"chart": chart, "version": version, "values": values, "release_name": NAME},
        destination_namespace=spec.target_namespace,
        namespace=spec.target_namespace,
    )
    source, release = flux.application_objects(declared)
    if spec.patches:
        patches = [for_kustomize(*check_patch(entry, number)) for number, entry in enumerate(spec.patches, start=1)]
        release["spec"]["postRenderers"] = [{"kustomize": {"patches": patches}}]
    # Flux would look again only at its next interval if the release came first; and on removal the release goes first.
    found = ObjectRef.of(source)
    needs = f"{found.group}/namespaces/{found.namespace}/{found.kind}/{found.name}"
    release["metadata"]["annotations"] = {"config.kubernetes.io/depends-on": needs}
    return [source, release]


def _place(spec: ControllerSpec) -> tuple[str, str, str]:
    """Return URL of the Helm repository, name and version of the chart."""
    known = catalog.controller("weave_gitops")
    if spec.manifests is None:
        version = known.chart_version(spec.version or known.default_version)
        return (spec.mirror or known.base_url).rstrip("/"), NAME, version
    found = _REFERENCE.fullmatch(spec.manifests)
    if found is None:
        raise InputError(
            "manifests: with method helm_release it is Flux that fetches the chart, from oci://registry/path/chart:version",
            hint="For a Helm repository over HTTP(S) give its URL as mirror; a local chart is for method manifests.",
            details={"property": "manifests"},
        )
    return found["url"], found["chart"], found["version"]


def _with_user(values: Mapping[str, Any], spec: ControllerSpec) -> dict[str, Any]:
    """Return a copy of the values in which the user of `admin_secret` has its rights, and the chart makes no Secret."""
    result: dict[str, Any] = copy.deepcopy(dict(values))
    if spec.admin_secret is not None:
        user = {"create": True, "createSecret": False, "username": DEFAULT_USER}
        result["adminUser"] = {**_mapping(result, "adminUser"), **user}
    return result


def _mapping(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = values.get(name)
    return dict(found) if isinstance(found, Mapping) else {}


def for_user(objects: Sequence[KubeObject], username: str) -> list[KubeObject]:
    """Return the objects of a release with the rights for another user than :data:`DEFAULT_USER`.

    The objects keep their names, which the chart makes of the user's: what there is does not depend on a Secret that
    only the cluster knows, and a preview needs no cluster.
    """
    return [_for_user(obj, username) for obj in objects]


def _for_user(obj: KubeObject, username: str) -> KubeObject:
    ref = ObjectRef.of(obj)
    if ref.kind == "HelmRelease":
        changed = copy.deepcopy(obj)
        changed["spec"]["values"]["adminUser"]["username"] = username
        return changed
    if ref.kind == "ClusterRoleBinding" and ref.name == _BINDING.format(user=DEFAULT_USER):
        changed = copy.deepcopy(obj)
        for subject in changed.get("subjects") or []:
            if subject.get("kind") == "User" and subject.get("name") == DEFAULT_USER:
                subject["name"] = username
        return changed
    return obj
