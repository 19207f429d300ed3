# SPDX-License-Identifier: Apache-2.0
"""What users can do and with which options, on both faces: read from the modules' documentation and the schema.

Where the faces differ in a name, or one has an option that the other does not have, `DIFFERENCES` says why; tests
accept nothing else.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pulumi_gitops.components.options import camel
from pulumi_gitops.core import controllers
from pulumi_gitops.core.delivery import ReleaseOptions
from pulumi_gitops.provider.hosting import Components

COLLECTION = Path(__file__).resolve().parent.parent / "ansible_collections" / "iac" / "gitops"
CONNECTION_FRAGMENT = "iac.gitops._kube_auth"


@dataclass(frozen=True, slots=True)
class Thing:
    """What users can do.

    Attributes:
        module: Module of the collection.
        title: Name for people.
        resource: Resource of the Pulumi package; None where it has none.
        spec: Class of the engine with its options.
        pulumi: How it is done with Pulumi, where that is more than the resource.
    """

    module: str
    title: str
    resource: str | None = None
    spec: type | None = None
    pulumi: str = ""


THINGS = (
    Thing(
        "controller",
        "Controller",
        "Controller",
        controllers.ControllerSpec,
        "by `ArgoCD`, `Flux`, `WeaveGitOps`",
    ),
    Thing("controller_info", "Installed controllers", pulumi="the outputs of `ArgoCD`, `Flux`, `WeaveGitOps`"),
    Thing("repository", "Repository", "Repository", controllers.RepositorySpec),
    Thing("application", "Application", "Application", controllers.ApplicationSpec),
    Thing("project", "Project", "Project", controllers.ProjectSpec),
    Thing("application_set", "Application set", "ApplicationSet", controllers.ApplicationSetSpec),
    Thing("cluster", "Cluster", "Cluster", controllers.ClusterSpec),
    Thing("notification", "Notification", "Notification", controllers.NotificationSpec),
    Thing("sync", "Sync", "Sync", controllers.SyncSpec),
    Thing("files", "Files in the config repository", "GitFiles"),
    Thing("deploy", "Push-style deployment", "Release", ReleaseOptions),
    Thing("plan", "Plan", pulumi="`pulumi preview` of `Release`"),
    Thing("rollback", "Rollback", pulumi="`rollbackTo` of `Release`"),
    Thing("release_info", "Releases and their history", pulumi="the outputs of `Release`, and `pulumi refresh`"),
)


@dataclass(frozen=True, slots=True)
class Difference:
    """An option whose name is not the same on both faces, or that one of them does not have.

    Attributes:
        modules: Where.
        option: Name in the engine.
        ansible: Name of the module's option, None when it has none.
        pulumi: Name of the resource's input, None when it has none.
        reason: Why.
    """

    modules: tuple[str, ...]
    option: str
    ansible: str | None
    pulumi: str | None
    reason: str


_OWNED = "In a module the name belongs to the connection to the cluster."
_NAMED = "The input `name` would be taken for the name of the resource."
_OBJECTS = ("project", "application_set", "cluster", "notification")
_UNAWAITED = tuple(module for module in _OBJECTS if module != "application_set")
_WITH_STATE = ("controller", "repository", "application", *_OBJECTS, "deploy")
DIFFERENCES = (
    Difference(_WITH_STATE, "state", "state", None, "What a program no longer declares is removed."),
    Difference(("repository", "application", *_OBJECTS), "name", "name", None, "It is the name of the resource."),
    Difference(("controller",), "name", "name", "controller", _NAMED),
    Difference(("sync",), "name", "name", "application", _NAMED),
    Difference(("deploy",), "name", "name", "release", _NAMED),
    *(
        Difference((module,), option, f"{module}_{option}", camel(option), _OWNED)
        for module, options in {
            "repository": ("ca_cert", "client_cert", "client_key", "proxy", "no_proxy"),
            "cluster": ("ca_cert", "client_cert", "client_key"),
        }.items()
        for option in options
    ),
    Difference(
        ("controller", "deploy"), "remote_src", "remote_src", None, "A program and its files are on one machine."
    ),
    Difference(
        _UNAWAITED, "wait_timeout", "wait_timeout", None, "How long a removal may take is the option `customTimeouts`."
    ),
    Difference(("sync",), "triggers", None, "triggers", "A task runs each time, a resource when an input changes."),
    Difference(("files",), "message", "commit_message", "message", "Ansible reserves the name `message`."),
    Difference(("deploy",), "rollback_to", None, "rollbackTo", "Ansible has the module `rollback`."),
)


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a thing, as both faces have it.

    Attributes:
        name: Name in the engine.
        type: Type of the module's option, or of the resource's input.
        default: Default of the module's option; None when there is none.
        required: Whether it has to be given.
        ansible: Name of the module's option, None when it has none.
        pulumi: Name of the resource's input, None when it has none.
        controllers: The controllers that have it; empty when it has nothing to do with controllers.
        description: What it is for, in a line.
    """

    name: str
    type: str
    default: Any
    required: bool
    ansible: str | None
    pulumi: str | None
    controllers: tuple[str, ...]
    description: str


