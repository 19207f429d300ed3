# SPDX-License-Identifier: Apache-2.0
"""A small set of manifests with everything that the large ones have, and an HTTP server to fetch it from."""

from __future__ import annotations

import http.server

import pytest

from pulumi_gitops.core.yamlio import load_manifests
from tests.support.serving import HttpServer

MANIFESTS = b"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: applications.argoproj.io}
spec: {group: argoproj.io, scope: Namespaced, names: {kind: Application, plural: applications}, versions: []}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: argocd-server}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: argocd-server}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: argocd-server}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: argocd-server}
subjects:
- {kind: ServiceAccount, name: argocd-server, namespace: argocd}
- {kind: ServiceAccount, name: somebody-else, namespace: monitoring}
- {kind: Group, name: admins, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: argocd-server}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: argocd-server}
subjects:
- {kind: ServiceAccount, name: argocd-server}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data: {url: https://old.example.com, keep: me}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: argocd-server}
spec:
  replicas: 1
  template:
    spec:
      initContainers:
      - {name: init, image: redis}
      containers:
      - name: server
        image: quay.io/argoproj/argocd:v3.5.7
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
        ports: [{containerPort: 8080}]
      - {name: dex, image: "ghcr.io/dexidp/dex:v2"}
"""


@pytest.fixture
def objects():
    return load_manifests(MANIFESTS)


@pytest.fixture
def by_kind(objects):
    """Look up the only object of a kind in a list."""

    def find(kind, among=objects):
        [found] = [obj for obj in among if obj["kind"] == kind]
        return found

    return find


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, and no proxy."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PULUMI_GITOPS_CACHE", str(folder))
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return folder


class FileServer(HttpServer):
    """Serves `files` (path -> content, status, or (status, headers)) and remembers what was asked for."""

    def __init__(self):
        self.files = {}
        self.requests = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests.append((self.path, dict(self.headers)))
                answer = server.files.get(self.path, 404)
                content = answer if isinstance(answer, bytes) else b""
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(200 if isinstance(answer, bytes) else status)
                for name, value in (headers if isinstance(headers, dict) else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                """Say nothing."""

        super().__init__(Handler)
        self.host = self.address
        self.url = f"http://{self.host}"


@pytest.fixture
def server():
    with FileServer() as started:
        yield started
