# SPDX-License-Identifier: Apache-2.0
"""The provider's schema: inferred from the Python classes, completed with what the inference can not say."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..components.options import camel, credentials_of
from ..core.controllers import ClusterSpec, NotificationSpec, RepositorySpec

_CUSTOM = ("Controller", "GitFiles", "Release", "Sync")
_SPECS: Final = {"Repository": RepositorySpec, "Cluster": ClusterSpec, "Notification": NotificationSpec}
_TEXTS: Final = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def complete(inferred: str, told: Mapping[str, str]) -> str:
    """Return the schema of the package.

    Args:
        inferred: JSON text of what Pulumi inferred from all classes, taking each for a component.
        told: Input -> description, for those that a class of inputs inherits: they are inferred without.
    """
    schema: dict[str, Any] = json.loads(inferred)
    resources = {token.rpartition(":")[2]: resource for token, resource in schema["resources"].items()}
    for name in _CUSTOM:
        resources[name]["isComponent"] = False
    for name in ("Controller", "WeaveGitOps"):
        resources[name]["inputProperties"]["values"]["secret"] = True
    for name, secret in _secrets():
        resources[name]["inputProperties"][secret]["secret"] = True
    for name in ("ArgoCD", "Flux", "WeaveGitOps", "Controller"):
        for option, described in resources[name]["inputProperties"].items():
            described.setdefault("description", told.get(option, ""))
    schema["types"]["gitops:index:HelmChart"]["properties"]["values"]["secret"] = True
    schema["types"]["gitops:index:SelfManage"]["properties"]["password"]["secret"] = True
    src = resources["Release"]["inputProperties"]["src"]
    del src["$ref"]
    src.update(_TEXTS)

    config = schema["resources"].pop("gitops:index:Provider")
    config["inputProperties"]["kubeconfig"]["secret"] = True
    schema["config"] = {"variables": config["inputProperties"]}
    _reflow(schema)
    schema["provider"] = {key: config[key] for key in ("type", "description", "inputProperties")}
    return json.dumps(
        {
            **schema,
            "displayName": "GitOps",
            "license": "Apache-2.0",
            "description": "GitOps as a layer on the infrastructure as code that a team already runs.",
        }
    )


def _secrets() -> Iterator[tuple[str, str]]:
    """Yield component or resource and input, of those that are credentials."""
    yield "GitFiles", "password"
    for name, spec in _SPECS.items():
        yield from ((name, camel(option)) for option in credentials_of(spec))


def _reflow(part: Any) -> None:
    """Take out of descriptions how they are broken and indented in the source; paragraphs stay."""
    if isinstance(part, list):
        for item in part:
            _reflow(item)
    if not isinstance(part, dict):
        return
    for item in part.values():
        _reflow(item)
    text = part.get("description")
    if isinstance(text, str):
        paragraphs = inspect.cleandoc(text).split("\n\n")
        part["description"] = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
