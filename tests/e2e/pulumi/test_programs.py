# SPDX-License-Identifier: Apache-2.0
"""Ways to write and run a program: the shipped example, explicit clusters, other languages, the Automation API."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pulumi import automation

from pulumi_gitops.core.git import Credentials, commit_files, read_files
from pulumi_gitops.core.objects import ObjectRef

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "pulumi" / "argocd"
CONFIG_MAP = (
    '{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "web"}}, "data": {{"color": "{color}"}}}}'
)


def test_the_example_runs_as_it_is(stack, cluster):
    for file in EXAMPLE.iterdir():
        shutil.copy(file, stack.folder)
    stack.pulumi("stack", "init", "dev")
    stack.pulumi("up", "--yes")
    assert stack.outputs() == {"argocd": "3.5.7", "billing revision": 1}
    again = stack.pulumi("up", "--yes", "--expect-no-changes")
    assert "unchanged" in again
    assert len(stack.state()) < 100_000

    service = ObjectRef("", "v1", "Service", "argocd", "argocd-server")
    selector = cluster.get(service)["spec"]["selector"]
    cluster.patch(service, {"spec": {"selector": {"app.kubernetes.io/name": "by-hand"}}})
    stack.pulumi("refresh", "--yes")
    drifted = stack.pulumi("preview", "--diff")
    assert "Service/argocd/argocd-server" in drifted
    assert "Deployment/argocd" not in drifted, "exactly what drifted is shown"
    stack.up()
    assert cluster.get(service)["spec"]["selector"] == selector

    stack.pulumi("destroy", "--yes")
    for name in ("argocd", "billing"):
        assert cluster.find(ObjectRef("", "v1", "Namespace", "", name)) is None


def test_an_explicit_provider_leads_to_its_cluster(stack, cluster, sandbox, namespace):
    stack.env["KUBECONFIG"] = "/dev/null"
    program = """
config = pulumi.Config()
provider = gitops.Provider("cluster", {{"kubeconfig": config.require("kubeconfig")}})
release = gitops.Release("shop", {{"namespace": "{namespace}", "definition": {definition}}},
                         opts=pulumi.ResourceOptions(provider=provider))
"""
    stack.program(program.format(namespace=namespace, definition=CONFIG_MAP.format(color="blue")))
    kubeconfig = Path(sandbox.kubeconfig).read_text()
    stack.pulumi("config", "set", "--secret", "kubeconfig", stdin=kubeconfig)
    stack.pulumi("up", "--yes")
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "web"))["data"] == {"color": "blue"}
    state = json.loads(stack.state())
    inputs = {entry["type"]: entry["inputs"] for entry in state["deployment"]["resources"] if "inputs" in entry}
    assert "ciphertext" in inputs["pulumi:providers:gitops"]["kubeconfig"]

    stack.pulumi("config", "set", "kubeconfig", str(sandbox.kubeconfig))
    stack.program(program.format(namespace=namespace, definition=CONFIG_MAP.format(color="red")))
    said = stack.pulumi("up", "--yes")
    assert "replaced" not in said, "another way to the cluster is no reason to deploy anew"
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "web"))["data"] == {"color": "red"}


def test_a_kubernetes_provider_alone_is_refused(stack):
    stack.program(
        """
import pulumi_kubernetes as kubernetes
cluster = kubernetes.Provider("cluster", kubeconfig="/dev/null")
gitops.ArgoCD("argocd", {}, opts=pulumi.ResourceOptions(providers={"kubernetes": cluster}))
"""
    )
    assert "a kubernetes provider needs a gitops provider beside it" in stack.up(check=False)


def test_another_language_gets_components_from_the_plugin(stack, cluster, namespace, sandbox):
    """What the SDK of another language does: a remote component by its token and camelCase inputs."""
    password = "canary-4713-password"
    url = sandbox.create_repository(f"remote-{namespace}", "ci", password)
    stack.program(
        f"""
config = pulumi.Config()

