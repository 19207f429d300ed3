# SPDX-License-Identifier: Apache-2.0
"""Argo CD's own manifests as files of a repository: one object a file, the same text for the same options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...deploy import Action, Change, shown
from ...errors import InputError
from ...git import CommitResult, EditFunction, FileChange, Tree
from ...git.paths import check_path
from ...git.plaintext import holds_plaintext_secret
from ...objects import KubeObject, ObjectRef, annotations_of, labels_of, with_metadata
from ...yamlio import dump, load_manifests

_HEADER = "# Written by pulumi-gitops (option self_manage): the next run writes it anew.\n"
_SYNC, _COMPARE = "argocd.argoproj.io/sync-options", "argocd.argoproj.io/compare-options"
# Argo CD neither prunes such an object, nor takes an Application for out of sync that lacks it.
_GUARDS = {_SYNC: ("Prune=false", "Delete=false"), _COMPARE: ("IgnoreExtraneous",)}
_UNUSUAL = re.compile(r"[^a-z0-9.-]+")
# What Argo CD needs in order to repair itself: a file that is missing in Git must not take it away.
_VITAL_KINDS = ("ConfigMap", "CustomResourceDefinition", "Namespace", "Secret")
_VITAL_COMPONENTS = ("application-controller", "redis", "repo-server")


@dataclass(frozen=True, slots=True)
class Committed:
    """The manifests as files.

    Attributes:
        folder: Folder of the repository.
        objects: Path -> object.
        files: Path -> content.
    """

    folder: str
    objects: Mapping[str, KubeObject] = field(repr=False)
    files: Mapping[str, bytes] = field(repr=False)

    @classmethod
    def of(cls, objects: Sequence[KubeObject], folder: str, secrets: Sequence[str | None] = ()) -> Committed:
        """Return the files of a set of objects.

        Args:
            objects: The objects.
            folder: Folder of the repository.
            secrets: Texts that must not be in them.

        Raises:
            InputError: A file would hold a Secret in clear, or one of these texts.
        """
        named: dict[str, KubeObject] = {}
        for obj in sorted(objects, key=lambda obj: ObjectRef.of(obj).key):
            named[_free(ObjectRef.of(obj), folder, named)] = _guarded(obj)
        files = {check_path(path): (_HEADER + dump(obj)).encode() for path, obj in named.items()}
        for path, content in files.items():
            if holds_plaintext_secret(path, content) or any(text and text.encode() in content for text in secrets):
                raise InputError(
                    f"self_manage would write a secret to the repository: {ObjectRef.of(named[path])} holds one",
                    hint="Keep it in a Secret that is made outside of the manifests, and refer to it: $secret-name:key",
                )
        return cls(folder, named, files)

    @property
    def edit(self) -> EditFunction:
        """What a commit does: write the files, remove those that an earlier commit wrote and that are no more."""

        def edit(tree: Tree) -> Mapping[str, bytes | None]:
            inside = [
                path
                for path in tree.paths()
                if path.startswith(f"{self.folder}/") and path.endswith(".yaml") and path not in self.files
            ]
            regular = [path for path in inside if (entry := tree.entry(path)) and entry.mode.startswith("100")]
            gone = [path for path, content in tree.read(regular).items() if (content or b"").startswith(_MARK)]
            return {**self.files, **dict.fromkeys(gone)}

        return edit

    def changes(self, done: CommitResult) -> dict[str, Change]:
        """Return what a commit changes, object by object: key -> change."""
        listed = [self._change(change) for change in done.changes]
        return {change.ref.key: change for change in listed}

    def _change(self, change: FileChange) -> Change:
        before, after = _object(change.path, change.before), self.objects.get(change.path)
        if after is None:
            assert before is not None  # only files of ours are removed
            if _is_vital(before):
                reason = f"removed: {change.path}; Argo CD leaves the object in place"
                return Change(Action.CONFIGURE, ObjectRef.of(before), shown(before), shown(before), reason)
            return Change(Action.PRUNE, ObjectRef.of(before), shown(before), None, f"removed: {change.path}")
        action = Action.CREATE if before is None else Action.CONFIGURE
        return Change(action, ObjectRef.of(after), before and shown(before), shown(after), f"committed: {change.path}")


_MARK = _HEADER.encode()


def _free(ref: ObjectRef, folder: str, taken: Mapping[str, KubeObject]) -> str:
    """Return the path of an object: kind and name, with a number where two would be the same."""
    name = _UNUSUAL.sub("-", f"{ref.kind}-{ref.name}".lower())
    path, number = f"{folder}/{name}.yaml", 2
    while path in taken:
        path, number = f"{folder}/{name}-{number}.yaml", number + 1
    return path


def _guarded(obj: KubeObject) -> KubeObject:
    """Return an object that Argo CD does not delete, if it needs it itself."""
    if not _is_vital(obj):
        return obj
    annotations = dict(annotations_of(obj))
    for name, guards in _GUARDS.items():
        options = [option for option in str(annotations.get(name) or "").split(",") if option]
        annotations[name] = ",".join(dict.fromkeys([*options, *guards]))
    return with_metadata(obj, annotations=annotations)


def _is_vital(obj: KubeObject) -> bool:
    component = str(labels_of(obj).get("app.kubernetes.io/component") or "")
    return obj["kind"] in _VITAL_KINDS or component.startswith(_VITAL_COMPONENTS)


def _object(path: str, text: str | None) -> KubeObject | None:
    if text is None:
        return None
    found = load_manifests(text, source=path)
    return found[0] if found else None
