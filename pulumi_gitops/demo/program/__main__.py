# SPDX-License-Identifier: Apache-2.0
"""The Pulumi program of the demo: a controller, and from the second update on a repository and an application."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
name = config.require("controller")
url = config.get("url")
shop: gitops.ApplicationArgs = {
    "controller": name,
    "path": "apps/shop",
    "destination_namespace": "shop",
    "create_namespace": True,
}
controller: gitops.ArgoCD | gitops.Flux
if name == "flux":
    # Both are given in the sandbox, whose manifests of Flux are not the released file.
    sources: gitops.FluxArgs = {}
    for key in ("version", "manifests"):
        if config.get(key):
            sources[key] = config.require(key)
    controller = gitops.Flux("flux", sources)
    shop["repository"], shop["interval"] = "config", "2s"  # it heals at every interval
else:
    controller = gitops.ArgoCD("argocd", {"version": "3.5.7"})
    shop["url"], shop["self_heal"] = url or "", True
pulumi.export("version", controller.version)

if url:
    repository = gitops.Repository(
        "config",
        {
            "controller": name,
            "url": url,
            "username": config.require("username"),
            "password": config.require_secret("password"),
        },
        opts=pulumi.ResourceOptions(depends_on=[controller]),
    )
    application = gitops.Application("shop", shop, opts=pulumi.ResourceOptions(depends_on=[repository]))
    pulumi.export("revision", application.revision)
