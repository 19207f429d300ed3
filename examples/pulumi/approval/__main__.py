# SPDX-License-Identifier: Apache-2.0
"""Deploy one service only as it was approved: a preview tells the digest of the plan, the update has to match it."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
shop = gitops.Release(
    "shop",
    {
        "namespace": config.get("namespace") or "shop",
        "src": "deploy",
        "require_approval": True,
        "plan_digest": config.get("planDigest"),
        "approved_by": config.get("approvedBy") or "",
    },
)

pulumi.export("revision", shop.revision)
pulumi.export("plan digest", shop.plan_digest)
