# SPDX-License-Identifier: Apache-2.0
"""GitOps controllers: install them, connect repositories, declare applications, sync."""

from __future__ import annotations

from .application_set import ApplicationSetSpec
from .application_spec import ApplicationSpec
from .applications import (
    application_objects,
    apply_application,
    apply_application_set,
    apply_repository,
    apply_wiring,
    remove_application,
    remove_application_set,
    remove_repository,
    remove_wiring,
    repository_objects,
    sync,
)
from .cluster_entry import ClusterSpec
from .install import controller_release, install, uninstall
from .notification import NotificationSpec
from .presence import InstalledController, InstallState, installed
from .project import ProjectSpec
from .repository_spec import RepositorySpec
from .specs import ApplicationResult, ApplicationSetResult, ControllerResult, ControllerSpec, SyncResult, SyncSpec

__all__ = [
    "ApplicationResult",
    "ApplicationSetResult",
    "ApplicationSetSpec",
    "ApplicationSpec",
    "ClusterSpec",
    "ControllerResult",
    "ControllerSpec",
    "InstallState",
    "InstalledController",
    "NotificationSpec",
    "ProjectSpec",
    "RepositorySpec",
    "SyncResult",
    "SyncSpec",
    "application_objects",
    "apply_application",
    "apply_application_set",
    "apply_repository",
    "apply_wiring",
    "controller_release",
    "install",
    "installed",
    "remove_application",
    "remove_application_set",
    "remove_repository",
    "remove_wiring",
    "repository_objects",
    "sync",
    "uninstall",
]
