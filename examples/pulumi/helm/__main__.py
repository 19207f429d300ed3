# SPDX-License-Identifier: Apache-2.0
"""Deploy one service from a Helm chart, with a secret value from the stack's configuration."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
shop = gitops.Release(
    "shop",
    {
        "namespace": config.get("namespace") or "shop",
        "helm": {
            "chart": "chart",
            "value_files": ["values.production.yaml"],
            "values": {"tag": "1.0", "password": config.require_secret("password")},
        },
    },
)

pulumi.export("revision", shop.revision)
