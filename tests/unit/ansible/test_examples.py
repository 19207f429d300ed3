# SPDX-License-Identifier: Apache-2.0
"""The examples in the modules' documentation are tasks that the modules take."""

from __future__ import annotations

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from scripts import faces

OURS = "iac.gitops."
RULES = ("mutually_exclusive", "required_if", "required_one_of", "required_together", "required_by")
MODULES = [thing.module for thing in faces.THINGS]


class Loader(yaml.SafeLoader):
    """Reads what Ansible must not take for a template as text."""


Loader.add_constructor("!unsafe", Loader.construct_scalar)


def problems(call, options):
    """Return what Ansible itself would say of the options of a task."""
    rules = {name: call.get(name) for name in RULES}
    return ArgumentSpecValidator(call["argument_spec"], **rules).validate(options).error_messages


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_examples_and_they_have_only_options_and_values_that_exist(module, call_of):
    tasks = yaml.load(faces.texts(module)["EXAMPLES"], Loader=Loader)
    names = [key for task in tasks for key in task if key.startswith(OURS)]
    assert OURS + module in names
    for task in tasks:
        assert task["name"]
        for key in task:
            if key.startswith(OURS):
                assert problems(call_of(key.removeprefix(OURS)), task[key] or {}) == [], task["name"]


def test_a_wrong_example_would_be_found(call_of):
    call = call_of("application")
    right = {"name": "shop", "url": "https://git.example.com/a.git", "path": "a", "destination_namespace": "shop"}
    assert problems(call, right) == []
    assert problems(call, {name: value for name, value in right.items() if name != "name"}) != []
    for wrong in ({"pth": "a"}, {"sync_wave": "first"}, {"controller": "kargo"}, {"helm": {"chrt": "a"}}):
        assert problems(call, right | wrong) != []
