# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:GitFiles``: files in the config repository, one commit per update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...core.errors import BranchNotFoundError, InputError
from ...core.git import CommitResult, Credentials, blob_id, blob_ids, commit_files, read_files
from ...core.git.credentials import check_url
from ...core.git.paths import check_path
from ..values import Path, has_unknown
from .base import Context, Values

_MESSAGE = "Update files with Pulumi"


class GitFiles:
    """Commits files; those that leave the set are deleted, those it does not know are never touched."""

    outputs: ClassVar[tuple[str, ...]] = ("commit", "changedPaths")
    replaces: ClassVar[frozenset[str]] = frozenset({"url", "branch"})
    keyed: ClassVar[frozenset[str]] = frozenset({"files"})
    ignored: ClassVar[frozenset[str]] = frozenset(
        {"username", "password", "caCert", "message", "author", "createBranch", "allowPlaintextSecret"}
    )
    resumable: ClassVar[bool] = False

    def secrets(self, inputs: Values) -> frozenset[Path]:
        """Return where the password stands."""
        return frozenset({("password",)})

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the branch."""
        if not has_unknown([inputs.get(name) for name in ("url", "username", "password", "caCert")]):
            try:
                check_url(inputs["url"], _credentials(inputs))
            except InputError as error:
                error.details.setdefault("property", "url")
                raise
        for name in ("files", "delete"):
            try:
                for path in _known_paths(inputs.get(name)):
                    check_path(path)
            except InputError as error:
                error.details.setdefault("property", name)
                raise
        return {"branch": "main", **inputs}

    def compared(self, old: Values, new: Values) -> tuple[Values, Values]:
        """Compare the inputs."""
        return old, new

    def preview(self, inputs: Values, context: Context) -> Values:
        """Nothing is known before the commit is made."""
        return {}

    def identity(self, inputs: Values) -> str:
        """Return ``url#branch``."""
        return f"{inputs['url']}#{inputs['branch']}"

    def create(self, inputs: Values, context: Context) -> Values:
        """Commit the files; says which of them were there with other content."""
        done = _commit(inputs, inputs["files"], inputs.get("delete") or [])
        replaced = [change.path for change in done.changes if change.before is not None and change.after is not None]
        if replaced:
            context.warn(f"Overwritten, they were on the branch with other content: {', '.join(replaced)}")
        return _outputs(done)

    def update(self, inputs: Values, state: Values, context: Context) -> Values:
        """Commit what is new or different, and delete what left the set."""
        left = [path for path in state.get("files") or {} if path not in inputs["files"]]
        return _outputs(_commit(inputs, inputs["files"], [*(inputs.get("delete") or []), *left]))

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the branch with the files by blob ids; only what differs is transferred, to be shown."""
        if not inputs:
            return None  # an import: the id does not tell the files, nor how to log in
        url, branch, credentials = inputs["url"], inputs["branch"], _credentials(inputs)
        known: dict[str, str] = inputs["files"]
        try:
            found = blob_ids(url, branch, list(known), credentials=credentials)
            differing = [path for path, blob in found.items() if blob and blob != blob_id(known[path].encode())]
            texts = read_files(url, branch, differing, credentials=credentials).files if differing else {}
        except BranchNotFoundError:
            return None
        there = [path for path in known if found[path] is not None]
        files = {path: _text(texts.get(path), known[path]) for path in there}
        return {**inputs, "files": files}, {name: state.get(name) for name in self.outputs}

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Delete the files of the set in one commit."""
        try:
            removal = {**state, "createBranch": False, "message": f"Remove files of {context.name}"}
            _commit(removal, {}, list(state.get("files") or {}))
        except BranchNotFoundError:
            return


def _text(differs: bytes | None, known: str) -> str:
    return known if differs is None else differs.decode(errors="replace")


def _known_paths(given: Any) -> list[str]:
    return [path for path in given if not has_unknown(path)] if isinstance(given, dict | list) else []


def _commit(inputs: Values, files: Mapping[str, str], delete: list[str]) -> CommitResult:
    return commit_files(
        inputs["url"],
        inputs["branch"],
        files=files,
        delete=delete,
        message=inputs.get("message") or _MESSAGE,
        author=inputs.get("author"),
        credentials=_credentials(inputs),
        create_branch=bool(inputs.get("createBranch")),
        allow_plaintext_secret=bool(inputs.get("allowPlaintextSecret")),
    )


def _credentials(inputs: Mapping[str, Any]) -> Credentials:
    return Credentials(inputs.get("username"), inputs.get("password"), inputs.get("caCert"))


def _outputs(done: CommitResult) -> Values:
    return {"commit": done.commit, "changedPaths": list(done.changed_paths)}
