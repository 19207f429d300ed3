# SPDX-License-Identifier: Apache-2.0
"""Which installation of a controller is served, told from the events of its workloads, and by which processes."""

from __future__ import annotations

import dataclasses
import sys

import pytest

from pulumi_gitops.core.cluster import DELETED, Event
from pulumi_gitops.core.errors import ClusterUnreachableError, NotFoundError, UnknownKindError
from pulumi_gitops.sandbox import hosting
from pulumi_gitops.sandbox.argocd_host import ARGOCD, unfinished
from pulumi_gitops.sandbox.flux_host import FLUX
from pulumi_gitops.sandbox.follower import Host, Installations, Volumes
from pulumi_gitops.sandbox.hosting import Hosted, Place
from pulumi_gitops.sandbox.processes import Command, kill

CONTROLLER = "argocd-application-controller"


def event(namespace, *, name=CONTROLLER, change="MODIFIED", replicas=1, uid=None, args=(), **metadata):
    metadata = {"uid": uid or f"uid-of-{namespace}-{name}", "name": name, "namespace": namespace, **metadata}
    pod = {"containers": [{"name": "manager", "args": list(args)}], "serviceAccountName": name}
    return Event(change, {"metadata": metadata, "spec": {"replicas": replicas, "template": {"spec": pod}}})


@pytest.fixture
def seen():
    installations = Installations(ARGOCD)
    installations.take(event("argocd"))
    return installations


def test_nothing_is_served_before_an_installation():
    assert Installations(ARGOCD).namespace == ""
    assert Installations(FLUX).workloads == {}


def test_the_first_installation_is_served_until_it_is_removed(seen):
    seen.take(event("second"))
    assert seen.namespace == "argocd"
    seen.take(event("argocd", change=DELETED))
    assert seen.namespace == "second"


def test_a_workload_that_is_being_deleted_counts_as_removed(seen):
    seen.take(event("argocd", deletionTimestamp="2026-01-01T00:00:00Z"))
    assert (seen.namespace, seen.removed) == ("", {("argocd", CONTROLLER)})


def test_a_workload_at_zero_is_not_served_and_not_removed(seen):
    seen.take(event("argocd", replicas=0))
    assert (seen.namespace, seen.removed) == ("", set())
    seen.take(event("argocd", replicas=1))
    assert seen.namespace == "argocd"


def test_a_new_installation_in_the_same_namespace_is_served_again(seen):
    seen.take(event("argocd", change=DELETED))
    seen.take(event("argocd", uid="another"))
    assert (seen.namespace, seen.removed) == ("argocd", set())


def test_workloads_that_decide_nothing_are_ignored():
    installations = Installations(ARGOCD)
    installations.take(event("argocd", name="argocd-dex-server"))
    assert installations.namespace == ""


