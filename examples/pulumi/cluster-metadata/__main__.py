# SPDX-License-Identifier: Apache-2.0
"""Hand facts about a cluster, outputs of the program that made it, to the manifests in Git (GitOps Bridge)."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
# In a program that makes the infrastructure these are outputs: vpc.id, role.arn, database.endpoint.
facts = {
    "region": config.get("region") or "eu-central-1",
    "database": config.get("database") or "shop.db.example.com",
}
flux = gitops.Flux("flux", {"version": "2.9.2", "lock_file": "gitops.lock"})
cluster = gitops.Cluster(
    "production",
    {"controller": "flux", "metadata": facts},
    opts=pulumi.ResourceOptions(depends_on=[flux]),
)
shop = gitops.Application(
    "shop",
    {
        "controller": "flux",
        "url": config.require("url"),
        "path": "shop",
        "destination_namespace": "shop",
        "create_namespace": True,
        "substitute_from": [{"kind": "ConfigMap", "name": cluster.object_name}],
    },
)

pulumi.export("revision", shop.revision)
