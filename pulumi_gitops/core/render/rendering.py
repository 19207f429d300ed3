# SPDX-License-Identifier: Apache-2.0
"""What a renderer is given, and what it returns: values, for those who need no renderer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..objects import KubeObject


@dataclass(frozen=True, slots=True, kw_only=True)
class HelmChart:
    """A chart and what it is rendered with.

    Attributes:
        chart: Folder, archive (.tgz), or ``oci://registry/repository``. Names of repositories that ``helm repo add``
            knows are not supported: they mean something else on another machine.
        release_name: ``.Release.Name`` of the templates.
        namespace: ``.Release.Namespace`` of the templates.
        version: Version of the chart. Chooses the version of an ``oci://`` chart, which has to have one, here or as a
            tag or digest; a folder or an archive has to be of this version.
        values: Values, may hold secrets; they win over files.
        value_files: Files with values; later ones win.
        include_crds: The CustomResourceDefinitions of the chart's ``crds`` folders belong to the set.
        kube_version: ``.Capabilities.KubeVersion`` of the templates, for example ``1.36.3``; Helm's own when empty.
        api_versions: More of ``.Capabilities.APIVersions``, for example ``monitoring.coreos.com/v1``.
    """

    chart: str
    release_name: str
    namespace: str
    version: str = ""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    value_files: Sequence[str | Path] = ()
    include_crds: bool = True
    kube_version: str = ""
    api_versions: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Rendered:
    """What came out of a source.

    Attributes:
        objects: The objects.
        warnings: What the user should know: a hook that is left out, a value that Helm ignores.
    """

    objects: list[KubeObject] = field(repr=False)
    warnings: tuple[str, ...] = ()
