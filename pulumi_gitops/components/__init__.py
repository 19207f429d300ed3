# SPDX-License-Identifier: Apache-2.0
"""What a Pulumi program uses: components, and the custom resources of the provider."""

from .application import Application, ApplicationArgs
from .argocd import ArgoCD, ArgoCDArgs
from .repository import Repository, RepositoryArgs
from .resources import (
    Controller,
    ControllerArgs,
    GitFiles,
    GitFilesArgs,
    HelmChart,
    Provider,
    ProviderArgs,
    Release,
    ReleaseArgs,
    Sync,
    SyncArgs,
)

__all__ = [
    "Application",
    "ApplicationArgs",
    "ArgoCD",
    "ArgoCDArgs",
    "Controller",
    "ControllerArgs",
    "GitFiles",
    "GitFilesArgs",
    "HelmChart",
    "Provider",
    "ProviderArgs",
    "Release",
    "ReleaseArgs",
    "Repository",
    "RepositoryArgs",
    "Sync",
    "SyncArgs",
]
