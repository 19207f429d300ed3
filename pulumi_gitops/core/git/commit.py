# SPDX-License-Identifier: Apache-2.0
"""Commit files to a branch without ever overwriting what somebody else pushed.

A commit is an edit function, not a diff: fetch the tip, run the edit on it, commit on top, push only if the branch
still is where it was; if it moved, start again on the new tip. That works on the newest commit alone, without a rebase.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import InputError, LostRaceError
from ..redact import redact
from .paths import check_clashes, check_path
from .plaintext import check_plaintext, holds_plaintext_secret
from .repository import EXECUTABLE, REGULAR, Entry, Identity, RemoteBranch, blob_id, open_remote

if TYPE_CHECKING:
    from .credentials import Credentials

DEFAULT_AUTHOR = "pulumi-gitops <pulumi-gitops@localhost>"

_AUTHOR = re.compile(r"(?P<name>[^<>\n\x00]*[^<>\s\x00]) <(?P<mail>[^<>\s\x00]+)>")
_LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class FileChange:
    """A changed file as a person may see it.

    ``before`` and ``after`` are None when the file does not exist, and a short note in angle brackets for content that
    is binary or must not be shown. Registered secrets are masked.
    """

    path: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What a commit came to.

    Attributes:
        commit: Id of the commit that the branch points to now; in check mode, or without a change, that of the
            unchanged tip. Empty when the repository is empty and stays so.
        branch: Name of the branch.
        changed_paths: Files written or removed, sorted.
        changed: Whether the branch moved (in check mode: would move).
        attempts: How many pushes it took; 0 when nothing was pushed.
        changes: One entry per changed path.
    """

    commit: str
    branch: str
    changed_paths: tuple[str, ...]
    changed: bool
    attempts: int
    changes: tuple[FileChange, ...]


class Tree:
    """The files of a branch's tip, for an edit function."""

    def __init__(self, remote: RemoteBranch, commit: str | None) -> None:
        self._remote = remote
        self._entries = remote.entries(commit) if commit else {}

    def entry(self, path: str) -> Entry | None:
        """Return mode and blob id of a file, None when there is no such file."""
        return self._entries.get(path)

    def paths(self) -> tuple[str, ...]:
        """Return the paths of all files, links and submodules."""
        return tuple(self._entries)

    def read(self, paths: Iterable[str]) -> dict[str, bytes | None]:
        """Return the exact content of files, None for those that do not exist.

        Raises:
            InputError: A path is not valid, or is a symbolic link or a submodule.
        """
        entries = {path: self.regular(check_path(path)) for path in paths}
        contents = self._remote.blobs(entry.blob for entry in entries.values() if entry is not None)
        return {path: contents[entry.blob] if entry is not None else None for path, entry in entries.items()}

    def regular(self, path: str) -> Entry | None:
        """Return the entry of a regular file, None when there is nothing at that path.

        Raises:
            InputError: There is something else, a symbolic link or a submodule.
        """
        entry = self._entries.get(path)
        if entry is not None and entry.mode not in {REGULAR, EXECUTABLE}:
            kind = "submodule" if entry.mode == "160000" else "symbolic link"
            raise InputError(f"{path!r} is a {kind}, not a file", hint="Name the file itself.")
        return entry


EditFunction = Callable[[Tree], Mapping[str, bytes | None]]
"""Gets the tip's files, returns what to change: path -> new content, or None to remove the file."""


def commit_files(
    url: str,
    branch: str,
    *,
    files: Mapping[str, str | bytes],
    delete: Sequence[str] = (),
    message: str,
    author: str | None = None,
    credentials: Credentials | None = None,
    check: bool = False,
    create_branch: bool = False,
    allow_plaintext_secret: bool = False,
    timeout: float = 120.0,
    max_attempts: int = 20,
) -> CommitResult:
    """Write and remove files on a branch, in one commit; nothing happens when they are already as wanted.

    Args:
        url: HTTP(S) URL of the repository, without credentials.
        branch: Branch to commit to.
        files: Path -> content. Text is written as UTF-8, exactly as given. The mode of an existing file is kept.
        delete: Paths to remove; those that do not exist are no error.
        message: Commit message.
        author: ``Name <mail>`` of author and committer; default `DEFAULT_AUTHOR`.
        credentials: How to authenticate; anonymous when None.
        check: Compute the result, push nothing.
        create_branch: Start the branch from the tip of the default branch when it does not exist. An empty repository
            gets its first commit without it.
        allow_plaintext_secret: Accept manifests of kind Secret that are not encrypted.
        timeout: Seconds for everything together.
        max_attempts: How often to start again when somebody else pushes first.

    Raises:
        InputError: An option, a path or a file's content is refused; nothing was written.
        GitMissingError, GitUnreachableError, GitAuthError: No usable git, no connection, no access.
        BranchNotFoundError: The branch does not exist.
        PushRejectedError: The server refuses (protected branch, hook).
        LostRaceError: The branch moved under every attempt.
    """
    wanted: dict[str, bytes | None] = {
        check_path(path): content.encode() if isinstance(content, str) else content for path, content in files.items()
    }
    for path in delete:
        if check_path(path) in files:
            raise InputError(f"{path!r} is both written and deleted")
        wanted[path] = None
    return commit_edit(
        url,
        branch,
        lambda _: wanted,
        message=message,
        author=author,
        credentials=credentials,
        check=check,
        create_branch=create_branch,
        allow_plaintext_secret=allow_plaintext_secret,
        timeout=timeout,
        max_attempts=max_attempts,
    )


