# SPDX-License-Identifier: Apache-2.0
"""What a module of the collection accepts, without running it."""

from __future__ import annotations

import importlib

import pytest

MODULES = "ansible_collections.iac.gitops.plugins.modules"
RULES = ("mutually_exclusive", "required_if", "required_one_of", "required_together", "required_by")


class StoppedError(Exception):
    """Ends a module as soon as it has said what it accepts."""


@pytest.fixture
def call_of(monkeypatch):
    """What a module passes to AnsibleModule, by the module's name."""
    from ansible.module_utils import basic

    def capture(name):
        seen = {}

        def init(self, **kwargs):
            seen.update(kwargs)
            raise StoppedError

        with monkeypatch.context() as patched:
            patched.setattr(basic.AnsibleModule, "__init__", init)
            with pytest.raises(StoppedError):
                importlib.import_module(f"{MODULES}.{name}").main()
        return seen

    return capture


@pytest.fixture
def problems_of(call_of):
    """What is wrong with the options of a task, as Ansible itself would say it."""
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    def problems_of(module, options):
        call = call_of(module)
        rules = {name: call.get(name) for name in RULES}
        return ArgumentSpecValidator(call["argument_spec"], **rules).validate(options).error_messages

    return problems_of
