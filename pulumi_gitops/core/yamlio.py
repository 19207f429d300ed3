# SPDX-License-Identifier: Apache-2.0
"""Read and write manifests exactly as Kubernetes does.

Reading (:mod:`.yamlread`) gives scalars the values that Kubernetes gives them, and refuses with line and column what
Kubernetes would read in a surprising way. Writing quotes every string that some YAML parser could take for something
else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

import yaml

from .errors import InputError, ManifestError
from .yamlread import MAX_DEPTH, Document, EventReader
from .yamlresolve import is_ambiguous, resolve_plain

MAX_BYTES = 64 * 1024 * 1024
"""Largest text that is read. An object in Kubernetes is at most 3 MiB; the largest known install manifests have 4."""

_NEEDED = "Every Kubernetes object needs apiVersion, kind and metadata.name."
_WIDE = 2**31 - 1  # never fold a line
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
# Line breaks that a block scalar would not keep, and the byte order mark, need the escapes of double quotes.
_NEEDS_ESCAPES = re.compile("[\r\x85\u2028\u2029\ufeff]")

_Dumper: Any = getattr(yaml, "CDumper", yaml.Dumper)


def load_documents(text: str | bytes, *, source: str = "<text>") -> list[Any]:
    """Read every document of a YAML or JSON text with the values that Kubernetes would see.

    Args:
        text: YAML (any number of documents) or JSON. Bytes are UTF-8, or UTF-16 with a byte order mark.
        source: File name, or a name for the text, for error messages.

    Returns:
        One JSON value per document; empty documents are left out. Aliases are expanded to copies. Merge keys work as
        in Go's yaml.v2: they count where they stand, so keys before ``<<`` are replaced and keys after it win.

    Raises:
        ManifestError: With line and column: not YAML, not text, more than `MAX_BYTES`, `MAX_DEPTH` or
            `MAX_ALIAS_NODES`; duplicate keys, keys that are not strings, tags other than those of JSON's types, NaN
            and infinity. Kubernetes accepts some of these, and then drops or renames data without a word.
    """
    return [document.value for document in _read(text, source) if document.value is not None]


def load_manifests(text: str | bytes, *, source: str = "<text>") -> list[dict[str, Any]]:
    """Read Kubernetes objects; a ``List`` (or ``...List`` with ``items``) is replaced by its items.

    Args:
        text: As for :func:`load_documents`.
        source: As for :func:`load_documents`.

    Returns:
        The objects in their order; each has apiVersion, kind and metadata.name.

    Raises:
        ManifestError: As for :func:`load_documents`, or a document is not a Kubernetes object; the message has the
            number of the document.
    """
    objects: list[dict[str, Any]] = []
    for number, document in enumerate(_read(text, source), start=1):
        if document.value is None:
            continue
        for value, place in _expand_list(document.value, f"document {number}"):
            problem, hint = _problem(value)
            if problem:
                message = f"{place} {problem}"
                raise ManifestError(message, source=source, line=document.line, column=document.column, hint=hint)
            objects.append(value)
    return objects


def dump(value: Any) -> str:
    """Write one document in block style; keys keep their order.

    Args:
        value: A JSON value; str, int, float and mapping subclasses count as their base.

    Returns:
        YAML that ends with a newline and that every YAML parser and Kubernetes read back as `value`.

    Raises:
        InputError: `value` holds something that JSON has no form for.
    """
    return _write([value], explicit_start=False)


def dump_all(values: Iterable[Any]) -> str:
    """Write several documents, each after a ``---`` line; otherwise as :func:`dump`."""
    return _write(values, explicit_start=True)


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(text: str | bytes, source: str) -> list[Document]:
    decoded = _decode(text, source)
    if decoded.lstrip()[:1] in ("{", "["):
        documents = _read_json(decoded)
        if documents is not None:
            return documents
    try:
        return list(EventReader(decoded, source).documents())
    except yaml.reader.ReaderError as e:
        # libyaml counts bytes, the reader in Python counts characters.
        is_bytes = isinstance(e.character, int) and e.encoding == "?"
        before = decoded.encode()[: e.position].decode(errors="replace") if is_bytes else decoded[: e.position]
        raise ManifestError(
            "control characters are not allowed; is this a text file?",
            source=source,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
        ) from e
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = ", ".join(part for part in (e.problem, e.context) if part)
        hint = "Indent with spaces, not with tabs." if "\\t" in problem or "tab" in problem else ""
        raise ManifestError(f"not valid YAML: {problem}", source=source, line=line, column=column, hint=hint) from e


def _decode(text: str | bytes, source: str) -> str:
    if len(text) > MAX_BYTES:
        raise ManifestError(
            f"{len(text) / 2**20:.0f} MiB is too large, the limit is {MAX_BYTES // 2**20} MiB",
            source=source,
            hint="Is this a manifest? Split it into several files if it is.",
        )
    encoding = "utf-8"
    try:
        if isinstance(text, str):
            text.encode()  # lone surrogates have no place in a file
        else:
            encoding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
            text = text.decode(encoding)
    except UnicodeError as e:
        start = getattr(e, "start", 0)
        before = text[:start].decode(encoding, "replace") if isinstance(text, bytes) else text[:start]
        raise ManifestError(
            f"not {encoding.upper()} text",
            source=source,
            line=before.count("\n") + 1,
            column=len(before) - before.rfind("\n"),
            hint="Manifests are UTF-8 text files; is this a binary or an archive?",
        ) from e
    return text.removeprefix("\ufeff")


def _read_json(text: str) -> list[Document] | None:
    """Return the concatenated JSON values; None when the YAML reader has to look (and name the place of an error)."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique_pairs,
        parse_int=_json_number,
        parse_float=_json_number,
        parse_constant=_refuse_constant,
    )
    documents = []
    position = len(text) - len(text.lstrip())
    line, counted = 1, 0
    try:
        while position < len(text):
            value, end = decoder.raw_decode(text, position)
            if _SURROGATE_ESCAPE.search(text, position, end):
                json.dumps(value, ensure_ascii=False).encode()
            if not _is_shallow(value, MAX_DEPTH):
                return None
            line, counted = line + text.count("\n", counted, position), position
            documents.append(Document(value, line, position - text.rfind("\n", 0, position)))
            position = end + len(text[end:]) - len(text[end:].lstrip())
    except (ValueError, RecursionError):
        return None
    return documents


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("duplicate key")
    return mapping


