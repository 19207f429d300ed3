# SPDX-License-Identifier: Apache-2.0
"""A config repository with a password, and applications that are gone after their test."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.git import Credentials, commit_files
from pulumi_gitops.core.objects import ObjectRef

PASSWORD = "correct-horse-battery"

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: web, image: "registry.example.com/web:1"}}]}}
"""


def web(replicas):
    return WEB.format(replicas=replicas)


@dataclass
class Service:
    """A service of one test: its folder in the repository, its application, its namespace."""

    cluster: object
    name: str
    url: str

    @property
    def path(self):
        return f"apps/{self.name}"

    @property
    def deployment(self):
        return ObjectRef("apps", "v1", "Deployment", self.name, "web")

    def spec(self, **options):
        defaults = {"name": self.name, "url": self.url, "path": self.path, "revision": "main"}
        defaults |= {"destination_namespace": self.name, "create_namespace": True, "wait_timeout": 60.0}
        return controllers.ApplicationSpec(**{**defaults, **options})

    def apply(self, *, progress=None, **options):
        return controllers.apply_application(self.cluster, self.spec(**options), progress=progress)

    def sync(self, revision=None, *, check=False, progress=None):
        spec = controllers.SyncSpec(name=self.name, revision=revision, wait_timeout=60.0)
        return controllers.sync(self.cluster, spec, check=check, progress=progress)

    def commit(self, **files):
        """Commit files (name without .yaml -> content) into the service's folder; return the commit id."""
        named = {f"{self.path}/{name}.yaml": content for name, content in files.items()}
        return commit_files(
            self.url, "main", files=named, message=f"change {self.name}", credentials=Credentials("ci", PASSWORD)
        ).commit

    @property
    def application(self):
        return ObjectRef("argoproj.io", "v1alpha1", "Application", "argocd", self.name)

    def until(self, ref, condition):
        """Wait until an object fulfils a condition."""
        events = self.cluster.watch(
            ref.api_version, ref.kind, namespace=ref.namespace, field_selector=f"metadata.name={ref.name}", timeout=60
        )
        assert any(condition(event.object) for event in events), f"{ref} never got there"

    def replicas(self):
        return self.cluster.get(self.deployment)["spec"]["replicas"]


@pytest.fixture(scope="module")
def argocd(cluster):
    """Argo CD in its usual namespace, gone after the module."""
    result = controllers.install(cluster, controllers.ControllerSpec())
    yield result
    controllers.uninstall(cluster, controllers.ControllerSpec())


@pytest.fixture(scope="module")
def repository(sandbox, cluster, argocd):
    """A repository with a password that Argo CD knows; gone after the module."""
    url = sandbox.create_repository(f"config-{uuid.uuid4().hex[:6]}", username="ci", password=PASSWORD)
    spec = controllers.RepositorySpec(name="config", url=url, username="ci", password=PASSWORD)
    controllers.apply_repository(cluster, spec)
    yield spec
    controllers.remove_repository(cluster, spec)


@pytest.fixture
def service(cluster, repository):
    """A service whose folder holds a Deployment; its application and namespace are gone afterwards."""
    made = Service(cluster, f"svc-{uuid.uuid4().hex[:6]}", repository.url)
    made.commit(web=web(2))
    yield made
    controllers.remove_application(cluster, made.spec())
    cluster.delete(ObjectRef("", "v1", "Namespace", "", made.name))