# --- what the faces say of themselves --------------------------------------------------------------------------------


@cache
def schema() -> dict[str, Any]:
    """Return the schema of the Pulumi package."""
    found: dict[str, Any] = json.loads(Components().schema or "{}")
    return found


def inputs(resource: str) -> dict[str, Any]:
    """Return the inputs of a resource: name -> its part of the schema."""
    found: dict[str, Any] = schema()["resources"][f"gitops:index:{resource}"]["inputProperties"]
    return found


def texts(module: str) -> dict[str, str]:
    """Return the documentation of a module: DOCUMENTATION, EXAMPLES, RETURN."""
    tree = ast.parse((COLLECTION / "plugins" / "modules" / f"{module}.py").read_text("utf-8"))
    return {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }


@cache
def documented(module: str) -> dict[str, dict[str, Any]]:
    """Return the documented options of a module, those of its fragments included, of the connection excluded."""
    told = yaml.safe_load(texts(module)["DOCUMENTATION"])
    found: dict[str, dict[str, Any]] = {}
    for fragment in told.get("extends_documentation_fragment", []):
        if fragment != CONNECTION_FRAGMENT:
            found |= _fragment(fragment)
    return found | (told.get("options") or {})


def _fragment(name: str) -> dict[str, dict[str, Any]]:
    _, _, file, *part = name.split(".")
    module = importlib.import_module(f"ansible_collections.iac.gitops.plugins.doc_fragments.{file}")
    text = getattr(module.ModuleDocFragment, (part[0] if part else "documentation").upper())
    return yaml.safe_load(text).get("options") or {}


# --- the options of a thing ------------------------------------------------------------------------------------------


def differences(thing: Thing) -> dict[str, Difference]:
    """Return what is known to differ in the options of a thing, by the option's name in the engine."""
    return {d.option: d for d in DIFFERENCES if thing.module in d.modules}


def options(thing: Thing) -> list[Option]:
    """Return the options of a thing: in the order of the engine, then what it does not have."""
    known = differences(thing)
    by_module = {d.ansible: name for name, d in known.items() if d.ansible}
    by_input = {d.pulumi: name for name, d in known.items() if d.pulumi}
    engine: dict[str, Field[Any]] = {field.name: field for field in fields(thing.spec)} if thing.spec else {}
    told = {by_module.get(name, name): (name, option) for name, option in documented(thing.module).items()}
    described = {
        by_input.get(name, snake(name)): (name, option)
        for name, option in (inputs(thing.resource) if thing.resource else {}).items()
    }
    missing: tuple[str | None, dict[str, Any]] = (None, {})
    found = []
    for name in dict.fromkeys([*engine, *told, *described]):
        ansible, option = told.get(name, missing)
        pulumi, part = described.get(name, missing)
        if not ansible and not pulumi:
            continue  # the faces set it themselves
        needed = name in engine and engine[name].default is engine[name].default_factory is MISSING
        text = option.get("description") or part["description"]
        found.append(
            Option(
                name=name,
                type=_type(option or part),
                default=option.get("default"),
                required=needed or option.get("required", False),
                ansible=ansible,
                pulumi=pulumi,
                controllers=_controllers(thing, name),
                description=_line(text if isinstance(text, str) else text[0]),
            )
        )
    return found


