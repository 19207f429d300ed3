# SPDX-License-Identifier: Apache-2.0
"""Both faces have the same things, options, names and defaults; what differs is listed in one place, with a reason."""

from __future__ import annotations

import json
import re

import pytest

from pulumi_gitops.components.options import camel
from pulumi_gitops.core.controllers import catalog
from scripts import faces

BOTH = [thing for thing in faces.THINGS if thing.resource]
MODULES = [thing.module for thing in faces.THINGS]


def named(things):
    return pytest.mark.parametrize("thing", things, ids=lambda thing: thing.module)


def whole(thing, option):
    """Return the whole description of a module's option."""
    text = faces.documented(thing.module)[option.ansible]["description"]
    return text if isinstance(text, str) else " ".join(text)


def test_every_module_and_every_resource_has_a_table():
    assert {path.stem for path in (faces.COLLECTION / "plugins/modules").glob("*.py")} == set(MODULES)
    # Components for one controller each, over the resource Controller.
    titled = {catalog.controller(name).title.replace(" ", "") for name in faces.choices("controller")}
    resources = {token.rpartition(":")[2] for token in faces.schema()["resources"]}
    assert resources - titled == {thing.resource for thing in BOTH}
    text = faces.faces_table()
    for thing in faces.THINGS:
        assert f"## {thing.title}\n\nAnsible: `iac.gitops.{thing.module}`." in text


@named(BOTH)
def test_an_option_has_one_name_on_both_faces_unless_the_list_of_differences_says_why(thing):
    known = faces.differences(thing)
    for option in faces.options(thing):
        expected = known.get(option.name)
        names = (expected.ansible, expected.pulumi) if expected else (option.name, camel(option.name))
        assert (option.ansible, option.pulumi) == names, option.name


def test_every_difference_in_the_list_is_still_there_and_has_a_reason():
    there = {thing.module: {option.name for option in faces.options(thing)} for thing in BOTH}
    for difference in faces.DIFFERENCES:
        assert (difference.ansible, difference.pulumi) != (difference.option, camel(difference.option))
        assert difference.reason.endswith(".")
        for module in difference.modules:
            assert difference.option in there[module], f"{module}.{difference.option}"


@named(BOTH)
def test_an_option_has_the_same_default_on_both_faces(thing):
    inputs = faces.inputs(thing.resource)
    for option in faces.options(thing):
        if not option.ansible or not option.pulumi or option.required:
            continue
        told = re.findall(r"Default:\s(.*?)\.(?:\s|$)", inputs[option.pulumi]["description"])
        if option.default not in (None, "", [], {}):
            assert told == [json.dumps(option.default).strip('"')], option.name
        elif told:
            # Found out when it is used: both say it in words.
            assert re.search("Default (is|for)|Without", whole(thing, option)), option.name


@named([thing for thing in faces.THINGS if faces.choices(thing.module)])
def test_the_documentation_says_which_options_only_one_controller_has_as_the_engine_does(thing):
    which = faces.choices(thing.module)
    title = "|".join(catalog.controller(name).title for name in which)
    for option in faces.options(thing):
        if not option.ansible or len(which) == 1:
            continue
        only = " ".join(re.findall(rf"((?:{title})(?: and (?:{title}))*) only", whole(thing, option)))
        told = [name for name in which if catalog.controller(name).title in only]
        assert tuple(told or which) == option.controllers, option.name


def test_an_option_that_only_one_controller_has_is_in_the_table_with_names_type_default_and_meaning():
    [row] = [line for line in faces.faces_table().splitlines() if line.startswith("| `sync_wave`")]
    assert row.startswith("| `sync_wave` | int | none | `sync_wave` | `syncWave` | argocd | Wave of this application")


def undescribed(options, path=""):
    """Yield the options without a description, suboptions included."""
    for name, option in options.items():
        if not option.get("description"):
            yield path + name
        yield from undescribed(option.get("suboptions") or {}, f"{path}{name}.")


@pytest.mark.parametrize("module", MODULES)
def test_every_option_of_a_module_is_described(module):
    assert list(undescribed(faces.documented(module))) == []


def test_everything_in_the_schema_is_described():
    schema = faces.schema()
    for token, resource in (schema["resources"] | {"provider": schema["provider"]}).items():
        assert resource.get("description"), token
        for part in ("inputProperties", "properties"):
            assert list(undescribed(resource.get(part, {}), f"{token}.")) == []
    for token, kind in schema["types"].items():
        assert list(undescribed(kind["properties"], f"{token}.")) == []
    assert list(undescribed(schema["config"]["variables"], "config.")) == []
