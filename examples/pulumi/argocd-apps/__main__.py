# SPDX-License-Identifier: Apache-2.0
"""Bootstrap Argo CD and hand it an app of apps; a project says what these may deploy, and where."""

import pulumi

import pulumi_gitops as gitops

# The app of apps is healthy when its applications are: Argo CD does not look at them by itself.
APPLICATION_HEALTH = """
hs = {status = "Progressing", message = ""}
if obj.status ~= nil and obj.status.health ~= nil then
  hs.status = obj.status.health.status
  if obj.status.health.message ~= nil then
    hs.message = obj.status.health.message
  end
end
return hs
"""

config = pulumi.Config()
url = config.require("url")
argocd = gitops.ArgoCD(
    "argocd",
    {
        "version": "3.5.7",
        "config": {"argocd-cm": {"resource.customizations.health.argoproj.io_Application": APPLICATION_HEALTH}},
    },
)
# For every repository of this server: applications need no connection of their own.
server = gitops.Repository(
    "git-server",
    {
        "url": url.rpartition("/")[0],
        "template": True,
        "username": config.require("username"),
        "password": config.require_secret("password"),
    },
    opts=pulumi.ResourceOptions(depends_on=[argocd]),
)
project = gitops.Project(
    "services",
    {
        "description": "What the config repository may deploy",
        "source_repos": [url],
        "destinations": [{"namespace": "shop"}, {"namespace": "billing"}],
        "cluster_resources": [{"group": "", "kind": "Namespace"}],
    },
    opts=pulumi.ResourceOptions(depends_on=[argocd]),
)
apps = gitops.Application(
    "apps",
    {"url": url, "path": "apps", "revision": "main", "destination_namespace": "argocd", "self_heal": True},
    opts=pulumi.ResourceOptions(depends_on=[server, project]),
)

pulumi.export("argocd", argocd.version)
pulumi.export("revision", apps.revision)
pulumi.export("health", apps.health)
