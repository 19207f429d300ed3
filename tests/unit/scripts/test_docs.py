# SPDX-License-Identifier: Apache-2.0
"""What the documentation shows is right: blocks parse, options exist, commands are taken, links lead somewhere."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

import pulumi_gitops
from pulumi_gitops.cli import build_parser

ROOT = Path(__file__).parents[3]
COLLECTION = "ansible_collections/iac/gitops"
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", f"{COLLECTION}/*.md", f"{COLLECTION}/roles/*/*.md")
    for path in ROOT.glob(pattern)
)
FENCE = re.compile(r"(?m)^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
COMMAND = re.compile(r"(\$ |(?!usage)\w+: +)?(?P<command>(pulumi-gitops|ansible-playbook iac\.gitops\.\w+) .*)")
OURS = "iac.gitops."
# Of a task, beside the module.
KEYWORDS = {"name", "register", "when", "vars", "loop", "block", "rescue", "always", "delegate_to", "no_log"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line}"


def blocks():
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for found in FENCE.finditer(text):
            content = "".join(line.removeprefix(found["indent"]) for line in found["text"].splitlines(keepends=True))
            yield Block(page, text.count("\n", 0, found.start()) + 1, found["language"], content)


BLOCKS = list(blocks())


def in_language(*languages):
    return pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in languages], ids=str)


def tasks_of(value):
    """Yield the tasks in a playbook, a list of tasks, or their blocks."""
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            for part in ("tasks", "pre_tasks", "post_tasks", "block", "rescue", "always"):
                yield from tasks_of(item.get(part))
            if "hosts" not in item and "apiVersion" not in item:
                yield item


def test_blocks_of_every_sort_are_found():
    found = {block.language for block in BLOCKS if block.page.startswith("docs/howto/")}
    assert found == {"", "yaml", "python"}


@in_language("yaml")
def test_yaml_parses_and_tasks_have_only_options_that_exist(block, problems_of):
    for document in yaml.safe_load_all(block.text):
        assert document is not None
        for task in tasks_of(document):
            modules = [key for key in task if key not in KEYWORDS]
            assert len(modules) <= 1, f"{task.get('name')}: {modules}"
            for name in modules:
                if name.startswith(OURS):
                    assert problems_of(name.removeprefix(OURS), task[name]) == [], task.get("name")


def test_a_wrong_option_in_a_task_would_be_found(problems_of):
    right = {"name": "shop", "namespace": "shop", "src": "deploy/"}
    assert problems_of("deploy", right) == []
    assert "imagez" in problems_of("deploy", {**right, "imagez": {}})[0]
    assert "maybe" in problems_of("deploy", {**right, "ownership": "maybe"})[0]
    assert problems_of("deploy", {**right, "kustomize": "overlay"})


@in_language("python")
def test_python_compiles_and_resources_have_only_inputs_that_exist(block):
    tree = ast.parse(block.text)
    compile(tree, str(block), "exec")
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("gitops."):
            inputs = getattr(pulumi_gitops, f"{call.func.attr}Args")
            given = {ast.literal_eval(key) for key in call.args[1].keys}
            assert given - set(inputs.__annotations__) == set(), call.func.attr


def commands():
    """Yield the command lines that are ours, with continuation lines joined: page and line of the block, command."""
    for block in BLOCKS:
        lines = re.sub(r"\\\n\s*", "", block.text).splitlines() if block.language == "" else []
        for line in lines:
            found = re.match(
                r"(\$ |(?!usage)\w+: +)?(?P<command>(pulumi-gitops|ansible-playbook iac\.gitops\.\w+) .*)", line
            )
            if found and "--help" not in line:
                yield pytest.param(found["command"], id=f"{block}: {found['command']}")


@pytest.mark.parametrize("command", list(commands()))
def test_commands_have_only_arguments_that_exist(command):
    program, *arguments = shlex.split(command, comments=True)
    if program == "pulumi-gitops":
        assert callable(build_parser().parse_args(arguments).run)
        return
    playbook = ROOT / COLLECTION / "playbooks" / f"{arguments[0].removeprefix(OURS)}.yml"
    text = playbook.read_text(encoding="utf-8")
    given = [value.partition("=")[0] for option, value in pairwise(arguments) if option == "-e"]
    assert given
    assert [name for name in given if not re.search(rf"\b{name}\b", text)] == []


def slugs(page):
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    titles = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    text = FENCE.sub("", (ROOT / page).read_text(encoding="utf-8"))
    for target in {found["target"] for found in LINK.finditer(text)}:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = ((ROOT / page).parent / path).resolve() if path else ROOT / page
        assert there.exists(), target
        assert there.is_relative_to(ROOT), target
        if anchor:
            assert anchor in slugs(there.relative_to(ROOT).as_posix()), target


def test_every_page_is_in_the_index():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {found["target"] for found in LINK.finditer(index)}
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages - linked == {"README.md"}


def test_every_kind_with_a_rule_of_its_own_is_in_the_table():
    text = (ROOT / "docs/reference/readiness.md").read_text(encoding="utf-8")
    rules = importlib.import_module("pulumi_gitops.core.deploy.readiness")._RULES
    kinds = {group_kind.rpartition("/")[2] for group_kind in rules}
    assert {"Deployment", "Job"} <= kinds
    assert {kind for kind in kinds if not re.search(rf"\b{kind}\b", text)} == set()
