# SPDX-License-Identifier: Apache-2.0
"""What the components have in common: the check of their providers."""

from typing import Optional

import pulumi


def require_both_providers(opts: Optional[pulumi.ResourceOptions]) -> None:
    """Refuse a component that is told its cluster for one half of its children only.

    With a ``kubernetes`` provider and no ``gitops`` provider (or the reverse) the other half would go to the default
    kubeconfig, silently.

    Raises:
        InputPropertyError: One of the two is missing.
    """
    names = _provider_names(opts)
    if "kubernetes" in names and "gitops" not in names:
        raise pulumi.InputPropertyError("providers", "a kubernetes provider needs a gitops provider beside it")
    if "gitops" in names and "kubernetes" not in names:
        raise pulumi.InputPropertyError("providers", "a gitops provider needs a kubernetes provider beside it")


def _provider_names(opts: Optional[pulumi.ResourceOptions]) -> set[str]:
    if opts is None or opts.providers is None:
        return set()
    if isinstance(opts.providers, dict):
        return set(opts.providers)
    return {provider.package for provider in opts.providers if isinstance(provider, pulumi.ProviderResource)}
