# SPDX-License-Identifier: Apache-2.0
"""With what Flux's processes are started: what their Deployments say, but for what can not be as in a pod."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from pulumi_gitops.sandbox import hosting
from pulumi_gitops.sandbox.flux_host import FLUX
from pulumi_gitops.sandbox.hosting import Place
from pulumi_gitops.sandbox.processes import ProcessId

TOKEN = "canary-token"
ARGUMENTS = (
    "--events-addr=http://notification-controller.flux-system.svc.cluster.local./",
    "--log-level=debug",
    "--enable-leader-election",
    "--storage-path=/data",
    "--storage-adv-addr=source-controller.$(RUNTIME_NAMESPACE).svc.cluster.local.",
    "--default-service-account=$(RUNTIME_NAMESPACE)-default",
)


def deployment(name, args=ARGUMENTS, **pod):
    containers = [{"name": "sidecar", "args": ["--sidecar"]}, {"name": "manager", "args": list(args)}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers} | pod}}}


@pytest.fixture
def commands(tmp_path):
    """Return the commands of Deployments in the namespace `delivery` of a new sandbox."""

    def commands(*deployments, folder="sandbox"):
        home = tmp_path / folder
        home.mkdir(exist_ok=True)
        kubeconfig = {"users": [{"name": "admin", "user": {"token": TOKEN}}], "contexts": []}
        (home / "kubeconfig").write_text(json.dumps(kubeconfig))
        return FLUX.commands(
            Place(
                folder=home,
                namespace="delivery",
                ports={name: number for number, name in enumerate(FLUX.ports, start=5001)},
                binaries={name: Path("/bin") / name for name in FLUX.binaries},
                workloads={one["metadata"]["name"]: FLUX.settings(one) for one in deployments},
            )
        )

    return commands


def flags(command):
    """What a command's flags come to: of one that is given twice the last one counts."""
    return dict(argument.removeprefix("--").partition("=")[::2] for argument in command.argv[1:])


def test_only_what_is_installed_is_started(commands):
    assert commands() == {}
    assert set(commands(deployment("kustomize-controller"), deployment("image-reflector-controller"))) == {
        "kustomize-controller"
    }


def test_the_arguments_of_the_deployment_count(commands):
    known = commands(*(deployment(name) for name in FLUX.workloads))
    for name, command in known.items():
        assert command.argv[0] == f"/bin/{name}"
        given = flags(command)
        assert given["log-level"] == "debug"
        assert given["default-service-account"] == "delivery-default"
        assert command.env["RUNTIME_NAMESPACE"] == "delivery"
        assert "sidecar" not in given


def test_a_dependency_is_looked_at_soon_unless_the_deployment_says_when(commands):
    name = "kustomize-controller"
    assert flags(commands(deployment(name))[name])["requeue-dependency"] == "5s"
    assert flags(commands(deployment(name, ["--requeue-dependency=1m"]))[name])["requeue-dependency"] == "1m"


def test_all_addresses_are_on_loopback_and_no_port_is_given_twice(commands):
    known = commands(*(deployment(name) for name in FLUX.workloads))
    listening = []
    for command in known.values():
        given = flags(command)
        assert given["enable-leader-election"] == "false"
        listening += [given["metrics-addr"], given["health-addr"]]
    storage = flags(known["source-controller"])
    events = flags(known["notification-controller"])
    assert storage["storage-adv-addr"] == storage["storage-addr"]
    listening += [storage["storage-addr"], events["events-addr"], events["receiverAddr"]]
    assert len(set(listening)) == len(listening) == len(FLUX.ports)
    assert all(address.startswith("127.0.0.1:5") for address in listening)
    for name in ("source-controller", "kustomize-controller", "helm-controller"):
        assert flags(known[name])["events-addr"] == f"http://{events['events-addr']}/"


def test_each_acts_as_its_own_service_account_and_no_argument_tells_the_token(commands):
    known = commands(deployment("source-controller", serviceAccountName="fetcher"), deployment("helm-controller"))
    accounts = {}
    for name, command in known.items():
        path = Path(command.env["KUBECONFIG"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        (user,) = json.loads(path.read_text())["users"]
        assert user["user"]["token"] == TOKEN
        accounts[name] = user["user"]["as"]
        assert TOKEN not in repr((command.argv, command.env))
    assert accounts == {
        "source-controller": "system:serviceaccount:delivery:fetcher",
        "helm-controller": "system:serviceaccount:delivery:default",
    }


def test_each_writes_into_its_own_part_of_its_own_sandbox(commands, tmp_path):
    names = ("source-controller", "kustomize-controller")
    seen = set()
    for folder in ("one", "two"):
        for command in commands(*(deployment(name) for name in names), folder=folder).values():
            places = {command.env["HOME"], command.env["TMPDIR"], command.env["TUF_ROOT"]}
            assert all(Path(place).is_relative_to(tmp_path / folder / "flux" / command.name) for place in places)
            seen.add(command.env["HOME"])
    assert len(seen) == 4
    storage = flags(commands(deployment("source-controller"))["source-controller"])["storage-path"]
    assert Path(storage).is_relative_to(tmp_path / "sandbox" / "flux" / "source-controller")


def test_the_same_deployments_give_the_same_commands(commands):
    assert commands(deployment("source-controller")) == commands(deployment("source-controller"))


def test_what_runs_and_where_it_listens_is_on_record(tmp_path):
    assert (hosting.processes(tmp_path), hosting.ports(tmp_path)) == ({}, {})
    (tmp_path / "flux").mkdir()
    process = ProcessId(12, 34)
    hosting.save(tmp_path, FLUX, {"source-controller": process}, {"webhook-receiver": 5000})
    assert hosting.processes(tmp_path) == {"source-controller": process}
    assert hosting.ports(tmp_path) == {"webhook-receiver": 5000}
