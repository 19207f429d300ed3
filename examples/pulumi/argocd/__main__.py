# SPDX-License-Identifier: Apache-2.0
"""Bootstrap Argo CD and deploy one service push-style beside it."""

import pulumi

import pulumi_gitops as gitops

argocd = gitops.ArgoCD("argocd", {"version": "3.5.7"})
billing = gitops.Release("billing", {"namespace": "billing", "src": "billing.yaml"})

pulumi.export("argocd", argocd.version)
pulumi.export("billing revision", billing.revision)
