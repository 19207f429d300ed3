# SPDX-License-Identifier: Apache-2.0
"""GitOps as a layer on the infrastructure as code that a team already runs.

The names below are the Pulumi face. They are loaded on first use, so that ``import pulumi_gitops.core`` (which every
Ansible task does) never pays for importing pulumi.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .core import __version__

if TYPE_CHECKING:
    from .components import (
        Application,
        ApplicationArgs,
        ApplicationSet,
        ApplicationSetArgs,
        ArgoCD,
        ArgoCDArgs,
        Cluster,
        ClusterArgs,
        Controller,
        ControllerArgs,
        Flux,
        FluxArgs,
        GitFiles,
        GitFilesArgs,
        HelmChart,
        Notification,
        NotificationArgs,
        Project,
        ProjectArgs,
        Provider,
        ProviderArgs,
        Release,
        ReleaseArgs,
        Repository,
        RepositoryArgs,
        SelfManage,
        Sync,
        SyncArgs,
        WeaveGitOps,
        WeaveGitOpsArgs,
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
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(".components", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
