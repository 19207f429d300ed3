# SPDX-License-Identifier: Apache-2.0
"""Which paths may be written to a repository."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ..errors import InputError

_HINT = "Paths are relative to the top of the repository, with forward slashes, for example apps/shop/web.yaml."


def check_path(path: str) -> str:
    """Return `path` when it names a file inside a repository.

    Raises:
        InputError: It is absolute or empty, has ``.``, ``..``, empty or ``.git`` parts (in any spelling that some
            file system takes for it), a backslash or a control character.
    """
    try:
        path.encode()
    except UnicodeEncodeError as e:
        raise InputError(f"the path {path!r} is not UTF-8 text", hint=_HINT) from e
    if not path or "\\" in path or any(unicodedata.category(c) == "Cc" for c in path):
        raise InputError(f"the path {path!r} is empty or has a backslash or control character", hint=_HINT)
    for part in path.split("/"):
        if part in {"", ".", ".."}:
            raise InputError(f"the path {path!r} is not a plain relative path", hint=_HINT)
        # macOS ignores invisible characters in names, Windows trailing dots and spaces, a stream name, and case.
        visible = "".join(c for c in part if unicodedata.category(c) != "Cf")
        if visible.partition(":")[0].rstrip(". ").lower() in {".git", "git~1"}:
            raise InputError(f"the path {path!r} leads into .git", hint=_HINT)
    return path


def check_clashes(paths: Iterable[str], added: Iterable[str]) -> None:
    """Refuse a set of files in which one is at the same time a folder.

    Args:
        paths: All files of the tree as it will be.
        added: Those of them that are new.

    Raises:
        InputError: Names both paths.
    """
    final = set(paths)
    folders: dict[str, str] = {}
    for path in final:
        parent = path.rpartition("/")[0]
        while parent and parent not in folders:
            folders[parent] = path
            parent = parent.rpartition("/")[0]
    for path in added:
        if path in folders:
            raise InputError(f"{path!r} can not be a file: it is a folder that holds {folders[path]!r}")
        parent = path.rpartition("/")[0]
        while parent:
            if parent in final:
                raise InputError(f"{path!r} can not be written: {parent!r} is a file")
            parent = parent.rpartition("/")[0]
