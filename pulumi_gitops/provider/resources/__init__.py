# SPDX-License-Identifier: Apache-2.0
"""The custom resources by type token."""

from __future__ import annotations

from .base import Resource
from .controller import Controller
from .gitfiles import GitFiles
from .release import Release
from .sync import Sync

RESOURCES: dict[str, Resource] = {
    "gitops:index:Controller": Controller(),
    "gitops:index:GitFiles": GitFiles(),
    "gitops:index:Release": Release(),
    "gitops:index:Sync": Sync(),
}
