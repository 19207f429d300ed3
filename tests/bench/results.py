# SPDX-License-Identifier: Apache-2.0
"""What was measured: samples, the best of several rounds, ratios, and all of it as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

FIRST, NO_OP, DIFF, CHANGE, PRUNE = ROWS = ("first apply", "no-op", "diff", "one change", "prune half")
"""What every tool does in a round, in this order."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run of one tool.

    Attributes:
        row: One of `ROWS`.
        wall: Seconds.
        cpu: Seconds of CPU, children included.
        memory: Peak bytes of the largest process.
        requests: Verb and resource -> number of API requests.
        error: Why there are no figures; "" when there are.
    """

    row: str
    wall: float = 0.0
    cpu: float = 0.0
    memory: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)
    error: str = ""

    @property
    def total(self) -> int:
        """Number of API requests."""
        return sum(self.requests.values())


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """What the tools are compared on: a set of objects and an added round-trip time in milliseconds."""

    set_name: str
    delay: int

    @property
    def size(self) -> int:
        """Number of objects; 0 where the name does not tell."""
        return int(self.set_name) if self.set_name.isdecimal() else 0

    @property
    def title(self) -> str:
        """For headings."""
        what = "1 object" if self.set_name == "1" else f"{self.set_name} objects"
        if not self.set_name.isdecimal():
            what = "install manifest of Argo CD"
        return f"{what}, {self.delay} ms added round trip"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one tool went on after what it waited for had come about, in seconds.

    Attributes:
        pods: Since the last pod became ready.
        workload: Since the Deployment itself said so.
        error: Why there are no figures; "" when there are.
    """

    pods: float = 0.0
    workload: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What a Pulumi program took to install Argo CD.

    Attributes:
        up: Seconds of the first ``pulumi up``, until everything is ready.
        again: Seconds of a second one, which changes nothing.
        destroy: Seconds of ``pulumi destroy``.
        state: Bytes of state, after the first two.
        error: Why there are no figures; "" when there are.
    """

    up: float = 0.0
    again: float = 0.0
    destroy: float = 0.0
    state: int = 0
    error: str = ""


@dataclass(slots=True)
class Results:
    """Everything that one run of the benchmark has found.

    Attributes:
        facts: The machine, versions, when.
        titles: Contender -> title, in the order of the tables.
        against: Contender -> the one of ours that it is compared with.
        cells: (case, contender, row) -> samples, one per round.
        latencies: Contender -> one per round.
        bootstraps: Title -> what installing Argo CD by Pulumi took; ours, and what was recorded elsewhere.
        floors: What an empty run takes: title -> seconds.
        notes: Contenders that could not take part, and why.
        shortened: Case -> titles of what was so slow that only first apply and no-op were measured.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    against: dict[str, str] = field(default_factory=dict)
    cells: dict[tuple[Case, str, str], list[Sample]] = field(default_factory=dict)
    latencies: dict[str, list[Latency]] = field(default_factory=dict)
    bootstraps: dict[str, Bootstrap] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    shortened: dict[Case, set[str]] = field(default_factory=dict)

    def add(self, case: Case, name: str, samples: Iterable[Sample]) -> None:
        """Add a round."""
        for sample in samples:
            self.cells.setdefault((case, name, sample.row), []).append(sample)

    @property
    def cases(self) -> list[Case]:
        """Cases, in the order in which they were measured first."""
        return list(dict.fromkeys(case for case, _, _ in self.cells))

    def best(self, case: Case, name: str, row: str) -> Sample | None:
        """Return the fastest round; a failed one if any failed; None when the tool does not have this row."""
        samples = self.cells.get((case, name, row), [])
        failed = [sample for sample in samples if sample.error]
        return failed[0] if failed else min(samples, key=lambda sample: sample.wall, default=None)

    def ratio(self, case: Case, name: str, row: str) -> float | None:
        """Return how many times as long as ours a tool took; None for ours, and where a figure is missing."""
        own = self.against.get(name, "")
        theirs, ours = self.best(case, name, row), self.best(case, own, row)
        if own == name or theirs is None or ours is None or theirs.error or ours.error:
            return None
        return theirs.wall / ours.wall

    def failures(self) -> list[tuple[Case, str, str, str]]:
        """Return case, contender, row and reason of everything that failed."""
        return [
            (case, name, row, sample.error)
            for (case, name, row), samples in self.cells.items()
            for sample in samples
            if sample.error
        ]

    def latency(self, name: str) -> Latency | None:
        """Return the median round by the time since the workload was ready; None when there is none."""
        rounds = sorted(self.latencies.get(name, []), key=lambda latency: latency.workload)
        failed = [latency for latency in rounds if latency.error]
        if failed or not rounds:
            return failed[0] if failed else None
        return rounds[len(rounds) // 2]

    def as_json(self) -> dict[str, Any]:
        """Return everything as a JSON value."""
        return {
            "facts": self.facts,
            "contenders": self.titles,
            "cells": [
                {
                    "set": case.set_name,
                    "delay_ms": case.delay,
                    "contender": name,
                    "row": row,
                    "ratio": self.ratio(case, name, row),
                    "against": self.against.get(name),
                    "rounds": [dataclasses.asdict(sample) for sample in samples],
                }
                for (case, name, row), samples in self.cells.items()
            ],
            "readiness": {
                name: [dataclasses.asdict(latency) for latency in found] for name, found in self.latencies.items()
            },
            "bootstraps": {title: dataclasses.asdict(found) for title, found in self.bootstraps.items()},
            "floors": self.floors,
            "notes": self.notes,
        }
