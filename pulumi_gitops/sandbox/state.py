# SPDX-License-Identifier: Apache-2.0
"""What is known of a sandbox on disk: one private folder per sandbox, with a record in it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ..core.errors import SandboxError
from .processes import ProcessId

_FILE = "state.json"

_CONTROLLERS = ("argocd", "flux", "weave_gitops", "flux_operator")


@dataclass(slots=True, kw_only=True)
class State:
    """The record of one sandbox.

    Attributes:
        folder: Its folder; the last part is its name.
        nodes: Number of simulated nodes.
        argocd: Whether Argo CD's processes follow its installation.
        flux: Whether Flux's processes follow its installation.
        weave_gitops: Whether the server of Weave GitOps follows its installation.
        flux_operator: Whether Flux Operator follows its installation.
        owner: Process that the sandbox ends with; None when it stays until it is taken down.
        ports: Name of what listens -> port on 127.0.0.1.
        tokens: User -> bearer token.
        processes: Name -> process.
    """

    folder: Path
    nodes: int
    argocd: bool
    flux: bool = False
    weave_gitops: bool = False
    flux_operator: bool = False
    owner: ProcessId | None
    ports: dict[str, int] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict, repr=False)
    processes: dict[str, ProcessId] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the sandbox."""
        return self.folder.name

    @property
    def controllers(self) -> tuple[str, ...]:
        """Names of the GitOps controllers whose processes follow their installations."""
        return tuple(name for name in _CONTROLLERS if getattr(self, name))

    @property
    def abandoned(self) -> bool:
        """Whether nobody can be using it: its owner has died, or none of its processes is left."""
        if self.owner is not None:
            return not self.owner.alive
        return not any(process.alive for process in self.processes.values())

    def save(self) -> None:
        """Write the record; a reader sees the old or the new one."""
        record = asdict(self)
        del record["folder"]
        write_private(self.folder / _FILE, json.dumps(record, indent=1).encode())


def root() -> Path:
    """Return the folder that holds the sandboxes of this user; it may not exist yet.

    ``pulumi-gitops/sandboxes`` in ``$XDG_STATE_HOME`` (default ``~/.local/state``), as the XDG specification has it.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    return (
        (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "state") / "pulumi-gitops" / "sandboxes"
    )


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keep other processes from making or removing sandboxes meanwhile."""
    try:
        root().mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(root(), os.O_RDONLY | os.O_DIRECTORY)
    except OSError as e:
        raise SandboxError(
            f"the folder of sandboxes {root()} can not be used: {e.strerror}", hint="XDG_STATE_HOME puts it elsewhere."
        ) from e
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def folders() -> list[Path]:
    """Return the folders of all sandboxes, by name."""
    return sorted(path for path in root().glob("*") if path.is_dir())


def load(folder: Path) -> State | None:
    """Return the record in a folder; None when it is missing or damaged."""
    try:
        record: dict[str, Any] = json.loads((folder / _FILE).read_bytes())
        owner = record.pop("owner")
        processes = {name: ProcessId(**process) for name, process in record.pop("processes").items()}
        # A newer version may record more; that is no reason to take its sandbox for damaged, and remove it.
        known = {field.name for field in fields(State)}
        record = {key: value for key, value in record.items() if key in known}
        return State(folder=folder, owner=ProcessId(**owner) if owner else None, processes=processes, **record)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read (0600); it appears complete or not at all."""
    staging = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    staging.replace(path)


def remove_tree(folder: Path) -> None:
    """Remove a folder and everything in it; one that is not there is fine."""
    # Argo CD's repo-server takes all rights from its clones while it does not read them.
    for parent, children, _ in os.walk(folder):
        for child in children:
            path = Path(parent, child)
            if not path.is_symlink():
                path.chmod(0o700)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
