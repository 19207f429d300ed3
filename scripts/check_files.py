# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every file of the repository and that no linter knows (part of ``make lint``).

Looks at what git tracks and at new files that it does not ignore. Prints one line per finding; exit code 1 when there
is one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = "requirements/dev.txt"
LONGEST_MODULE = 450  # lines

LICENCE = re.compile(r"SPDX-License-Identifier: (\S+)")
COLLECTION = "ansible_collections/"
GPL_FOLDERS = ("plugins/modules/", "plugins/action/")  # Ansible's own rule for what it loads into its process


def tracked_files() -> list[str]:
    """Paths, relative to the root, of the files that are or could be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return sorted(path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file())


def check_licences(paths: list[str]) -> Iterator[str]:
    """Every program says its licence in the first lines: Apache-2.0, GPL where Ansible demands it."""
    for path in paths:
        if not (path.endswith((".py", ".sh", ".toml")) or Path(path).name in {"Makefile", "run"}):
            continue
        head = "\n".join((ROOT / path).read_text(encoding="utf-8").splitlines()[:5])
        found = LICENCE.search(head)
        inside = path.startswith(COLLECTION)
        gpl = inside and any(folder in path for folder in GPL_FOLDERS)
        allowed = {"GPL-3.0-or-later"} if gpl else {"Apache-2.0", "GPL-3.0-or-later"} if inside else {"Apache-2.0"}
        if not found or found[1] not in allowed:
            yield f"{path}: wants SPDX-License-Identifier: {' or '.join(sorted(allowed))} in its first five lines"


def check_sizes(paths: list[str]) -> Iterator[str]:
    """A module that outgrows the limit has more than one job."""
    for path in paths:
        if path.startswith("pulumi_gitops/") and path.endswith(".py"):
            lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
            if lines > LONGEST_MODULE:
                yield f"{path}: {lines} lines, the limit is {LONGEST_MODULE}"


def declared_requirements() -> Iterator[Requirement]:
    """Everything that pyproject.toml asks for: run time, extras and development."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = [
        pyproject["project"]["dependencies"],
        *pyproject["project"]["optional-dependencies"].values(),
        *pyproject["dependency-groups"].values(),
    ]
    for entries in lists:
        yield from (Requirement(entry) for entry in entries if isinstance(entry, str))  # a dict includes another group


def check_requirements() -> Iterator[str]:
    """The pinned requirements fit pyproject.toml and name no index, so that any mirror serves them."""
    text = (ROOT / REQUIREMENTS).read_text(encoding="utf-8")
    if "://" in text or re.search(r"^--(index|extra-index|find-links|trusted)", text, re.MULTILINE):
        yield f"{REQUIREMENTS}: names an address"
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE):
        pins.setdefault(canonicalize_name(name), []).append(version)
    for requirement in declared_requirements():
        versions = pins.get(canonicalize_name(requirement.name), [])
        if not versions or not all(requirement.specifier.contains(version) for version in versions):
            yield f"{REQUIREMENTS}: {requirement} of pyproject.toml is pinned to {versions}; run `make constraints`"


def main() -> int:
    """Exit code 0: every rule holds."""
    paths = tracked_files()
    findings = [*check_licences(paths), *check_sizes(paths), *check_requirements()]
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
