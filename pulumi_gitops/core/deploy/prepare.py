# SPDX-License-Identifier: Apache-2.0
"""Bring objects into the form in which they are sent; digests and summaries of them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import redact
from ..errors import EmptySetError, InputError, ManifestError
from ..objects import KubeObject, ObjectRef, copied, is_crd, labels_of, pod_template_of, with_metadata

PART_OF_LABEL = "applyset.kubernetes.io/part-of"
MANAGED_BY = {"app.kubernetes.io/managed-by": "pulumi-gitops"}
"""Labels of what our faces make: wiring, records."""

# In Secrets of ours that hold the access to a repository or cluster: what says where it is, and not who may use it.
# Where it is secret all the same, it is registered by the option that it comes from.
_PUBLIC_ENTRIES = frozenset({
    *("type", "url", "name", "server", "project", "enableOCI", "username", "noProxy", "known_hosts"),
    *("githubAppID", "githubAppInstallationID", "githubAppEnterpriseBaseUrl", "githubAppBaseURL"),
    *("ca.crt", "tls.crt", "tlsClientCertData"),
})  # fmt: skip
# Digest key for Secret values: it keeps a digest from being a plain hash of a guessable value.
_DIGEST_KEY = b"pulumi-gitops secret value"


def sanitize(obj: KubeObject) -> KubeObject:
    """Return a copy of `obj` in the form that is sent.

    ``stringData`` becomes base64 ``data`` (a key dropped from it later would stay in ``data`` otherwise); ``status``
    and null creation timestamps, pod templates' included, are left out.

    Raises:
        ManifestError: The object uses generateName, or a Secret's data is not text or base64.
    """
    ref = ObjectRef.of(obj)
    metadata = obj.get("metadata") or {}
    if not ref.name:
        how = "generateName makes a new object at every run" if metadata.get("generateName") else "it has no name"
        raise ManifestError(f"{ref.kind or 'an object'} can not be deployed: {how}", hint="Set metadata.name.")
    result = copied(obj)
    result.pop("status", None)
    _drop_timestamp(result)
    template = pod_template_of(result)
    if template is not None and template is not result:
        _drop_timestamp(template)
    if is_secret(result):
        _encode_secret(result, ref)
    return result


def _drop_timestamp(obj: KubeObject) -> None:
    metadata = obj.get("metadata")
    if isinstance(metadata, dict) and metadata.get("creationTimestamp", "") is None:
        del metadata["creationTimestamp"]


def is_secret(obj: KubeObject) -> bool:
    """Tell whether `obj` is a core Secret."""
    return obj.get("kind") == "Secret" and obj.get("apiVersion") == "v1"


def _encode_secret(obj: KubeObject, ref: ObjectRef) -> None:
    data = dict(obj.get("data") or {})
    public = _PUBLIC_ENTRIES if MANAGED_BY.items() <= labels_of(obj).items() else frozenset()
    for key, value in data.items():
        if not isinstance(value, str):
            raise ManifestError(f"{ref}: data[{key}] is not text", hint="Quote it, or use stringData for plain text.")
        try:
            redact.register(base64.b64decode(value, validate=True).decode())
        except (binascii.Error, ValueError):
            redact.register(value)  # binary, or not base64 at all: the server will say so
    for key, value in (obj.pop("stringData", None) or {}).items():
        if not isinstance(value, str):
            raise ManifestError(f"{ref}: stringData[{key}] is not text", hint="Quote the value.")
        if key not in public:
            redact.register(value)
        data[key] = base64.b64encode(value.encode()).decode()
    if data or "data" in obj:
        obj["data"] = data


def prepare(
    objects: Iterable[KubeObject], namespace: str, namespaced: Callable[[ObjectRef], bool | None] = lambda _: None
) -> list[KubeObject]:
    """Sanitize a set of objects and give namespaced ones without a namespace that of the release.

    Args:
        objects: The objects.
        namespace: Default namespace.
        namespaced: Tells whether a kind lives in a namespace; None when unknown, then a namespace stays as given.

    Raises:
        EmptySetError: There are no objects.
        InputError: Two of them have one identity.
        ManifestError: See :func:`sanitize`.
    """
    result: list[KubeObject] = []
    seen: dict[str, None] = {}
    for obj in objects:
        clean = sanitize(obj)
        ref = ObjectRef.of(clean)
        scope = namespaced(ref)
        if scope is False and ref.namespace:
            clean["metadata"].pop("namespace")
        elif scope and not ref.namespace:
            clean = with_metadata(clean, namespace=namespace)
        key = ObjectRef.of(clean).key
        if key in seen:
            raise InputError(
                f"{ObjectRef.of(clean)} is in the set twice", hint="Remove one of the two; the last would win silently."
            )
        seen[key] = None
        result.append(clean)
    if not result:
        raise EmptySetError(
            "the set of objects is empty", hint="Check src or definition; to remove a release use state: absent."
        )
    return result


def custom_kinds(objects: Sequence[KubeObject]) -> dict[tuple[str, str], bool]:
    """Return (group, kind) -> namespaced for the kinds that CRDs in the set define."""
    found: dict[tuple[str, str], bool] = {}
    for obj in objects:
        if is_crd(obj):
            spec = obj.get("spec") or {}
            kind = (spec.get("names") or {}).get("kind")
            if kind:
                found[str(spec.get("group")), str(kind)] = spec.get("scope") == "Namespaced"
    return found


# --- digests and summaries -------------------------------------------------------------------------------------------


def object_digest(obj: Any) -> str:
    """Return ``sha256:...`` over an object (any JSON value), independent of key order; Secret values by HMAC."""
    text = json.dumps(_hashed_secrets(obj), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _hashed_secrets(obj: Any) -> Any:
    if not isinstance(obj, dict) or not is_secret(obj):
        return obj
    return {**obj, **{part: {k: _hmac(v) for k, v in (obj.get(part) or {}).items()} for part in _parts(obj)}}


def _parts(obj: KubeObject) -> list[str]:
    return [part for part in ("data", "stringData") if isinstance(obj.get(part), dict)]


def _hmac(value: Any) -> str:
    return hmac.new(_DIGEST_KEY, str(value).encode(), hashlib.sha256).hexdigest()


def set_digest(objects: Iterable[KubeObject]) -> str:
    """Return ``sha256:...`` over a set of prepared objects, independent of their order."""
    return object_digest(sorted((ObjectRef.of(obj).key, object_digest(_unlabelled(obj))) for obj in objects))


def _unlabelled(obj: KubeObject) -> KubeObject:
    # The part-of label names the release; the same set under another name is the same set.
    labels = {k: v for k, v in labels_of(obj).items() if k != PART_OF_LABEL}
    if labels == labels_of(obj):
        return obj
    metadata = {k: v for k, v in obj["metadata"].items() if k != "labels"}
    return {**obj, "metadata": {**metadata, "labels": labels} if labels else metadata}


def summarize(obj: KubeObject) -> str:
    """Return one line that tells an object's essence and changes with it; holds no Secret value.

    Example: ``sha256:1f3c9a2b0d4e replicas=2 image=registry.example.com/shop:1.4``.
    """
    clean = sanitize(obj)
    parts = [object_digest(_unlabelled(clean))[:19]]
    spec = clean.get("spec")
    if isinstance(spec, dict) and isinstance(spec.get("replicas"), int):
        parts.append(f"replicas={spec['replicas']}")
    template = pod_template_of(clean)
    if template is not None:
        containers = [c for c in template["spec"].get("containers") or [] if isinstance(c, dict)]
        parts += [f"image={c.get('image')}" for c in containers[:5]]
    elif isinstance(clean.get("data"), dict):
        parts.append(f"keys={','.join(sorted(clean['data'])[:8])}")
    return redact.redact(" ".join(parts))
