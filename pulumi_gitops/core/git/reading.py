# SPDX-License-Identifier: Apache-2.0
"""Read a branch: where it is, what some of its files hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .commit import Tree
from .paths import check_path
from .repository import open_remote

if TYPE_CHECKING:
    from .credentials import Credentials


@dataclass(frozen=True, slots=True)
class FileSnapshot:
    """Files of a branch at one commit: path -> exact content, None for a path that does not exist."""

    commit: str
    files: dict[str, bytes | None]


def read_tip(url: str, branch: str, *, credentials: Credentials | None = None, timeout: float = 60.0) -> str:
    """Return the commit id that a branch points to; fetches nothing.

    Args:
        url: HTTP(S) URL of the repository, without credentials.
        branch: Name of the branch.
        credentials: How to authenticate; anonymous when None.
        timeout: Seconds for everything together.

    Raises:
        InputError: The URL or the branch name is not valid.
        GitMissingError, GitUnreachableError, GitAuthError: No usable git, no connection, no access.
        BranchNotFoundError: The branch does not exist.
    """
    with open_remote(url, branch, credentials, timeout) as remote:
        tip = remote.head()
        if tip is None:
            raise remote.not_found()
        return tip


def read_files(
    url: str, branch: str, paths: Iterable[str], *, credentials: Credentials | None = None, timeout: float = 60.0
) -> FileSnapshot:
    """Return the content of some files at the tip of a branch; only these files travel.

    Raises:
        GitOpsError: As :func:`read_tip`; InputError also for a path that is not valid or not a regular file.
    """
    wanted = [check_path(path) for path in paths]
    with open_remote(url, branch, credentials, timeout) as remote:
        tip = remote.fetch()
        if tip is None:
            raise remote.not_found()
        return FileSnapshot(tip, Tree(remote, tip).read(wanted))


def blob_ids(
    url: str, branch: str, paths: Iterable[str], *, credentials: Credentials | None = None, timeout: float = 60.0
) -> dict[str, str | None]:
    """Return the object ids of some files at the tip of a branch, None for a path that does not exist.

    No content travels: compare with :func:`.repository.blob_id` of the content that is wanted.

    Raises:
        GitOpsError: As :func:`read_tip`; InputError also for a path that is not valid.
    """
    wanted = [check_path(path) for path in paths]
    with open_remote(url, branch, credentials, timeout) as remote:
        tip = remote.fetch()
        if tip is None:
            raise remote.not_found()
        entries = remote.entries(tip)
        return {path: entries[path].blob if path in entries else None for path in wanted}
