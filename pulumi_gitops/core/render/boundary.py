# SPDX-License-Identifier: Apache-2.0
"""What a source may refer to: nothing outside its own tree, nothing on the network, no program."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import InputError, ManifestError
from ..redact import redact

# Everything that kustomize or git could take for an address (kustomize: internal/git/repospec.go): a scheme, "git::",
# "user@host:path", "user@host/path", GitHub without a scheme. Wider than that: gh:, s3:, and what has the look of an
# address somewhere. A text that is an object starts with a key and a blank.
_REMOTE = re.compile(r"(?i)\s*(?:[a-z][a-z0-9+.-]*:(?=\S)|[a-z][a-z0-9._-]*@[^/:]*[/:]|github\.com/)")
_ADDRESS_PARTS = ("://", "?ref=", "?version=")


class UnsafeSourceError(ManifestError):
    """A source would leave its folder, reach the network or run a program; nothing was run.

    Args:
        message: What it would do.
        source: File that says so.
        line: 1-based, 0 when unknown.
        column: 1-based, 0 when unknown.
        text: The offending text.
        hint: What to do.
    """

    code = "input.unsafe_source"

    def __init__(
        self, message: str, *, source: str = "", line: int = 0, column: int = 0, text: str = "", hint: str = ""
    ) -> None:
        super().__init__(message, source=source, line=line, column=column, hint=hint)
        self.details["text"] = redact(text)


def is_remote(text: str) -> bool:
    """Tell whether a reference could be taken for an address on the network instead of a local path."""
    has_parts = any(part in text for part in _ADDRESS_PARTS) and not re.search(r"\s", text.strip())
    return has_parts or bool(_REMOTE.match(text))


def resolved(path: Path) -> Path:
    """Return a path without links; :meth:`Path.resolve` raises for a loop of links before Python 3.13."""
    return Path(os.path.realpath(path))


def joined(folder: Path, text: str) -> Path:
    """Return where a reference leads, without links.

    ``..`` is taken off the text before links are followed, as Go's filepath.Join does it: ``link/../x`` is ``x``
    beside the link, and not beside what it leads to.
    """
    return resolved(Path(os.path.normpath(folder / text)))


def is_file(path: Path) -> bool:
    """Tell whether there is a file; before Python 3.13 :meth:`Path.is_file` raises for a name that is too long."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Tell whether there is a folder, see :func:`is_file`."""
    return os.path.isdir(path)  # noqa: PTH112


def is_within(path: Path, folder: Path) -> bool:
    """Tell whether `path` is `folder` or lies below it; both have to be resolved."""
    return path == folder or folder in path.parents


def root_of(folder: Path, root: str | Path | None = None) -> Path:
    """Return the folder that nothing a source refers to may leave.

    Args:
        folder: The source's folder, resolved.
        root: The user's choice.

    Returns:
        `root` when it is given. Otherwise the Git work tree around the folder; without one the folder two levels up, so
        that ``overlays/production`` reaches ``base``, but never the root of the file system.

    Raises:
        InputError: `root` does not hold the folder.
    """
    if root is not None:
        chosen = resolved(Path(root).expanduser())
        if not is_within(folder, chosen):
            raise InputError(f"{folder} is not below root {chosen}", hint="Give a folder above it, or leave root out.")
        return chosen
    for candidate in (folder, *folder.parents):
        if (candidate / ".git").exists():  # a file in linked work trees and submodules
            return candidate
    return next(path for path in (*folder.parents[1::-1], folder) if path != path.parent or path == folder)
