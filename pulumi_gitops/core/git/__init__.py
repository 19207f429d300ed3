# SPDX-License-Identifier: Apache-2.0
"""Git: read a branch and commit files to it. Importing this package starts nothing and does not import GitPython."""

from __future__ import annotations

from .commit import CommitResult, EditFunction, FileChange, Tree, commit_edit, commit_files
from .credentials import Credentials
from .reading import FileSnapshot, blob_ids, read_files, read_tip
from .repository import blob_id

__all__ = [
    "CommitResult",
    "Credentials",
    "EditFunction",
    "FileChange",
    "FileSnapshot",
    "Tree",
    "blob_id",
    "blob_ids",
    "commit_edit",
    "commit_files",
    "read_files",
    "read_tip",
]
