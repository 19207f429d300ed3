# SPDX-License-Identifier: Apache-2.0
"""Real kustomize and kubectl: the same objects from both, and what they would do that is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pulumi_gitops.core.errors import InputError
from pulumi_gitops.core.process import run
from pulumi_gitops.core.render import Overrides, Sources, UnsafeSourceError, render, render_kustomize
from pulumi_gitops.core.render.tools import offline_env, online_env
from pulumi_gitops.sandbox import GitServer

pytestmark = pytest.mark.sandbox

CANARY = "canary-2718-kustomize"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n"
SHOP = {
    "base/kustomization.yaml": """
resources: [web.yaml, service.yaml]
configMapGenerator:
- name: settings
  files: [app.properties, renamed=files/more.txt]
  envs: [settings.env]
secretGenerator:
- name: login
  literals: [password=canary-2718-kustomize]
  options: {disableNameSuffixHash: true}
""",
    "base/web.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        envFrom: [{configMapRef: {name: settings}}]
""",
    "base/service.yaml": """
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
""",
    "base/app.properties": "color=blue\n",
    "base/files/more.txt": "yes\n",
    "base/settings.env": "MODE=fast\n",
    "components/monitoring/kustomization.yaml": """
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
- target: {kind: Deployment}
  path: annotate.yaml
""",
    "components/monitoring/annotate.yaml": """
- op: add
  path: /metadata/annotations
  value: {example.com/scrape: "on"}
""",
    "overlays/production/kustomization.yaml": """
Resources: [../../base]
components: [../../components/monitoring]
namespace: shop
images: [{name: registry.example.com/web, newTag: "2"}]
replicas: [{name: web, count: 3}]
patches: [{path: resources.yaml}]
patchesStrategicMerge:
- |
  apiVersion: v1
  kind: Service
  metadata: {name: web}
  spec: {type: NodePort}
transformers:
- labels.yaml
- |
  apiVersion: builtin
  kind: AnnotationsTransformer
  metadata: {name: docs}
  annotations: {docs: "https://docs.example.com/?ref=1"}
  fieldSpecs: [{path: metadata/annotations, create: true}]
""",
    "overlays/production/resources.yaml": """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, resources: {limits: {memory: 1Gi}}}]}}}
""",
    "overlays/production/labels.yaml": """
apiVersion: builtin
kind: LabelTransformer
metadata: {name: labels}
labels: {team: shop}
fieldSpecs: [{path: metadata/labels, create: true}]
""",
}


def by_kind(objects):
    return {obj["kind"]: obj for obj in objects}


def test_an_overlay_gives_the_same_objects_by_kustomize_and_by_kubectl(tree, kustomize, kubectl):
    folder = tree(SHOP) / "overlays/production"
    objects = render_kustomize(folder, binary=kustomize)
    assert objects == render_kustomize(folder, binary=kubectl)
    web = by_kind(objects)["Deployment"]
    assert web["metadata"] == {
        "name": "web",
        "namespace": "shop",
        "labels": {"team": "shop"},
        "annotations": {"example.com/scrape": "on", "docs": "https://docs.example.com/?ref=1"},
    }
    assert web["spec"]["replicas"] == 3
    (container,) = web["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/web:2"
    assert container["resources"] == {"limits": {"memory": "1Gi"}}
    settings = by_kind(objects)["ConfigMap"]
    assert settings["data"] == {"app.properties": "color=blue\n", "renamed": "yes\n", "MODE": "fast"}
    assert container["envFrom"] == [{"configMapRef": {"name": settings["metadata"]["name"]}}]
    assert by_kind(objects)["Service"]["spec"]["type"] == "NodePort"
    assert by_kind(objects)["Secret"]["metadata"]["name"] == "login"


def test_a_pipeline_overrides_an_overlay(tree, kustomize, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(kustomize).parent), prepend=":")
    overrides = Overrides(images={"web": "registry.example.com/web:3"}, replicas={"web": 5}, namespace="shop-staging")
    sources = Sources(kustomize="overlays/production")
    rendered = render(sources, overrides, release="shop", namespace="shop-staging", base=tree(SHOP))
    web = by_kind(rendered.objects)["Deployment"]
    assert web["spec"]["replicas"] == 5
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com/web:3"
    assert {obj["metadata"]["namespace"] for obj in rendered.objects} == {"shop-staging"}
    assert rendered.warnings == ()


