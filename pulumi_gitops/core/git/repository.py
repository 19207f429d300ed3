# SPDX-License-Identifier: Apache-2.0
"""One branch of a remote repository, read and written by plumbing commands: no clone, no work tree, no checkout.

A fetch brings the newest commit and its trees; the content of a file travels only when it is asked for. Servers that
know no filters send everything at once, which changes nothing here.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import BranchNotFoundError, GitError, InputError, PushRejectedError
from ..redact import redact
from .command import GitCommand
from .credentials import Credentials
from .failures import remote_error, server_text

REGULAR = "100644"
EXECUTABLE = "100755"
_FETCHED = "refs/remotes/origin/branch"
_LISTED_BRANCHES = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a tree: its mode (``100644``, ``100755``, ``120000`` link, ``160000`` submodule) and object id."""

    mode: str
    blob: str


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a commit is by, and when (seconds since the epoch)."""

    name: str
    mail: str
    seconds: int


def blob_id(content: bytes) -> str:
    """Return the object id that git gives to a file with this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


@contextmanager
def open_remote(url: str, branch: str, credentials: Credentials | None, timeout: float) -> Iterator[RemoteBranch]:
    """Prepare to talk to one branch; the local folder with what is fetched goes away at the end.

    Raises:
        InputError: The URL or the branch name is not valid.
        GitMissingError: There is no usable git program.
    """
    with tempfile.TemporaryDirectory(prefix="pulumi-gitops-git-") as folder:  # mode 0700
        credentials = credentials or Credentials()
        git = GitCommand(Path(folder), url, credentials, timeout)
        if git.run("check-ref-format", f"refs/heads/{branch}", check=False).returncode != 0:
            raise InputError(f"{branch!r} is not a valid branch name")
        yield RemoteBranch(git, branch, authenticated=credentials.password is not None)


