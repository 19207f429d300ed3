# SPDX-License-Identifier: Apache-2.0
"""Read kubeconfigs: merge files, pick a context, and hand over what has to be known to connect.

Tokens, token files, basic auth and certificates are read here. Exec plugins, auth providers and OIDC go through the
``kubernetes`` package, which is imported only for them (its import costs more than a whole no-op run).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ClusterConfigError, ManifestError
from ..yamlio import load_documents

_SECTIONS = ("clusters", "contexts", "users")
# Values in these places are paths relative to the file that holds them (client-go: clientcmd.ResolveLocalPaths).
_CLUSTER_PATHS = ("certificate-authority",)
_USER_PATHS = ("client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True, slots=True)
class Context:
    """One context of a kubeconfig, with its cluster and user sections."""

    name: str
    cluster: Mapping[str, Any]
    user: Mapping[str, Any] = field(repr=False)
    namespace: str
    document: Mapping[str, Any] = field(repr=False)
    origin: str

    @property
    def needs_plugin(self) -> bool:
        """Whether credentials come from an exec plugin or an auth provider."""
        return "exec" in self.user or "auth-provider" in self.user


def default_paths() -> list[Path]:
    """Return the files of ``$KUBECONFIG``, else ``~/.kube/config``."""
    value = os.environ.get("KUBECONFIG", "")
    if value:
        return [Path(part).expanduser() for part in value.split(os.pathsep) if part]
    return [Path("~/.kube/config").expanduser()]


def load(source: str | Mapping[str, Any] | None) -> tuple[dict[str, Any], str]:
    """Read and merge a kubeconfig.

    Args:
        source: See :attr:`ConnectionOptions.kubeconfig`.

    Returns:
        The merged document and where it came from. The document is empty when no default file exists.

    Raises:
        ClusterConfigError: A named file is missing or is no kubeconfig.
    """
    if isinstance(source, Mapping):
        return _checked(dict(source), "inline kubeconfig", None), "inline kubeconfig"
    if source and "\n" in source.strip():
        return _checked(_parse(source, "inline kubeconfig"), "inline kubeconfig", None), "inline kubeconfig"
    explicit = bool(source)
    paths = [Path(p).expanduser() for p in source.split(os.pathsep) if p] if source else default_paths()
    merged: dict[str, Any] = {}
    found: list[str] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if explicit and len(paths) == 1:
                raise ClusterConfigError(
                    f"kubeconfig {path} does not exist", hint="Check the path, or leave it out to use the default."
                ) from None
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise ClusterConfigError(f"kubeconfig {path} can not be read: {error}") from error
        found.append(str(path))
        _merge(merged, _checked(_parse(text, str(path)), str(path), path.parent))
    return merged, os.pathsep.join(found)


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        documents = load_documents(text, source=origin)
    except ManifestError as error:
        raise ClusterConfigError(f"{origin} is not valid YAML: {error.message}") from error
    if not documents:
        return {}
    if len(documents) > 1 or not isinstance(documents[0], dict):
        raise ClusterConfigError(f"{origin} is not a kubeconfig", hint="Expected one document with clusters and users.")
    return documents[0]


def _checked(document: dict[str, Any], origin: str, folder: Path | None) -> dict[str, Any]:
    for section in _SECTIONS:
        entries = document.get(section) or []
        if not isinstance(entries, list) or not all(isinstance(e, dict) and "name" in e for e in entries):
            raise ClusterConfigError(f"{origin}: {section} is not a list of named entries")
    if folder is not None:
        _absolute_paths(document, folder)
    return document


def _absolute_paths(document: dict[str, Any], folder: Path) -> None:
    for section, key, names in (("clusters", "cluster", _CLUSTER_PATHS), ("users", "user", _USER_PATHS)):
        for entry in document.get(section) or []:
            values = entry.get(key) or {}
            for name in names:
                if values.get(name):
                    values[name] = str(folder / values[name])


def _merge(merged: dict[str, Any], document: dict[str, Any]) -> None:
    # clientcmd: the first file that sets a value, or names an entry, wins.
    for key, value in document.items():
        if key in _SECTIONS:
            entries = merged.setdefault(key, [])
            known = {entry["name"] for entry in entries}
            entries.extend(entry for entry in value or [] if entry["name"] not in known)
        elif value not in (None, "") and key not in merged:
            merged[key] = value


def pick(document: Mapping[str, Any], origin: str, context: str | None) -> Context:
    """Return one context of a kubeconfig.

    Raises:
        ClusterConfigError: The context, its cluster or its user does not exist.
    """
    contexts = {entry["name"]: entry.get("context") or {} for entry in document.get("contexts") or []}
    name = context or document.get("current-context") or ""
    if not name:
        raise ClusterConfigError(
            f"{origin} sets no current-context",
            hint=f"Name one with the option context: {_names(contexts)}.",
        )
    if name not in contexts:
        raise ClusterConfigError(f"context {name!r} does not exist in {origin}", hint=f"It has: {_names(contexts)}.")
    chosen = contexts[name]
    cluster = _section(document, "clusters", "cluster", chosen.get("cluster"), name, origin)
    user = _section(document, "users", "user", chosen.get("user"), name, origin) if chosen.get("user") else {}
    if not cluster.get("server"):
        raise ClusterConfigError(f"cluster {chosen.get('cluster')!r} in {origin} has no server")
    return Context(
        name=name,
        cluster=cluster,
        user=user,
        namespace=str(chosen.get("namespace") or "default"),
        document=document,
        origin=f"context {name} of {origin}",
    )


def _section(
    document: Mapping[str, Any], section: str, key: str, wanted: Any, context: str, origin: str
) -> Mapping[str, Any]:
    entries = {entry["name"]: entry.get(key) or {} for entry in document.get(section) or []}
    if wanted not in entries:
        raise ClusterConfigError(
            f"context {context!r} in {origin} names the {key} {wanted!r}, which is not there",
            hint=f"It has: {_names(entries)}.",
        )
    return dict(entries[wanted])


def _names(entries: Mapping[str, Any]) -> str:
    names = sorted(str(name) for name in entries)
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "") if names else "none"
