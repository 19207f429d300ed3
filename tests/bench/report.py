# SPDX-License-Identifier: Apache-2.0
"""Tables of the results, as text for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from .results import FIRST, NO_OP, ROWS, Case, Results, Sample

_MISSING = "-"
_RESOURCES = (FIRST, NO_OP)  # the rows whose CPU, memory and requests are in the tables; the JSON has all


def text(results: Results) -> str:
    """Return the tables for a terminal."""
    parts = [f"{title}\n{_aligned(table)}" for title, table in _tables(results)]
    return "\n\n".join([*parts, "\n".join(_remarks(results))]) + "\n"


def markdown(results: Results) -> str:
    """Return the tables as Markdown."""
    parts = [f"### {title}\n\n{_piped(table)}" for title, table in _tables(results)]
    remarks = [f"- {remark}" for remark in _remarks(results)]
    return "\n\n".join([*parts, *(["\n".join(remarks)] if remarks else [])]) + "\n"


def _tables(results: Results) -> list[tuple[str, list[list[str]]]]:
    tables = []
    for case in results.cases:
        tables.append((f"{case.title}: seconds (times as long as ours)", _times(results, case)))
        tables.append((f"{case.title}: CPU seconds, peak MB, API requests", _resources(results, case)))
    if results.latencies:
        tables.append(("A Deployment gets ready: seconds until the run has returned", _latencies(results)))
    if results.bootstraps:
        tables.append(("A Pulumi program installs Argo CD: seconds, and KB of state", _bootstraps(results)))
    return tables


def _times(results: Results, case: Case) -> list[list[str]]:
    table = [["", *ROWS]]
    for name, title in results.titles.items():
        cells = [_time(results.best(case, name, row), results.ratio(case, name, row)) for row in ROWS]
        if any(cell != _MISSING for cell in cells):
            table.append([title, *cells])
    return table


def _time(sample: Sample | None, ratio: float | None) -> str:
    if sample is None:
        return _MISSING
    if sample.error:
        return "failed"
    seconds = f"{sample.wall:.2f}"
    return seconds if ratio is None else f"{seconds} ({_times_as_long(ratio)})"


def _times_as_long(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 20 else f"{ratio:.1f}x"


def _resources(results: Results, case: Case) -> list[list[str]]:
    table = [["", *(f"{row}: {what}" for row in _RESOURCES for what in ("CPU", "MB", "requests"))]]
    for name, title in results.titles.items():
        samples = [results.best(case, name, row) for row in _RESOURCES]
        if any(samples):
            table.append([title, *(cell for sample in samples for cell in _resource(sample))])
    return table


def _resource(sample: Sample | None) -> Sequence[str]:
    if sample is None or sample.error:
        return (_MISSING,) * 3
    return f"{sample.cpu:.2f}", f"{sample.memory / 1e6:.0f}", str(sample.total)


def _latencies(results: Results) -> list[list[str]]:
    table = [["", "since the last pod was ready", "since the Deployment said so"]]
    for name, title in results.titles.items():
        latency = results.latency(name)
        if latency is not None:
            figures = ["failed"] * 2 if latency.error else [f"{latency.pods:.2f}", f"{latency.workload:.2f}"]
            table.append([title, *figures])
    return table


def _bootstraps(results: Results) -> list[list[str]]:
    table = [["", "up", "up again", "destroy", "state"]]
    for title, found in results.bootstraps.items():
        figures = [f"{found.up:.1f}", f"{found.again:.1f}", f"{found.destroy:.1f}", f"{found.state / 1000:.0f}"]
        table.append([title, *(["failed"] * 4 if found.error else figures)])
    return table


def _remarks(results: Results) -> list[str]:
    remarks = [f"{title}: {seconds:.2f} s" for title, seconds in results.floors.items()]
    rounds = sorted({len(samples) for samples in results.cells.values()})
    if rounds:
        span = str(rounds[0]) if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"
        remarks.append(f"Whole processes, the fastest of {span} rounds; memory is that of the largest process.")
    idle = {name for case, name, row in results.cells if row == NO_OP and _sends_nothing(results.best(case, name, row))}
    remarks += [
        f"{title}: its no-op asks the cluster nothing but compares with a state of its own."
        for name, title in results.titles.items()
        if name in idle
    ]
    remarks += [
        f"{case.title}: only first apply and no-op of {', '.join(sorted(titles))} (--all-rows has all)."
        for case, titles in results.shortened.items()
    ]
    load, cores = results.facts.get("load before"), results.facts.get("cores")
    if load and cores and load > cores / 2:
        remarks.append(f"The machine was busy before (load {load} on {cores} cores): the figures are upper bounds.")
    remarks += results.notes
    for case, name, row, error in results.failures():
        remarks.append(f"{results.titles[name]} failed ({case.title}, {row}): {error}")
    for name, found in results.latencies.items():
        remarks += [f"{results.titles[name]} failed (readiness): {latency.error}" for latency in found if latency.error]
    remarks += [f"{title} failed: {found.error}" for title, found in results.bootstraps.items() if found.error]
    return remarks


def _sends_nothing(sample: Sample | None) -> bool:
    return sample is not None and not sample.error and sample.total == 0


def _aligned(table: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    )


def _piped(table: list[list[str]]) -> str:
    head, *rows = [[cell.replace("|", "\\|") for cell in row] for row in table]
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