def _json_number(digits: str) -> int | float:
    number = resolve_plain(digits)
    if not isinstance(number, int | float):
        raise ValueError(digits)  # noqa: TRY004 - too large for a float: the YAML reader decides
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _is_shallow(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(_is_shallow(item, depth - 1) for item in value.values())
    if isinstance(value, list):
        return depth > 0 and all(_is_shallow(item, depth - 1) for item in value)
    return True


# --- manifests -------------------------------------------------------------------------------------------------------


def _expand_list(value: Any, place: str) -> Iterator[tuple[Any, str]]:
    """Yield the objects of a list, nested ones too, with their place; kubectl's rule for items without a kind."""
    kind = value.get("kind") if isinstance(value, dict) else None
    items = value.get("items") if isinstance(value, dict) else None
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(items, list)):
        yield value, place
        return
    item_kind = kind.removesuffix("List")
    for index, item in enumerate(items):
        if item_kind and isinstance(item, dict) and not item.get("kind"):
            typed = {"apiVersion": value.get("apiVersion"), **item, "kind": item_kind}
        else:
            typed = item
        yield from _expand_list(typed, f"{place}, items[{index}]")


def _problem(value: Any) -> tuple[str, str]:
    """Return what keeps `value` from being a Kubernetes object, and a hint; two empty strings when nothing does."""
    if not isinstance(value, dict):
        return f"is {_type_name(value)}, not a Kubernetes object", "A manifest is a mapping with apiVersion and kind."
    for key in ("apiVersion", "kind"):
        if not isinstance(value.get(key), str) or not value[key]:
            given = value.get(key)
            return f"has a {key} that is {_type_name(given)}" if given else f"has no {key}", _NEEDED
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if name and not isinstance(name, str):
        return f"({value['kind']}) has a metadata.name that is {_type_name(name)}", "Quote the name."
    if not name:
        if isinstance(metadata, dict) and metadata.get("generateName"):
            return f"({value['kind']}) uses metadata.generateName, which is not supported", (
                "Give it a metadata.name: an object with a new name each time can be neither compared nor pruned."
            )
        return f"({value['kind']}) has no metadata.name", _NEEDED
    return "", ""


def _type_name(value: Any) -> str:
    if isinstance(value, bool):
        return f"the boolean {json.dumps(value)}"
    if isinstance(value, int | float):
        return f"the number {value}"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a string"


# --- writing ---------------------------------------------------------------------------------------------------------


def _write(values: Iterable[Any], *, explicit_start: bool) -> str:
    events: list[yaml.Event] = [yaml.StreamStartEvent()]
    for value in values:
        events.append(yaml.DocumentStartEvent(explicit=explicit_start))
        _add(events, value, MAX_DEPTH)
        events.append(yaml.DocumentEndEvent(explicit=False))
    events.append(yaml.StreamEndEvent())
    try:
        text: str = yaml.emit(events, Dumper=_Dumper, width=_WIDE, allow_unicode=True)
    except UnicodeEncodeError as e:
        raise InputError("a string with half of a surrogate pair can not be written as UTF-8") from e
    return text


def _add(events: list[yaml.Event], value: Any, depth: int) -> None:
    if isinstance(value, str):
        events.append(_string_event(value))
    elif isinstance(value, Mapping):
        _check_depth(depth)
        events.append(yaml.MappingStartEvent(None, None, True, flow_style=False))
        for key, item in value.items():
            if not isinstance(key, str):
                raise InputError(f"the key {key!r} can not be written: keys have to be strings")
            events.append(_string_event(key))
            _add(events, item, depth - 1)
        events.append(yaml.MappingEndEvent())
    elif isinstance(value, list | tuple):
        _check_depth(depth)
        events.append(yaml.SequenceStartEvent(None, None, True, flow_style=False))
        for item in value:
            _add(events, item, depth - 1)
        events.append(yaml.SequenceEndEvent())
    else:
        events.append(yaml.ScalarEvent(None, None, (True, False), _plain_text(value)))


def _check_depth(depth: int) -> None:
    if depth <= 0:
        raise InputError(f"the value is nested deeper than {MAX_DEPTH} levels, or contains itself")


def _plain_text(value: Any) -> str:
    if value is None or isinstance(value, bool | int | float):
        try:
            text = json.dumps(value, allow_nan=False)
        except ValueError as e:
            raise InputError(f"{value} can not be written: JSON and Kubernetes do not know it") from e
        # YAML 1.1 takes 1e+16 for a string and 1.0e+16 for a number.
        return text.replace("e", ".0e") if isinstance(value, float) and "." not in text else text
    raise InputError(f"a value of type {type(value).__name__} can not be written as YAML")


def _string_event(text: str) -> yaml.ScalarEvent:
    text = str.__str__(text)  # libyaml wants no subclass
    style: str | None = None
    if _NEEDS_ESCAPES.search(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    elif is_ambiguous(text):
        style = '"'
    return yaml.ScalarEvent(None, None, (style is None, True), text, style=style)
