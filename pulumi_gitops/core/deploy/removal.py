# SPDX-License-Identifier: Apache-2.0
"""Remove a release: its objects in reverse order, then its record."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection

from ..cluster import Cluster
from ..objects import uid_of
from . import record as records
from .locking import ReleaseLock
from .lookup import Lookup
from .masking import shown
from .model import Action, Change, DeployResult, ProgressCallback, ignore_progress
from .planned import leaving
from .planning import namespace_ref
from .pruning import Removal, removals, remove_all
from .spec import GUARDED_KINDS


def remove(
    cluster: Cluster,
    name: str,
    namespace: str,
    *,
    check: bool = False,
    wait: bool = True,
    wait_timeout: float = 300.0,
    lock_timeout: float = 60.0,
    delete_namespace: bool = False,
    prune_kinds: Collection[str] = GUARDED_KINDS - {"PersistentVolumeClaim"},
    progress: ProgressCallback | None = None,
) -> DeployResult:
    """Remove a release.

    Args:
        cluster: Where.
        name: Release.
        namespace: Its namespace.
        check: Change nothing, return what would be.
        wait: Wait until everything is gone.
        wait_timeout: Seconds to wait.
        lock_timeout: Seconds to wait for another run of the release to end.
        delete_namespace: Delete the namespace too if a deployment of this release created it.
        prune_kinds: Kinds whose removal takes more with it, and which may go all the same. Default: the Namespaces
            and CRDs that the release brought; PersistentVolumeClaims stay.
        progress: Called for each step.

    Returns:
        The result; without changes when there is no such release.

    Raises:
        LockedError: Another run deploys this release.
        RemovalBlockedError: Objects do not go away in time; names the finalizers.
    """
    progress = progress or ignore_progress
    record = records.read(cluster, name, namespace)
    if record is None:
        return DeployResult(0, "", ())
    part_of = records.apply_set_id(name, namespace)
    lookup = Lookup(cluster, part_of)
    lookup.read_owned(item.ref for item in record.inventory)
    candidates = leaving(cluster, lookup, (), record.inventory)
    going = removals(candidates, record.inventory, part_of=part_of, action=Action.DELETE, prune_kinds=prune_kinds)
    changes = [removal.change for removal in going]
    own = cluster.find(namespace_ref(namespace)) if delete_namespace and record.created_namespace else None
    own_removal = (
        Removal(Change(Action.DELETE, namespace_ref(namespace), shown(own), None), uid_of(own)) if own else None
    )
    if own_removal:
        changes.append(own_removal.change)
    latest = record.latest
    result = DeployResult(
        latest.number if latest else 0, latest.digest if latest else "", tuple(changes), record.inventory
    )
    if check:
        return result
    own_key = namespace_ref(namespace).key
    # The namespace of the record goes last, whoever brought it: with it goes the memory of what is left to remove.
    first = [removal for removal in going if removal.goes and removal.change.ref.key != own_key]
    last = [removal for removal in going if removal.goes and removal.change.ref.key == own_key]
    last += [own_removal] if own_removal and not last else []
    with ReleaseLock(cluster, name, namespace, timeout=lock_timeout, progress=progress):
        remove_all(cluster, first, wait=wait, timeout=wait_timeout, progress=progress)
        records.delete(cluster, name, namespace)
    remove_all(cluster, last, wait=wait, timeout=wait_timeout, progress=progress)
    return dataclasses.replace(result, inventory=())
