# SPDX-License-Identifier: Apache-2.0
"""What goes into a deployment: what can not be meant is refused before anything is asked or touched."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.deploy import Approval, IgnoredField, ReleaseSpec
from pulumi_gitops.core.errors import InputError

steps = st.lists(st.text(min_size=1), min_size=1, max_size=4)
kinds = st.from_regex(r"[A-Z][A-Za-z0-9]{0,9}", fullmatch=True)
names = st.from_regex(r"[a-z0-9]([-a-z0-9.:]{0,9}[a-z0-9])?", fullmatch=True)


def pointer(parts):
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


@settings(max_examples=300, deadline=None)
@given(steps.filter(lambda parts: parts[0] not in ("metadata", "kind", "apiVersion")), kinds, names)
def test_an_ignored_field_is_read_as_it_is_written(parts, kind, name):
    text = pointer(parts)
    for ignored, target in (
        (IgnoredField.parse(text), ("", "")),
        (IgnoredField.parse(f"{kind}:{text}"), (kind, "")),
        (IgnoredField.parse(f"{kind}/{name}:{text}"), (kind, name)),
    ):
        assert (ignored.kind, ignored.name) == target
        assert list(ignored.steps) == parts


@settings(max_examples=300, deadline=None)
@given(st.text() | st.text("/:~01aB"))
def test_of_any_other_text_nothing_is_lost_or_it_is_refused(text):
    with contextlib.suppress(InputError):
        found = IgnoredField.parse(text)
        assert text in (f"{found.kind}/{found.name}:{found.pointer}", f"{found.kind}:{found.pointer}", found.pointer)
        assert pointer(found.steps) == found.pointer


def test_an_ignored_field_is_meant_for_objects_of_its_kind_and_name():
    assert IgnoredField.parse("/spec/replicas").applies_to("Deployment", "web")
    assert IgnoredField.parse("Deployment:/spec/replicas").applies_to("Deployment", "web")
    assert not IgnoredField.parse("Deployment:/spec/replicas").applies_to("StatefulSet", "web")
    assert not IgnoredField.parse("Deployment/web:/spec/replicas").applies_to("Deployment", "api")
    assert IgnoredField.parse("ClusterRole/system:view:/rules").applies_to("ClusterRole", "system:view")
    assert IgnoredField.parse("Pod:/metadata/annotations/a:~1b").steps == ("metadata", "annotations", "a:/b")


@pytest.mark.parametrize(
    "text",
    ["", *"/ spec/replicas Deployment Deployment: :/spec Deployment/:/spec a/b/c:/spec Deployment/web:spec".split()],
)
def test_what_is_not_a_field_is_refused(text):
    with pytest.raises(InputError, match="is not a field") as caught:
        IgnoredField.parse(text)
    for pointer_to_nothing in ("/spec/", "/spec//replicas", "//spec", "/spec/~2", "/spec/~"):
        with pytest.raises(InputError, match="is not a field"):
            IgnoredField.parse(pointer_to_nothing)
    assert "Deployment/web:/spec/replicas" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    "/metadata /kind /apiVersion Pod:/metadata/name /metadata/namespace /metadata/uid/x /metadata/labels "
    "/metadata/labels/applyset.kubernetes.io~1part-of".split(),
)
def test_what_makes_an_object_the_one_that_is_meant_can_not_be_ignored(text):
    with pytest.raises(InputError, match="takes in what identifies an object"):
        IgnoredField.parse(text)
    with pytest.raises(InputError):
        spec(ignore_fields=[text]).check()
    assert IgnoredField.parse("/metadata/labels/color").steps == ("metadata", "labels", "color")


def spec(name="web", namespace="shop", **more):
    return ReleaseSpec(name=name, namespace=namespace, objects=(), **more)


def test_sensible_options_pass():
    spec().check()
    spec("a" * 63, prune_limit=0, history_limit=1, wait_timeout=0, stall_timeout=2.5, lock_timeout=0).check()
    spec("1", prune_kinds=["Namespace"], approval=Approval(max_age=60), ignore_fields=["/spec/replicas"]).check()


@pytest.mark.parametrize("name", ["", "a" * 64, "Web", "web-", "-web", "web.1", "web\n", "wéb", "a/b", "we b"])
def test_names_that_a_record_can_not_have_are_refused(name):
    with pytest.raises(InputError, match="is not a name for a release"):
        spec(name).check()
    with pytest.raises(InputError, match=r"needs a namespace|is not a name for a namespace"):
        spec(namespace=name).check()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prune_limit": -1}, "prune_limit is -1; it has to be at least 0"),
        ({"history_limit": 0}, "history_limit is 0; it has to be at least 1"),
        ({"wait_timeout": -0.5}, "wait_timeout is -0.5"),
        ({"stall_timeout": float("nan")}, "stall_timeout is nan"),
        ({"lock_timeout": -1}, "lock_timeout is -1"),
        ({"approval": Approval(max_age=-1)}, "approval_max_age is -1"),
        ({"approval": Approval(max_age=float("nan"))}, "approval_max_age is nan"),
        ({"prune_kinds": ["Namespace", "Secret"]}, "prune_kinds: Secret needs no permission"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(options, told):
    with pytest.raises(InputError, match=told):
        spec(**options).check()


def test_a_spec_does_not_show_its_objects():
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"k": "canary"}}
    assert "canary" not in repr(ReleaseSpec(name="web", namespace="shop", objects=[secret]))
