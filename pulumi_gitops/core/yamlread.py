# SPDX-License-Identifier: Apache-2.0
"""Build JSON values from the parser's events, by the rules of Kubernetes.

One pass over the events of libyaml is fast, knows the place of everything, and sees each key before a dict would
swallow a duplicate. Nothing of PyYAML's constructors runs, so no tag can create an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from .errors import ManifestError
from .yamlresolve import resolve_plain

MAX_DEPTH = 100
"""Deepest nesting of mappings and sequences. Custom resource definitions reach about 40."""

MAX_ALIAS_NODES = 100_000
"""How many values the aliases of one text may expand to."""

_PREFIX = "tag:yaml.org,2002:"
_TAG_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "null": (type(None),),
}
_MERGE = object()
_OPEN = object()

_Loader: Any = getattr(yaml, "CLoader", yaml.Loader)


@dataclass(frozen=True, slots=True)
class Document:
    """The value of one document and where its first node stands (1-based)."""

    value: Any
    line: int
    column: int


class EventReader:
    """Reads one text.

    Args:
        text: YAML without a byte order mark.
        source: Name of the text for error messages.
    """

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self._anchors: dict[str, Any] = {}
        self._alias_nodes = 0

    def documents(self) -> Iterator[Document]:
        """Yield the documents, empty ones included.

        Raises:
            ManifestError: Something that Kubernetes would misread, or a limit; with line and column.
            yaml.YAMLError: The text is not YAML.
        """
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                root = next(self._events)
                value = self._node(root, 0)
                yield Document(value, root.start_mark.line + 1, root.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        value: Any
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        else:
            if depth >= MAX_DEPTH:
                self._fail(event, f"nested deeper than {MAX_DEPTH} levels")
            if event.anchor is not None:
                self._anchors[event.anchor] = _OPEN
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            if event.tag not in (None, "!", _PREFIX + ("map" if is_mapping else "seq")):
                self._refuse_tag(event)
            value = self._mapping(depth + 1) if is_mapping else self._sequence(depth + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _sequence(self, depth: int) -> list[Any]:
        items: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, depth))
        return items

    def _mapping(self, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        merged: set[str] = set()
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, depth)
            value_event = next(self._events)
            value = self._node(value_event, depth)
            if key is _MERGE:
                for source in self._merge_sources(value_event, value):
                    merged.update(source)
                    mapping.update(source)
            elif key in mapping and key not in merged:
                self._fail(event, f"duplicate key {key!r}", "Kubernetes would keep the last one and drop the others.")
            else:
                mapping[key] = value
                merged.discard(key)
        return mapping

    def _key(self, event: Any, depth: int) -> Any:
        is_scalar = isinstance(event, yaml.ScalarEvent)
        if is_scalar and event.value == "<<" and event.implicit[0] and event.tag is None:
            return _MERGE
        key = self._node(event, depth)
        if not is_scalar and not isinstance(key, str):
            self._fail(event, "a key has to be a string, not a mapping, a list or an alias of one")
        if not isinstance(key, str):
            meaning = f"{event.value!r} means {json.dumps(key)} to Kubernetes" if event.value else "not empty"
            self._fail(event, f"a key has to be a string, {meaning}", f'Quote the key: "{event.value}".')
        return key

    def _merge_sources(self, event: Any, value: Any) -> list[dict[str, Any]]:
        sources = value if isinstance(event, yaml.SequenceStartEvent) else [value]
        if not all(isinstance(source, dict) for source in sources):
            self._fail(event, "'<<' needs a mapping or a list of mappings")
        return sources[::-1]  # earlier ones win

    def _scalar(self, event: Any) -> Any:
        tag = event.tag
        if tag is None:
            value = resolve_plain(event.value) if event.implicit[0] else event.value
        elif tag == "!":
            value = event.value
        else:
            types = _TAG_TYPES.get(tag.removeprefix(_PREFIX)) if tag.startswith(_PREFIX) else None
            if types is None:
                self._refuse_tag(event)
            value = event.value if types == (str,) else resolve_plain(event.value)
            if type(value) not in types:
                self._fail(event, f"{event.value!r} is not a value for the tag !!{tag.removeprefix(_PREFIX)}")
        if value.__class__ is float and value * 0 != 0:
            self._fail(event, f"{event.value} is not a number that JSON and Kubernetes know")
        return value

    def _alias(self, event: Any) -> Any:
        value = self._anchors.get(event.anchor, _MERGE)
        if value is _MERGE:
            self._fail(event, f"no anchor &{event.anchor} before this alias")
        if value is _OPEN:
            self._fail(event, f"the anchor &{event.anchor} contains itself")
        return self._copy(value, event)

    def _copy(self, value: Any, event: Any) -> Any:
        """Copy, so that nobody changes two places at once, and count what aliases expand to."""
        self._alias_nodes += 1
        if self._alias_nodes > MAX_ALIAS_NODES:
            self._fail(event, f"aliases expand to more than {MAX_ALIAS_NODES} values")
        if isinstance(value, dict):
            return {key: self._copy(item, event) for key, item in value.items()}
        if isinstance(value, list):
            return [self._copy(item, event) for item in value]
        return value

    def _refuse_tag(self, event: Any) -> NoReturn:
        tag = str(event.tag)
        shown = tag.replace(_PREFIX, "!!", 1)
        if shown == "!vault":
            hint = "Only Ansible decrypts Vault values: pass the content through a variable or the template lookup."
        elif shown in ("!!binary", "!!timestamp"):
            hint = "Write a quoted string instead."
        else:
            hint = "Manifests hold plain data; render the file first, or remove the tag."
        self._fail(event, f"the tag {shown} is not allowed", hint)

    def _fail(self, event: Any, message: str, hint: str = "") -> NoReturn:
        mark = event.start_mark
        raise ManifestError(message, source=self._source, line=mark.line + 1, column=mark.column + 1, hint=hint)
