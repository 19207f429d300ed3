# SPDX-License-Identifier: Apache-2.0
"""Progress where there is no terminal: a line per object that changes state, and nothing that stops the work."""

from __future__ import annotations

import io
import os
import re

import pytest

from pulumi_gitops.commands.live import LiveTable
from pulumi_gitops.commands.progress import ProgressLines, progress_on
from pulumi_gitops.core import redact
from pulumi_gitops.core.deploy import Progress
from pulumi_gitops.core.objects import ObjectRef

WEB = ObjectRef("apps", "v1", "Deployment", "shop", "web")


@pytest.fixture
def stream():
    return io.StringIO()


def tell(lines, phase, message, done=0, total=3, ref=WEB):
    lines(Progress(phase, message, done, total, ref))


def said(stream):
    """Return the lines without the seconds, which each of them has."""
    lines = stream.getvalue().splitlines()
    assert all(re.match(r"\[ +\d+\.\d s\] ", line) for line in lines)
    return [line.partition("] ")[2] for line in lines]


def test_an_object_that_changes_state_is_a_line_and_one_that_only_counts_up_is_none(stream):
    lines = ProgressLines(stream)
    tell(lines, "apply", "configure Deployment shop/web", done=1)
    tell(lines, "wait", "Deployment shop/web: LessAvailable: 1 of 3 pods available")
    tell(lines, "wait", "Deployment shop/web: LessAvailable: 2 of 3 pods available")
    tell(lines, "wait", "Deployment shop/web: ready", done=1)
    assert said(stream) == [
        "apply 1/3  configure Deployment shop/web",
        "wait 0/3  Deployment shop/web: LessAvailable: 1 of 3 pods available",
        "wait 1/3  Deployment shop/web: ready",
    ]


def test_what_is_about_no_object_is_always_told(stream):
    lines = ProgressLines(stream)
    tell(lines, "lock", "waiting for ann@host", total=0, ref=None)
    tell(lines, "remove", "1 of 2 objects removed", done=1, total=2, ref=None)
    tell(lines, "remove", "2 of 2 objects removed", done=2, total=2, ref=None)
    assert said(stream) == [
        "lock  waiting for ann@host",
        "remove 1/2  1 of 2 objects removed",
        "remove 2/2  2 of 2 objects removed",
    ]


def test_a_rollback_tells_the_states_of_the_same_objects_anew(stream):
    lines = ProgressLines(stream)
    for _ in range(2):
        tell(lines, "wait", "Deployment shop/web: ready")
    tell(lines, "rollback", "going back to revision 2", total=0, ref=None)
    tell(lines, "wait", "Deployment shop/web: ready")
    assert len(said(stream)) == 3


def test_a_message_is_one_line_without_secrets_and_escape_sequences(stream):
    redact.register("canary-value")
    tell(ProgressLines(stream), "wait", "Deployment shop/web: Failed: canary-value\n\x1b[2J::set-env name=PATH::x")
    assert said(stream) == ["wait 0/3  Deployment shop/web: Failed: *** �[2J::set-env name=PATH::x"]


def test_a_reader_that_has_gone_does_not_stop_the_work():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        lines = ProgressLines(stream)
        for done in range(3):
            tell(lines, "remove", f"{done} of 3 objects removed", done=done, ref=None)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "expected"),
    [
        (Terminal(), {"TERM": "xterm"}, LiveTable),
        (io.StringIO(), {"TERM": "xterm"}, ProgressLines),
        (Terminal(), {"TERM": "dumb"}, ProgressLines),
        (Terminal(), {}, ProgressLines),
        (Terminal(), {"TERM": "xterm", "GITHUB_ACTIONS": "true"}, ProgressLines),
        (Terminal(), {"TERM": "xterm", "GITLAB_CI": "true"}, ProgressLines),
    ],
)
def test_a_table_needs_a_terminal_that_can_move_its_cursor(stream, environ, expected):
    assert type(progress_on(stream, "deploy shop/shop", environ)) is expected
