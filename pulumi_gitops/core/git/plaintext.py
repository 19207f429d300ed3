# SPDX-License-Identifier: Apache-2.0
"""Keep Secrets in clear out of Git: a commit can be reverted, but not unread."""

from __future__ import annotations

from typing import Any

from ..errors import InputError, ManifestError
from ..yamlio import load_documents

_SUFFIXES = (".yaml", ".yml", ".json")


def holds_plaintext_secret(path: str, content: bytes) -> bool:
    """Say whether a file is a manifest with a Kubernetes Secret that anybody could read.

    Secrets encrypted with SOPS (they have a ``sops`` key) and SealedSecrets are fine. A file that is not a manifest,
    such as a template, is not judged.
    """
    if not path.lower().endswith(_SUFFIXES) or b"Secret" not in content:
        return False
    try:
        documents = load_documents(content, source=path)
    except ManifestError:
        return False
    return any(_is_plaintext(document) for document in documents)


def check_plaintext(path: str, content: bytes) -> None:
    """Refuse a file for which :func:`holds_plaintext_secret` is true.

    Raises:
        InputError: Names the file and what to do.
    """
    if holds_plaintext_secret(path, content):
        raise InputError(
            f"{path} holds a Kubernetes Secret in clear",
            hint="Encrypt it (SOPS, Sealed Secrets), or set allow_plaintext_secret if everybody may read it.",
        )


def _is_plaintext(value: Any, kind: str = "") -> bool:
    if not isinstance(value, dict):
        return False
    kind = str(value.get("kind") or kind)
    if kind == "Secret":
        return "sops" not in value and bool(value.get("data") or value.get("stringData"))
    items = value.get("items")
    return isinstance(items, list) and any(_is_plaintext(item, kind.removesuffix("List")) for item in items)
