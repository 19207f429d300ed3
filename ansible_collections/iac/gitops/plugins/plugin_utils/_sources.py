# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

"""Find files on the Ansible controller, where users of a playbook expect them to be looked for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ansible.errors import AnsibleActionFail

if TYPE_CHECKING:
    from ansible.parsing.dataloader import DataLoader

MANIFEST_SUFFIXES = frozenset({".yaml", ".yml", ".json"})
MAX_BYTES = 64 * 1024 * 1024  # what the engine reads of one file

# Not a place that users put files in, yet the search path of playbooks and roles that are called by their full name.
_OWN = Path(__file__).absolute().parents[2]


def locate(pattern: str, folders: Iterable[str]) -> list[Path]:
    """Return the absolute paths that a path or glob stands for.

    Looked for in each of `folders` (those of the role, then the playbook's), ``files/`` first, then in the working
    directory of the caller; the first place that has a match wins.
    """
    bases = [Path(folder).absolute() for folder in folders]
    places = [place for base in bases if not base.is_relative_to(_OWN) for place in (base / "files", base)]
    places = list(dict.fromkeys([*places, Path.cwd()]))
    wanted = Path(pattern).expanduser()
    for place in places:
        path = Path(os.path.normpath(place / wanted))
        root = Path(path.anchor)
        found = [path] if path.exists() else sorted(root.glob(str(path.relative_to(root))))
        if found:
            return found
    raise AnsibleActionFail(
        f"{pattern} does not exist on the Ansible controller; searched in {', '.join(map(str, places))}",
        result={"code": "input.unavailable", "hint": "Set remote_src to true for a path on the managed node."},
    )


def beside(folder: str, path: str) -> Path:
    """Return the absolute path of a file beside the playbook; in the working directory for a playbook of ours."""
    base = Path(folder).absolute()
    return (Path.cwd() if base.is_relative_to(_OWN) else base) / Path(path).expanduser()


def manifest_files(path: Path) -> list[Path]:
    """Return `path` itself, or for a folder the manifests in and below it (hidden entries left out), sorted."""
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in MANIFEST_SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not found:
        raise AnsibleActionFail(f"folder {path} holds no manifests", result={"code": "input.empty_set"})
    return found


def read_text(loader: DataLoader, path: Path) -> str:
    """Return the content of a text file, decrypted when it is encrypted with Ansible Vault."""
    if path.stat().st_size > MAX_BYTES:
        raise AnsibleActionFail(f"{path} is larger than {MAX_BYTES // 1024**2} MiB", result={"code": "input.manifest"})
    readable = loader.get_real_file(str(path))
    try:
        return Path(readable).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AnsibleActionFail(f"{path} is not UTF-8 text", result={"code": "input.manifest"}) from error
    finally:
        loader.cleanup_tmp_file(readable)
