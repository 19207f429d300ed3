# SPDX-License-Identifier: Apache-2.0
"""The examples in the modules' documentation are tasks that the modules take."""

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
