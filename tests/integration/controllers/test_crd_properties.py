# SPDX-License-Identifier: Apache-2.0
"""What a specification takes, the CRDs take: whatever the names and values are, by the schemas that CRDs carry."""

from __future__ import annotations

import functools

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_gitops.core.errors import InputError

from .test_crd_validation import ALL, crds
from .wiring_cases import objects_of

# The CRDs are files of what is built for the sandbox; no control plane is started.
pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("manifests")]

TEXTS = st.text(max_size=20)
NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True) | TEXTS
DURATIONS = st.from_regex(r"([0-9]{1,3}(\.[0-9])?(ms|s|m|h)){1,2}", fullmatch=True) | TEXTS
URLS = st.from_regex(r"(https?|ssh|oci|file|git)://(git@)?[a-z]{1,9}(\.example\.com)?(:[0-9]{4})?/[a-z/.]{0,9}|"
                     r"git@[a-z]{1,9}:[a-z/]{1,9}", fullmatch=True)  # fmt: skip
VALUES = {
    **dict.fromkeys(("interval", "retry_interval", "timeout"), DURATIONS),
    **dict.fromkeys(("destination_namespace", "project", "repository", "service_account"), NAMES),
    **dict.fromkeys(("branch", "tag", "semver", "commit", "revision", "ignore", "description", "channel"), TEXTS),
    **dict.fromkeys(("drift_detection", "sync_policy", "severity", "path"), TEXTS),
    **dict.fromkeys(("source_repos", "events", "exclude", "sync_options"), st.lists(TEXTS)),
    "signature_keys": st.lists(st.from_regex(r"[0-9A-F]{16}", fullmatch=True) | TEXTS),
    "url": URLS,
    "depends_on": st.lists(NAMES, max_size=3),
    "remediation": st.integers(),
    "sync_wave": st.integers(),
    "substitute": st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=3),
    "include": st.dictionaries(NAMES, TEXTS | st.integers(), max_size=3),
    **dict.fromkeys(("labels", "metadata"), st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=3)),
}
"""Option -> values that it may get, right and wrong ones."""


def strict(schema):
    """Return the schema of a CRD as JSON Schema, in which fields that it does not name are wrong."""
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    made = dict(schema)
    if "properties" in made:
        made["properties"] = {name: strict(item) for name, item in made["properties"].items()}
    for key in ("items", "additionalProperties"):
        if key in made:
            made[key] = strict(made[key])
    if "properties" in made and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


@functools.cache
def validators():
    """Return apiVersion and kind -> validator."""
    found = {}
    for crd in crds():
        spec = crd["spec"]
        for version in spec["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"metadata": {}}
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = jsonschema.Draft7Validator(schema)
    return found


def wrong(obj):
    """Return what is wrong with an object; nothing of those that Kubernetes itself knows."""
    validator = validators().get((obj["apiVersion"], obj["kind"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(obj)] if validator else []


@st.composite
def cases(draw):
    """Return a case with one or two other values: more would be refused nearly always."""
    kind, controller, options = draw(st.sampled_from(ALL))
    known = sorted(options.keys() & VALUES)
    names = draw(st.sets(st.sampled_from(known), min_size=1, max_size=2)) if known else ()
    return kind, controller, {**options, **{name: draw(VALUES[name]) for name in sorted(names)}}


@given(case=cases())
@settings(max_examples=500, deadline=None)
def test_what_a_specification_takes_the_crds_take(case):
    kind, controller, options = case
    try:
        made = objects_of(kind, controller, options)
    except InputError:
        return
    assert [problem for obj in made for problem in wrong(obj)] == []


def test_wrong_fields_and_values_are_found():
    kustomization = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {}}
    spec = {"sourceRef": {"kind": "Folder", "name": "a"}, "interval": "soon", "prune": True, "more": 1}
    assert {problem.partition(":")[0] for problem in wrong({**kustomization, "spec": spec})} == {
        "$.spec", "$.spec.interval", "$.spec.sourceRef.kind",
    }  # fmt: skip
