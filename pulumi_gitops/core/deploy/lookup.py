# SPDX-License-Identifier: Apache-2.0
"""Find what exists of a set of objects, with as few requests as will do."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..cluster import Cluster
from ..errors import ForbiddenError
from ..objects import KubeObject, ObjectRef
from .parallel import each, each_or_raise
from .prepare import PART_OF_LABEL

Group = tuple[str, str, str]  # apiVersion, kind, namespace
# From so many objects of one kind and namespace on, one LIST of names is cheaper than a GET each.
LIST_FROM = 4


@dataclass(slots=True)
class Lookup:
    """Reads objects of one cluster.

    Attributes:
        cluster: Where.
        part_of: ApplySet id of the release whose objects are looked for; "" for none.
        missing_namespaces: Namespaces in which nothing can be, since they do not exist.
        owned: Key -> live object carrying the release's label, found by :meth:`read_owned`.
    """

    cluster: Cluster
    part_of: str
    missing_namespaces: set[str] = field(default_factory=set)
    owned: dict[str, KubeObject] = field(default_factory=dict)
    _listed: set[Group] = field(default_factory=set)

    def read_owned(self, refs: Iterable[ObjectRef]) -> None:
        """Read every object that carries our label, of the kinds and in the namespaces of `refs`; each only once.

        Raises:
            ApiError: A LIST failed. Where only the right to list is missing, objects are read one by one later.
        """
        wanted = {(ref.api_version, ref.kind, ref.namespace) for ref in refs if self._may_exist(ref)}
        groups = sorted(wanted - self._listed)
        self._listed.update(groups)

        def read(group: Group) -> list[KubeObject]:
            api_version, kind, namespace = group
            try:
                return self.cluster.list(
                    api_version, kind, namespace=namespace, label_selector=f"{PART_OF_LABEL}={self.part_of}"
                )
            except ForbiddenError:
                return []  # the right to list may be missing where get is granted: object by object then

        for found in each_or_raise(read, groups, what="read"):
            self.owned.update((ObjectRef.of(obj).key, obj) for obj in found)

    def lives(self, payloads: Iterable[KubeObject]) -> dict[str, KubeObject]:
        """Return what exists of the objects, by key: owned ones are known, the others are looked for.

        Raises:
            ApplyError: Several can not be read.
            ApiError: One can not be read.
        """
        found = {}
        unknown: dict[Group, list[ObjectRef]] = defaultdict(list)
        for payload in payloads:
            ref = ObjectRef.of(payload)
            if ref.key in self.owned:
                found[ref.key] = self.owned[ref.key]
            elif self._may_exist(ref):
                unknown[ref.api_version, ref.kind, ref.namespace].append(ref)
        big = [group for group, refs in unknown.items() if len(refs) >= LIST_FROM]
        names = dict(zip(big, each(self._names, big), strict=True))
        wanted = []
        for group, refs in unknown.items():
            known = names.get(group)
            wanted += [ref for ref in refs if not isinstance(known, set) or ref.name in known]
        answers = each_or_raise(self.cluster.find, wanted, what="read", ref=lambda ref: ref)
        found.update((ref.key, obj) for ref, obj in zip(wanted, answers, strict=True) if obj is not None)
        return found

    def _may_exist(self, ref: ObjectRef) -> bool:
        if ref.namespace in self.missing_namespaces:
            return False
        return self.cluster.discovery.find(ref.api_version, ref.kind) is not None

    def _names(self, group: Group) -> set[str]:
        api_version, kind, namespace = group
        listing = self.cluster.list(api_version, kind, namespace=namespace, metadata_only=True)
        return {obj["metadata"]["name"] for obj in listing}
