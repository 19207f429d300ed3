# SPDX-License-Identifier: Apache-2.0
"""GitOps controllers: install them, connect repositories, declare applications, sync."""

from __future__ import annotations

from .application_spec import ApplicationSpec
from .applications import (
    application_objects,
    apply_application,
    apply_repository,
    remove_application,
    remove_repository,
    repository_objects,
    sync,
)
from .install import InstalledController, InstallState, controller_release, install, installed, uninstall
from .repository_spec import RepositorySpec
from .specs import ApplicationResult, ControllerResult, ControllerSpec, SyncResult, SyncSpec

__all__ = [
    "ApplicationResult",
    "ApplicationSpec",
    "ControllerResult",
    "ControllerSpec",
    "InstallState",
    "InstalledController",
    "RepositorySpec",
    "SyncResult",
    "SyncSpec",
    "application_objects",
    "apply_application",
    "apply_repository",
    "controller_release",
    "install",
    "installed",
    "remove_application",
    "remove_repository",
    "repository_objects",
    "sync",
    "uninstall",
]
