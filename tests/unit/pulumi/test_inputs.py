# SPDX-License-Identifier: Apache-2.0
"""What a program gets told about inputs that do not fit."""

from __future__ import annotations

import pytest

from pulumi_gitops.provider.inputs import problems
from pulumi_gitops.provider.values import UNKNOWN

SCHEMA = {
    "requiredInputs": ["namespace"],
    "inputProperties": {
        "namespace": {"type": "string"},
        "images": {"type": "object", "additionalProperties": {"type": "string"}},
        "waitTimeout": {"type": "integer"},
        "wait": {"type": "boolean"},
        "definition": {"$ref": "pulumi.json#/Any"},
        "src": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
    },
}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, [("namespace", "is required")]),
        ({"namespace": ""}, [("namespace", "is required")]),
        ({"namespace": 1}, [("namespace", "has to be text")]),
        ({"namespace": "a", "image": {}}, [("image", "is unknown; did you mean images?")]),
        ({"namespace": "a", "zzz": 1}, [("zzz", "is unknown")]),
        ({"namespace": "a", "images": ["x"]}, [("images", "has to be a map")]),
        ({"namespace": "a", "images": {"web": 1}}, [('images["web"]', "has to be text")]),
        ({"namespace": "a", "waitTimeout": True}, [("waitTimeout", "has to be a whole number")]),
        ({"namespace": "a", "wait": "yes"}, [("wait", "has to be true or false")]),
        ({"namespace": "a", "src": {}}, [("src", "has to be text or a list")]),
        ({"namespace": "a", "src": ["x", 1]}, [("src[1]", "has to be text")]),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(given, expected):
    assert problems(given, SCHEMA) == expected


def test_what_fits_or_is_not_known_yet_is_taken():
    given = {"namespace": UNKNOWN, "images": {"web": UNKNOWN}, "definition": 3, "src": ["a", UNKNOWN], "waitTimeout": 5}
    assert problems(given, SCHEMA) == []
    assert problems({"namespace": "a", "src": "deploy/", "objects": {"x": "y"}}, SCHEMA) == []