def snake(name: str) -> str:
    """Return the name that the engine has for an input: ``waitTimeout`` is ``wait_timeout``."""
    return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", name)


def _type(told: Mapping[str, Any]) -> str:
    kind = str(told.get("type", "any"))
    return f"{kind} of {told['elements']}" if "elements" in told else kind


def choices(module: str) -> tuple[str, ...]:
    """Return the controllers that a module can be about."""
    told = documented(module).get("name" if module == "controller" else "controller", {})
    return tuple(told.get("choices", ()))


def _controllers(thing: Thing, option: str) -> tuple[str, ...]:
    """Return the controllers that have an option: those for which the engine does not refuse it."""
    constants = vars(sys.modules[thing.spec.__module__]) if thing.spec else {}
    which = choices(thing.module)
    only = [name for name in which if option in constants.get(f"_{name.upper()}_ONLY", ())]
    return tuple(only) or which


def _line(text: str) -> str:
    """Return what a description begins with, in Markdown: its first sentence, and those about the default."""
    text = re.sub(r"\b[OVCRM]+\(([^)]*)\)", lambda found: f"`{found[1].split('#module:')[-1]}`", " ".join(text.split()))
    first, *rest = re.split(r"(?<=\.) (?=[A-Z`])", text)
    return " ".join([first, *(sentence for sentence in rest if sentence.startswith("Default is"))])


# --- as tables -------------------------------------------------------------------------------------------------------


def faces_table() -> str:
    """Return a table for every thing, and one of what differs between the faces."""
    lines: list[str] = []
    for thing in THINGS:
        lines += ["", f"## {thing.title}", "", _heading(thing), ""]
        found = options(thing)
        columns = ["option", "type", "default", "Ansible"]
        columns += ["Pulumi"] if thing.resource else []
        columns += ["for"] if choices(thing.module) else []
        lines += [_row([*columns, ""]), _row(["---"] * (len(columns) + 1))]
        for option in found:
            cells = [f"`{option.name}`", option.type, _default(option), _name(option.ansible)]
            cells += [_name(option.pulumi)] if thing.resource else []
            cells += [", ".join(option.controllers)] if choices(thing.module) else []
            lines.append(_row([*cells, option.description.replace("|", "\\|")]))
    lines += ["", "## What differs, and why", ""]
    lines += [_row(["where", "option", "Ansible", "Pulumi", ""]), _row(["---"] * 5)]
    for d in DIFFERENCES:
        where = ", ".join(f"`{module}`" for module in d.modules)
        lines.append(_row([where, f"`{d.option}`", _name(d.ansible), _name(d.pulumi), d.reason]))
    return "\n".join([*lines, "", ""])


def _heading(thing: Thing) -> str:
    ansible = f"Ansible: `iac.gitops.{thing.module}`."
    if not thing.resource:
        return f"{ansible} Pulumi: {thing.pulumi}."
    return f"{ansible} Pulumi: `{thing.resource}`{', ' * bool(thing.pulumi)}{thing.pulumi}."


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _name(name: str | None) -> str:
    return f"`{name}`" if name else "-"


def _default(option: Option) -> str:
    if option.required:
        return "required"
    if option.default in (None, "", [], {}):
        return "none"
    return f"`{json.dumps(option.default) if not isinstance(option.default, str) else option.default}`"
