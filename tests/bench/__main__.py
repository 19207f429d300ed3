# SPDX-License-Identifier: Apache-2.0
"""``make bench``: our no-op and first apply beside ``kubectl apply --server-side``, on the sandbox, in one run.

Prints wall seconds (best of three whole processes) and the ratio. N is 300 small ConfigMaps, no added latency.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pulumi_gitops.core.yamlio import dump_all
from pulumi_gitops.sandbox import Sandbox, tool_path

COUNT, ROUNDS = 300, 3
OURS = """
import sys
from pulumi_gitops.core.cluster import connect
from pulumi_gitops.core.deploy import ReleaseSpec, deploy
from pulumi_gitops.core.render import load_sources
with connect() as cluster:
    deploy(cluster, ReleaseSpec(name="bench", namespace=sys.argv[1], objects=load_sources(sys.argv[2])))
"""


def seconds(argv: list[str], env: dict[str, str]) -> float:
    """Return the wall time of one process."""
    started = time.perf_counter()
    subprocess.run(argv, env=env, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    kubectl = str(tool_path("kubectl"))
    with Sandbox.start() as sandbox, tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, **sandbox.env()}
        rows = {}
        for tool in ("ours", "kubectl"):
            namespace = f"bench-{tool}"
            subprocess.run([kubectl, "create", "namespace", namespace], env=env, check=True, capture_output=True)
            objects = [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": f"c{i}", "namespace": namespace},
                    "data": {"key": str(i)},
                }
                for i in range(COUNT)
            ]
            path = Path(folder) / f"{tool}.yaml"
            path.write_text(dump_all(objects))
            argv = {
                "ours": [sys.executable, "-c", OURS, namespace, str(path)],
                "kubectl": [kubectl, "apply", "--server-side", "-f", str(path)],
            }[tool]
            first = seconds(argv, env)
            rows[tool] = {"first apply": first, "no-op": min(seconds(argv, env) for _ in range(ROUNDS))}
        print(f"{COUNT} ConfigMaps, seconds for a whole process")
        for what in ("first apply", "no-op"):
            ours, theirs = rows["ours"][what], rows["kubectl"][what]
            ratio = f"ratio {theirs / ours:4.1f}x"
            print(f"  {what:12} ours {ours:6.2f}   kubectl apply --server-side {theirs:6.2f}   {ratio}")
        print(json.dumps(rows))


if __name__ == "__main__":
    main()