class Remote(pulumi.ComponentResource):
    def __init__(self, kind, name, props, opts=None):
        super().__init__(f"gitops:index:{{kind}}", name, props, opts, remote=True)

names = Remote("Repository", "config", {{
    "url": "{url}", "username": "ci", "password": config.require_secret("password"), "namespace": "{namespace}",
    "secretName": None,
}})
pulumi.export("secret", names.secretName)
"""
    )
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    stack.pulumi("config", "set", "--secret", "password", stdin=password)
    said = stack.pulumi("up", "--yes")
    assert stack.outputs() == {"secret": "repo-config"}
    assert cluster.get(ObjectRef("", "v1", "Secret", namespace, "repo-config"))["data"]["password"]
    assert password not in said + stack.state()

    program = (stack.folder / "__main__.py").read_text()
    (stack.folder / "__main__.py").write_text(program.replace(f'"url": "{url}"', '"url": "ftp://example.com"'))
    wrong = stack.up(check=False)
    assert "is not an HTTP(S) URL of a repository" in wrong
    assert "provider/server.py" not in wrong, "no traceback of the provider"


def test_an_inline_program_deploys_files_beside_it(stack, cluster, namespace, tmp_path, monkeypatch):
    import pulumi_gitops as gitops

    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "web.yaml").write_text(CONFIG_MAP.format(color="blue"))
    monkeypatch.chdir(tmp_path)

    def program() -> None:
        gitops.Release("shop", {"namespace": namespace, "src": "deploy"})

    # The SDK starts the CLI that PATH of this process leads to.
    monkeypatch.setenv("PATH", stack.env["PATH"])
    workspace = automation.LocalWorkspaceOptions(env_vars=stack.env)
    inline = automation.create_stack("inline", project_name="inline", program=program, opts=workspace)
    inline.up()
    assert cluster.get(ObjectRef("", "v1", "ConfigMap", namespace, "web"))["data"] == {"color": "blue"}
    assert inline.up().summary.resource_changes == {"same": 2}
    state = json.dumps(inline.export_stack().deployment)
    assert "color: blue" not in state
    inline.destroy()
    assert cluster.find(ObjectRef("", "v1", "ConfigMap", namespace, "web")) is None


def test_files_are_committed_healed_and_removed(stack, sandbox, namespace):
    password = "canary-4714-password"
    url = sandbox.create_repository(f"files-{namespace}", "ci", password)
    credentials = Credentials("ci", password)
    program = """
config = pulumi.Config()
files = gitops.GitFiles("shop", {{
    "url": "{url}", "username": "ci", "password": config.require_secret("password"),
    "files": {{"apps/shop/color.yaml": "color: {color}\\n", "apps/shop/size.yaml": "size: 1\\n"}},
}})
pulumi.export("commit", files.commit)
pulumi.export("paths", files.changed_paths)
"""
    commit_files(url, "main", files={"README.md": "theirs\n"}, message="Start", credentials=credentials)
    stack.program(program.format(url=url, color="blue"))
    stack.pulumi("config", "set", "--secret", "password", stdin=password)
    stack.up()
    outputs = stack.outputs()
    assert outputs["paths"] == ["apps/shop/color.yaml", "apps/shop/size.yaml"]
    stack.pulumi("up", "--yes", "--expect-no-changes")

    commit_files(url, "main", files={"apps/shop/color.yaml": "color: red\n"}, message="Hand", credentials=credentials)
    refreshed = stack.pulumi("refresh", "--yes", "--diff")
    preview = stack.pulumi("preview", "--diff")
    assert "color: red" in preview
    assert "size.yaml" not in preview
    stack.up()
    found = read_files(url, "main", ["apps/shop/color.yaml"], credentials=credentials)
    assert found.files == {"apps/shop/color.yaml": b"color: blue\n"}
    assert password not in refreshed + preview + stack.state()

    stack.pulumi("destroy", "--yes")
    found = read_files(url, "main", ["apps/shop/color.yaml", "README.md"], credentials=credentials)
    assert found.files == {"apps/shop/color.yaml": None, "README.md": b"theirs\n"}
