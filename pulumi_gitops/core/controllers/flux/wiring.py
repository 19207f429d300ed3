# SPDX-License-Identifier: Apache-2.0
"""The objects that connect Flux with repositories: as values, nothing is sent.

Field names follow the CRDs source.toolkit.fluxcd.io/v1, kustomize.toolkit.fluxcd.io/v1 and helm.toolkit.fluxcd.io/v2.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from ...objects import KubeObject, ObjectRef
from ..application_spec import ApplicationSpec
from ..marks import MANAGED_BY
from ..repository_spec import RepositorySpec, is_ssh

SOURCE_GROUP, SOURCE_VERSION = "source.toolkit.fluxcd.io", "v1"
KUSTOMIZE_GROUP, KUSTOMIZE_VERSION = "kustomize.toolkit.fluxcd.io", "v1"
HELM_GROUP, HELM_VERSION = "helm.toolkit.fluxcd.io", "v2"
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
# One version of a chart, and not a range: all three numbers.
_VERSION = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
# The layer of an OCI artifact that is a chart as Helm pushes it; helm-controller then gets that very archive.
_CHART_LAYER = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"}
_SCP = re.compile(r"(?:([A-Za-z0-9._-]+)@)?([A-Za-z0-9.-]+):(?!//)(.+)")
DEFAULT_BRANCH = "main"

MADE_FOR = "pulumi-gitops/application"
"""Annotation of what an application has for itself, a source or the namespace that it deploys into; its value is the
name of the application."""

OWN_KINDS = ("GitRepository", "OCIRepository", "HelmRepository")
"""Kinds of such a source."""


def source_ref(kind: str, name: str, namespace: str) -> ObjectRef:
    """Return the identity of a source: a GitRepository, HelmRepository or OCIRepository."""
    return ObjectRef(SOURCE_GROUP, SOURCE_VERSION, kind, namespace, name)


def kustomization_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of a Kustomization."""
    return ObjectRef(KUSTOMIZE_GROUP, KUSTOMIZE_VERSION, "Kustomization", namespace, name)


def helm_release_ref(name: str, namespace: str) -> ObjectRef:
    """Return the identity of a HelmRelease."""
    return ObjectRef(HELM_GROUP, HELM_VERSION, "HelmRelease", namespace, name)


def application_ref(spec: ApplicationSpec) -> ObjectRef:
    """Return the identity of the object that is the application: a Kustomization or a HelmRelease."""
    ref = helm_release_ref if spec.is_chart else kustomization_ref
    return ref(spec.name, spec.target_namespace)


def source_kind(spec: RepositorySpec) -> str:
    """Return the kind of source that a repository is."""
    if spec.type == "helm":
        return "HelmRepository"
    return "OCIRepository" if spec.type == "oci" else "GitRepository"


# --- repositories ----------------------------------------------------------------------------------------------------


def repository_objects(spec: RepositorySpec) -> list[KubeObject]:
    """Return the source, and before it the Secrets with its credentials, certificates and proxy."""
    objects: list[KubeObject] = []
    login, certificates, proxy, source = repository_refs(spec)
    content: dict[str, Any] = {"url": _flux_url(spec.url), "interval": spec.interval}
    if spec.type == "helm":
        if spec.url.startswith("oci://"):
            content["type"] = "oci"
    else:
        content["ref"] = _ref_of(spec)
        if spec.ignore is not None:
            content["ignore"] = spec.ignore
        if spec.verify:
            content["verify"] = _verify(spec)
        if spec.layer_selector:
            content["layerSelector"] = _layer_selector(spec)
    if spec.include:
        content["include"] = [
            {"repository": {"name": name}, "toPath": folder} for name, folder in sorted(spec.include.items())
        ]
    if spec.github_app_id:
        content["provider"] = "github"
    for ref, field, secret in (
        (login, "secretRef", _login(spec)),
        (certificates, "certSecretRef", {} if spec.type == "git" else _opaque(_certificates(spec))),
        (proxy, "proxySecretRef", _opaque({"address": spec.proxy})),
    ):
        if secret:
            objects.append({**_object(ref), **secret})
            content[field] = {"name": ref.name}
    return [*objects, {**_object(source), "spec": content}]


def repository_refs(spec: RepositorySpec) -> tuple[ObjectRef, ObjectRef, ObjectRef, ObjectRef]:
    """Return what a repository may consist of: the Secrets for login, certificates and proxy, and the source."""
    namespace = spec.target_namespace
    # Each with a beginning of its own: a repository may well be called "shop-proxy".
    login, certificates, proxy = (
        ObjectRef("", "v1", "Secret", namespace, f"{kind}-{spec.name}") for kind in ("repo", "certs", "proxy")
    )
    return login, certificates, proxy, source_ref(source_kind(spec), spec.name, namespace)


