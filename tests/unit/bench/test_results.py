# SPDX-License-Identifier: Apache-2.0
"""What the benchmark tells: the best round, ratios, tables, the chart. No tool is run here but Python."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET

import pytest
import yaml

from tests.bench import chart, report, sets
from tests.bench.measure import Command, ToolFailedError, measure
from tests.bench.results import CHANGE, DIFF, FIRST, NO_OP, PRUNE, ROWS, Bootstrap, Case, Latency, Results, Sample

CASE, SLOW = Case("300", 0), Case("300", 20)
ONE = {"list configmaps": 1}


@pytest.fixture
def results():
    """Ours, a faster one at one row, one that failed, one without a diff; two rounds of ours."""
    found = Results(
        facts={"cores": 2},
        titles={"ours": "Ours", "kubectl": "kubectl apply", "helm": "Helm | 3", "ours-ansible": "task", "core": "k8s"},
        against={"ours": "ours", "kubectl": "ours", "helm": "ours", "ours-ansible": "ours-ansible"},
    )
    found.against["core"] = "ours-ansible"
    found.add(CASE, "ours", [Sample(FIRST, 2.0, 0.5, 30_000_000, {"patch configmaps": 300, "get /api": 1})])
    found.add(CASE, "ours", [Sample(FIRST, 1.0, 0.4, 31_000_000, {"patch configmaps": 300})])
    found.add(CASE, "ours", [Sample(NO_OP, 0.25, requests=ONE), Sample(DIFF, 0.5)])
    found.add(CASE, "kubectl", [Sample(FIRST, 6.5), Sample(NO_OP, 7.5, requests=ONE), Sample(DIFF, 0.25)])
    found.add(CASE, "helm", [Sample(FIRST, 1.5), Sample(NO_OP, error="helm ended with 1:\nno such chart")])
    found.add(SLOW, "ours-ansible", [Sample(NO_OP, 2.0)])
    found.add(SLOW, "core", [Sample(NO_OP, 26.0)])
    return found


def test_the_fastest_round_counts(results):
    assert results.best(CASE, "ours", FIRST) == Sample(FIRST, 1.0, 0.4, 31_000_000, {"patch configmaps": 300})
    assert results.best(CASE, "ours", PRUNE) is None


def test_a_tool_that_failed_once_has_no_figure_even_if_another_round_was_fine(results):
    results.add(CASE, "helm", [Sample(NO_OP, 0.1)])
    assert results.best(CASE, "helm", NO_OP).error
    assert results.ratio(CASE, "helm", NO_OP) is None
    assert results.failures() == [(CASE, "helm", NO_OP, "helm ended with 1:\nno such chart")]


def test_a_ratio_says_how_many_times_as_long_as_ours_a_tool_took_and_compares_playbooks_with_playbooks(results):
    assert results.ratio(CASE, "kubectl", NO_OP) == 30.0
    assert results.ratio(CASE, "kubectl", DIFF) == 0.5
    assert results.ratio(SLOW, "core", NO_OP) == 13.0
    assert results.ratio(CASE, "ours", NO_OP) is None
    assert results.ratio(CASE, "helm", DIFF) is None


def test_the_text_has_a_line_per_tool_with_seconds_and_ratios(results):
    lines = report.text(results).splitlines()
    start = lines.index("300 objects, 0 ms added round trip: seconds (times as long as ours)")
    table = [line.rstrip() for line in lines[start + 1 : start + 5]]
    assert table == [
        "               first apply       no-op         diff  one change  prune half",
        "Ours                  1.00        0.25         0.50           -           -",
        "kubectl apply  6.50 (6.5x)  7.50 (30x)  0.25 (0.5x)           -           -",
        "Helm | 3       1.50 (1.5x)      failed            -           -           -",
    ]
    assert any(line.startswith("k8s") and "26.00 (13.0x)" in line for line in lines)
    assert any(line.startswith("Helm | 3 failed (300 objects, 0 ms added round trip, no-op)") for line in lines)


def test_a_no_op_that_asks_the_cluster_nothing_is_said_to_be_one(results):
    said = "asks the cluster nothing"
    assert [line.partition(":")[0] for line in report.text(results).splitlines() if said in line] == ["task", "k8s"]


def test_what_was_left_out_and_a_busy_machine_are_said(results):
    results.shortened = {SLOW: {"k8s", "Helm | 3"}}
    results.facts |= {"load before": 7.5}
    lines = report.text(results).splitlines()
    assert f"{SLOW.title}: only first apply and no-op of Helm | 3, k8s (--all-rows has all)." in lines
    assert any("load 7.5 on 2 cores" in line for line in lines)
    results.facts |= {"load before": 0.5}
    assert "upper bounds" not in report.text(results)


def test_the_markdown_is_a_table_with_the_same_figures(results):
    text = report.markdown(results)
    assert "| Ours | 1.00 | 0.25 | 0.50 | - | - |" in text
    assert "| Helm \\| 3 | 1.50 (1.5x) | failed | - | - | - |" in text
    assert "| Ours | 0.40 | 31 | 300 | 0.00 | 0 | 1 |" in text
    for line in text.splitlines():
        if line.startswith("|") and "\\|" not in line:
            assert line.count("|") in (7, 8)


def test_the_time_until_readiness_is_noticed_is_the_median_and_a_failure_is_said(results):
    results.latencies = {
        "ours": [Latency(0.2, 0.1), Latency(9.0, 8.0), Latency(0.3, 0.2)],
        "kubectl": [Latency(0.2, 0.1), Latency(error="did not end")],
    }
    text = report.text(results)
    assert [line.split() for line in text.splitlines() if line.startswith("Ours")][-1] == ["Ours", "0.30", "0.20"]
    assert [line.split() for line in text.splitlines() if line.startswith("kubectl apply ")][-2][-1] == "failed"
    assert "kubectl apply failed (readiness): did not end" in text


def test_the_json_has_every_round_and_every_request(results):
    document = json.loads(json.dumps(results.as_json()))
    [cell] = [c for c in document["cells"] if (c["contender"], c["row"], c["delay_ms"]) == ("ours", FIRST, 0)]
    assert [sample["wall"] for sample in cell["rounds"]] == [2.0, 1.0]
    assert cell["rounds"][0]["requests"] == {"patch configmaps": 300, "get /api": 1}
    assert document["facts"] == {"cores": 2}


def test_the_chart_is_well_formed_and_its_bars_are_as_long_as_the_figures(results):
    root = ET.fromstring(chart.svg(results, results.cases))
    namespace = "{http://www.w3.org/2000/svg}"
    bars = [float(bar.get("width")) for bar in root.iter(f"{namespace}rect") if bar.get("x")]
    labels = [text.text for text in root.iter(f"{namespace}text")]
    # first apply of ours, kubectl, Helm; no-op of ours, kubectl; no-op of the two playbooks
    assert bars == [40.0, 260.0, 60.0, 8.7, 260.0, 20.0, 260.0]
    assert "Helm | 3" in labels
    assert "failed" in labels
    assert f"{CHANGE}, seconds" in labels
    height = float(root.get("height"))
    assert all(float(bar.get("y") or 0) < height for bar in root.iter(f"{namespace}rect"))


@pytest.mark.parametrize(("count", "left"), [(1, 1), (2, 1), (5, 3), (300, 150)])
def test_a_set_has_one_object_that_changes_and_loses_half_of_its_objects(count, left, tmp_path):
    made = sets.small(count, "ns")
    assert len(made.first) == len(made.changed) == count
    different = [b["metadata"]["name"] for a, b in zip(made.first, made.changed, strict=True) if a != b]
    assert different == [made.touched]
    assert len(made.half) == left
    assert made.prunes is (count > 1)
    written = list(yaml.safe_load_all(sets.write(made.changed, tmp_path / "x.yaml").read_text()))
    assert written == list(made.changed)
    assert sets.kinds(made.first) == [("v1", "ConfigMap")]


def test_of_an_install_manifest_no_definition_is_pruned_and_only_what_lives_in_a_namespace_gets_one(tmp_path):
    path = tmp_path / "install.yaml"
    documents = [
        {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "x"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "b"}},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "c"}},
    ]
    path.write_text(yaml.safe_dump_all(documents))
    made = sets.install_manifest(path, "ns")
    assert [obj["metadata"].get("namespace") for obj in made.first] == [None, "ns", "ns", None]
    assert [obj["metadata"]["name"] for obj in made.half] == ["x", "a", "c"]
    assert made.touched == "a"
    assert all(obj["metadata"]["labels"][sets.SET_LABEL] == "ns" for obj in made.first)


def test_a_program_is_measured_as_a_process_of_its_own(tmp_path):
    code = "import time; block = bytearray(60_000_000); time.sleep(0.1); print('done')"
    usage = measure(Command([sys.executable, "-c", code], {}, tmp_path))
    assert usage.output == "done\n"
    assert usage.wall >= 0.1
    assert usage.cpu > 0
    assert 60_000_000 < usage.memory < 120_000_000
    small = measure(Command([sys.executable, "-I", "-S", "-c", "pass"], {}, tmp_path))
    assert small.memory < 40_000_000, "not the memory of this process"


def test_a_program_that_fails_is_an_error_with_its_last_lines(tmp_path):
    with pytest.raises(ToolFailedError, match=r"ended with 3:\nsorry"):
        measure(Command([sys.executable, "-c", "print('sorry'); raise SystemExit(3)"], {}, tmp_path))
    accepted = measure(Command([sys.executable, "-c", "raise SystemExit(3)"], {}, tmp_path, success=(0, 3)))
    assert accepted.output == ""


def test_the_rows_are_those_of_the_tables():
    assert ROWS == (FIRST, NO_OP, DIFF, CHANGE, PRUNE)


def test_a_bootstrap_by_pulumi_stands_beside_what_was_recorded_elsewhere(results):
    results.bootstraps = {
        "component": Bootstrap(12.34, 3.0, 9.0, 28_400),
        "recorded": Bootstrap(55.0, 8.0, 49.0, 1_900_000),
    }
    lines = [line.split() for line in report.text(results).splitlines()]
    assert ["component", "12.3", "3.0", "9.0", "28"] in lines
    assert ["recorded", "55.0", "8.0", "49.0", "1900"] in lines
    assert results.as_json()["bootstraps"]["component"]["state"] == 28_400


def test_a_bootstrap_that_failed_has_no_figures_but_its_reason(results):
    results.bootstraps = {"component": Bootstrap(error="pulumi ended with 255")}
    assert "component failed: pulumi ended with 255" in report.text(results)
