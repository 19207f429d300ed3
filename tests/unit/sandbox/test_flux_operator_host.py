# SPDX-License-Identifier: Apache-2.0
"""With what Flux Operator is started: as its Deployment says, but without network and on loopback only."""

from __future__ import annotations

import json
from pathlib import Path

from pulumi_gitops.sandbox.builder import built_folder
from pulumi_gitops.sandbox.catalogue import GO_TOOLS
from pulumi_gitops.sandbox.flux_operator_host import FLUX_OPERATOR
from pulumi_gitops.sandbox.hosting import Place


def place(folder, *deployments):
    (folder / "kubeconfig").write_text(json.dumps({"users": [{"name": "admin", "user": {"token": "canary-token"}}]}))
    return Place(
        folder=folder,
        namespace="delivery",
        ports={name: number for number, name in enumerate(FLUX_OPERATOR.ports, start=5001)},
        binaries={name: Path("/bin") / name for name in FLUX_OPERATOR.binaries},
        workloads={one["metadata"]["name"]: FLUX_OPERATOR.settings(one) for one in deployments},
    )


def test_it_acts_as_its_account_reads_manifests_of_its_module_and_listens_on_loopback(tmp_path):
    pod = {"containers": [{"name": "manager", "args": ["--log-level=debug"]}], "serviceAccountName": "operator"}
    deployment = {"metadata": {"name": "flux-operator"}, "spec": {"template": {"spec": pod}}}
    [command] = FLUX_OPERATOR.commands(place(tmp_path, deployment)).values()
    assert command.argv[:2] == ("/bin/flux-operator", "--log-level=debug")
    flags = dict(argument.removeprefix("--").partition("=")[::2] for argument in command.argv[1:])
    assert flags["storage-path"] == str(built_folder(GO_TOOLS["flux-operator"]) / "config/data")
    assert {flags["metrics-addr"], flags["health-addr"]} == {"127.0.0.1:5001", "127.0.0.1:5002"}
    assert flags["web-server-port"] == "0"
    assert command.env["RUNTIME_NAMESPACE"] == "delivery"
    [user] = json.loads(Path(command.env["KUBECONFIG"]).read_text())["users"]
    assert user["user"]["as"] == "system:serviceaccount:delivery:operator"
    assert Path(command.env["KUBECONFIG"]).stat().st_mode & 0o777 == 0o600
    assert "canary" not in str(command.argv)


def test_without_its_deployment_nothing_is_started(tmp_path):
    assert FLUX_OPERATOR.commands(place(tmp_path)) == {}