def commit_edit(
    url: str,
    branch: str,
    edit: EditFunction,
    *,
    message: str,
    author: str | None = None,
    credentials: Credentials | None = None,
    check: bool = False,
    create_branch: bool = False,
    allow_plaintext_secret: bool = False,
    timeout: float = 120.0,
    max_attempts: int = 20,
) -> CommitResult:
    """Commit what an edit function makes of the tip of a branch.

    Args:
        url: As for :func:`commit_files`, like all that is not named here.
        branch: Branch to commit to.
        edit: Called with the files of the tip, again for each new tip after a lost race.
        message: Commit message.
        author: ``Name <mail>``.
        credentials: How to authenticate.
        check: Push nothing.
        create_branch: Make a missing branch.
        allow_plaintext_secret: Accept Secrets in clear.
        timeout: Seconds for everything together.
        max_attempts: How often to start again.

    Raises:
        GitOpsError: As :func:`commit_files`, and whatever `edit` raises.
    """
    identity = _identity(author or DEFAULT_AUTHOR)
    _check_message(message)
    if max_attempts < 1:
        raise InputError("max_attempts has to be at least 1")
    with open_remote(url, branch, credentials, timeout) as remote:
        for attempt in range(1, max_attempts + 1):
            tip = remote.fetch()
            base = tip or _base_of_new_branch(remote, create_branch=create_branch)
            changes, details = _changes(Tree(remote, base), edit, allow_plaintext_secret=allow_plaintext_secret)
            paths = tuple(change.path for change in details)
            is_new = tip is None and base is not None
            if check or not (changes or is_new):
                return CommitResult(base or "", branch, paths, bool(changes) or is_new, 0, details)
            commit = base
            if changes:
                commit = remote.commit_tree(remote.write_tree(base, changes), base, message, identity)
            assert commit is not None
            if remote.push(commit, tip):
                return CommitResult(commit, branch, paths, True, attempt, details)
            if attempt < max_attempts:
                time.sleep(random.uniform(0, min(_LONGEST_PAUSE, 0.05 * 2**attempt)))  # noqa: S311 - not for security
    raise LostRaceError(
        f"{url}: somebody else pushed to {branch!r} during each of {max_attempts} attempts; nothing was committed",
        hint="Try again; many writers on one branch need fewer, larger commits.",
        details={"branch": branch, "attempts": max_attempts},
    )


def _base_of_new_branch(remote: RemoteBranch, *, create_branch: bool) -> str | None:
    """Return the commit that a missing branch starts from, None in an empty repository."""
    if create_branch:
        return remote.fetch_default()
    if remote.default_head() is not None:
        raise remote.not_found()
    return None


def _changes(
    tree: Tree, edit: EditFunction, *, allow_plaintext_secret: bool
) -> tuple[dict[str, tuple[str, bytes] | None], tuple[FileChange, ...]]:
    """Run the edit and keep what really changes: for the tree (mode and content) and for people (texts)."""
    changes: dict[str, tuple[str, bytes] | None] = {}
    for path, content in sorted(edit(tree).items()):
        entry = tree.regular(check_path(path))
        if content is None:
            if entry is not None:
                changes[path] = None
        elif entry is None or entry.blob != blob_id(content):
            if not allow_plaintext_secret:
                check_plaintext(path, content)
            changes[path] = (entry.mode if entry is not None else REGULAR, content)
    removed = {path for path, change in changes.items() if change is None}
    check_clashes((set(tree.paths()) | set(changes)) - removed, set(changes) - removed - set(tree.paths()))
    before = tree.read(changes)
    details = tuple(
        FileChange(path, _shown(path, before[path]), _shown(path, change[1] if change is not None else None))
        for path, change in changes.items()
    )
    return changes, details


def _shown(path: str, content: bytes | None) -> str | None:
    if content is None:
        return None
    if holds_plaintext_secret(path, content):
        return f"<Secret in clear, {len(content)} bytes>"
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    return f"<binary, {len(content)} bytes>" if "\0" in text else redact(text)


def _identity(author: str) -> Identity:
    match = _AUTHOR.fullmatch(author)
    if match is None:
        raise InputError(f"the author {author!r} is not of the form 'Name <mail>'")
    return Identity(match["name"], match["mail"], int(time.time()))


def _check_message(message: str) -> None:
    if not message.strip() or "\0" in message:
        raise InputError("the commit message is empty or has a null character")
