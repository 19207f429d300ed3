# SPDX-License-Identifier: Apache-2.0
"""A sandbox that is up: a real API server for three users, pods that become ready, all of it private."""

from __future__ import annotations

import json
import ssl
import stat
import urllib.request
from pathlib import Path

import pytest

from pulumi_gitops.core.errors import ForbiddenError, InputError, SandboxError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.sandbox import Sandbox

from .conftest import eventually, listening

pytestmark = pytest.mark.sandbox

WEB = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example.com/web:1"}]},
        },
    },
}


def settings(name, namespace="default"):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}}


def test_the_api_server_is_ready_and_so_are_the_nodes(running, kubectl):
    assert kubectl(running, "get", "--raw", "/readyz") == "ok"
    nodes = json.loads(kubectl(running, "get", "nodes", "-o", "json"))["items"]
    assert [node["metadata"]["name"] for node in nodes] == ["node-1", "node-2"]
    assert all(process.alive for process in running.processes())


def test_its_certificate_is_verified_by_what_the_kubeconfig_carries(running):
    cluster = json.loads(running.kubeconfig.read_text())["clusters"][0]["cluster"]
    assert set(cluster) == {"server", "certificate-authority-data"}
    assert cluster["server"] == running.server
    trusted = ssl.create_default_context(cafile=str(running.folder / "pki" / "ca.crt"))
    request = urllib.request.Request(f"{running.server}/readyz", headers={"Authorization": f"Bearer {running.token}"})
    with urllib.request.urlopen(request, context=trusted) as answer:
        assert answer.read() == b"ok"
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(request, context=ssl.create_default_context())


def test_pods_become_ready_and_a_deleted_namespace_goes_away(running, kubectl):
    kubectl(running, "create", "namespace", "shop")
    kubectl(running, "apply", "-n", "shop", "-f", "-", stdin=json.dumps(WEB))
    kubectl(running, "rollout", "status", "-n", "shop", "deployment/web", "--timeout=60s")
    pods = json.loads(kubectl(running, "get", "pods", "-n", "shop", "-o", "json"))["items"]
    assert [pod["status"]["phase"] for pod in pods] == ["Running"] * 3
    kubectl(running, "delete", "namespace", "shop", "--timeout=60s")
    assert "shop" not in kubectl(running, "get", "namespaces")


def test_the_admin_may_do_all_the_viewer_may_read_and_nobody_may_nothing(running, connected):
    admin, viewer, nobody = (connected(running, user) for user in ("admin", "viewer", "nobody"))
    admin.create(settings("rights"))
    ref = ObjectRef("", "v1", "ConfigMap", "default", "rights")
    # The role `view` is put together by a controller after the start.
    assert eventually(lambda: may_list(viewer))
    assert viewer.get(ref)["metadata"]["name"] == "rights"
    with pytest.raises(ForbiddenError):
        viewer.create(settings("more"))
    with pytest.raises(ForbiddenError):
        viewer.list("v1", "Secret", namespace="default")
    with pytest.raises(ForbiddenError):
        nobody.get(ref)
    admin.delete(ref)
    with pytest.raises(InputError, match="known: admin, viewer, nobody"):
        running.kubeconfig_for("root")


def may_list(cluster):
    try:
        return bool(cluster.list("v1", "ConfigMap", namespace="default"))
    except ForbiddenError:
        return False


def test_only_the_owner_of_the_account_can_read_what_it_keeps(running):
    assert stat.S_IMODE(running.folder.stat().st_mode) == 0o700
    for name in ("kubeconfig", "kubeconfig-viewer", "kubeconfig-nobody", "state.json", "pki/tokens.csv"):
        assert stat.S_IMODE((running.folder / name).stat().st_mode) == 0o600, name
    open_keys = [path for path in (running.folder / "pki").iterdir() if path.stat().st_mode & 0o077]
    assert open_keys == []


def test_no_token_is_in_an_argument_or_a_log(running):
    tokens = [json.loads(path.read_text())["users"][0]["user"]["token"] for path in running.folder.glob("kubeconfig*")]
    assert len(set(tokens)) == 3
    shown = [Path(f"/proc/{process.pid}/cmdline").read_text() for process in running.processes()]
    shown += [path.read_text(errors="replace") for path in (running.folder / "logs").iterdir()]
    assert not [token for token in tokens if any(token in text for text in shown)]


def test_it_listens_on_loopback_only(running):
    addresses = listening(process.pid for process in running.processes())
    assert set(addresses.values()) == {"127.0.0.1"}
    assert {int(url.rpartition(":")[2]) for url in (running.server, running.git_url)} <= set(addresses)


def test_its_variables_lead_other_programs_to_it(running):
    env = running.env()
    assert set(env) == {"KUBECONFIG", "GIT_URL", "PATH", "NO_PROXY", "no_proxy"}
    assert (env["KUBECONFIG"], env["GIT_URL"]) == (str(running.kubeconfig), running.git_url)
    assert Path(env["PATH"].split(":")[0], "kubectl").exists()


def test_it_is_found_by_its_name(running):
    found = Sandbox.find("shared")
    assert (found.server, found.token, found.processes()) == (running.server, running.token, running.processes())
    assert "shared" in [sandbox.name for sandbox in Sandbox.all()]
    assert Sandbox.find("other") is None
    assert Sandbox.find("../shared") is None


def test_a_second_one_of_the_same_name_is_refused_with_the_way_out(running):
    with pytest.raises(SandboxError, match="'shared' is up already") as caught:
        Sandbox.start("shared")
    assert "sandbox down --name shared" in caught.value.hint
    assert all(process.alive for process in running.processes())


@pytest.mark.parametrize(
    ("name", "nodes"), [("Upper", 1), ("../x", 1), ("-a", 1), ("x" * 41, 1), ("ok", 0), ("ok", 101)]
)
def test_names_and_numbers_that_can_not_be_are_refused(name, nodes):
    before = Sandbox.all()
    with pytest.raises(InputError):
        Sandbox.start(name, nodes=nodes)
    assert len(Sandbox.all()) == len(before)


def test_logs_are_there_to_read(running):
    assert "Serving securely" in running.logs("kube-apiserver")
    with pytest.raises(InputError, match=r"known: .*etcd.*kwok"):
        running.logs("nginx")
    with pytest.raises(InputError):
        running.logs("../state.json")
