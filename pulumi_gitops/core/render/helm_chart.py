# SPDX-License-Identifier: Apache-2.0
"""Look at a Helm chart before helm does: where it is, which version it has, and that it stays in its place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ..errors import InputError, SourceUnavailableError
from ..yamlio import load_documents
from .boundary import UnsafeSourceError, is_file, is_folder, is_remote, is_within, resolved, root_of

OCI = "oci://"
_OCI_REFERENCE = re.compile(
    r"oci://[a-zA-Z0-9][a-zA-Z0-9.:\[\]-]*/[a-zA-Z0-9._/+-]+(:[a-zA-Z0-9._+-]+)?(@sha256:[0-9a-f]{64})?\Z"
)
_LARGEST_METADATA = 1024 * 1024


def check_chart(chart: str, version: str, *, allow_network: bool, root: str | Path | None) -> str:
    """Return what names the chart for helm: an absolute path or an ``oci://`` reference.

    Args:
        chart: Folder, archive or ``oci://`` reference.
        version: Version that it has to have; "" for any.
        allow_network: ``oci://`` is allowed.
        root: See :func:`.boundary.root_of`.

    Raises:
        InputError: It is none of these, of another version, not pinned to one, or on the network though that is not
            allowed.
        UnsafeSourceError: A link in the folder leads outside the root.
        SourceUnavailableError: There is nothing at the path.
    """
    if not chart.strip():
        raise InputError("chart is empty", hint="Name a folder, an archive or an oci:// reference.")
    if chart.startswith(OCI):
        return _check_reference(chart, version, allow_network=allow_network)
    path = Path(chart).expanduser()
    if is_folder(path):
        found = resolved(path)
        if not (found / "Chart.yaml").is_file():
            raise InputError(f"the folder {found} is not a Helm chart", hint="It has no Chart.yaml.")
        _check_links(found, root_of(found, root))
        _check_version(found, version, _metadata((found / "Chart.yaml").read_bytes(), str(found / "Chart.yaml")))
        return str(found)
    if is_file(path):
        found = resolved(path)
        if version:
            _check_version(found, version, _archived_metadata(found))
        return str(found)
    if is_remote(chart):
        raise InputError(
            f"{chart} is neither a local chart nor an oci:// reference",
            hint="Download it (helm pull) and name the archive, or use a registry that serves charts by oci://.",
        )
    raise SourceUnavailableError(
        f"the chart {path} does not exist",
        hint="Relative paths start at the base folder. A chart of a repository has to be downloaded (helm pull).",
    )


def _check_reference(chart: str, version: str, *, allow_network: bool) -> str:
    if "@" in chart.removeprefix(OCI).partition("/")[0]:
        raise InputError(f"{chart} holds credentials", hint="Use helm registry login instead.")
    match = _OCI_REFERENCE.match(chart)
    if match is None:
        raise InputError(f"{chart!r} is not an oci:// reference", hint="Write oci://registry/repository.")
    if not (version or match[1] or match[2]):
        raise InputError(
            f"{chart} has no version: it would be the latest one at every run", hint="Set version, a tag or a digest."
        )
    if not allow_network:
        raise InputError(
            f"{chart} is on the network", hint="Set allow_network, or download it (helm pull) and name the archive."
        )
    return chart


def _check_links(chart: Path, root: Path) -> None:
    """Refuse links that lead outside: helm follows every link, and templates can print every file of a chart."""
    seen: set[Path] = set()
    todo = [chart]
    while todo:
        folder = todo.pop()
        if resolved(folder) in seen:
            continue
        seen.add(resolved(folder))
        for entry in sorted(folder.iterdir()):
            target = resolved(entry)
            if entry.is_symlink() and not is_within(target, root):
                raise UnsafeSourceError(
                    f"the link leads to {target}, outside {root}: helm would make it a part of the chart",
                    source=str(entry),
                    text=str(entry.readlink()),
                    hint="Copy what it leads to into the chart. Links in the Git work tree, or below root, are fine.",
                )
            if entry.is_dir():
                todo.append(entry)


def _check_version(path: Path, wanted: str, metadata: dict[str, Any]) -> None:
    found = str(metadata.get("version") or "")
    if wanted and found.removeprefix("v") != wanted.removeprefix("v"):
        raise InputError(
            f"the chart {path} has version {found or 'none'}, not {wanted}",
            hint="Give the version that is there, or leave version out: a local chart has only one.",
        )


def _metadata(text: bytes, source: str) -> dict[str, Any]:
    documents = load_documents(text, source=source)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise InputError(f"{source} does not describe a Helm chart", hint="It has to be one YAML mapping.")
    return documents[0]


def _archived_metadata(path: Path) -> dict[str, Any]:
    import tarfile  # with its compressions: only for an archive whose version counts

    try:
        with tarfile.open(path) as archive:
            for member in archive:
                if re.fullmatch(r"(\./)?[^/]+/Chart\.yaml", member.name) and member.isfile():
                    content = archive.extractfile(member)
                    if content is not None:
                        return _metadata(content.read(_LARGEST_METADATA), f"{path}, {member.name}")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InputError(f"{path} is not a chart archive: {error}", hint="Name a .tgz made by helm package.") from error
    raise InputError(f"{path} is not a chart archive", hint="It has no Chart.yaml.")
