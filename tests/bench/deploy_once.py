# SPDX-License-Identifier: Apache-2.0
"""Our Python API as a program: ``deploy_once.py deploy|plan NAMESPACE FILE wait|no-wait``."""

from __future__ import annotations

import json
import sys

from pulumi_gitops.core.cluster import connect
from pulumi_gitops.core.deploy import ReleaseSpec, deploy, plan
from pulumi_gitops.core.render import load_sources


def main() -> None:
    """Print the changes."""
    verb, namespace, path, wait = sys.argv[1:]
    spec = ReleaseSpec(name="bench", namespace=namespace, objects=load_sources(path), wait=wait == "wait")
    with connect() as cluster:
        changes = plan(cluster, spec).changes if verb == "plan" else deploy(cluster, spec).changes
    print(json.dumps([change.as_dict() for change in changes if change.changed]))


if __name__ == "__main__":
    main()
