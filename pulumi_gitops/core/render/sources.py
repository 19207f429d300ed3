# SPDX-License-Identifier: Apache-2.0
"""Read manifests from files, folders, globs and values."""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import EmptySetError, InputError, SourceUnavailableError
from ..objects import KubeObject
from ..yamlio import load_manifests

_SUFFIXES = (".yaml", ".yml", ".json")
_GLOB_CHARACTERS = frozenset("*?[")


def load_sources(src: str | Path | Sequence[str | Path], *, base: Path | None = None) -> list[KubeObject]:
    """Read the manifests of one or several sources.

    Args:
        src: Files, folders (read recursively, hidden entries left out) and globs (``**`` included).
        base: Folder that relative paths start from; default the working directory.

    Returns:
        The objects, files in alphabetical order, Lists expanded.

    Raises:
        SourceUnavailableError: A path does not exist or can not be read.
        EmptySetError: A source holds no manifests.
        ManifestError: A manifest is not valid; says file, line and column.
    """
    sources = [src] if isinstance(src, str | Path) else list(src)
    files: dict[Path, None] = {}
    for source in sources:
        if not str(source).strip():
            raise InputError("src has an empty entry", hint="Name a file, a folder or a glob.")
        files.update(dict.fromkeys(_files_of(source, base or Path.cwd())))
    objects = []
    for path in files:
        try:
            text = path.read_bytes()
        except OSError as error:
            raise SourceUnavailableError(f"{path} can not be read: {error.strerror}") from error
        objects += load_manifests(text, source=str(path))
    if not objects:
        raise EmptySetError(
            f"no manifests in {', '.join(str(source) for source in sources) or 'src'}",
            hint="Check the path; only .yaml, .yml and .json files of a folder are read.",
        )
    return objects


def _files_of(source: str | Path, base: Path) -> list[Path]:
    path = base / Path(source).expanduser()
    if path.is_dir():
        found = [
            file
            for file in path.rglob("*")
            if file.suffix in _SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        ]
        if not found:
            raise EmptySetError(f"folder {path} holds no manifests", hint="It has no .yaml, .yml or .json file.")
        return sorted(found)
    if path.is_file():
        return [path]
    if _GLOB_CHARACTERS & set(str(source)):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))  # noqa: PTH207  # absolute patterns
        if matches:
            return [file for match in matches for file in ([match] if match.is_file() else _files_of(match, base))]
    raise SourceUnavailableError(f"{path} does not exist", hint="Check src; relative paths start at " + str(base) + ".")


def as_objects(definition: object) -> list[KubeObject]:
    """Turn a definition into objects: a dict, a list of dicts, or YAML text; Lists are expanded.

    Raises:
        InputError: It is none of these.
        ManifestError: An object lacks apiVersion, kind or name.
    """
    if isinstance(definition, str | bytes):
        return load_manifests(definition, source="definition")
    items: list[Any]
    if isinstance(definition, Mapping):
        items = [definition]
    elif isinstance(definition, Sequence):
        items = list(definition)
    else:
        raise InputError(f"a definition is an object, a list of objects or YAML text, not {type(definition).__name__}")
    objects: list[KubeObject] = []
    for item in items:
        if isinstance(item, str):
            objects += load_manifests(item, source="definition")
            continue
        # Through text, so that a definition is checked by the very rules of a file.
        objects += load_manifests(_as_json(item), source="definition")
    return objects


def _as_json(item: Any) -> str:
    try:
        return json.dumps(item, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"definition holds something that is not JSON: {error}") from error
