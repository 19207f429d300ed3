# SPDX-License-Identifier: Apache-2.0
"""The login of an administrator: read from a Secret that users make, compared by bcrypt, never kept in clear."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence

from .. import redact
from ..cluster import Cluster
from ..errors import InputError
from ..objects import KubeObject, ObjectRef

OPTION = "admin_secret"
"""Name of the option that names the Secret."""

_SHORTEST = 8  # characters: what Argo CD itself wants of a password
_LONGEST = 72  # bytes: bcrypt looks at no more
_COST = 10  # that of the controllers themselves; every login takes as long


def read_login(
    cluster: Cluster, name: str, namespace: str, keys: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, str] | None:
    """Return what a Secret of a user holds, and keep it out of all texts from now on.

    Args:
        cluster: Where.
        name: Name of the Secret.
        namespace: Its namespace, which is that of the controller.
        keys: Keys that it has to have; ``password`` is checked for what bcrypt can take.
        optional: Keys that it may have.

    Returns:
        Key -> value; None when there is no such Secret.

    Raises:
        InputError: A key is missing or empty, is not text, or the password is too short or too long.
    """
    ref = ObjectRef("", "v1", "Secret", namespace, name)
    live = cluster.find(ref)
    if live is None:
        return None
    data = live.get("data") or {}
    missing = [key for key in keys if not data.get(key)]
    if missing:
        raise InputError(
            f"{OPTION}: {ref} has nothing under {', '.join(missing)}",
            hint=f"It needs the keys {', '.join(keys)}.",
            details={"property": OPTION},
        )
    return {key: _text(ref, key, data[key]) for key in (*keys, *optional) if data.get(key)}


def missing_secret(name: str, namespace: str) -> InputError:
    """Return the error for a Secret that does not exist."""
    return InputError(
        f"{OPTION}: there is no {ObjectRef('', 'v1', 'Secret', namespace, name)}",
        hint="Nothing was applied. Make the namespace and the Secret before; what makes it may need a moment.",
        details={"property": OPTION},
    )


def _text(ref: ObjectRef, key: str, encoded: str) -> str:
    try:
        value = base64.b64decode(encoded).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InputError(f"{OPTION}: {key} in {ref} is not text", hint="It has to be UTF-8.") from None
    problem = ""
    if not value.isprintable():
        problem = "has a line break or another character that nobody can type"
    elif key == "password":
        redact.register(value)
        problem = _problem(value)
    if problem:
        raise InputError(
            f"{OPTION}: {key} in {ref} {problem}",
            hint="Nothing was applied. Give the Secret another value; files often end with a line break: printf %s.",
            details={"property": OPTION},
        )
    return value


def _problem(password: str) -> str:
    if len(password) < _SHORTEST:
        return f"is shorter than {_SHORTEST} characters"
    if len(password.encode()) > _LONGEST:
        return f"is longer than {_LONGEST} bytes, which is all that bcrypt looks at"
    return ""


def values_of(live: KubeObject | None) -> dict[str, str]:
    """Return what a Secret holds: key -> value, "" for what is not text; nothing for no Secret."""
    found = {}
    for key, encoded in ((live or {}).get("data") or {}).items():
        try:
            found[key] = base64.b64decode(encoded or "").decode()
        except (binascii.Error, UnicodeDecodeError):
            found[key] = ""
    return found


def data_of(values: Mapping[str, str]) -> dict[str, str]:
    """Return the ``data`` of a Secret that holds these values."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}


def matches(password: str, hashed: str) -> bool:
    """Tell whether a password is that of a bcrypt hash; what is no hash is that of none."""
    import bcrypt

    try:
        return bcrypt.checkpw(password.encode(), hashed.encode())
    except ValueError:
        return False


def hash_password(password: str) -> str:
    """Return a new bcrypt hash of a password; it is kept out of all texts too."""
    import bcrypt

    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()
    redact.register(hashed)
    return hashed
