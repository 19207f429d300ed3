# SPDX-License-Identifier: Apache-2.0
"""Sign a commit as ``git commit -S`` does, with whatever makes the signature."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path


def sign_head(repository: Path, branch: str, sign: Callable[[bytes], bytes]) -> str:
    """Put a signed copy of a branch's newest commit in its place; return its id.

    Args:
        repository: Bare repository.
        branch: Name of the branch.
        sign: Makes an armoured signature of a text.
    """
    ref = f"refs/heads/{branch}"
    commit = _git(repository, "cat-file", "commit", ref)
    head, _, message = commit.partition(b"\n\n")
    signed = head + b"\ngpgsig " + sign(commit).replace(b"\n", b"\n ") + b"\n\n" + message
    made = _git(repository, "hash-object", "-t", "commit", "-w", "--stdin", data=signed).decode().strip()
    _git(repository, "update-ref", ref, made)
    return made


def _git(repository: Path, *arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["git", "-C", repository, *arguments], input=data, capture_output=True, check=True).stdout
