# SPDX-License-Identifier: Apache-2.0
"""The Pulumi program of the demo: Argo CD, and from the second update on a repository and an application."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
argocd = gitops.ArgoCD("argocd", {"version": "3.5.7"})
pulumi.export("argocd", argocd.version)

url = config.get("url")
if url:
    repository = gitops.Repository(
        "config",
        {
            "controller": "argocd",
            "url": url,
            "username": config.require("username"),
            "password": config.require_secret("password"),
        },
        opts=pulumi.ResourceOptions(depends_on=[argocd]),
    )
    shop = gitops.Application(
        "shop",
        {
            "controller": "argocd",
            "url": url,
            "path": "apps/shop",
            "destination_namespace": "shop",
            "create_namespace": True,
            "self_heal": True,
        },
        opts=pulumi.ResourceOptions(depends_on=[repository]),
    )
    pulumi.export("revision", shop.revision)
