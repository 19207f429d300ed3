# SPDX-License-Identifier: Apache-2.0
"""The examples in the modules' documentation are tasks that the modules take; what all return is told in one way."""

from __future__ import annotations

import pytest
import yaml

from scripts import faces

OURS = "iac.gitops."
MODULES = [thing.module for thing in faces.THINGS]


class Loader(yaml.SafeLoader):
    """Reads what Ansible must not take for a template as text."""


Loader.add_constructor("!unsafe", Loader.construct_scalar)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_examples_and_they_have_only_options_and_values_that_exist(module, problems_of):
    tasks = yaml.load(faces.texts(module)["EXAMPLES"], Loader=Loader)
    names = [key for task in tasks for key in task if key.startswith(OURS)]
    assert OURS + module in names
    for task in tasks:
        assert task["name"]
        for key in task:
            if key.startswith(OURS):
                assert problems_of(key.removeprefix(OURS), task[key] or {}) == [], task["name"]


def test_a_wrong_example_would_be_found(problems_of):
    right = {"name": "shop", "url": "https://git.example.com/a.git", "path": "a", "destination_namespace": "shop"}
    assert problems_of("application", right) == []
    assert problems_of("application", {name: value for name, value in right.items() if name != "name"}) != []
    for wrong in ({"pth": "a"}, {"sync_wave": "first"}, {"controller": "kargo"}, {"helm": {"chrt": "a"}}):
        assert problems_of("application", right | wrong) != []


# ansible-core 2.18 and 2.19 have no fragments for what a module returns: each has to tell it itself.
@pytest.mark.parametrize("module", MODULES)
def test_what_all_modules_return_is_told_in_the_same_words(module):
    told, reference = (yaml.safe_load(faces.texts(name)["RETURN"]) for name in (module, "project"))
    for name in ("code", "hint"):
        assert without_samples(told[name]) == without_samples(reference[name]), name
    assert told["details"]["description"].startswith(reference["details"]["description"].rstrip("."))


@pytest.mark.parametrize(
    "module", [module for module in MODULES if "changes_omitted:" in faces.texts(module)["RETURN"]]
)
def test_changed_objects_are_told_in_the_same_words(module):
    told, reference = (yaml.safe_load(faces.texts(name)["RETURN"])["changes"] for name in (module, "project"))
    entries, known = told["contains"], reference["contains"]
    assert {name: without_samples(entries[name]) for name in known.keys() - {"action"}} == {
        name: without_samples(entry) for name, entry in known.items() if name != "action"
    }


def without_samples(told):
    """Return how a value is told, but for its example."""
    return {key: value for key, value in told.items() if key != "sample"}
