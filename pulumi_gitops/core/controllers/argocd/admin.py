# SPDX-License-Identifier: Apache-2.0
"""The password of Argo CD's user ``admin``, which the Secret that ``admin_secret`` names decides.

It is set before the manifests are applied. So argocd-server finds it when it starts for the first time, and makes none
of its own (util/settings, InitializeSettings).
"""

from __future__ import annotations

import dataclasses
import datetime as dt

from ...cluster import Cluster
from ...deploy import Action, Change, delete_objects
from ...errors import AlreadyExistsError
from ...objects import KubeObject, ObjectRef
from ..admin import data_of, hash_password, matches, missing_secret, read_login, values_of

INITIAL = "argocd-initial-admin-secret"
"""Where argocd-server leaves the password that it made: of no use once there is another one."""

_HASH, _CHANGED = "admin.password", "admin.passwordMtime"


def ensure_password(cluster: Cluster, secret: str, namespace: str, *, check: bool) -> tuple[Change, ...]:
    """Make the password in a Secret that of the user ``admin``, and remove the one that argocd-server had made.

    Args:
        cluster: Where.
        secret: Name of the Secret.
        namespace: Namespace of Argo CD, which it has to be in.
        check: Change nothing. The Secret need not be there yet: it may come in the same run.

    Returns:
        What was changed, without values.

    Raises:
        InputError: There is no such Secret, or no password in it that can be used.
    """
    login = read_login(cluster, secret, namespace, ("password",))
    if login is None and not check:
        raise missing_secret(secret, namespace)
    ref = settings_ref(namespace)
    live = cluster.find(ref)
    changes: tuple[Change, ...] = ()
    if login is None or not matches(login["password"], values_of(live).get(_HASH, "")):
        waits = "" if login else ", which is not there yet"
        action = Action.CONFIGURE if live else Action.CREATE
        changes += (Change(action, ref, reason=f"the admin password of Secret {secret}{waits}"),)
        if login and not check:
            _write(cluster, ref, login["password"], live)
    gone = delete_objects(cluster, [ObjectRef("", "v1", "Secret", namespace, INITIAL)], check=check)
    reason = "the password that Argo CD had made is of no use any more"
    return (*changes, *(dataclasses.replace(change, reason=reason) for change in gone))


def settings_ref(namespace: str) -> ObjectRef:
    """Return the identity of the Secret in which Argo CD keeps the hash of the password."""
    return ObjectRef("", "v1", "Secret", namespace, "argocd-secret")


def _write(cluster: Cluster, ref: ObjectRef, password: str, live: KubeObject | None) -> None:
    # Sessions that began before this moment end.
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = {_HASH: hash_password(password), _CHANGED: now}
    data = {"data": data_of(values)}
    if live is None:
        labels = {"app.kubernetes.io/name": ref.name, "app.kubernetes.io/part-of": "argocd"}
        metadata = {"name": ref.name, "namespace": ref.namespace, "labels": labels}
        try:
            # Not applied: what a release applies it removes again when its manifests do not have it.
            cluster.create({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", **data})
            return
        except AlreadyExistsError:
            pass  # somebody was faster
    cluster.patch(ref, data)
