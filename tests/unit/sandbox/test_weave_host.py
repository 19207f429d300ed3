# SPDX-License-Identifier: Apache-2.0
"""With what the server of Weave GitOps is started: what its Deployment says, on loopback, with its own rights."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from pulumi_gitops.core.process import Completed
from pulumi_gitops.sandbox import weave_host
from pulumi_gitops.sandbox.hosting import Place
from pulumi_gitops.sandbox.weave_host import API, WEAVE_GITOPS

TOKEN, ISSUED = "canary-admin", "canary-issued"
ARGUMENTS = ["--log-level", "debug", "--enable-metrics", "--metrics-address=:2112", "--host=0.0.0.0"]


def deployment(name="weave-gitops", args=ARGUMENTS, **pod):
    env = [{"name": "WEAVE_GITOPS_FEATURE_TENANCY", "value": "true"}]
    containers = [{"name": "weave-gitops", "args": list(args), "env": env}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers} | pod}}}


@pytest.fixture
def tokens(monkeypatch):
    """The arguments of every call that asks for a token of a ServiceAccount."""
    asked = []

    def run(argv, *, timeout, env):
        asked.append((argv, env["KUBECONFIG"]))
        return Completed(f"{ISSUED}\n", "", 0)

    monkeypatch.setattr(weave_host, "run", run)
    return asked


@pytest.fixture
def commands(tmp_path, tokens):
    """Return the commands of Deployments in the namespace `delivery` of a sandbox."""

    def commands(*deployments):
        contexts = [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin"}}]
        kubeconfig = {"users": [{"name": "admin", "user": {"token": TOKEN}}], "contexts": contexts}
        (tmp_path / "kubeconfig").write_text(json.dumps(kubeconfig))
        return WEAVE_GITOPS.commands(
            Place(
                folder=tmp_path,
                namespace="delivery",
                ports={name: number for number, name in enumerate(WEAVE_GITOPS.ports, start=5001)},
                binaries={name: Path("/bin") / name for name in WEAVE_GITOPS.binaries},
                workloads={one["metadata"]["name"]: WEAVE_GITOPS.settings(one) for one in deployments},
            )
        )

    return commands


def test_nothing_is_started_without_its_deployment(commands, tokens):
    assert commands() == commands(deployment("other")) == {}
    assert tokens == []


def test_the_arguments_and_variables_of_the_deployment_count_but_it_listens_on_loopback(commands):
    command = commands(deployment())[API]
    assert command.argv[0] == f"/bin/{API}"
    assert command.argv[1:3] == ("--log-level", "debug")
    # Of a flag that is given twice the last one counts.
    given = dict(argument.partition("=")[::2] for argument in command.argv[3:])
    assert given["--host"] == "127.0.0.1"
    assert given["--metrics-address"].startswith("127.0.0.1:")
    assert given["--metrics-address"] != f"127.0.0.1:{given['--port']}"
    assert "--insecure" in given
    assert command.env["WEAVE_GITOPS_FEATURE_TENANCY"] == "true"


def test_it_has_the_rights_of_its_service_account_and_not_those_of_an_administrator(commands, tokens, tmp_path):
    command = commands(deployment(serviceAccountName="dashboard"))[API]
    (argv, kubeconfig), *more = tokens
    assert (argv[1:4], kubeconfig, more) == (["create", "token", "dashboard"], str(tmp_path / "kubeconfig"), [])
    assert "--namespace=delivery" in argv
    path = Path(command.env["KUBECONFIG"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = json.loads(path.read_text())
    assert content["users"] == [{"name": "admin", "user": {"token": ISSUED}}]
    assert content["contexts"][0]["context"]["namespace"] == "delivery"
    assert ISSUED not in repr((command.argv, command.env))


def test_the_same_deployment_gives_the_same_command(commands):
    assert commands(deployment()) == commands(deployment())
    assert commands(deployment()) != commands(deployment(args=["--insecure"]))
