# SPDX-License-Identifier: Apache-2.0
"""Whoever waits for a build sees which tool it is at, how many are left, and that it is alive."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from pulumi_gitops.sandbox import progress
from pulumi_gitops.sandbox.progress import BuildProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when the test says so."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def test_a_log_gets_a_line_at_least_every_30_seconds_and_no_control_characters(clock):
    log = io.StringIO()
    display = BuildProgress(log)
    display.begin("Argo CD", 2, 8)
    for _ in range(65):
        clock.now += 1
        display.tick()
    display.end("built")
    assert log.getvalue().splitlines() == [
        "building Argo CD (2 of 8), 0 s",
        "building Argo CD (2 of 8), 30 s",
        "building Argo CD (2 of 8), 1 min 00 s",
        "built Argo CD (2 of 8), 1 min 05 s",
    ]


def test_a_log_says_at_once_that_something_else_is_going_on(clock):
    log = io.StringIO()
    display = BuildProgress(log)
    display.begin("etcd", 2, 2)
    display.tick("waiting for another build of")
    display.tick("waiting for another build of")
    display.tick()
    assert log.getvalue().splitlines() == [
        "building etcd (2 of 2), 0 s",
        "waiting for another build of etcd (2 of 2), 0 s",
        "building etcd (2 of 2), 0 s",
    ]


def test_a_terminal_shows_one_line_per_tool_that_is_refreshed(clock):
    terminal = Terminal()
    display = BuildProgress(terminal)
    display.begin("etcd", 2, 2)
    clock.now += 1
    display.tick()
    display.end("built")
    clear = "\r\x1b[2K"
    assert terminal.getvalue() == (
        f"{clear}building etcd (2 of 2), 0 s{clear}building etcd (2 of 2), 1 s{clear}built etcd (2 of 2), 1 s\n"
    )


def test_the_first_tool_is_announced_with_how_long_all_of_it_takes(clock):
    log = io.StringIO()
    display = BuildProgress(log)
    assert not log.getvalue()
    display.begin("etcd", 1, 8)
    assert "20 minutes" in log.getvalue().splitlines()[0]
