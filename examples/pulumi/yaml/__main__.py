# SPDX-License-Identifier: Apache-2.0
"""Deploy one service from plain manifests; what a pipeline changes, it changes without a template language."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
shop = gitops.Release(
    "shop",
    {
        "namespace": config.get("namespace") or "shop",
        "src": "deploy",
        "images": {"shop": config.get("image") or "registry.example.com/shop:1.0"},
        "replicas": {"shop": 2},
        "labels": {"example.com/team": "shop"},
        "rollback_on_failure": True,
    },
)

pulumi.export("revision", shop.revision)
pulumi.export("digest", shop.digest)
