# SPDX-License-Identifier: Apache-2.0
"""A run in a process of its own, so that a test can kill it.

``kill_driver.py KUBECONFIG NAMESPACE deploy SET`` or ``kill_driver.py KUBECONFIG NAMESPACE rollback``
"""

from __future__ import annotations

import sys

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.deploy import ReleaseSpec, deploy, rollback
from pulumi_gitops.core.render import as_objects


def main() -> None:
    kubeconfig, namespace, what, *rest = sys.argv[1:]
    with connect(ConnectionOptions(kubeconfig=kubeconfig)) as cluster:
        if what == "rollback":
            rollback(cluster, "shop", namespace, to=1)
        else:
            deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=as_objects(rest[0]), wait_timeout=60))


if __name__ == "__main__":
    main()
