# SPDX-License-Identifier: Apache-2.0
"""From what the user names to a list of objects."""

from __future__ import annotations

from .boundary import UnsafeSourceError
from .helm import HelmChart, Rendered, render_helm
from .images import repository_of, set_images
from .kustomize import render_kustomize
from .overrides import Overrides, apply_overrides
from .request import Sources, render
from .sources import as_objects, load_sources
from .tools import ToolMissingError

__all__ = [
    "HelmChart",
    "Overrides",
    "Rendered",
    "Sources",
    "ToolMissingError",
    "UnsafeSourceError",
    "apply_overrides",
    "as_objects",
    "load_sources",
    "render",
    "render_helm",
    "render_kustomize",
    "repository_of",
    "set_images",
]
