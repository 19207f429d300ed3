# SPDX-License-Identifier: Apache-2.0
"""``make bench``: our deployment beside kubectl, kubernetes.core, Helm and kapp, on the sandbox, in one run.

First everything once; then, as long as there is time, the quick cases again, of which the best round counts. Written
are ``bench.json``, ``bench.md`` and ``bench.svg``; the tables are printed.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pulumi_gitops.core import __version__
from pulumi_gitops.core.cluster import Cluster, ConnectionOptions, connect
from pulumi_gitops.core.errors import GitOpsError
from pulumi_gitops.sandbox import Sandbox, tool_path
from pulumi_gitops.sandbox.builder import built_folder
from pulumi_gitops.sandbox.catalogue import GO_TOOLS
from tests.bench import chart, provision, report, sets
from tests.bench.bootstrap import RECORDED, bootstrap
from tests.bench.contenders import NAMES, OURS, PULUMI, Contender, OursPulumi, Place, contender, playbook
from tests.bench.measure import Command, measure
from tests.bench.readiness import latency
from tests.bench.results import Case, Results
from tests.bench.scenario import play
from tests.support.apiproxy import ApiProxy

_QUICK, _FULL = ("1", "50", "300"), ("1", "50", "300", "1000", "5000", sets.ARGOCD)
_REPEATED = 300  # sets up to this size are measured several times
_ROUNDS = 3
_PATIENCE = 6.0  # seconds of a first apply; of others that are slower a quick run measures the no-op and no more


class Bench:
    """One run of the benchmark against one sandbox."""

    def __init__(self, cluster: Cluster, proxy: ApiProxy, folder: Path, *, patience: float) -> None:
        self.results = Results(facts=_facts(cluster))
        self._cluster = cluster
        self._proxy = proxy
        self._folder = folder
        self._patience = patience
        self._tools: list[Contender] = []
        self._places = 0

    def enter(self, names: Sequence[str]) -> None:
        """Get the contenders ready; one that can not be had is noted, unless it is one of ours."""
        for name in names:
            try:
                tool = contender(name)
            except (GitOpsError, subprocess.CalledProcessError) as error:
                if name in OURS:
                    raise
                self.results.notes.append(f"{name} could not take part: {error}")
                continue
            self._tools.append(tool)
            self.results.titles[name] = tool.title
            self.results.against[name] = tool.against

    def measure_all(self, set_names: Sequence[str], delays: Sequence[int], seconds: float) -> None:
        """Measure every tool on every set and delay once, then the quick ones again while there is time."""
        started = time.monotonic()
        cases = [Case(name, delay) for name in set_names for delay in delays]
        costs = {(case, tool): self._round(case, tool) for case in cases for tool in self._tools}
        quick = [key for key in sorted(costs, key=lambda key: costs[key]) if key[0].size <= _REPEATED]
        for _ in range(1, _ROUNDS):
            for case, tool in quick:
                if time.monotonic() - started + costs[case, tool] < seconds:
                    self._round(case, tool)

    def measure_readiness(self, rounds: int) -> None:
        """Measure how soon each tool notices that a Deployment is ready."""
        self._proxy.delay = 0.0
        for _ in range(rounds):
            for tool in self._tools:
                _say(f"readiness: {tool.title}")
                found = latency(tool, self._place(tool.name), self._cluster)
                self.results.latencies.setdefault(tool.name, []).append(found)

    def measure_bootstrap(self) -> None:
        """Measure how long a Pulumi program takes to install Argo CD and to remove it."""
        self._proxy.delay = 0.0
        _say("bootstrap: Pulumi installs Argo CD")
        tool = next(tool for tool in self._tools if isinstance(tool, OursPulumi))
        found = bootstrap(tool, self._place("bootstrap"), self._cluster, _install_manifest())
        self.results.bootstraps["ArgoCD component"] = found
        self.results.bootstraps["pulumi-kubernetes resources (recorded on another machine)"] = RECORDED

    def measure_floors(self) -> None:
        """Measure what runs take that do nothing."""
        place = self._place("floor")
        empty = {
            "An empty playbook": playbook(place, [{"ansible.builtin.meta": "noop"}]),
            "Python that does nothing": Command([sys.executable, "-c", "pass"], place.env(), place.folder),
        }
        for title, command in empty.items():
            self.results.floors[title] = min(measure(command).wall for _ in range(_ROUNDS))

    def _round(self, case: Case, tool: Contender) -> float:
        started = time.monotonic()
        self._proxy.delay = case.delay / 1000
        place = self._place(tool.name)
        if case.set_name == sets.ARGOCD:
            objects = sets.install_manifest(_install_manifest(), place.namespace)
        else:
            objects = sets.small(int(case.set_name), place.namespace)
        patience = float("inf") if tool.name in OURS else self._patience
        samples = list(play(tool, objects, place, self._proxy, self._cluster, patience=patience))
        if samples[0].wall > patience:
            self.results.shortened.setdefault(case, set()).add(tool.title)
        self.results.add(case, tool.name, samples)
        figures = ", ".join(f"{s.row} {'failed' if s.error else f'{s.wall:.2f}'}" for s in samples)
        _say(f"{case.title}: {tool.title}: {figures}")
        return time.monotonic() - started

    def _place(self, name: str) -> Place:
        self._places += 1
        folder, home = self._folder / f"round-{self._places}", self._folder / f"home-{name}"
        folder.mkdir()
        home.mkdir(exist_ok=True)
        return Place(folder, f"bench-{self._places}", self._proxy.kubeconfig, home)


def _install_manifest() -> Path:
    tool_path("argocd")
    return built_folder(GO_TOOLS["argocd"]) / "install.yaml"


def _facts(cluster: Cluster) -> dict[str, Any]:
    return {
        "date": dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count(),
        "load before": round(os.getloadavg()[0], 2),
        "Python": platform.python_version(),
        "pulumi-gitops": __version__,
        "Kubernetes": cluster.version(),
        "Pulumi CLI": GO_TOOLS["pulumi"].version,
        "Helm": GO_TOOLS["helm"].version,
        "kapp": provision.KAPP.version,
        "kubectl": _kubectl_version(),
    }


def _kubectl_version() -> str:
    argv = [str(tool_path("kubectl")), "version", "--client", "--output", "json"]
    answer = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    return str(answer["clientVersion"]["gitVersion"])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _list(text: str) -> list[str]:
    return [part for part in text.split(",") if part]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/bench", description=(__doc__ or "").partition("\n")[0])
    known = ",".join(NAMES)
    parser.add_argument("--full", action="store_true", help="all sets, and as many rounds as are worth it; hours")
    parser.add_argument("--sets", type=_list, help=f"numbers of objects, or {sets.ARGOCD}; {','.join(_QUICK)}")
    parser.add_argument("--delays", type=_list, default=["0", "20"], help="milliseconds of added round trip; 0,20")
    parser.add_argument("--tools", type=_list, default=list(NAMES), help=f"contenders; {known}")
    parser.add_argument("--all-rows", action="store_true", help="measure all of the slow tools too; --full does")
    parser.add_argument("--minutes", type=float, default=9.0, help="no round is repeated after so many; 9")
    parser.add_argument("--skip-readiness", action="store_true", help="do not measure how soon readiness is noticed")
    parser.add_argument("--skip-bootstrap", action="store_true", help="do not install Argo CD by Pulumi")
    parser.add_argument("--out", type=Path, default=Path("build/bench"), help="folder for the results; build/bench")
    options = parser.parse_args()
    unknown = set(options.tools) - set(NAMES)
    if unknown:
        parser.error(f"no such contender: {', '.join(sorted(unknown))}; known: {known}")
    options.sets = options.sets or list(_FULL if options.full else _QUICK)
    return options


def main() -> int:
    """Exit code 1 when one of our own contenders failed."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="pulumi-gitops-bench-") as temporary,
        Sandbox.start() as sandbox,
        connect(ConnectionOptions(kubeconfig=str(sandbox.kubeconfig))) as cluster,
    ):
        folder = Path(temporary)
        (folder / "proxy").mkdir()
        with ApiProxy(sandbox.kubeconfig, folder / "proxy") as proxy:
            patience = float("inf") if options.full or options.all_rows else _PATIENCE
            bench = Bench(cluster, proxy, folder, patience=patience)
            bench.enter(options.tools)
            bench.measure_floors()
            if not options.skip_readiness:
                bench.measure_readiness(_ROUNDS if options.full else 1)
            if PULUMI in options.tools and not options.skip_bootstrap:
                bench.measure_bootstrap()
            seconds = float("inf") if options.full else options.minutes * 60
            bench.measure_all(options.sets, [int(delay) for delay in options.delays], seconds)
    results = bench.results
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "bench.json").write_text(json.dumps(results.as_json(), indent=1) + "\n")
    (options.out / "bench.md").write_text(report.markdown(results))
    (options.out / "bench.svg").write_text(chart.svg(results, results.cases))
    print(report.text(results))
    print(f"{options.out}: bench.json, bench.md, bench.svg")
    failed = any(name in OURS for _, name, _, _ in results.failures())
    return 1 if failed or any(found.error for found in results.bootstraps.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
