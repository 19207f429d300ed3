# SPDX-License-Identifier: Apache-2.0
"""From what the user names to a list of objects. A renderer is loaded when it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..later import load_later
from .boundary import UnsafeSourceError
from .images import repository_of, set_images
from .overrides import Overrides, apply_overrides
from .rendering import HelmChart, Rendered
from .request import Sources, render
from .sources import as_objects, load_sources

if TYPE_CHECKING:
    from .helm import pull_chart, render_helm
    from .kustomize import render_kustomize
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
    "pull_chart",
    "render",
    "render_helm",
    "render_kustomize",
    "repository_of",
    "set_images",
]

__getattr__ = load_later(
    __name__,
    {"ToolMissingError": "tools", "pull_chart": "helm", "render_helm": "helm", "render_kustomize": "kustomize"},
)
