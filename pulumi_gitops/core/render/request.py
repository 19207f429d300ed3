# SPDX-License-Identifier: Apache-2.0
"""From what the user of a face gives to a set of objects: one source, rendered, with overrides in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import EmptySetError, InputError
from ..objects import KubeObject, ObjectRef
from .boundary import is_remote
from .overrides import Overrides, apply_overrides
from .rendering import HelmChart, Rendered
from .sources import as_objects, load_sources

_SOURCES = ("definition", "src", "kustomize", "helm")
_HELM_OPTIONS = ("chart", "version", "values", "value_files", "release_name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the objects come from; exactly one of the first four.

    Attributes:
        definition: An object, a list of objects, or YAML text.
        src: Files, folders and globs, see :func:`.sources.load_sources`.
        kustomize: Folder of a kustomization.
        helm: A chart, or a mapping with the options ``chart``, ``version``, ``values``, ``value_files`` and
            ``release_name`` (by default the name of the release).
        allow_network: Let kustomize and helm fetch what they refer to.
    """

    definition: Any = field(default=None, repr=False)
    src: str | Path | Sequence[str | Path] | None = None
    kustomize: str | Path = ""
    helm: HelmChart | Mapping[str, Any] | None = field(default=None, repr=False)
    allow_network: bool = False


def render(
    sources: Sources,
    overrides: Overrides | None = None,
    *,
    release: str,
    namespace: str,
    base: Path | None = None,
) -> Rendered:
    """Return the objects of a source with the overrides in place.

    Args:
        sources: Where they come from.
        overrides: What to change.
        release: Name of the release; the default for a chart's ``release_name``.
        namespace: Namespace of the release; charts see it.
        base: Folder that relative paths start from; default the working directory.

    Raises:
        InputError: Not exactly one source, an unknown option of `helm`, or see the renderers and
            :func:`.overrides.apply_overrides`. ``details["property"]`` names the option.
        GitOpsError: See :func:`.sources.load_sources`, :func:`.kustomize.render_kustomize` and
            :func:`.helm.render_helm`.
    """
    name = _the_one(sources)
    try:
        rendered = _rendered(name, sources, release, namespace, base or Path.cwd())
    except InputError as error:
        error.details.setdefault("property", name)
        raise
    if overrides is None:
        return rendered
    objects = apply_overrides(rendered.objects, overrides)
    return Rendered(objects, (*rendered.warnings, *_left_behind(objects, overrides.namespace, namespace)))


def _the_one(sources: Sources) -> str:
    given = [name for name in _SOURCES if getattr(sources, name) not in (None, "")]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "none is given"
        raise InputError(f"exactly one of {', '.join(_SOURCES)} is needed, {what}")
    return given[0]


def _rendered(name: str, sources: Sources, release: str, namespace: str, base: Path) -> Rendered:
    if name == "definition":
        objects = as_objects(sources.definition)
        if not objects:
            raise EmptySetError("the definition holds no objects")
        return Rendered(objects)
    if name == "src":
        return Rendered(load_sources(sources.src or [], base=base))
    if name == "kustomize":
        from .kustomize import render_kustomize

        folder = _from(base, sources.kustomize)
        return Rendered(render_kustomize(folder, allow_network=sources.allow_network))
    from .helm import render_helm

    chart = _chart(sources.helm, release, namespace)
    files = [_from(base, file) for file in chart.value_files]
    located = replace(chart, chart=_from(base, chart.chart), value_files=files)
    return render_helm(located, allow_network=sources.allow_network)


def _from(base: Path, path: str | Path) -> str:
    """Return a path that starts at the base folder; an address and an empty text stay, to be judged as they are."""
    text = str(path)
    return text if not text or is_remote(text) else str(base / Path(text).expanduser())


def _chart(given: HelmChart | Mapping[str, Any] | None, release: str, namespace: str) -> HelmChart:
    if isinstance(given, HelmChart):
        return given
    if not isinstance(given, Mapping):
        raise InputError(f"helm has to be a mapping, not {type(given).__name__}", hint=_options())
    unknown = sorted(str(key) for key in given if key not in _HELM_OPTIONS)
    if unknown:
        raise InputError(f"helm has no option {', '.join(unknown)}", hint=_options())
    options = {key: value for key, value in given.items() if value is not None}
    for key in ("chart", "version", "release_name"):
        if not isinstance(options.get(key, ""), str):
            raise InputError(f"helm.{key} is {options[key]!r}, not a text", hint="Quote it.")
    files = options.get("value_files", [])
    files = [files] if isinstance(files, str | Path) else files
    if not isinstance(files, Sequence) or not all(isinstance(file, str | Path) for file in files):
        raise InputError("helm.value_files has to be a list of files")
    return HelmChart(
        chart=options.get("chart", ""),
        version=options.get("version", ""),
        values=options.get("values", {}),
        value_files=files,
        release_name=options.get("release_name") or release,
        namespace=namespace,
    )


def _options() -> str:
    return f"Options: {', '.join(_HELM_OPTIONS)}."


def _left_behind(objects: Sequence[KubeObject], wanted: str, namespace: str) -> list[str]:
    """Warn of a set that is torn apart: the override does not reach what names no namespace."""
    if not wanted or wanted == namespace:
        return []
    nameless = [ref for ref in map(ObjectRef.of, objects) if not ref.namespace]
    if not nameless:
        return []
    which = f"{len(nameless)} of {len(objects)} objects name no namespace ({nameless[0]}, ...)"
    return [f"{which}: those that live in one go to {namespace}, not to {wanted}"]
