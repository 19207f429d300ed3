# SPDX-License-Identifier: Apache-2.0
"""What is wired passes the CRDs of Argo CD and Flux, strictly: no unknown field, no wrong value."""

from __future__ import annotations

import contextlib
import dataclasses
import uuid

import pytest

from pulumi_gitops.core import controllers
from pulumi_gitops.core.controllers import manifests as released
from pulumi_gitops.core.controllers.argocd.wiring import default_project
from pulumi_gitops.core.deploy import apply_objects, delete_objects
from pulumi_gitops.core.errors import GitOpsError, InputError
from pulumi_gitops.core.objects import ObjectRef
from pulumi_gitops.core.render import load_sources
from pulumi_gitops.sandbox import flux_crds

from .wiring_cases import CASES, objects_of

pytestmark = pytest.mark.sandbox

ALL = [(kind, controller, options) for (kind, controller), cases in CASES.items() for options in cases]
# They make no objects of what is wired: one installs manifests, which the API server checks then, the other waits.
NO_OBJECTS = {"ControllerSpec", "SyncSpec"}
# They say what it is, or come from the test itself.
GIVEN = {"controller", "name", "namespace"}
# What our own wait is told, and what Flux does in any case.
WITHOUT_A_TRACE = {"wait", "wait_timeout", "self_heal"}


def crds():
    """Return the CRDs of Argo CD's release, and of the modules of Flux's controllers."""
    argocd = released.load(controllers.ControllerSpec()).objects
    flux = load_sources(flux_crds())
    return [obj for obj in (*argocd, *flux) if obj["kind"] == "CustomResourceDefinition"]


@pytest.fixture(scope="module")
def namespace(cluster, manifests):
    """A namespace in a cluster that knows the kinds of both controllers; no controller runs."""
    name = f"wired-{uuid.uuid4().hex[:6]}"
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}, *crds()]
    apply_objects(cluster, made, wait=True)
    cluster.discovery.refresh()
    yield name
    delete_objects(cluster, [ObjectRef.of(obj) for obj in made])


@pytest.mark.parametrize(("kind", "controller", "options"), ALL)
def test_every_object_is_valid(cluster, namespace, kind, controller, options):
    for obj in objects_of(kind, controller, options, namespace=namespace):
        cluster.apply(obj, dry_run=True)


def test_the_project_that_argo_cd_starts_with_is_valid(cluster, namespace):
    cluster.apply(default_project(namespace), dry_run=True)


def test_a_field_that_a_kind_does_not_have_and_a_value_that_it_does_not_take_are_found(cluster, namespace):
    kustomization = objects_of(
        controllers.ApplicationSpec,
        "flux",
        {"repository": "config", "path": "a", "destination_namespace": "shop"},
        namespace=namespace,
    )[-1]
    for wrong in ({"targetNamespaces": "shop"}, {"interval": "soon"}, {"sourceRef": {"kind": "Folder", "name": "a"}}):
        with pytest.raises(GitOpsError, match=f"spec.{next(iter(wrong))}"):
            cluster.apply({**kustomization, "spec": {**kustomization["spec"], **wrong}}, dry_run=True)


def test_every_specification_has_cases():
    specifications = {name for name in controllers.__all__ if name.endswith("Spec")} - NO_OBJECTS
    assert {kind.__name__ for kind, _ in CASES} == specifications


@pytest.mark.parametrize(("kind", "controller"), CASES)
def test_no_option_is_left_out_but_those_that_the_controller_refuses(kind, controller):
    given = {name for options in CASES[kind, controller] for name in options}
    first = CASES[kind, controller][0]
    elsewhere = {name: value for other, _, options in ALL if other is kind for name, value in options.items()}
    for field in dataclasses.fields(kind):
        if field.name in GIVEN | given:
            continue
        assert field.name in elsewhere, f"no case of {kind.__name__} has {field.name}"
        with pytest.raises(InputError, match=f"has no option .*{field.name}"):
            objects_of(kind, controller, {**first, field.name: elsewhere[field.name]})


@pytest.mark.parametrize(("kind", "controller", "options"), ALL)
def test_every_option_reaches_the_objects(kind, controller, options):
    made = objects_of(kind, controller, options)
    for name in options.keys() - WITHOUT_A_TRACE:
        rest = {key: value for key, value in options.items() if key != name}
        with contextlib.suppress(InputError, TypeError):  # it is required
            assert objects_of(kind, controller, rest) != made, name
