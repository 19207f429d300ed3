# SPDX-License-Identifier: Apache-2.0
"""GitOps controllers: install them, connect repositories, declare applications, sync. Today: Argo CD."""

from __future__ import annotations

from .applications import apply_application, apply_repository, remove_application, remove_repository, sync
from .install import InstalledController, InstallState, controller_release, install, installed, uninstall
from .specs import (
    ApplicationResult,
    ApplicationSpec,
    ControllerResult,
    ControllerSpec,
    RepositorySpec,
    SyncResult,
    SyncSpec,
)
from .wiring import application_objects, repository_objects

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
