# SPDX-License-Identifier: Apache-2.0
"""The options of a release in Pulumi: those of the engine, under the same names, with the same defaults."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import typing
from collections.abc import Mapping, Sequence

import pytest
from google.protobuf import json_format, struct_pb2

from pulumi_gitops.components.options import camel
from pulumi_gitops.core.delivery import SET_OPTIONS, ReleaseOptions
from pulumi_gitops.provider.hosting import Components
from pulumi_gitops.provider.inputs import problems
from pulumi_gitops.provider.resources import RESOURCES
from pulumi_gitops.provider.resources.base import differences
from pulumi_gitops.provider.resources.options import release_options
from pulumi_gitops.provider.values import UNKNOWN, decode

RELEASE = RESOURCES["gitops:index:Release"]
OPTIONS = {field.name: field for field in dataclasses.fields(ReleaseOptions)}
HINTS = typing.get_type_hints(ReleaseOptions)
KINDS = {
    bool: "boolean",
    int: "integer",
    int | None: "integer",
    float: "integer",
    str: "string",
    str | None: "string",
    Mapping: "object",
    Sequence: "array",
}
# One value for each option that differs from its default, as a program gives it.
GIVEN = {
    "release": "shop",
    "namespace": "a",
    "definition": {"kind": "ConfigMap"},
    "src": ["deploy"],
    "kustomize": "overlays/production",
    "helm": {"chart": "chart", "valueFiles": ["values.yaml"], "releaseName": "web", "values": {"valueFiles": 1}},
    "allowNetwork": True,
    "images": {"web": "web:1"},
    "imagePaths": ["spec.image"],
    "replicas": {"web": 2},
    "labels": {"a_b": "c"},
    "annotations": {"a_b": "c"},
    "setNamespace": True,
    "createNamespace": False,
    "prune": False,
    "pruneKinds": ["Namespace"],
    "pruneLimit": 0,
    "wait": False,
    "waitTimeout": 5,
    "stallTimeout": 5,
    "waitFor": [{"kind": "Database", "condition": "Ready"}],
    "forceConflicts": "never",
    "ownership": "adopt",
    "ignoreFields": ["/spec/replicas"],
    "recreate": True,
    "rollbackOnFailure": True,
    "historyLimit": 3,
    "historySecrets": False,
    "lockTimeout": 5,
    "planFile": "plan.json",
    "planDigest": "sha256:1",
    "requireApproval": True,
    "approvedBy": "ann",
    "approvalMaxAge": 5,
}


@pytest.fixture(scope="module")
def schema() -> dict:
    return json.loads(Components().schema)


@pytest.fixture(scope="module")
def inputs(schema) -> dict:
    return schema["resources"]["gitops:index:Release"]["inputProperties"]


def wire(option: str) -> str:
    return "release" if option == "name" else camel(option)


def test_the_resource_has_exactly_the_options_of_the_engine_and_a_rollback(inputs):
    assert set(inputs) == {wire(name) for name in OPTIONS} | {"rollbackTo"}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_has_the_type_and_the_documented_default_of_the_engine(inputs, name):
    option, found = OPTIONS[name], inputs[wire(name)]
    kind = KINDS.get(HINTS[name]) or KINDS.get(typing.get_origin(HINTS[name]))
    if name == "helm":
        assert found["$ref"] == "#/types/gitops:index:HelmChart"
    elif name not in ("definition", "src"):
        assert found["type"] == kind
    told = re.findall(r"Default:\s(.*?)\.(?:\s|$)", found["description"])
    if name == "name":
        assert told == ["the name of the resource"]
    elif option.default in (None, "", (), dataclasses.MISSING):
        assert told == []
    else:
        assert told == [json.dumps(option.default).strip('"')]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_reaches_the_engine(name):
    got = getattr(release_options(GIVEN), name)
    assert got != OPTIONS[name].default
    if name != "helm":
        assert got == GIVEN[wire(name)]


def test_a_chart_is_translated_and_its_values_are_left_alone():
    helm = release_options(GIVEN).helm
    assert helm == {
        "chart": "chart",
        "value_files": ["values.yaml"],
        "release_name": "web",
        "values": {"valueFiles": 1},
    }


def test_what_is_not_known_yet_has_its_default_and_a_plan_may_be_left_out():
    options = release_options({**GIVEN, "waitTimeout": UNKNOWN, "waitFor": [UNKNOWN]}, approval=False)
    assert (options.wait_timeout, options.wait_for) == (300, ())
    assert (options.plan_file, options.plan_digest, options.approved_by) == (None, None, "ann")


def test_only_place_pruning_rollback_and_objects_make_a_difference():
    old = {"namespace": "a", "release": "shop", "objects": {}}
    new = {**GIVEN, "namespace": "b", "release": "other", "rollbackTo": 1, "objects": {"x": "1"}}
    assert set(differences(RELEASE, old, new)) == {
        *("namespace", "release", "prune", "pruneKinds", "rollbackTo", 'objects["x"]'),
    }
    assert {wire(name) for name in SET_OPTIONS} <= RELEASE.ignored
    assert {"planDigest", "planFile", "approvedBy", "requireApproval", "approvalMaxAge"} <= RELEASE.ignored


def test_while_a_rollback_is_wanted_only_drift_is_a_difference():
    deployed = {"same": "1", "drifted": "1 | drifted: changed", "removed": "1 | removed in revision 4"}
    old = {"rollbackTo": 1, "objects": deployed}
    new = {"rollbackTo": 1, "objects": {"same": "2", "drifted": "2", "declared": "1"}}
    found = differences(RELEASE, *RELEASE.compared(old, new))
    assert found == {'objects["drifted"]': "update", 'objects["removed"]': "update"}
    without = {"objects": new["objects"]}
    assert differences(RELEASE, *RELEASE.compared(old, without)) == {
        'objects["declared"]': "add",
        'objects["drifted"]': "update",
        'objects["removed"]': "delete",
        'objects["same"]': "update",
        "rollbackTo": "delete",
    }


def test_the_values_of_a_chart_are_secret(schema):
    assert schema["types"]["gitops:index:HelmChart"]["properties"]["values"]["secret"] is True
    assert RELEASE.secrets({"helm": {"chart": "x", "values": {"a": 1}}}) == {("helm", "values")}
    assert RELEASE.secrets({"helm": {"chart": "x"}}) == RELEASE.secrets({"helm": UNKNOWN}) == frozenset()


def test_a_chart_that_does_not_fit_is_named_with_its_path(schema):
    release = schema["resources"]["gitops:index:Release"]

    def found(helm) -> list[tuple[str, str]]:
        return problems({"namespace": "a", "helm": helm}, release, schema["types"])

    assert found({}) == [("helm.chart", "is required")]
    assert found("chart") == [("helm", "has to be a map")]
    assert found({"chart": "x", "valueFile": []}) == [("helm.valueFile", "is unknown; did you mean valueFiles?")]
    assert found({"chart": 1, "values": []}) == [("helm.chart", "has to be text"), ("helm.values", "has to be a map")]
    assert found({"chart": "x", "values": {"any": [1, {"thing": None}]}}) == []
    assert found(UNKNOWN) == []


# In a process of its own: the SDK keeps its mocks and its event loop for the rest of the process.
PROGRAM = """
import pulumi
from google.protobuf.json_format import MessageToJson
from pulumi.runtime import mocks
import pulumi_gitops as gitops