class RemoteBranch:
    """One branch of one remote repository.

    Args:
        git: Commands in the local repository.
        branch: Name without ``refs/heads/``, already checked.
        authenticated: Whether a password is sent.
    """

    def __init__(self, git: GitCommand, branch: str, *, authenticated: bool) -> None:
        self._git = git
        self._authenticated = authenticated
        self.branch = branch
        self.ref = f"refs/heads/{branch}"

    # --- remote -------------------------------------------------------------------------------------------------------

    def head(self) -> str | None:
        """Ask the server for the commit of the branch; None when there is no such branch."""
        return self._remote_refs(self.ref).get(self.ref)

    def default_head(self) -> str | None:
        """Ask the server for the commit of its default branch; None when the repository is empty."""
        return self._remote_refs("HEAD").get("HEAD")

    def not_found(self) -> BranchNotFoundError:
        """Build the error that names the branch and some that exist."""
        names = sorted(ref.removeprefix("refs/heads/") for ref in self._remote_refs("refs/heads/*"))
        if names:
            more = ", ..." if len(names) > _LISTED_BRANCHES else ""
            hint = f"Branches that exist: {', '.join(names[:_LISTED_BRANCHES])}{more}."
        else:
            hint = "The repository is empty."
        message = f"{self._git.url} has no branch {self.branch!r}"
        return BranchNotFoundError(message, hint=hint, details={"branch": self.branch, "branches": names})

    def fetch(self) -> str | None:
        """Fetch the newest commit of the branch; returns its id, or None when there is no such branch."""
        return self._fetch(self.ref)

    def fetch_default(self) -> str | None:
        """Fetch the newest commit of the default branch; None when the repository is empty."""
        return self._fetch("HEAD")

    def push(self, commit: str, expected: str | None) -> bool:
        """Make the branch point to `commit` if it still points to `expected` (None: does not exist yet).

        Returns:
            True when the branch points to `commit`, False when somebody else moved it meanwhile.

        Raises:
            PushRejectedError: The server refuses though the branch has not moved.
            GitAuthError: The credentials do not allow it.
            GitUnreachableError: No connection.
        """
        lease = f"--force-with-lease={self.ref}:{expected or ''}"
        # --no-thin: a delta against a file that was never fetched would fetch it first.
        pushed = self._git.run("push", "--porcelain", "--no-thin", lease, "origin", f"{commit}:{self.ref}", check=False)
        if pushed.returncode == 0:
            return True
        refused = next((line for line in pushed.text.splitlines() if line.startswith("!")), "")
        if not refused:  # not a word about the ref: the push did not get that far, or its answer was lost
            error = self._remote_error(pushed.stderr)
            try:
                arrived = self.head() == commit
            except GitError:
                raise error from None
            if arrived:
                return True
            raise error
        # Servers word a lost race in many ways ("stale info", "cannot lock ref", "incorrect old value", ...), so ask
        # where the branch is; a hook has decided, wherever the branch is.
        if "hook declined" not in refused:
            head = self.head()
            if head == commit:
                return True
            if head != expected:
                return False
        said = redact(server_text(pushed.stderr))
        reason = refused.rpartition("\t")[2]
        raise PushRejectedError(
            f"{self._git.url} refused the push to {self.branch!r}: {reason}" + (f"\n{said}" if said else ""),
            hint="Is the branch protected? Push to another branch and open a pull request, or grant the right to push.",
            details={"branch": self.branch, "reason": reason, "server": said},
        )

    def _fetch(self, source: str) -> str | None:
        fetched = self._git.run(
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--filter=blob:none"),
            *("origin", f"+{source}:{_FETCHED}"),
            check=False,
        )
        if fetched.returncode == 0:
            return self._git.run("rev-parse", "--verify", _FETCHED).text
        if "couldn't find remote ref" in fetched.stderr:
            return None
        raise self._remote_error(fetched.stderr)

    def _remote_refs(self, *patterns: str) -> dict[str, str]:
        listed = self._git.run("ls-remote", "--quiet", "origin", *patterns, check=False)
        if listed.returncode != 0:
            raise self._remote_error(listed.stderr)
        lines = (line.partition("\t") for line in listed.text.splitlines())
        return {ref: commit for commit, _, ref in lines}

    def _remote_error(self, stderr: str) -> GitError:
        return remote_error(self._git.url, stderr, authenticated=self._authenticated)

    # --- local --------------------------------------------------------------------------------------------------------

    def entries(self, commit: str) -> dict[str, Entry]:
        """Return the files of a fetched commit by path."""
        files = {}
        # Without -l: asking for sizes would fetch every blob, one by one.
        for line in self._git.run("ls-tree", "-r", "-z", "--full-tree", commit).stdout.split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, blob = head.decode().split(" ")
            files[path.decode(errors="surrogateescape")] = Entry(mode, blob)
        return files

    def blobs(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return the exact content of blobs, fetching in one go those that are not here yet."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        listing = "".join(f"{blob}\n" for blob in wanted).encode()
        fetched = self._git.run(
            *("-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags", "--no-write-fetch-head"),
            *("--recurse-submodules=no", "--filter=blob:none", "--stdin", "origin"),
            stdin=listing,
            check=False,
        )
        if fetched.returncode != 0:
            raise self._remote_error(fetched.stderr)
        answer = self._git.run("cat-file", "--batch", stdin=listing).stdout
        contents = {}
        position = 0
        for blob in wanted:
            end = answer.index(b"\n", position)
            size = int(answer[position:end].rsplit(b" ", 1)[1])
            contents[blob] = answer[end + 1 : end + 1 + size]
            position = end + 1 + size + 1
        return contents

    def write_tree(self, base: str | None, changes: Mapping[str, tuple[str, bytes] | None]) -> str:
        """Write the tree of `base` with some files changed.

        Args:
            base: Commit to start from; None for an empty tree.
            changes: Path -> (mode, content), or None to remove the file.

        Returns:
            The id of the tree.

        Raises:
            InputError: A changed file belongs to Git LFS by the tree's ``.gitattributes``.
        """
        ids = self._write_blobs([change[1] for change in changes.values() if change is not None])
        self._git.run("read-tree", *([base] if base else ["--empty"]))
        lines = []
        for path, change in changes.items():
            mode, blob = (change[0], ids[change[1]]) if change is not None else ("0", "0" * 40)
            lines.append(f"{mode} {blob}\t{path}\0")
        self._git.run("update-index", "-z", "--index-info", stdin="".join(lines).encode())
        self._refuse_lfs([path for path, change in changes.items() if change is not None])
        # --missing-ok: without it git would fetch every blob of the tree to see that it exists.
        return self._git.run("write-tree", "--missing-ok").text

    def commit_tree(self, tree: str, parent: str | None, message: str, author: Identity) -> str:
        """Write a commit and return its id; the same input gives the same id."""
        date = f"{author.seconds} +0000"
        who = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", author.name), ("EMAIL", author.mail), ("DATE", date))
        }
        parents = ["-p", parent] if parent else []
        return self._git.run("commit-tree", *parents, "-F", "-", tree, stdin=message.encode(), env=who).text

    def _write_blobs(self, contents: Sequence[bytes]) -> dict[bytes, str]:
        if not contents:
            return {}
        with tempfile.TemporaryDirectory(prefix="pulumi-gitops-git-") as folder:
            files = []
            for number, content in enumerate(contents):
                file = Path(folder) / str(number)
                file.write_bytes(content)
                files.append(str(file))
            # --no-filters: the exact bytes, whatever attributes say about line endings.
            written = self._git.run(
                "hash-object", "-w", "--no-filters", "--stdin-paths", stdin="".join(f"{f}\n" for f in files).encode()
            )
        return dict(zip(contents, written.text.split("\n"), strict=True))

    def _refuse_lfs(self, paths: Sequence[str]) -> None:
        listing = "".join(f"{path}\0" for path in paths).encode()
        answer = self._git.run("check-attr", "-z", "--cached", "--stdin", "filter", stdin=listing)
        fields = answer.stdout.decode().split("\0")
        for path, value in zip(fields[0::3], fields[2::3], strict=False):
            if value == "lfs":
                raise InputError(
                    f"{path} belongs to Git LFS by .gitattributes",
                    hint="Large files can not be written here; choose a path that LFS does not track.",
                )
