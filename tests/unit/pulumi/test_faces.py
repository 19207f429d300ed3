# SPDX-License-Identifier: Apache-2.0
"""Controllers and what they are wired with have the options of the engine in Pulumi.

That Ansible has the same is in tests/unit/scripts/test_faces.py.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence

import pytest

from pulumi_gitops import components
from pulumi_gitops.components.options import camel, credentials_of
from pulumi_gitops.core import controllers
from pulumi_gitops.core.controllers.self_manage import SelfManage
from pulumi_gitops.core.controllers.specs import _ARGOCD_ONLY, _FLUX_ONLY, _WEAVE_GITOPS_ONLY
from pulumi_gitops.provider.hosting import Components
from pulumi_gitops.provider.resources import RESOURCES
from pulumi_gitops.provider.resources.controller import _spec
from scripts import faces
from tests.support.pgpsig import PgpKey

THINGS = {thing.resource: thing for thing in faces.THINGS if thing.module not in ("files", "deploy") and thing.resource}
# Resource -> specification of the engine.
FACES = {kind: thing.spec for kind, thing in THINGS.items()} | dict.fromkeys(
    ("ArgoCD", "Flux", "WeaveGitOps"), controllers.ControllerSpec
)
# What a resource has beside the options of the specification.
ADDED = {
    kind: {d.pulumi for d in faces.differences(thing).values() if d.pulumi not in (None, camel(d.option))}
    | {d.pulumi for d in faces.differences(thing).values() if d.ansible is None}
    for kind, thing in THINGS.items()
}
SPECIAL = {*_ARGOCD_ONLY, *_FLUX_ONLY, *_WEAVE_GITOPS_ONLY}
LEFT_OUT = {
    "ArgoCD": SPECIAL - set(_ARGOCD_ONLY),
    "Flux": SPECIAL - set(_FLUX_ONLY),
    "WeaveGitOps": SPECIAL - set(_WEAVE_GITOPS_ONLY),
}
# `name` is the name of the resource; `source` is for the face to say.
NEVER = {"name", "source"}
# What stands for None is told in words; the engine finds it out later.
TOLD = {
    "version", "namespace", "branch", "retry_interval", "revision",
}  # fmt: skip
KINDS = {str: "string", bool: "boolean", int: "integer", float: "integer", Mapping: "object", Sequence: "array"}


@pytest.fixture(scope="module")
def schema() -> dict:
    return json.loads(Components().schema)


def fields(kind: str) -> dict[str, dataclasses.Field]:
    hidden = NEVER | LEFT_OUT.get(kind, set())
    return {field.name: field for field in dataclasses.fields(FACES[kind]) if field.name not in hidden}


def inputs(schema: dict, kind: str) -> dict[str, dict]:
    return schema["resources"][f"gitops:index:{kind}"]["inputProperties"]


OPTIONS = [(kind, name) for kind in FACES for name in fields(kind)]


@pytest.mark.parametrize("kind", FACES)
def test_a_resource_has_exactly_the_options_of_the_engine(schema, kind):
    expected = {camel(name) for name in fields(kind)} | ADDED.get(kind, set())
    assert set(inputs(schema, kind)) == expected
    python = getattr(components, f"{kind}Args").__annotations__
    assert {camel(name) for name in python} == expected


@pytest.mark.parametrize("kind", FACES)
def test_what_the_engine_requires_is_required(schema, kind):
    required = {name for name, field in fields(kind).items() if default_of(field) is dataclasses.MISSING}
    told = set(schema["resources"][f"gitops:index:{kind}"].get("requiredInputs", []))
    assert told == {camel(name) for name in required} | ({"application"} if kind == "Sync" else set())


@pytest.mark.parametrize(("kind", "name"), OPTIONS)
def test_an_option_has_the_type_and_the_documented_default_of_the_engine(schema, kind, name):
    field, found = fields(kind)[name], inputs(schema, kind)[camel(name)]
    hint = typing.get_type_hints(FACES[kind])[name]
    first = typing.get_args(hint)[0] if isinstance(hint, types.UnionType) else hint
    # A type with a name is an object.
    assert found.get("type", "object") == KINDS[typing.get_origin(first) or first]
    told = re.findall(r"Default:\s(.*?)\.(?:\s|$)", found["description"])
    default = default_of(field)
    if default is dataclasses.MISSING or (default in (None, "", (), {}) and name not in TOLD):
        assert told == []
    elif default in (None, ""):
        assert len(told) == 1
    else:
        shown = list(default) if isinstance(default, tuple) else int(default) if type(default) is float else default
        assert told == [json.dumps(shown).strip('"')]


@pytest.mark.parametrize("kind", FACES)
def test_credentials_and_nothing_else_are_secret(schema, kind):
    marked = {name for name, found in inputs(schema, kind).items() if found.get("secret")}
    # Of self_manage only a part is secret.
    secret = credentials_of(FACES[kind]) & fields(kind).keys()
    assert marked == {camel(name) for name in secret} - {"selfManage"}


def test_of_self_manage_only_the_password_is_secret(schema):
    parts = schema["types"]["gitops:index:SelfManage"]["properties"]
    assert {name for name, found in parts.items() if found.get("secret")} == {"password"}
    assert parts.keys() == {field.name for field in dataclasses.fields(SelfManage)} - {"ca_cert"}


def test_only_what_decides_over_resources_has_to_be_plain(schema):
    marked = {f"{kind}.{name}" for kind in FACES for name, found in inputs(schema, kind).items() if found.get("plain")}
    which = {f"{kind}.controller" for kind in ("Repository", "Application", "Project", "ApplicationSet", "Cluster")}
    assert marked == {
        *which, "Notification.controller", "Notification.receiver", "Repository.type", "Application.autoSync",
        "Application.createNamespace", "Application.wait", "ApplicationSet.wait",
    }  # fmt: skip


def default_of(field: dataclasses.Field):
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


# --- the resource Controller -----------------------------------------------------------------------------------------

CONTROLLER = RESOURCES["gitops:index:Controller"]
KEY = PgpKey()
# One value for each option that differs from its default, as a program gives it.
ARGOCD = {
    "version": "1.2.3", "namespace": "gitops", "manifests": "install.yaml", "checksum": "a" * 64,
    "patches": [{"target": {"kind": "Deployment"}, "patch": {}}], "registry": "registry.example.com",
    "imagePullSecret": "pull", "wait": False, "waitTimeout": 5, "lockFile": "gitops.lock", "profile": "ha",
    "config": {"argocd-cm": {"url": "https://argocd.example.com"}}, "knownHosts": "git.example.com ssh-x",
    "tlsCertificates": {"git.example.com": "PEM"}, "gpgKeys": {KEY.id: KEY.public}, "adminSecret": "argocd-admin",
}  # fmt: skip
# It needs `wait`.
SELF_MANAGED = {"selfManage": {"url": "https://git.example.com/config.git", "password": "canary-4714"}}
FLUX = {
    "controller": "flux", "mirror": "https://mirror.example.com", "components": ["source-controller"],
    "networkPolicies": False, "multitenant": True, "logLevel": "debug", "concurrency": 3, "method": "operator",
    "operatorVersion": "0.59.0",
}  # fmt: skip


WEAVE_GITOPS = {
    "controller": "weave_gitops", "method": "helm_release", "values": {"replicaCount": 2}, "adminSecret": "dashboard",
}  # fmt: skip


def test_every_option_reaches_the_engine():
    every = {*ARGOCD, *FLUX, *SELF_MANAGED, *WEAVE_GITOPS}
    assert every == {camel(name) for name in fields("Controller")} | {"controller"}
    for given in ({**ARGOCD, "controller": "argocd"}, FLUX, SELF_MANAGED, WEAVE_GITOPS):
        spec = _spec(given)
        for key, value in given.items():
            name = "name" if key == "controller" else next(n for n in fields("Controller") if camel(n) == key)
            assert getattr(spec, name) == value
    assert _spec({"controller": "flux"}) == controllers.ControllerSpec(name="flux", source="pulumi")


def test_only_place_version_delivery_and_objects_make_a_difference():
    compared = {*ARGOCD, *FLUX, *SELF_MANAGED, *WEAVE_GITOPS} - CONTROLLER.ignored
    assert compared == {"controller", "namespace", "method", "version", "selfManage", "adminSecret"}
    # Of two methods each is in the way of the other, but those of Flux.
    assert CONTROLLER.replaces == {"controller", "namespace", "method"}
    old, new = CONTROLLER.compared({"controller": "flux"}, {"controller": "flux", "method": "operator"})
    assert old == new
