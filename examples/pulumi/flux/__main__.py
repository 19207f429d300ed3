# SPDX-License-Identifier: Apache-2.0
"""Bootstrap Flux and let it deliver two environments from one repository, production after staging."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
flux = gitops.Flux("flux", {"version": "2.9.2", "lock_file": "gitops.lock"})
repository = gitops.Repository(
    "config",
    {
        "controller": "flux",
        "url": config.require("url"),
        "username": config.require("username"),
        "password": config.require_secret("password"),
    },
    opts=pulumi.ResourceOptions(depends_on=[flux]),
)
staging = gitops.Application(
    "shop-staging",
    {
        "controller": "flux",
        "repository": repository.name,
        "path": "environments/staging",
        "destination_namespace": "shop-staging",
        "create_namespace": True,
    },
)
production = gitops.Application(
    "shop-production",
    {
        "controller": "flux",
        "repository": repository.name,
        "path": "environments/production",
        "destination_namespace": "shop-production",
        "create_namespace": True,
        "depends_on": [staging.name],
    },
)
gitops.Notification(
    "alerts",
    {"type": "generic", "severity": "error", "address": config.require_secret("webhook")},
    opts=pulumi.ResourceOptions(depends_on=[flux]),
)

pulumi.export("flux", flux.version)
pulumi.export("staging", staging.revision)
pulumi.export("production", production.revision)
