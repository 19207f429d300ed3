# SPDX-License-Identifier: Apache-2.0
"""From what the user names to a list of objects. A renderer is loaded when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_LATER = {"ToolMissingError": "tools", "pull_chart": "helm", "render_helm": "helm", "render_kustomize": "kustomize"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_LATER[name]}", __name__), name)
