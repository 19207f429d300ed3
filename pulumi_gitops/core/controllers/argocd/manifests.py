# SPDX-License-Identifier: Apache-2.0
"""Change Argo CD's install manifests as the options of a controller say."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import InputError
from ...objects import KubeObject, ObjectRef
from ..specs import ControllerSpec

_FILES = {
    "standard": "install.yaml",
    "ha": "ha/install.yaml",
    "core": "core-install.yaml",
    "namespaced": "namespace-install.yaml",
    "ha-namespaced": "ha/namespace-install.yaml",
}
PROFILES = tuple(_FILES)
# ConfigMaps that Argo CD reads; every one of them is in its install manifests or may be made beside them.
_KNOWN_HOSTS, _CERTIFICATES, _KEYS = "argocd-ssh-known-hosts-cm", "argocd-tls-certs-cm", "argocd-gpg-keys-cm"
_PART_OF = {"app.kubernetes.io/part-of": "argocd"}


def file_of(profile: str) -> str:
    """Return the path of a profile's manifest below the release's ``manifests`` folder.

    Raises:
        InputError: There is no such profile.
    """
    try:
        return _FILES[profile]
    except KeyError:
        raise InputError(f"profile {profile!r} of Argo CD is none of {', '.join(PROFILES)}") from None


def adjust(objects: Sequence[KubeObject], spec: ControllerSpec) -> list[KubeObject]:
    """Return the manifests with configuration, host keys, certificates and signing keys in place.

    Raises:
        InputError: An option belongs to another controller, or configures what is no ConfigMap of Argo CD.
    """
    changes: dict[str, dict[str, str]] = {
        name: {key: _text(name, key, value) for key, value in values.items()} for name, values in spec.config.items()
    }
    unknown = sorted(name for name in changes if not name.startswith("argocd-"))
    if unknown:
        raise InputError(
            f"config: {', '.join(unknown)} is no ConfigMap of Argo CD",
            hint="Its ConfigMaps are called argocd-cm, argocd-rbac-cm, argocd-cmd-params-cm and so on.",
        )
    if spec.known_hosts is not None:
        known = _data(objects, _KNOWN_HOSTS).get("ssh_known_hosts", "")
        text = "\n".join(part.strip("\n") for part in (known, spec.known_hosts) if part) + "\n"
        changes.setdefault(_KNOWN_HOSTS, {})["ssh_known_hosts"] = text
    if spec.tls_certificates:
        changes.setdefault(_CERTIFICATES, {}).update(spec.tls_certificates)
    if spec.gpg_keys:
        changes.setdefault(_KEYS, {}).update(spec.gpg_keys)
    return _with_data(objects, changes)


def _text(name: str, key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"config: {name}.{key} is not a text", hint="Quote it; a ConfigMap holds texts only.")
    return value


def _data(objects: Sequence[KubeObject], name: str) -> Mapping[str, str]:
    found = next((obj for obj in objects if obj.get("kind") == "ConfigMap" and ObjectRef.of(obj).name == name), {})
    data: Mapping[str, str] = found.get("data") or {}
    return data


def _with_data(objects: Sequence[KubeObject], changes: Mapping[str, Mapping[str, str]]) -> list[KubeObject]:
    result = []
    left = dict(changes)
    namespace = next((ref.namespace for ref in map(ObjectRef.of, objects) if ref.kind == "ConfigMap"), "")
    for obj in objects:
        more = left.pop(ObjectRef.of(obj).name, None) if obj.get("kind") == "ConfigMap" else None
        if more is None:
            result.append(obj)
            continue
        changed = copy.deepcopy(obj)
        changed["data"] = {**(changed.get("data") or {}), **more}
        result.append(changed)
    for name, data in left.items():
        metadata: dict[str, Any] = {"name": name, "labels": {**_PART_OF, "app.kubernetes.io/name": name}}
        if namespace:
            metadata["namespace"] = namespace
        result.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)})
    return result
