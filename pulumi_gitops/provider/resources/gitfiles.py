# SPDX-License-Identifier: Apache-2.0
"""``gitops:index:GitFiles``: files in the config repository, one commit per update."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...core.errors import BranchNotFoundError, InputError
from ...core.git import CommitResult, Credentials, blob_id, blob_ids, commit_files
from .base import Context, Values

_MESSAGE = "Update files with Pulumi"


class GitFiles:
    """Commits files; those that leave the set are deleted, those it does not know are never touched."""

    outputs: ClassVar[tuple[str, ...]] = ("commit", "changedPaths")
    replaces: ClassVar[frozenset[str]] = frozenset({"url", "branch"})
    represented: ClassVar[frozenset[str]] = frozenset()
    keyed: ClassVar[frozenset[str]] = frozenset({"files"})
    ignored: ClassVar[frozenset[str]] = frozenset({"username", "password", "message", "author"})

    def secret_inputs(self, inputs: Values) -> frozenset[str]:
        """Return the inputs that are secret in any case."""
        return frozenset({"password"})

    def check(self, inputs: Values, context: Context) -> Values:
        """Fill in the branch."""
        for name in ("url", "files"):
            if name not in inputs:
                raise InputError(f"GitFiles needs {name}", details={"property": name})
        return {"branch": "main", **inputs}

    def create(self, inputs: Values, context: Context) -> tuple[str, Values]:
        """Commit the files."""
        done = _commit(inputs, inputs["files"], inputs.get("delete") or [])
        return f"{inputs['url']}#{inputs['branch']}", _outputs(done)

    def update(self, identity: str, inputs: Values, state: Values, context: Context) -> Values:
        """Commit what is new or different, and delete what left the set."""
        left = [path for path in state.get("files") or {} if path not in inputs["files"]]
        return _outputs(_commit(inputs, inputs["files"], [*(inputs.get("delete") or []), *left]))

    def read(self, identity: str, inputs: Values, state: Values, context: Context) -> tuple[Values, Values] | None:
        """Compare the branch with the files, by blob ids: no content is transferred."""
        known = inputs or state
        if not known.get("files"):
            return known, {name: state.get(name) for name in self.outputs}
        try:
            found = blob_ids(known["url"], known["branch"], list(known["files"]), credentials=_credentials(known))
        except BranchNotFoundError:
            return None
        files = {}
        for path, content in known["files"].items():
            blob = found.get(path)
            if blob is not None:
                files[path] = content if blob == blob_id(str(content).encode()) else f"drifted: blob {blob[:12]}"
        return {**known, "files": files}, {name: state.get(name) for name in self.outputs}

    def delete(self, identity: str, state: Values, context: Context) -> None:
        """Delete the files of the set in one commit."""
        try:
            _commit({**state, "message": f"Remove files of {context.name}"}, {}, list(state.get("files") or {}))
        except BranchNotFoundError:
            return


def _commit(inputs: Values, files: Mapping[str, str], delete: list[str]) -> CommitResult:
    return commit_files(
        inputs["url"],
        inputs["branch"],
        files=files,
        delete=delete,
        message=inputs.get("message") or _MESSAGE,
        author=inputs.get("author"),
        credentials=_credentials(inputs),
    )


def _credentials(inputs: Mapping[str, Any]) -> Credentials:
    return Credentials(inputs.get("username"), inputs.get("password"))


def _outputs(done: CommitResult) -> Values:
    return {"commit": done.commit, "changedPaths": list(done.changed_paths)}
