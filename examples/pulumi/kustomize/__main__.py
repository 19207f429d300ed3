# SPDX-License-Identifier: Apache-2.0
"""Deploy one service from the Kustomize overlay that has the name of the stack."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
shop = gitops.Release(
    "shop",
    {
        "namespace": config.get("namespace") or "shop",
        "kustomize": f"overlays/{pulumi.get_stack()}",
    },
)

pulumi.export("revision", shop.revision)
