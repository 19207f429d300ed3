# SPDX-License-Identifier: Apache-2.0
"""The options of a release as inputs: camelCase on the wire, :class:`ReleaseOptions` in the engine."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from ...components.options import camel, uncamel
from ...core.delivery import SET_OPTIONS, ReleaseOptions
from ..values import has_unknown
from .base import Values

# Input -> option. The name of the release is an input of its own: `name` is the name of the resource.
OPTIONS: Final = {
    camel(name): name for name in (field.name for field in dataclasses.fields(ReleaseOptions)) if name != "name"
} | {"release": "name"}
# The inputs that decide over the set of objects.
SET: Final = frozenset(map(camel, SET_OPTIONS))


def release_options(inputs: Values, *, approval: bool = True) -> ReleaseOptions:
    """Return the options that the inputs of a release stand for. What is not known yet has its default.

    Args:
        inputs: Checked inputs.
        approval: Take the approved plan too, which does not exist before the preview that makes it.
    """
    left_out = () if approval else ("planFile", "planDigest")
    given: dict[str, Any] = {
        name: inputs[key]
        for key, name in OPTIONS.items()
        if key in inputs and key not in left_out and not has_unknown(inputs[key])
    }
    if isinstance(given.get("helm"), dict):
        given["helm"] = uncamel(given["helm"], "value_files", "release_name")
    return ReleaseOptions(**given)
