# SPDX-License-Identifier: Apache-2.0
"""Write the tables of ``docs/reference`` that come from the code; ``--check`` only says which are out of date.

A table stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; what is around it is written by hand.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pulumi_gitops.core
from pulumi_gitops.commands import options as commands
from pulumi_gitops.commands.exits import code_of
from pulumi_gitops.core.delivery import ReleaseOptions
from pulumi_gitops.core.errors import GitOpsError
from scripts.faces import faces_table

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "docs/reference"

# First option of a section -> its title.
SECTIONS = {
    "name": "The release",
    "definition": "The objects",
    "images": "Overrides",
    "create_namespace": "Namespace and prune",
    "wait": "Waiting",
    "force_conflicts": "What exists already",
    "rollback_on_failure": "Failure, history, lock",
    "plan_file": "Approval",
}
# Options that the command line has in parts, or as an argument without a name.
ON_THE_COMMAND_LINE = {
    "name": "`RELEASE`",
    "definition": "`-f -`",
    "helm": "`--helm-chart`, `--helm-version`, `--helm-values`, `--helm-release`",
}
AREAS = {
    "input": "Input",
    "cluster": "The Kubernetes API",
    "deploy": "Deployments",
    "git": "Git",
    "controller": "GitOps controllers",
    "process": "Programs",
    "sandbox": "The sandbox",
}


# --- options of a release --------------------------------------------------------------------------------------------


def options_table() -> str:
    """Return the options of a deployment: name, default, argument of the command line, meaning."""
    told = _attributes(ReleaseOptions)
    arguments = {**_arguments(), **ON_THE_COMMAND_LINE}
    lines: list[str] = []
    for field in dataclasses.fields(ReleaseOptions):
        if field.name in SECTIONS:
            lines += ["", f"## {SECTIONS[field.name]}", "", "| option | default | command line | |"]
            lines.append("| --- | --- | --- | --- |")
        meaning = _cell(told[field.name])
        lines.append(f"| `{field.name}` | {_default(field)} | {arguments[field.name]} | {meaning} |")
    return "\n".join([*lines, "", ""])


def _attributes(kind: type) -> dict[str, str]:
    """Return what the docstring of a dataclass says of each attribute."""
    listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"(?m)^    (\w+): (.+(?:\n {8}.+)*)", listed)
    return {name: " ".join(text.split()) for name, text in entries}


def _arguments() -> dict[str, str]:
    """Return option -> how ``pulumi-gitops deploy`` writes it."""
    parser = argparse.ArgumentParser(add_help=False)
    for add in (
        commands.add_release,
        commands.add_sources,
        commands.add_treatment,
        commands.add_carrying_out,
        commands.add_approval,
    ):
        add(parser)
    found = {}
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if action.option_strings:
            found[action.dest] = ", ".join(f"`{name}`" for name in action.option_strings)
    return found


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return "none"
    if field.default is dataclasses.MISSING:
        return "required"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`" if field.default not in ("", None, ()) else "none"


# --- errors ----------------------------------------------------------------------------------------------------------


def errors_table() -> str:
    """Return the errors of the engine: code, class, exit code of the command line, meaning."""
    by_area: dict[str, list[type[GitOpsError]]] = {area: [] for area in AREAS}
    for kind in sorted(_errors(), key=lambda kind: kind.code):
        by_area[kind.code.partition(".")[0]].append(kind)
    lines: list[str] = []
    for area, kinds in by_area.items():
        lines += ["", f"## {AREAS[area]}", "", "| code | class | exit code | |", "| --- | --- | --- | --- |"]
        lines += [f"| `{k.code}` | `{k.__name__}` | {code_of(k('')):d} | {_cell(_summary(k))} |" for k in kinds]
    return "\n".join([*lines, "", ""])


def _errors() -> Iterator[type[GitOpsError]]:
    """Yield the errors of the engine that have a code of their own."""
    for module in pkgutil.walk_packages(pulumi_gitops.core.__path__, "pulumi_gitops.core."):
        importlib.import_module(module.name)
    todo, seen = list(GitOpsError.__subclasses__()), set()
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        if kind not in seen and kind.__module__.startswith("pulumi_gitops.core.") and "code" in vars(kind):
            seen.add(kind)
            yield kind


def _summary(kind: type) -> str:
    """Return the docstring up to the list of arguments."""
    return " ".join((inspect.getdoc(kind) or "").partition("\nArgs:")[0].split())


# --- pages -----------------------------------------------------------------------------------------------------------


def _cell(text: str) -> str:
    return text.replace("``", "`").replace("|", "\\|")


PAGES = {
    "release-options.md": ("options", options_table),
    "errors.md": ("errors", errors_table),
    "faces.md": ("faces", faces_table),
}


def renewed(text: str, name: str, content: str) -> str:
    """Return a page with the content between the marks of a table.

    Raises:
        ValueError: The page does not have the marks.
    """
    start, end = f"<!-- generated: {name} -->\n", "<!-- end -->"
    head, found, rest = text.partition(start)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"no {start.strip()} ... {end}")
    return head + start + content + end + tail


def main(argv: Sequence[str] | None = None, *, root: Path = ROOT) -> int:
    """Write the pages, or check them.

    Args:
        argv: Arguments; those of the process when None.
        root: Folder of the repository.

    Returns:
        0; with ``--check`` 1 when a page is out of date.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a page is out of date")
    arguments = parser.parse_args(argv)
    old = []
    for page, (name, table) in PAGES.items():
        path = root / FOLDER / page
        before = path.read_text(encoding="utf-8")
        after = renewed(before, name, table())
        if after == before:
            continue
        old.append(f"{FOLDER}/{page}")
        if not arguments.check:
            path.write_text(after, encoding="utf-8")
    for page in old:
        print(f"{page} is out of date: run scripts/gen_docs.py" if arguments.check else f"{page} written")
    return 1 if old and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