class Monitor(mocks.MockMonitor):
    def RegisterResource(self, request):
        if request.custom:
            print(MessageToJson(request.object))
        return super().RegisterResource(request)

class Echo(mocks.Mocks):
    def new_resource(self, args):
        return "id", args.inputs

    def call(self, args):
        return {}, []

mocks.set_mocks(Echo(), monitor=Monitor(Echo()))

@pulumi.runtime.test
def run():
    return gitops.Release("shop", {
        "namespace": "a",
        "src": ["deploy", "*.yaml"],
        "kustomize": "overlays/x",
        "plan_file": "plan.json",
        "helm": {
            "chart": "oci://registry.example.com/shop",
            "value_files": ["values.yaml"],
            "values": {"a_b": 1, "password": pulumi.Output.secret("canary-17")},
        },
        "replicas": {"a_b": 1},
    }).urn

run()
"""


def test_a_program_gives_paths_of_its_folder_and_secrets_stay_where_they_stand(tmp_path):
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    given = decode(json_format.Parse(done.stdout, struct_pb2.Struct()))
    found = given.values
    assert found["src"] == [str(tmp_path / "deploy"), str(tmp_path / "*.yaml")]
    assert found["kustomize"] == str(tmp_path / "overlays/x")
    assert found["planFile"] == str(tmp_path / "plan.json")
    assert found["helm"]["chart"] == "oci://registry.example.com/shop"
    assert found["helm"]["valueFiles"] == [str(tmp_path / "values.yaml")]
    assert found["helm"]["values"] == {"a_b": 1, "password": "canary-17"}
    assert found["replicas"] == {"a_b": 1}
    assert given.secrets == {("helm", "values", "password")}
