# SPDX-License-Identifier: Apache-2.0
"""The provider's schema: inferred from the Python classes, completed with what the inference can not say."""

from __future__ import annotations

import json
from typing import Any, Final

_CUSTOM = ("Controller", "GitFiles", "Release", "Sync")
_SECRETS = (("Repository", "password"), ("GitFiles", "password"))
_TEXTS: Final = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def complete(inferred: str) -> str:
    """Return the schema of the package.

    Args:
        inferred: JSON text of what Pulumi inferred from all classes, taking each for a component.
    """
    schema: dict[str, Any] = json.loads(inferred)
    resources = {token.rpartition(":")[2]: resource for token, resource in schema["resources"].items()}
    for name in _CUSTOM:
        resources[name]["isComponent"] = False
    for name, secret in _SECRETS:
        resources[name]["inputProperties"][secret]["secret"] = True
    schema["types"]["gitops:index:HelmChart"]["properties"]["values"]["secret"] = True
    src = resources["Release"]["inputProperties"]["src"]
    del src["$ref"]
    src.update(_TEXTS)

    config = schema["resources"].pop("gitops:index:Provider")
    config["inputProperties"]["kubeconfig"]["secret"] = True
    schema["config"] = {"variables": config["inputProperties"]}
    schema["provider"] = {key: config[key] for key in ("type", "description", "inputProperties")}
    return json.dumps(
        {
            **schema,
            "displayName": "GitOps",
            "license": "Apache-2.0",
            "description": "GitOps as a layer on the infrastructure as code that a team already runs.",
        }
    )
