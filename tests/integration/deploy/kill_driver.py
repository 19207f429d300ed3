# SPDX-License-Identifier: Apache-2.0
"""Deploy, and die without a word after the k-th request: ``kill_driver.py KUBECONFIG NAMESPACE K SET``."""

from __future__ import annotations

import os
import sys

from pulumi_gitops.core.cluster import ConnectionOptions, connect
from pulumi_gitops.core.cluster.transport import Transport
from pulumi_gitops.core.deploy import ReleaseSpec, deploy
from pulumi_gitops.core.render import as_objects


def main() -> None:
    kubeconfig, namespace, limit, text = sys.argv[1:]
    send = Transport._send

    def counted(self: Transport, *arguments: object, **options: object) -> object:
        if self.requests >= int(limit):
            os._exit(9)
        return send(self, *arguments, **options)

    Transport._send = counted
    with connect(ConnectionOptions(kubeconfig=kubeconfig)) as cluster:
        deploy(cluster, ReleaseSpec(name="shop", namespace=namespace, objects=as_objects(text), wait_timeout=60))


if __name__ == "__main__":
    main()
