# SPDX-License-Identifier: Apache-2.0
"""The lock of a release: who is dead, who is only silent, and who may give it back. Real leases are in the
integration tests."""

from __future__ import annotations

import copy
import itertools
import os
import subprocess
import sys

import pytest

from pulumi_gitops.core.deploy import locking
from pulumi_gitops.core.deploy.locking import ReleaseLock
from pulumi_gitops.core.errors import (
    AlreadyExistsError,
    ClusterUnreachableError,
    ConflictError,
    LockedError,
    NotFoundError,
)


class Leases:
    """One Lease with the server's compare-and-swap; `lose` answers of the next requests."""

    def __init__(self):
        self.lease, self.versions, self.lose, self.away = None, itertools.count(1), 0, False

    def create(self, lease):
        if self.lease is not None:
            raise AlreadyExistsError("there")
        return self._store({**lease, "metadata": {**lease["metadata"], "uid": "u1"}})

    def replace(self, lease):
        self._reach()
        if self.lease is None:
            raise NotFoundError("gone")
        if lease["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise ConflictError("changed meanwhile")
        return self._store({**lease, "metadata": {**lease["metadata"], "uid": self.lease["metadata"]["uid"]}})

    def find(self, _):
        self._reach()
        return copy.deepcopy(self.lease)

    def delete(self, _, *, uid):
        self._reach()
        if self.lease is not None and self.lease["metadata"]["uid"] != uid:
            raise ConflictError("another one")
        self.lease = None

    def _reach(self):
        if self.away:
            raise ClusterUnreachableError("the API server is away")

    def _store(self, lease):
        lease["metadata"]["resourceVersion"] = str(next(self.versions))
        self.lease = copy.deepcopy(lease)
        if self.lose:
            self.lose -= 1
            raise AlreadyExistsError("the transport tried again: the first answer was lost")
        return lease

    @property
    def holder(self):
        return self.lease and self.lease["spec"]["holderIdentity"]


@pytest.fixture
def leases():
    return Leases()


@pytest.fixture
def clock(monkeypatch):
    """A clock that only moves when it is set."""
    now = [1000.0]
    monkeypatch.setattr(locking, "_clock", lambda: now[0])
    return now


def lock(leases, timeout=0.0, told=None):
    return ReleaseLock(leases, "web", "shop", timeout=timeout, progress=(told if told is not None else []).append)


def taken_over(leases):
    """Another run takes the lock over: the same object with another holder."""
    body = copy.deepcopy(leases.lease)
    body["spec"]["holderIdentity"] = "other"
    leases.replace(body)


def test_a_lock_is_a_lease_that_names_its_holder_and_goes_at_the_end(leases):
    with lock(leases) as held:
        held.check()
        assert leases.lease["metadata"]["name"] == "pulumi-gitops.web"
        assert f"@{os.uname().nodename}/{os.getpid()}/" in leases.holder
        assert leases.lease["spec"]["leaseDurationSeconds"] == 15
    assert leases.lease is None


def test_it_goes_as_well_when_the_run_fails(leases):
    with pytest.raises(ZeroDivisionError), lock(leases):
        raise ZeroDivisionError
    assert leases.lease is None


def test_a_second_run_is_told_who_holds_it_and_since_when(leases):
    with lock(leases):
        holder = leases.holder
        with pytest.raises(LockedError, match=r"release shop/web is being deployed by .* waited 0 s") as caught:
            lock(leases).__enter__()
        assert caught.value.details["holder"] == holder
        with pytest.raises(LockedError):
            lock(leases, timeout=0.01, told=(told := [])).__enter__()
        assert [step.message for step in told] == [f"waiting for {holder}, which deploys shop/web"]
        assert leases.holder == holder


def test_a_silent_run_does_not_give_back_a_lock_that_another_one_has_taken(leases, clock):
    held = lock(leases).__enter__()
    taken_over(leases)
    clock[0] += 60  # the machine slept
    held.__exit__(None, None, None)
    assert leases.holder == "other"


def test_a_silent_run_looks_whether_the_lock_is_still_its_own(leases, clock):
    with lock(leases) as held:
        version = leases.lease["metadata"]["resourceVersion"]
        clock[0] += 9
        held.check()
        assert leases.lease["metadata"]["resourceVersion"] == version, "no request while it is sure"
        clock[0] += 9
        held.check()
        assert leases.lease["metadata"]["resourceVersion"] != version
        taken_over(leases)
        clock[0] += 11
        with pytest.raises(LockedError, match="was lost"):
            held.check()
    assert leases.holder == "other"


def test_a_run_that_can_not_tell_whether_the_lock_is_its_own_stops(leases, clock):
    with lock(leases) as held:
        leases.away = True
        held.check()  # a while without a server costs nobody the lock
        clock[0] += 11
        with pytest.raises(LockedError, match="the API server is away"):
            held.check()
    leases.away = False
    assert leases.lease is not None, "it expires by itself"


def test_a_lease_that_somebody_labelled_and_one_whose_answer_got_lost_are_still_ours(leases, clock):
    with lock(leases) as held:
        leases.replace({**leases.lease, "metadata": {**leases.lease["metadata"], "labels": {"seen": "yes"}}})
        clock[0] += 11
        held.check()
        assert leases.lease["metadata"]["labels"] == {"seen": "yes"}
    leases.lose = 1
    with lock(leases) as held:
        held.check()
    assert leases.lease is None


# --- who is dead -----------------------------------------------------------------------------------------------------


def lease_of(process):
    return {"metadata": {"annotations": {"pulumi-gitops/process": process}}, "spec": {"leaseTransitions": 4}}


def named(pid):
    return f"{locking._machine()}/{pid}/{locking._started(pid)}"


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_living_process_is_alive_and_one_that_ended_is_dead_even_before_it_is_reaped(child):
    assert not locking._is_dead(lease_of(locking._this_process()))
    process = named(child.pid)
    assert not locking._is_dead(lease_of(process))
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert locking._is_dead(lease_of(process))
    child.wait()
    assert locking._is_dead(lease_of(process))


def test_a_process_that_got_the_number_of_a_dead_one_does_not_keep_its_lock(leases, child):
    machine, _, started = named(child.pid).rpartition("/")
    process = f"{machine}/{int(started) + 1}"
    assert locking._is_dead(lease_of(process))
    leases.lease = {
        **lease_of(process),
        "metadata": {**lease_of(process)["metadata"], "resourceVersion": "1", "uid": "u"},
    }
    with lock(leases):
        assert leases.holder != "other"
        assert leases.lease["spec"]["leaseTransitions"] == 5


@pytest.mark.parametrize(
    "process",
    [
        "",
        *"x / // {boot}/1/1 other-boot/pid:[1]/{pid}/1 {machine}/x/1 {machine}/²/1 {machine}/0/1 {machine}/{pid}/ "
        "{machine}/9999999999999999999999/1".split(),
    ],
)
def test_whoever_can_not_be_told_to_be_dead_counts_as_alive(process):
    machine = locking._machine()
    text = process.format(machine=machine, boot=machine.split("/")[0], pid=os.getpid())
    assert not locking._is_dead(lease_of(text))
    assert not locking._is_dead({"metadata": {}})


def test_a_process_of_another_user_that_proc_hides_counts_as_alive(monkeypatch, child):
    process = named(child.pid)

    def refused(pid, signal):
        raise PermissionError

    with monkeypatch.context() as patched:
        patched.setattr(os, "kill", refused)
        patched.setattr(locking, "_started", lambda pid: "")
        assert not locking._is_dead(lease_of(process))


def test_a_machine_without_proc_tells_nobody_to_be_dead(monkeypatch):
    process = locking._this_process()
    monkeypatch.setattr(locking, "_machine", lambda: "")
    assert not locking._is_dead(lease_of(process))
    assert not locking._is_dead(lease_of("/1/1"))


def test_a_user_without_an_entry_in_the_password_database_is_named_by_number(monkeypatch):
    monkeypatch.setattr(locking.getpass, "getuser", lambda: (_ for _ in ()).throw(OSError()))
    assert locking._user() == str(os.getuid())
