# SPDX-License-Identifier: Apache-2.0
"""What a Pulumi program uses: components, and the custom resources of the provider."""

from .application import Application, ApplicationArgs
from .application_set import ApplicationSet, ApplicationSetArgs
from .cluster import Cluster, ClusterArgs
from .controllers import (
    ArgoCD,
    ArgoCDArgs,
    Controller,
    ControllerArgs,
    Flux,
    FluxArgs,
    SelfManage,
    WeaveGitOps,
    WeaveGitOpsArgs,
)
from .notification import Notification, NotificationArgs
from .project import Project, ProjectArgs
from .repository import Repository, RepositoryArgs
from .resources import (
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
    "ApplicationSet",
    "ApplicationSetArgs",
    "ArgoCD",
    "ArgoCDArgs",
    "Cluster",
    "ClusterArgs",
    "Controller",
    "ControllerArgs",
    "Flux",
    "FluxArgs",
    "GitFiles",
    "GitFilesArgs",
    "HelmChart",
    "Notification",
    "NotificationArgs",
    "Project",
    "ProjectArgs",
    "Provider",
    "ProviderArgs",
    "Release",
    "ReleaseArgs",
    "Repository",
    "RepositoryArgs",
    "SelfManage",
    "Sync",
    "SyncArgs",
    "WeaveGitOps",
    "WeaveGitOpsArgs",
]
