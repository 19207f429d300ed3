# SPDX-License-Identifier: Apache-2.0
"""The live table as lines: what matters most is seen, and it never outgrows the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_gitops.commands.table import Board, Rank, Row, _cells, screen
from pulumi_gitops.core.deploy import Progress
from pulumi_gitops.core.objects import ObjectRef

WEB = ObjectRef("apps", "v1", "Deployment", "shop", "web")
SETTINGS = ObjectRef("", "v1", "ConfigMap", "shop", "settings")


def row(name, state="ready", rank=Rank.DONE, since=0.0, until=None):
    return Row(name, state, rank, since, until if rank is not Rank.DONE else until or 5.0)


def lines(*rows, width=80, height=24, now=10.0, note=""):
    return screen(rows, title="deploy shop/shop", note=note, width=width, height=height, now=now)


def test_a_row_has_object_state_and_seconds_in_columns():
    found = lines(
        row("Deployment shop/web", "LessAvailable: 1 of 3", Rank.WAITING, since=2.0),
        row("ConfigMap shop/a", until=14.0),
    )
    assert found == [
        "deploy shop/shop",
        ". Deployment shop/web  LessAvailable: 1 of 3   8 s",
        "+ ConfigMap shop/a     ready                  14 s",
    ]


def test_what_fails_comes_first_then_what_is_waited_for_longest_then_what_got_ready_last():
    found = lines(
        row("ready-early", until=3.0),
        row("young", "Pending", Rank.WAITING, since=8.0),
        row("failing", "CrashLoopBackOff", Rank.FAILING, since=9.0),
        row("ready-late", until=9.0),
        row("old", "Pending", Rank.WAITING, since=1.0),
    )
    assert [line.split()[1] for line in found[1:]] == ["failing", "old", "young", "ready-late", "ready-early"]
    assert [line[0] for line in found[1:]] == ["!", ".", ".", "+", "+"]


def test_what_has_no_room_is_counted():
    rows = [row(f"ready-{n:02}") for n in range(30)]
    rows += [row(f"waiting-{n}", "Pending", Rank.WAITING) for n in range(4)]
    found = lines(*rows, height=6)
    assert [line.split()[1] for line in found[1:4]] == ["waiting-0", "waiting-1", "waiting-2"]
    assert found[4] == "  and 31 more: 1 waiting, 30 done"
    assert len(found) == 5


def test_on_two_lines_there_is_room_for_the_counts_alone():
    rows = [row("bad", "Failed", Rank.FAILING), row("a"), row("b")]
    assert lines(*rows, height=3) == ["deploy shop/shop", "  1 failing, 2 done"]
    assert lines(*rows, height=1) == lines(*rows, height=2) == ["deploy shop/shop"]


def test_long_names_and_states_are_cut_and_the_seconds_stay():
    found = lines(row("Deployment " + "x" * 63, "Pending: " + "y" * 200, Rank.WAITING), width=60)
    assert len(found[1]) == 59
    assert "..." in found[1][:30]
    assert found[1].endswith("...  10 s")


def test_a_note_is_shown_where_there_is_room():
    assert lines(note="waiting for ann@host, which deploys shop/shop")[1].startswith("  waiting for ann@host")
    assert lines(row("a"), note="waiting", height=4)[1].startswith("+ a")


@given(
    rows=st.lists(
        st.builds(
            Row,
            name=st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=90),
            state=st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=90),
            rank=st.sampled_from(Rank),
            since=st.floats(0, 1e6),
            until=st.none() | st.floats(0, 1e6),
        ),
        max_size=40,
    ),
    note=st.sampled_from(["", "waiting for somebody"]),
    width=st.integers(1, 200),
    height=st.integers(1, 60),
)
def test_whatever_is_shown_fits_the_screen(rows, note, width, height):
    found = screen(rows, title="deploy shop/shop", note=note, width=width, height=height, now=1e6)
    assert 1 <= len(found) <= max(height - 1, 1)
    assert all(_cells(line) <= max(width - 1, 1) for line in found)


def test_wide_characters_take_two_columns():
    found = lines(row("Pod 注文", "待機中", Rank.WAITING), row("Pod plain", "waiting", Rank.WAITING))
    assert found[1:] == [". Pod plain  waiting  10 s", ". Pod 注文   待機中   10 s"]


# --- what progress says ----------------------------------------------------------------------------------------------


@pytest.fixture
def board():
    return Board()


def take(board, phase, message, now, ref=WEB, done=0, total=2):
    return board.take(Progress(phase, message, done, total, ref), message, now)


def test_an_object_is_applied_then_waited_for_then_ready(board):
    applied = take(board, "apply", "configure Deployment shop/web", 1.0)
    assert (applied.state, applied.rank, applied.seconds(9.0)) == ("configured", Rank.DONE, 0.0)
    waiting = take(board, "wait", "Deployment shop/web: LessAvailable: 1 of 3 pods", 2.0)
    assert (waiting.state, waiting.rank, waiting.seconds(9.0)) == ("LessAvailable: 1 of 3 pods", Rank.WAITING, 8.0)
    ready = take(board, "wait", "Deployment shop/web: ready", 4.0, done=1)
    assert (ready.state, ready.rank, ready.seconds(9.0)) == ("ready", Rank.DONE, 3.0)
    assert list(board.rows) == ["Deployment shop/web"]
    assert (board.phase, board.done, board.total) == ("wait", 1, 2)


def test_what_was_ready_and_is_so_no_longer_is_waited_for_again(board):
    take(board, "wait", "Deployment shop/web: ready", 1.0)
    assert take(board, "wait", "Deployment shop/web: LessAvailable", 3.0).rank is Rank.WAITING
    assert take(board, "wait", "Deployment shop/web: ready", 5.0).seconds(9.0) == 4.0


@pytest.mark.parametrize(
    "state",
    [
        "CrashLoopBackOff: exit code 1",
        "ErrImagePull: x",
        "PodUnschedulable: no node",
        "FailedCreate: quota",
        "Degraded",
    ],
)
def test_words_for_trouble_bring_a_row_to_the_top(board, state):
    assert take(board, "wait", f"Deployment shop/web: {state}", 1.0).rank is Rank.FAILING


def test_a_message_about_no_object_is_a_note(board):
    assert take(board, "lock", "waiting for ann", 1.0, ref=None) is None
    assert (board.note, board.rows) == ("waiting for ann", {})


def test_a_rollback_starts_with_an_empty_table(board):
    take(board, "wait", "Deployment shop/web: CrashLoopBackOff", 1.0)
    take(board, "rollback", "going back to revision 2", 2.0, ref=None)
    assert board.rows == {}
    take(board, "apply", "configure ConfigMap shop/settings", 3.0, ref=SETTINGS)
    assert list(board.rows) == ["ConfigMap shop/settings"]
