# SPDX-License-Identifier: Apache-2.0
"""Run modules of the collection in this process, without Ansible around them."""

from __future__ import annotations

import importlib
import json
import os

import pytest
from ansible.module_utils.common.parameters import PASS_VARS
from ansible.module_utils.testing import patch_module_args

MODULES = "ansible_collections.iac.gitops.plugins.modules"


@pytest.fixture
def run_module(monkeypatch, capsys):
    """Run a module with arguments and return its result as Ansible gets it."""
    for name in [name for name in os.environ if name.startswith("K8S_AUTH_")]:
        monkeypatch.delenv(name)

    def run(module, /, _diff=False, _check=False, **args):
        args |= {"_ansible_diff": _diff, "_ansible_check_mode": _check}
        if "inject_invocation" in PASS_VARS:  # since ansible-core 2.21; older ones always do it
            args["_ansible_inject_invocation"] = True
        with patch_module_args(args), pytest.raises(SystemExit):
            importlib.import_module(f"{MODULES}.{module}").main()
        return json.loads(capsys.readouterr().out)

    return run
