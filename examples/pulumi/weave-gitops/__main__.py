# SPDX-License-Identifier: Apache-2.0
"""Install Flux, and Weave GitOps as its dashboard, whose user logs in with a password from a Secret."""

import pulumi

import pulumi_gitops as gitops

config = pulumi.Config()
method = config.get("method") or "manifests"
flux = gitops.Flux("flux", {"version": "2.9.2", "lock_file": "gitops.lock"})
login = gitops.Release(
    "dashboard-login",
    {
        "namespace": flux.namespace,
        "definition": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "dashboard-login"},
            "stringData": {"username": "admin", "password": config.require_secret("password")},
        },
    },
)
settings: gitops.WeaveGitOpsArgs = {
    "version": "0.38.0",
    "method": method,
    "admin_secret": "dashboard-login",
    "values": {"logLevel": "warn"},
}
if method == "manifests":  # with helm_release it is Flux that fetches the chart
    settings["lock_file"] = "gitops.lock"
dashboard = gitops.WeaveGitOps("dashboard", settings, opts=pulumi.ResourceOptions(depends_on=[login]))

pulumi.export("flux", flux.version)
pulumi.export("dashboard", dashboard.version)
