# SPDX-License-Identifier: Apache-2.0
"""The Pulumi face as programs and other languages see it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pulumi_gitops.core import __version__
from pulumi_gitops.provider.hosting import Components
from pulumi_gitops.provider.resources import RESOURCES
from pulumi_gitops.provider.resources.base import differences
from pulumi_gitops.provider.values import UNKNOWN, decode, encode


@pytest.fixture(scope="module")
def schema() -> dict:
    return json.loads(Components().schema)


def test_importing_the_engine_imports_neither_pulumi_nor_git():
    code = (
        "import sys, pulumi_gitops.core.deploy, pulumi_gitops.core.controllers as c;"
        "print('pulumi' in sys.modules, 'git' in sys.modules, 'kubernetes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "False"]


def test_the_schema_names_components_and_resources(schema):
    assert schema["version"] == __version__
    assert {name.rpartition(":")[2] for name in schema["resources"]} == {
        "Application", "ApplicationSet", "ArgoCD", "Cluster", "Controller", "Flux", "GitFiles", "Notification",
        "Project", "Release", "Repository", "Sync", "WeaveGitOps",
    }  # fmt: skip


def test_everything_in_the_schema_is_described(schema):
    for token, resource in schema["resources"].items():
        assert resource.get("description"), token
        for part in ("inputProperties", "properties"):
            for name, prop in resource[part].items():
                assert prop.get("description"), f"{token}.{name}"


def test_passwords_and_kubeconfigs_are_secret_in_the_schema(schema):
    for token in ("gitops:index:Repository", "gitops:index:GitFiles"):
        assert schema["resources"][token]["inputProperties"]["password"]["secret"] is True
    assert schema["provider"]["inputProperties"]["kubeconfig"]["secret"] is True


def test_values_survive_the_wire():
    values = {"a": 1, "b": True, "c": "x", "d": [1, {"e": UNKNOWN}], "f": 1.5, "g": {"k_v": "1"}}
    back = decode(encode(values, {("c",), ("d", 0), ("g", "k_v")}))
    assert back.values == values
    assert type(back.values["a"]) is int
    assert back.secrets == {("c",), ("d", 0), ("g", "k_v")}


def test_a_difference_names_exactly_the_objects_that_change():
    release = RESOURCES["gitops:index:Release"]
    old = {"namespace": "a", "objects": {"x": "1", "y": "1", "z": "1"}, "src": "old"}
    new = {"namespace": "a", "objects": {"x": "1", "y": "2", "new": "1"}, "src": "new"}
    assert differences(release, old, new) == {
        'objects["new"]': "add",
        'objects["y"]': "update",
        'objects["z"]': "delete",
    }
