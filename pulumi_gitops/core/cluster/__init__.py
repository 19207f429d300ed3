# SPDX-License-Identifier: Apache-2.0
"""Connect to a Kubernetes cluster and talk to it."""

from __future__ import annotations

from .client import FIELD_MANAGER, Cluster, connect
from .discovery import Resource
from .settings import ConnectionOptions
from .watching import ADDED, DELETED, MODIFIED, Event

__all__ = [
    "ADDED",
    "DELETED",
    "FIELD_MANAGER",
    "MODIFIED",
    "Cluster",
    "ConnectionOptions",
    "Event",
    "Resource",
    "connect",
]