def _flux_url(url: str) -> str:
    """Return a URL in the form that Flux takes: it knows no ``git@host:path``."""
    found = _SCP.fullmatch(url) if is_ssh(url) and "://" not in url else None
    return f"ssh://{found[1] or 'git'}@{found[2]}/{found[3].lstrip('/')}" if found else url


def _ref_of(spec: RepositorySpec) -> dict[str, str]:
    for name in ("commit", "semver", "tag"):
        value = getattr(spec, name)
        if value:
            return {"digest" if name == "commit" and spec.type == "oci" else name: value}
    return {"branch": spec.branch or DEFAULT_BRANCH} if spec.type == "git" else {"tag": "latest"}


def _verify(spec: RepositorySpec) -> dict[str, Any]:
    rest = {key: value for key, value in spec.verify.items() if key != "secret"}
    return {**rest, **({"secretRef": {"name": spec.verify["secret"]}} if "secret" in spec.verify else {})}


def _layer_selector(spec: RepositorySpec) -> dict[str, str]:
    given = {"mediaType": spec.layer_selector.get("media_type"), "operation": spec.layer_selector.get("operation")}
    return {key: value for key, value in given.items() if value}


def _login(spec: RepositorySpec) -> dict[str, Any]:
    """Return type and content of the Secret that a source logs in with, with the keys that source-controller reads."""
    given = {
        "username": spec.username or ("git" if spec.password is not None else None),
        "password": spec.password,
        "bearerToken": spec.bearer_token,
        "identity": spec.ssh_private_key,
        "known_hosts": spec.known_hosts,
        "githubAppID": spec.github_app_id,
        "githubAppInstallationID": spec.github_app_installation_id,
        "githubAppPrivateKey": spec.github_app_private_key,
        "githubAppBaseURL": spec.github_app_url,
    }
    if spec.type != "oci":
        return _opaque({**given, **(_certificates(spec) if spec.type == "git" else {})})
    if given["username"] is None:
        return {}
    # An OCIRepository takes pull secrets only.
    entry = {"username": given["username"], "password": spec.password or ""}
    config = {"auths": {urlsplit(spec.url).netloc: entry}}
    return {"type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": json.dumps(config)}}


def _certificates(spec: RepositorySpec) -> dict[str, str | None]:
    """Return the certificates; of a Git repository they stand in the Secret with its login."""
    return {"ca.crt": spec.ca_cert, "tls.crt": spec.client_cert, "tls.key": spec.client_key}


# --- applications ----------------------------------------------------------------------------------------------------


def application_objects(spec: ApplicationSpec) -> list[KubeObject]:
    """Return the Kustomization or HelmRelease, and before it what it needs: its namespace, and a source of its own."""
    objects: list[KubeObject] = []
    if spec.create_namespace:
        objects.append(_object(ObjectRef("", "v1", "Namespace", "", spec.destination_namespace)))
    if not spec.repository:
        objects.append(_own_source(spec))
    for obj in objects:
        obj["metadata"]["annotations"] = {MADE_FOR: spec.name}
    application = {**_object(application_ref(spec)), "spec": _chart(spec) if spec.is_chart else _kustomization(spec)}
    if spec.labels:
        application["metadata"]["labels"] = {**spec.labels, **application["metadata"]["labels"]}
    return [*objects, application]


def _own_source(spec: ApplicationSpec) -> KubeObject:
    """Return the source of an application that reads from no connected repository."""
    content: dict[str, Any] = {"url": _flux_url(spec.url), "interval": "1m"}
    if spec.is_chart and spec.is_oci:
        if "chart" in spec.helm:
            content["url"] = f"{spec.url.rstrip('/')}/{spec.helm['chart']}"
        content["ref"] = chart_reference(str(spec.helm.get("version") or ""))
        content["layerSelector"] = dict(_CHART_LAYER)
    elif not spec.is_chart:
        content["ref"] = artifact_reference(spec.revision) if spec.is_oci else reference(spec.revision)
    return {**_object(source_ref(_source_kind(spec), spec.name, spec.target_namespace)), "spec": content}


def _source_kind(spec: ApplicationSpec) -> str:
    """Return the kind of source that an application comes from."""
    if spec.is_oci:
        return "OCIRepository"
    return "HelmRepository" if spec.is_chart else "GitRepository"


