# SPDX-License-Identifier: Apache-2.0
"""The local user of Weave GitOps: from the Secret that ``admin_secret`` names to the one that the server reads.

The server reads it at every login, and does not start without it. So it is made before the server is.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

from ...cluster import Cluster
from ...deploy import Action, Change, apply_objects
from ...objects import KubeObject, ObjectRef
from ..admin import data_of, hash_password, matches, missing_secret, read_login, values_of
from ..marks import MANAGED_BY, is_ours
from .chart import DEFAULT_USER

_READ = "cluster-user-auth"  # by the server, to which the chart's roles give that right

# As gitops-server takes them (golang.org/x/crypto/bcrypt).
_HASH = re.compile(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}")


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in.

    Attributes:
        username: The user, whom the chart gives rights.
        changes: What was (would be) changed, without values.
    """

    username: str
    changes: tuple[Change, ...]


def secret_ref(namespace: str) -> ObjectRef:
    """Return the identity of the Secret that the server reads."""
    return ObjectRef("", "v1", "Secret", namespace, _READ)


def ensure_login(cluster: Cluster, secret: str, namespace: str, *, check: bool) -> Login:
    """Make user and password in a Secret those of the server.

    Args:
        cluster: Where.
        secret: Name of the Secret, with the keys ``password`` (clear text, or a bcrypt hash) and maybe ``username``.
        namespace: Namespace of Weave GitOps, which it has to be in.
        check: Change nothing. The Secret need not be there yet: it may come in the same run.

    Raises:
        InputError: There is no such Secret, or nothing in it that can be used.
    """
    given = read_login(cluster, secret, namespace, ("password",), optional=("username",))
    ref = secret_ref(namespace)
    if given is None:
        if not check:
            raise missing_secret(secret, namespace)
        action = Action.CONFIGURE if cluster.find(ref) else Action.CREATE
        return Login(DEFAULT_USER, (Change(action, ref, reason=f"from Secret {secret}, which is not there yet"),))
    username, password = given.get("username", DEFAULT_USER), given["password"]
    live = values_of(cluster.find(ref))
    if live.get("username") == username and _fits(password, live.get("password", "")):
        return Login(username, ())
    hashed = password if _HASH.fullmatch(password) else hash_password(password)
    values = {"username": username, "password": hashed}
    wanted: KubeObject = {
        "apiVersion": ref.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": namespace, "labels": dict(MANAGED_BY)},
        "type": "Opaque",
        "data": data_of(values),
    }
    (change,) = apply_objects(cluster, [wanted], check=check)
    return Login(username, (dataclasses.replace(change, reason=f"the login of Secret {secret}"),))


def own_secrets(cluster: Cluster, namespace: str) -> list[ObjectRef]:
    """Return the Secret of the server if we have made it; one of somebody else stays where it is."""
    ref = secret_ref(namespace)
    live = cluster.find(ref)
    return [ref] if live is not None and is_ours(live) else []


def _fits(password: str, hashed: str) -> bool:
    return password == hashed if _HASH.fullmatch(password) else matches(password, hashed)