def test_of_argo_cd_only_the_controller_that_processes_finalizers_stays_for_them(seen):
    seen.take(event("argocd", name="argocd-server"))
    served = seen.workloads
    assert seen.lingering("argocd", served) == {}
    seen.take(event("argocd", change=DELETED))
    seen.take(event("argocd", name="argocd-server", change=DELETED))
    assert seen.lingering("argocd", served) == {CONTROLLER: None}
    assert seen.lingering("other", served) == {}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Where Argo CD is told to run, for some of its workloads."""
    monkeypatch.setattr("pulumi_gitops.sandbox.argocd_host.bin_dir", lambda _: tmp_path)
    ports = {name: number for number, name in enumerate(ARGOCD.ports, 40000)}
    binaries = {name: tmp_path / name for name in ARGOCD.binaries}
    return lambda *workloads: Place(tmp_path, "argocd", ports, binaries, dict.fromkeys(workloads))


def test_of_argo_cd_what_has_a_deployment_of_its_own_comes_and_goes_without_the_others_being_restarted(place):
    core, more = ARGOCD.commands(place(CONTROLLER)), ARGOCD.commands(place(CONTROLLER, "argocd-server"))
    assert set(more) - set(core) == {"argocd-server"}
    assert "argocd-applicationset-controller" not in core
    assert {name: more[name] for name in core} == core
    assert ARGOCD.commands(place("argocd-server", "argocd-applicationset-controller")) == {}


def test_changed_arguments_of_argo_cd_change_nothing(seen):
    before = seen.workloads
    seen.take(event("argocd", args=["--app-resync=60"]))
    assert seen.workloads == before


def test_argo_cd_verifies_signatures_when_its_repo_server_says_so_outright(seen, place):
    told = event("argocd", name="argocd-repo-server")
    seen.take(told)
    assert seen.workloads == {CONTROLLER: None, "argocd-repo-server": None}
    [container] = told.object["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": "ARGOCD_GPG_ENABLED", "value": "true"}]
    seen.take(told)
    given = place(*seen.workloads)
    assert [
        ARGOCD.commands(dataclasses.replace(given, workloads=workloads))["argocd-repo-server"].env["ARGOCD_GPG_ENABLED"]
        for workloads in (given.workloads, seen.workloads)
    ] == ["false", "true"]


def test_of_flux_every_deployment_decides_for_itself():
    installations = Installations(FLUX)
    for name in ("source-controller", "kustomize-controller", "image-reflector-controller"):
        installations.take(event("flux-system", name=name))
    installations.take(event("tenant", name="helm-controller"))
    assert installations.namespace == "flux-system"
    assert set(installations.workloads) == {"source-controller", "kustomize-controller"}
    installations.take(event("flux-system", name="source-controller", change=DELETED))
    assert set(installations.workloads) == {"kustomize-controller"}


def test_of_flux_arguments_and_account_of_a_deployment_count_but_not_its_status():
    installations = Installations(FLUX)
    installations.take(event("flux-system", name="kustomize-controller", args=["--concurrent=4"]))
    before = installations.workloads
    installations.take(event("flux-system", name="kustomize-controller", args=["--concurrent=4"], generation=2))
    assert installations.workloads == before
    installations.take(event("flux-system", name="kustomize-controller", args=["--concurrent=8"]))
    assert installations.workloads != before


class Applications:
    """A cluster that answers one question."""

    def __init__(self, answer):
        self.answer = answer

    def list(self, api_version, kind, *, namespace):
        assert (api_version, kind, namespace) == ("argoproj.io/v1alpha1", "Application", "argocd")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ([], False),
        ([{"metadata": {"name": "a"}}], False),
        ([{"metadata": {"name": "a"}}, {"metadata": {"name": "b", "finalizers": ["x"]}}], True),
        (UnknownKindError("no CRD"), False),
        (NotFoundError("no CRD any more"), False),
        (ClusterUnreachableError("restarts"), True),
    ],
)
def test_work_is_left_while_an_application_has_a_finalizer(answer, expected):
    assert unfinished(Applications(answer), "argocd") is expected


def sleepers(place):
    """A process per workload, which sleeps; its settings are its last argument."""
    FAKE.home(place.folder).mkdir(exist_ok=True)
    sleep = (sys.executable, "-c", "import time; time.sleep(600)")
    return {name: Command(name, (*sleep, str(settings)), {}) for name, settings in place.workloads.items()}


FAKE = Hosted(
    name="fake",
    title="Fake",
    binaries=(),
    ports=("first", "second"),
    kinds=("Deployment",),
    selector="app=fake",
    workloads=("a", "b"),
    settings=lambda _: None,
    commands=sleepers,
    unfinished=lambda _cluster, _namespace: False,
)


def config_map(namespace, name, change="ADDED", **data):
    return Event(change, {"metadata": {"namespace": namespace, "name": name}, "data": data})


def test_volumes_are_those_of_the_namespace_that_is_served_and_outlive_their_config_map():
    volumes = Volumes(ARGOCD)
    volumes.take(config_map("argocd", "argocd-ssh-known-hosts-cm", ssh_known_hosts="a"))
    volumes.take(config_map("other", "argocd-ssh-known-hosts-cm", ssh_known_hosts="b"))
    assert volumes.of("argocd") == {"ssh": {"ssh_known_hosts": "a"}}
    volumes.take(config_map("argocd", "argocd-ssh-known-hosts-cm", DELETED))
    volumes.take(Event("ADDED", {"metadata": {"namespace": "argocd", "name": "argocd-tls-certs-cm"}}))
    assert volumes.of("argocd") == {"ssh": {"ssh_known_hosts": "a"}, "tls": {}}
    assert volumes.of("") == {}


@pytest.fixture
def host(tmp_path):
    (tmp_path / "logs").mkdir()
    host = Host(tmp_path, FAKE)
    yield host
    host.serve("", {})


def test_a_process_runs_for_every_workload_that_is_there(host, tmp_path):
    host.serve("apps", {"a": 1})
    first = hosting.processes(tmp_path)
    assert [(name, process.alive) for name, process in first.items()] == [("a", True)]
    host.serve("apps", {"a": 1, "b": 1})
    assert hosting.processes(tmp_path)["a"] == first["a"]
    host.serve("apps", {"b": 1})
    assert set(hosting.processes(tmp_path)) == {"b"}
    assert not first["a"].alive


def test_only_the_process_whose_settings_change_is_started_anew_and_ports_stay(host, tmp_path):
    host.serve("apps", {"a": 1, "b": 1})
    before, ports = hosting.processes(tmp_path), hosting.ports(tmp_path)
    host.serve("apps", {"a": 2, "b": 1})
    after = hosting.processes(tmp_path)
    assert after["b"] == before["b"]
    assert (before["a"].alive, after["a"].alive) == (False, True)
    assert hosting.ports(tmp_path) == ports
    assert set(ports) == {"first", "second"}


def test_another_namespace_gets_new_processes_and_none_gets_none(host, tmp_path):
    host.serve("apps", {"a": 1})
    before = hosting.processes(tmp_path)["a"]
    host.serve("other", {"a": 1})
    after = hosting.processes(tmp_path)["a"]
    assert (before.alive, after.alive, host.namespace) == (False, True, "other")
    host.serve("", {})
    assert (after.alive, hosting.processes(tmp_path), FAKE.home(tmp_path).exists()) == (False, {}, False)


def test_one_that_dies_is_started_again_at_once_the_first_time(host, tmp_path, capsys):
    host.serve("apps", {"a": 1, "b": 1})
    before = hosting.processes(tmp_path)
    kill([before["a"]])
    host.check()
    after = hosting.processes(tmp_path)
    assert after["b"] == before["b"]
    assert after["a"].alive
    assert "a has died and is started again" in capsys.readouterr().out


def test_one_that_dies_for_a_taken_port_gets_another_with_all_others(host, tmp_path):
    host.serve("apps", {"a": 1, "b": 1})
    before, ports = hosting.processes(tmp_path), hosting.ports(tmp_path)
    kill([before["a"]])
    (tmp_path / "logs" / "a.log").write_text("listen tcp 127.0.0.1:1: bind: address already in use\n")
    host.check()
    after = hosting.processes(tmp_path)
    assert all(process.alive for process in after.values())
    assert not before["b"].alive
    assert hosting.ports(tmp_path) != ports


def test_files_of_volumes_come_change_go_and_are_there_for_new_processes(host, tmp_path):
    folder = FAKE.home(tmp_path) / "tls"
    host.mount({"tls": {"a.example.com": "1", "b.example.com": "1"}})
    assert not folder.exists()
    host.serve("apps", {"a": 1})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.example.com": "1", "b.example.com": "1"}
    host.mount({"tls": {"a.example.com": "2"}})
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"a.example.com": "2"}
    host.serve("other", {"a": 1})
    assert (folder / "a.example.com").read_text() == "2"
