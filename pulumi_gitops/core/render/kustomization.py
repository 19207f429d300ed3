# SPDX-License-Identifier: Apache-2.0
"""Read a tree of kustomizations before kustomize does, and refuse what would leave the tree or start something.

kustomize guards files itself (LoadRestrictionsRootOnly) and keeps plugins off, but it clones and downloads whatever
looks like an address, wherever a path may stand, and takes bases from anywhere. So every reference is judged here, by
what kustomize would decode: field names without regard to case, merge keys resolved, links followed. What is not known
is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import ManifestError, SourceUnavailableError
from ..redact import register
from ..yamlio import load_documents
from .boundary import is_file, is_folder, is_remote, is_within, joined, resolved
from .places import Place, read_places

_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_HARMLESS = frozenset(
    (
        *("apiversion", "kind", "metadata", "nameprefix", "namesuffix", "namespace", "commonlabels", "labels"),
        *("commonannotations", "images", "imagetags", "replicas", "vars", "sortoptions", "generatoroptions"),
        *("buildmetadata",),
    )
)
# What a folder of plugins may have: with patches, a harmless plugin could become another one.
_OF_PLUGIN_FOLDERS = frozenset(("apiversion", "kind", "metadata", "resources", "bases"))
_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
_USE_HELM = "Render the chart with the option helm instead."


def check_tree(folder: Path, root: Path, *, allow_network: bool) -> None:
    """Read the kustomization of a folder and all that it refers to.

    Values of secret generators become known secrets, so that no error shows them.

    Args:
        folder: Folder of the kustomization, resolved.
        root: Folder that bases may not leave, resolved.
        allow_network: Let addresses pass; what is behind them is not looked at. ``file:`` is an address of this
            machine and never passes, nor does a plugin from the network.

    Raises:
        UnsafeSourceError: With file, line and text: an address, a path that leaves the root (a base) or its
            kustomization's folder (a file), by a link too, a plugin that is a program or a container, a Helm chart.
        ManifestError: A kustomization can not be read, or refers to something that does not exist.
        SourceUnavailableError: The folder holds no kustomization.
    """
    tree = _Tree(root, allow_network)
    if not _kustomizations(folder):
        raise SourceUnavailableError(
            f"{folder} holds no kustomization", hint=f"One of {', '.join(_NAMES)} has to be in the folder."
        )
    tree.todo.append((folder, None))
    while tree.todo:
        tree.visit(*tree.todo.pop())


def _kustomizations(folder: Path) -> list[Path]:
    return [folder / name for name in _NAMES if (folder / name).exists()]


class _Tree:
    """What has been seen and what is left to see.

    Attributes:
        todo: Folders of kustomizations. Where what a folder yields are plugins, with the folder that these start at.
    """

    def __init__(self, root: Path, allow_network: bool) -> None:
        self._root = root
        self._allow_network = allow_network
        self._seen: set[tuple[Path, Path | None]] = set()
        self.todo: list[tuple[Path, Path | None]] = []

    def visit(self, folder: Path, plugins_of: Path | None) -> None:
        """Judge the kustomization of a folder."""
        if (folder, plugins_of) in self._seen:
            return
        self._seen.add((folder, plugins_of))
        for path in _kustomizations(folder):
            documents = read_places(path)
            start = documents[0] if documents else Place(path, (0,), None)
            if not is_within(resolved(path), folder):
                start.refuse(str(path), f"the file is a link to {resolved(path)}, outside its folder")
            if len(documents) != 1:
                start.fail("a kustomization is one YAML document")
            for field in start.fields():
                _Kustomization(self, folder, plugins_of).judge(field)

    def is_address(self, place: Place) -> bool:
        """Tell whether a text is an address, and refuse one that is not allowed."""
        if not is_remote(place.text):
            return False
        if not self._allow_network:
            hint = "Copy it next to the kustomization, or set allow_network."
            place.refuse(place.text, f"{place.text!r} would be fetched from the network", hint)
        if "file:" in place.text.casefold():
            place.refuse(place.text, f"{place.text!r} is a path of this machine in the form of an address")
        return True

    def check_within_root(self, place: Place, path: Path) -> None:
        """Refuse a folder that the root does not hold."""
        if not is_within(path, self._root):
            message = f"{place.text!r} leads to {path}, outside {self._root}"
            place.refuse(place.text, message, "Bases may be anywhere in the Git work tree, or below root.")


class _Kustomization:
    """The rules for one kustomization.

    Args:
        tree: The tree that it belongs to.
        folder: Its folder, where its paths start.
        plugins_of: Set when its resources are plugins: the folder where the paths in these start.
    """

    def __init__(self, tree: _Tree, folder: Path, plugins_of: Path | None = None) -> None:
        self._tree = tree
        self._folder = folder
        self._plugins_of = plugins_of

    def judge(self, field: Place) -> None:
        """Judge one field by its name."""
        name = field.name.casefold()
        if self._plugins_of is not None and name not in _OF_PLUGIN_FOLDERS:
            message = f"the folder is used for plugins, and {field.name} could turn one into another"
            field.refuse(field.name, message, "Such a folder may only have resources.")
        rule = _RULES.get(name)
        if rule is not None:
            rule(self, field)
        elif name not in _HARMLESS:
            field.refuse(field.name, f"the field {field.name!r} is not known, so it can not be judged")

    def resources(self, field: Place) -> None:
        """Files or folders."""
        for item in field.texts():
            self._resource(item)

    def folders(self, field: Place) -> None:
        """Folders of other kustomizations."""
        for item in field.texts():
            if not self._tree.is_address(item) and not self._base(item):
                item.fail(f"{item.text!r} is not a folder; relative paths start at {self._folder}")

    def files(self, field: Place) -> None:
        """Files."""
        for item in field.texts():
            self._file(item)

    def objects_or_files(self, field: Place) -> None:
        """Patches, as text or as files."""
        for item in field.texts():
            if not self._inline(item) or self._exists(item):
                self._file(item)

    def with_paths(self, field: Place) -> None:
        """Mappings that may have a ``path``."""
        for item in field.items():
            self.with_path(item)

    def with_path(self, field: Place, name: str = "path") -> None:
        """A mapping that may have a path."""
        for value in field.fields(name):
            self.files(value)

    def config_maps(self, field: Place) -> None:
        """ConfigMaps from files."""
        for item in field.items():
            self.config_map(item)

    def config_map(self, generator: Place) -> None:
        """A ConfigMap from files."""
        for value in generator.fields("files"):
            for item in value.texts():
                key, found, path = item.text.partition("=")
                self._file(item.holding(path if found else key))
        for name in ("envs", "env"):
            for value in generator.fields(name):
                self.files(value)

    def secrets(self, field: Place) -> None:
        """Secrets from files and literals."""
        for item in field.items():
            self.secret(item)

    def secret(self, generator: Place) -> None:
        """A Secret from files and literals."""
        self.config_map(generator)
        for value in generator.fields("literals"):
            for item in value.texts():
                key, found, secret = item.text.partition("=")
                register(secret.strip("'\"") if found else key)
        for name in ("envs", "env"):
            for value in generator.fields(name):
                for item in value.texts():
                    _register_env_file(joined(self._folder, item.text))

    def plugins(self, field: Place) -> None:
        """Generators, transformers and validators: as text, as files, or from folders."""
        for item in field.texts():
            if is_remote(item.text):
                # Whatever is behind the address could be any plugin.
                item.refuse(item.text, f"{item.text!r} is a plugin from the network", "Copy it into the tree.")
            configs = self._inline(item)
            for config in configs:
                self.plugin(item.holding(config))
            if not configs or self._exists(item):
                _Kustomization(self._tree, self._folder, self._folder)._resource(item)  # noqa: SLF001

    def plugin(self, config: Place) -> None:
        """The configuration of a plugin."""
        about = _metadata(config.value).get("annotations")
        for name in _FUNCTIONS:
            if isinstance(about, dict) and name in about:
                config.refuse(name, f"the annotation {name} would start a program or a container")
        if not isinstance(config.value, dict):
            config.fail("the configuration of a plugin is a YAML mapping")
        kind = config.value.get("kind")
        if kind == "HelmChartInflationGenerator":
            self.helm(config.holding(kind))
        name = f"{config.value.get('apiVersion')}/{kind}"
        if name not in _BUILTIN:
            message = f"the plugin {name} is not part of kustomize: it would be started as a program"
            config.refuse(name, message, "Only plugins with apiVersion: builtin are used.")
        rule = _BUILTIN[name]
        if rule is not None:
            rule(self, config)

    def helm(self, field: Place) -> None:
        """Helm charts."""
        text = field.text if isinstance(field.value, str) else field.name
        field.refuse(text, f"{text} would let kustomize run helm", _USE_HELM)

    def _resource(self, place: Place) -> None:
        if self._tree.is_address(place) or self._base(place):
            return
        path = self._file(place)
        if path is not None and self._plugins_of is not None:
            for config in read_places(path):
                _Kustomization(self._tree, self._plugins_of).plugin(config)

    def _base(self, place: Place) -> bool:
        """Take a folder in, and tell whether it was one."""
        path = joined(self._folder, place.text)
        if not is_folder(path):
            return False
        self._tree.check_within_root(place, path)
        if not _kustomizations(path):
            place.fail(f"the folder {place.text!r} holds no kustomization")
        self._tree.todo.append((path, self._plugins_of))
        return True

    def _file(self, place: Place) -> Path | None:
        """Return the file that a text names, None for an address that is allowed."""
        if self._tree.is_address(place):
            return None
        path = joined(self._folder, place.text)
        if not is_within(path, self._folder):
            message = f"{place.text!r} leads to {path}, outside the folder of its kustomization"
            hint = "kustomize reads files in or below that folder only; what is shared goes into a base."
            place.refuse(place.text, message, hint)
        if not is_file(path):
            place.fail(f"{place.text!r} does not exist; relative paths start at {self._folder}")
        return path

    def _exists(self, place: Place) -> bool:
        path = joined(self._folder, place.text)
        return is_file(path) or is_folder(path)

    def _inline(self, place: Place) -> list[dict[str, Any]]:
        """Return the objects that a text consists of, none when it is a path.

        A text can be both. kustomize then takes the objects, by rules that are not quite these: judge both.
        """
        try:
            documents = load_documents(place.text, source=str(place.path))
        except ManifestError:
            documents = []
        if documents and all(isinstance(doc, dict) and doc.get("kind") and _name_of(doc) for doc in documents):
            return documents
        if "\n" in place.text.strip():
            place.fail("the text is not a Kubernetes object", "It needs apiVersion, kind and metadata.name.")
        return []


_Rule = Callable[[_Kustomization, Place], None]

_RULES: dict[str, _Rule] = {
    "resources": _Kustomization.resources,
    "bases": _Kustomization.resources,
    "components": _Kustomization.folders,
    "crds": _Kustomization.files,
    "configurations": _Kustomization.files,
    "openapi": _Kustomization.with_path,
    "patches": _Kustomization.with_paths,
    "patchesjson6902": _Kustomization.with_paths,
    "patchesstrategicmerge": _Kustomization.objects_or_files,
    "replacements": _Kustomization.with_paths,
    "configmapgenerator": _Kustomization.config_maps,
    "secretgenerator": _Kustomization.secrets,
    "generators": _Kustomization.plugins,
    "transformers": _Kustomization.plugins,
    "validators": _Kustomization.plugins,
    "helmcharts": _Kustomization.helm,
    "helmglobals": _Kustomization.helm,
    "helmchartinflationgenerator": _Kustomization.helm,
}
"""Field of a kustomization (lower case) -> rule; kustomize: types.Kustomization."""


def _replacements(rules: _Kustomization, config: Place) -> None:
    for field in config.fields("replacements"):
        rules.with_paths(field)


def _patch_texts(rules: _Kustomization, config: Place) -> None:
    for field in config.fields("paths"):
        rules.objects_or_files(field)


_BUILTIN: dict[str, _Rule | None] = {
    "builtin/ConfigMapGenerator": _Kustomization.config_map,
    "builtin/SecretGenerator": _Kustomization.secret,
    "builtin/PatchTransformer": _Kustomization.with_path,
    "builtin/PatchJson6902Transformer": _Kustomization.with_path,
    "builtin/PatchStrategicMergeTransformer": _patch_texts,
    "builtin/ReplacementTransformer": _replacements,
    "builtin/ValueAddTransformer": lambda rules, config: rules.with_path(config, "targetfilepath"),
    "builtin/AnnotationsTransformer": None,
    "builtin/HashTransformer": None,
    "builtin/IAMPolicyGenerator": None,
    "builtin/ImageTagTransformer": None,
    "builtin/LabelTransformer": None,
    "builtin/NamespaceTransformer": None,
    "builtin/PrefixSuffixTransformer": None,
    "builtin/PrefixTransformer": None,
    "builtin/ReplicaCountTransformer": None,
    "builtin/SuffixTransformer": None,
}
"""Plugins that are part of kustomize -> rule, None for those without paths; kustomize: builtinhelpers."""


def _metadata(config: Any) -> dict[str, Any]:
    metadata = config.get("metadata") if isinstance(config, dict) else None
    return metadata if isinstance(metadata, dict) else {}


def _name_of(config: Any) -> Any:
    return _metadata(config).get("name")


def _register_env_file(path: Path) -> None:
    with contextlib.suppress(OSError):  # an address, or unreadable: kustomize will say so
        register(*(line.partition("=")[2] for line in path.read_text(errors="replace").splitlines()))