@pytest.mark.parametrize("program", ["kustomize", "kubectl"])
def test_what_kustomize_refuses_is_said_without_secrets(tree, program, request):
    folder = tree({**SHOP, "base/service.yaml": SHOP["base/web.yaml"]}) / "base"
    with pytest.raises(InputError, match="may not add resource with an already registered id: Deployment") as caught:
        render_kustomize(folder, binary=request.getfixturevalue(program))
    assert CANARY not in str(caught.value)
    text = SHOP["base/kustomization.yaml"].replace("password=", "=")
    folder = tree({**SHOP, "base/kustomization.yaml": text}) / "base"
    with pytest.raises(InputError, match=r"invalid literal source") as caught:
        render_kustomize(folder, binary=request.getfixturevalue(program))
    assert CANARY not in f"{caught.value} {caught.value.as_dict()}"


def build(kustomize: str, folder: Path, env: dict[str, str]):
    """Run kustomize on a tree that nobody has looked at."""
    return run([kustomize, "build", str(folder)], timeout=60, env=env, check=False)


@pytest.mark.parametrize(
    "text",
    [
        "resources: ['http://{web}/web.yaml']",
        "RE\u017fOURCES: ['http://{web}/web.yaml']",
        "resources: [web.yaml]\npatches: [{{path: 'http://{web}/patch.yaml'}}]",
        """resources: [web.yaml]
transformers:
- '{{apiVersion: builtin, kind: PatchTransformer, metadata: {{name: x}}, path: "http://{web}/patch.yaml"}}'
""",
        "configMapGenerator: [{{name: web, files: ['a=http://{web}/web.yaml']}}]",
    ],
)
def test_kustomize_would_fetch_what_is_refused_and_fetches_what_is_allowed(tree, kustomize, web, text):
    web.content["/web.yaml"] = ("text/plain", CONFIG.encode())
    web.content["/patch.yaml"] = ("text/plain", CONFIG.encode())
    folder = tree({"k/kustomization.yaml": text.format(web=web.address), "k/web.yaml": CONFIG}) / "k"
    with pytest.raises(UnsafeSourceError):
        render_kustomize(folder, binary=kustomize)
    assert web.requests == []
    assert build(kustomize, folder, online_env()).returncode == 0
    assert len(web.requests) == 1
    if "transformers" not in text:
        assert render_kustomize(folder, binary=kustomize, allow_network=True)[0]["kind"] == "ConfigMap"


def test_a_base_in_git_is_cloned_only_when_the_network_is_allowed(tree, kustomize, tmp_path):
    with GitServer(tmp_path / "git") as server:
        server.create_repository("config")
        work = tmp_path / "work"
        git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com"]
        subprocess.run([*git, "init", "-q", "-b", "main", str(work)], check=True)
        (work / "kustomization.yaml").write_text("resources: [web.yaml]")
        (work / "web.yaml").write_text(CONFIG)
        subprocess.run([*git, "add", "."], cwd=work, check=True)
        subprocess.run([*git, "commit", "-q", "-m", "x"], cwd=work, check=True)
        subprocess.run([*git, "push", "-q", f"{server.url}/config.git", "main"], cwd=work, check=True)
        text = f"resources: ['{server.url}/config.git?ref=main']"
        folder = tree({"k/kustomization.yaml": text}) / "k"
        with pytest.raises(UnsafeSourceError, match=r"config\.git\?ref=main"):
            render_kustomize(folder, binary=kustomize)
        (obj,) = render_kustomize(folder, binary=kustomize, allow_network=True)
        assert obj["data"] == {"a": "b"}
        # Should a base ever get past the check, kustomize has no git to clone it with.
        result = build(kustomize, folder, offline_env(tmp_path / "private"))
        assert result.returncode != 0
        assert "no 'git' program on path" in result.stderr


def test_what_no_check_foresees_finds_no_way_out(tree, kustomize, tmp_path):
    folder = tree({"k/kustomization.yaml": "resources: ['https://git.example.com/web.yaml']"}) / "k"
    result = build(kustomize, folder, offline_env(tmp_path / "private"))
    assert result.returncode != 0
    assert "127.0.0.1:0" in result.stderr


def test_a_base_that_kustomize_would_take_from_outside_is_refused(tree, kustomize, tmp_path):
    """kustomize takes ``..`` off the text first; the file system would lead to a folder inside of the root."""
    outside = {"outside/kustomization.yaml": "resources: [web.yaml]", "outside/web.yaml": CONFIG}
    text = "resources: [link/../../../../outside]"
    inside = {"root/overlays/p/kustomization.yaml": text, "root/a/b/outside/kustomization.yaml": "resources: []"}
    folder = tree({**outside, **inside, "root/a/b/c/d/e/x": ""})
    (folder / "root/overlays/p/link").symlink_to(folder / "root/a/b/c/d/e")
    result = build(kustomize, folder / "root/overlays/p", offline_env(tmp_path / "private"))
    assert "a: b" in result.stdout, "kustomize alone reads what is outside"
    with pytest.raises(UnsafeSourceError, match=str(folder / "outside")):
        render_kustomize(folder / "root/overlays/p", binary=kustomize)
