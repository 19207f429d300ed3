# SPDX-License-Identifier: Apache-2.0
"""A cluster as a controller knows it, with facts about it that manifests and generators can use (GitOps Bridge)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import redact
from ..errors import InputError
from ..objects import KubeObject, ObjectRef
from . import catalog
from .argocd.wiring import SECRET_TYPE_LABEL, wiring_object
from .names import check_name, check_namespace, check_texts
from .options import refuse_others

IN_CLUSTER = "https://kubernetes.default.svc"
_ARGOCD_ONLY = ("server", "token", "ca_cert", "client_cert", "client_key", "tls_server_name", "insecure", "exec_plugin",
                "labels", "project")  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSpec:
    """A cluster.

    Attributes:
        controller: ``argocd`` (a Secret that registers the cluster) or ``flux`` (a ConfigMap for ``substitute_from``).
        name: Name of the cluster.
        server: Argo CD: URL of its API server; the cluster of Argo CD itself by default.
        token: Argo CD: bearer token of a service account there.
        ca_cert: Argo CD: certificates to trust, PEM.
        client_cert: Argo CD: client certificate, PEM.
        client_key: Argo CD: its private key, PEM.
        tls_server_name: Argo CD: name in the server's certificate.
        insecure: Argo CD: do not check the server's certificate.
        exec_plugin: Argo CD: ``execProviderConfig``, a program that returns credentials.
        labels: Argo CD: labels, which cluster generators select by.
        metadata: Facts about the cluster, outputs of the program that made it: annotations for Argo CD, data for Flux.
        project: Argo CD: only this project may deploy there.
        namespace: Namespace of the controller; its usual one when None.
    """

    controller: str = "argocd"
    name: str
    server: str = IN_CLUSTER
    token: str | None = field(default=None, repr=False)
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    insecure: bool = False
    exec_plugin: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    project: str | None = None
    namespace: str | None = None

    def __post_init__(self) -> None:
        catalog.wiring_controller(self.controller)
        check_name("name", self.name)
        check_namespace(self.namespace)
        redact.register(self.token, self.client_key)
        refuse_others(self, self.controller, argocd=_ARGOCD_ONLY)
        if not self.server.startswith("https://"):
            raise InputError(f"cluster {self.name}: server {self.server!r} is not an https:// URL")
        if (self.client_cert is None) != (self.client_key is None):
            raise InputError(f"cluster {self.name}: client_cert and client_key belong together")
        if self.insecure and self.ca_cert:
            raise InputError(f"cluster {self.name}: insecure and ca_cert exclude each other")
        for name in ("metadata", "labels"):
            check_texts(f"cluster {self.name}: {name}", getattr(self, name))

    @property
    def target_namespace(self) -> str:
        """The controller's namespace, with the default filled in."""
        return self.namespace or catalog.controller(self.controller).default_namespace

    def objects(self) -> list[KubeObject]:
        """Return the Secret or ConfigMap."""
        if self.controller == "flux":
            ref = ObjectRef("", "v1", "ConfigMap", self.target_namespace, f"cluster-{self.name}")
            return [{**wiring_object(ref), "data": {"cluster_name": self.name, **self.metadata}}]
        ref = ObjectRef("", "v1", "Secret", self.target_namespace, f"cluster-{self.name}")
        labels = {**self.labels, SECRET_TYPE_LABEL: "cluster"}
        secret = wiring_object(ref, labels=labels, annotations=dict(self.metadata))
        data = {"name": self.name, "server": self.server, "config": json.dumps(self._config(), sort_keys=True)}
        if self.project:
            data["project"] = self.project
        return [{**secret, "type": "Opaque", "stringData": data}]

    def _config(self) -> dict[str, Any]:
        tls = {
            "insecure": self.insecure,
            "serverName": self.tls_server_name,
            "caData": _encoded(self.ca_cert),
            "certData": _encoded(self.client_cert),
            "keyData": _encoded(self.client_key),
        }
        config: dict[str, Any] = {"tlsClientConfig": {key: value for key, value in tls.items() if value is not None}}
        if self.token:
            config["bearerToken"] = self.token
        if self.exec_plugin:
            config["execProviderConfig"] = dict(self.exec_plugin)
        return config


def _encoded(pem: str | None) -> str | None:
    return None if pem is None else base64.b64encode(pem.encode()).decode()