def reference(revision: str) -> dict[str, str]:
    """Return ``spec.ref`` of a GitRepository for a revision as users write it."""
    if revision == "HEAD":
        return {"branch": DEFAULT_BRANCH}
    if _COMMIT.fullmatch(revision):
        return {"commit": revision}
    if revision.startswith("refs/"):
        return {"name": revision}
    kind, colon, value = revision.partition(":")
    return {kind: value} if colon and kind in ("tag", "semver") else {"branch": revision}


def artifact_reference(revision: str) -> dict[str, str]:
    """Return ``spec.ref`` of an OCIRepository for a revision as users write it."""
    if revision == "HEAD":
        return {"tag": "latest"}
    if revision.startswith("sha256:"):
        return {"digest": revision}
    kind, colon, value = revision.partition(":")
    return {kind: value} if colon and kind in ("tag", "semver") else {"tag": revision}


def chart_reference(version: str) -> dict[str, str]:
    """Return ``spec.ref`` of an OCIRepository for the version of a chart as users write it, "" for the newest one."""
    if version.startswith("sha256:"):
        return {"digest": version}
    if _VERSION.fullmatch(version):
        # Helm writes it so, as a tag holds no "+".
        return {"tag": version.replace("+", "_")}
    return {"semver": version or "*"}


def _kustomization(spec: ApplicationSpec) -> dict[str, Any]:
    optional: dict[str, Any] = {
        "retryInterval": spec.retry_interval,
        "timeout": spec.timeout,
        "serviceAccountName": spec.service_account,
        "dependsOn": [{"name": name} for name in spec.depends_on],
        "healthChecks": [dict(check) for check in spec.health_checks],
        "suspend": None if spec.auto_sync else True,
    }
    if spec.substitute or spec.substitute_from:
        variables = {
            "substitute": dict(spec.substitute),
            "substituteFrom": [dict(source) for source in spec.substitute_from],
        }
        optional["postBuild"] = {key: value for key, value in variables.items() if value}
    if spec.decryption:
        secret = spec.decryption.get("secret")
        provider = {"provider": spec.decryption.get("provider", "sops")}
        optional["decryption"] = {**provider, **({"secretRef": {"name": secret}} if secret else {})}
    return {
        "sourceRef": {"kind": _source_kind(spec), "name": spec.repository or spec.name},
        "path": f"./{spec.path.removeprefix('./')}",
        "interval": spec.interval,
        "prune": spec.prune,
        # Ready then means that what was applied is healthy, and not only that it was accepted.
        "wait": not spec.health_checks,
        "targetNamespace": spec.destination_namespace,
        **{key: value for key, value in optional.items() if value},
    }


def _chart(spec: ApplicationSpec) -> dict[str, Any]:
    helm = spec.helm
    source = {"kind": _source_kind(spec), "name": spec.repository or spec.name}
    chart: dict[str, Any] = {"chartRef": source}
    if not spec.is_oci:
        version = {"version": str(helm["version"])} if helm.get("version") else {}
        chart = {"chart": {"spec": {"chart": helm["chart"], "sourceRef": source, **version}}}
    optional: dict[str, Any] = {
        "releaseName": helm.get("release_name"),
        "values": helm.get("values"),
        "valuesFrom": helm.get("values_from"),
        "timeout": spec.timeout,
        "serviceAccountName": spec.service_account,
        "dependsOn": [{"name": name} for name in spec.depends_on],
        "driftDetection": {"mode": spec.drift_detection} if spec.drift_detection else None,
        "suspend": None if spec.auto_sync else True,
    }
    if spec.remediation is not None:
        optional["install"] = {"remediation": {"retries": spec.remediation}}
        optional["upgrade"] = {"remediation": {"retries": spec.remediation}}
    return {
        **chart,
        "interval": spec.interval,
        "targetNamespace": spec.destination_namespace,
        **{key: value for key, value in optional.items() if value},
    }


# --- objects ---------------------------------------------------------------------------------------------------------


def _opaque(content: dict[str, str | None]) -> dict[str, Any]:
    """Return type and content of a Secret; nothing when there is nothing to keep."""
    data = {key: value for key, value in content.items() if value is not None}
    return {"type": "Opaque", "stringData": data} if data else {}


def _object(ref: ObjectRef) -> KubeObject:
    metadata: dict[str, Any] = {"name": ref.name, "labels": dict(MANAGED_BY)}
    if ref.namespace:
        metadata["namespace"] = ref.namespace
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata}
