# SPDX-License-Identifier: Apache-2.0
"""The schema of the custom resources and of the provider's configuration; Pulumi infers that of the components."""

from __future__ import annotations

import json
from typing import Any

_STRING = {"type": "string"}
_BOOLEAN = {"type": "boolean"}
_INTEGER = {"type": "integer"}
_ANY = {"$ref": "pulumi.json#/Any"}
_STRINGS = {"type": "array", "items": _STRING}
_STRING_MAP = {"type": "object", "additionalProperties": _STRING}

Property = dict[str, Any]


def _p(kind: dict[str, Any], description: str, **more: Any) -> Property:
    return {**kind, "description": description, **more}


_WAIT = {
    "wait": _p(_BOOLEAN, "Wait until everything is ready. Default: true."),
    "waitTimeout": _p(_INTEGER, "Seconds to wait. Default: 300."),
}
_OBJECTS = _p(_STRING_MAP, "One line per object, by key; set by the provider, compared to show what changes.")
_APPLIED = {
    "revision": _p(_INTEGER, "Revision of the release."),
    "digest": _p(_STRING, "Digest of the set of objects."),
    "inventory": _p(_STRINGS, "Keys of the objects: group/Kind/namespace/name."),
    "objects": _OBJECTS,
}

_CONTROLLER_INPUTS = {
    "controller": _p(_STRING, "Which controller: argocd. Default: argocd."),
    "version": _p(_STRING, "Version without a leading v. Default: the newest that this package pins."),
    "namespace": _p(_STRING, "Namespace to install into. Default: the usual one of the controller."),
    "manifests": _p(_STRING, "URL, file or folder to install instead of the pinned release."),
    "checksum": _p(_STRING, "sha256 of the manifests."),
    "patches": _p({"type": "array", "items": _ANY}, "Changes to the manifests: {target: {kind, name}, patch}."),
    "registry": _p(_STRING, "Registry to pull all images from."),
    "imagePullSecret": _p(_STRING, "Name of the Secret that all pods pull with."),
    **_WAIT,
}

_RELEASE_INPUTS = {
    "release": _p(_STRING, "Name of the release. Default: the name of the resource."),
    "namespace": _p(_STRING, "Namespace of the release, and of objects that name none."),
    "createNamespace": _p(_BOOLEAN, "Create the namespace if it does not exist. Default: true."),
    "definition": _p(_ANY, "The objects: one, a list of them, or YAML text. Either this or src."),
    "src": _p(_ANY, "Files, folders or globs with manifests, relative to the program. Either this or definition."),
    "images": _p(_STRING_MAP, "Image overrides: name of a container or repository -> reference."),
    "prune": _p(_BOOLEAN, "Remove objects that left the set. Default: true."),
    "forceConflicts": _p(_STRING, "never, own_fields or all. Default: own_fields."),
    "adopt": _p(_BOOLEAN, "Take over objects that kubectl or Helm made. Default: false."),
    **_WAIT,
}

_GITFILES_INPUTS = {
    "url": _p(_STRING, "URL of the repository."),
    "branch": _p(_STRING, "Branch. Default: main."),
    "username": _p(_STRING, "User for HTTP basic authentication."),
    "password": _p(_STRING, "Password or token.", secret=True),
    "files": _p(_STRING_MAP, "Path -> content. Files that leave the map are deleted; others are never touched."),
    "delete": _p(_STRINGS, "Paths to delete."),
    "message": _p(_STRING, "Commit message."),
    "author": _p(_STRING, "Author: Name <mail@example.com>."),
}

_SYNC_INPUTS = {
    "controller": _p(_STRING, "Which controller: argocd. Default: argocd."),
    "application": _p(_STRING, "Name of the application."),
    "revision": _p(_STRING, "Commit, branch or tag to wait for. Default: the tip of the application's target."),
    "namespace": _p(_STRING, "Namespace of the controller."),
    "waitTimeout": _WAIT["waitTimeout"],
    "triggers": _p({"type": "array", "items": _ANY}, "Sync again whenever one of these values changes."),
}


def _resource(
    description: str, inputs: dict[str, Property], outputs: dict[str, Property], required: list[str]
) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "inputProperties": inputs,
        "requiredInputs": required,
        "properties": {**inputs, **outputs},
        "required": [*required, *(name for name in outputs if name != "objects")],
    }


RESOURCE_SCHEMAS: dict[str, Any] = {
    "gitops:index:Controller": _resource(
        "A GitOps controller, installed by the engine as one set with a difference per object.",
        _CONTROLLER_INPUTS,
        {"version": _p(_STRING, "Version that is installed."), **_APPLIED},
        [],
    ),
    "gitops:index:Release": _resource(
        "A push-style deployment of a set of objects: applied, awaited, pruned and recorded.",
        _RELEASE_INPUTS,
        _APPLIED,
        ["namespace"],
    ),
    "gitops:index:GitFiles": _resource(
        "Files in the config repository, one commit per update.",
        _GITFILES_INPUTS,
        {
            "commit": _p(_STRING, "Commit that holds the files."),
            "changedPaths": _p(_STRINGS, "Paths that the last update changed."),
        },
        ["url", "files"],
    ),
    "gitops:index:Sync": _resource(
        "Makes a controller sync an application and waits for a revision.",
        _SYNC_INPUTS,
        {
            "revision": _p(_STRING, "Commit that is synced."),
            "sync": _p(_STRING, "Sync status."),
            "health": _p(_STRING, "Health status."),
        },
        ["application"],
    ),
}

_CONFIG = {
    "kubeconfig": _p(_STRING, "Path or content of a kubeconfig. Default: as kubectl.", secret=True),
    "context": _p(_STRING, "Context of the kubeconfig."),
}
# Inputs of components that are secret; Pulumi's inference can not say so.
_SECRET_INPUTS = {"gitops:index:Repository": ("password",)}


def complete(inferred: str) -> str:
    """Add the custom resources and the configuration to the schema that Pulumi inferred from the components."""
    schema: dict[str, Any] = json.loads(inferred)
    schema.setdefault("resources", {}).update(RESOURCE_SCHEMAS)
    for token, names in _SECRET_INPUTS.items():
        inputs = schema["resources"].get(token, {}).get("inputProperties", {})
        for name in names:
            if name in inputs:
                inputs[name]["secret"] = True
    schema["config"] = {"variables": _CONFIG}
    schema["provider"] = {"type": "object", "inputProperties": _CONFIG, "description": "Which cluster to use."}
    schema["displayName"] = "GitOps"
    schema["license"] = "Apache-2.0"
    schema["description"] = "GitOps as a layer on the infrastructure as code that a team already runs."
    return json.dumps(schema)
