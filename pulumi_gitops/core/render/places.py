# SPDX-License-Identifier: Apache-2.0
"""Values of a YAML file together with the place where they stand, for errors that name the offending line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ..errors import ManifestError, SourceUnavailableError
from ..yamlio import load_documents
from .boundary import UnsafeSourceError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """A value in a file.

    Attributes:
        path: The file.
        steps: Number of the document, then keys and indexes.
        value: The value, as Kubernetes reads it.
    """

    path: Path
    steps: tuple[str | int, ...]
    value: Any

    @property
    def text(self) -> str:
        """The value, which is a text (see :meth:`texts`)."""
        return str(self.value)

    @property
    def name(self) -> str:
        """The key that leads to the value, or to the list that it stands in."""
        return next((step for step in reversed(self.steps) if isinstance(step, str)), "the document")

    def fields(self, name: str = "") -> Iterator[Place]:
        """Yield the values of a mapping; with `name` those that kustomize takes for this field.

        Names count without regard to case, as Go decodes JSON. Values that are null are left out: they mean nothing.

        Raises:
            ManifestError: This is not a mapping.
        """
        if not isinstance(self.value, dict):
            self.fail(f"{self.name} has to be a mapping")
        for key, value in self.value.items():
            if value is not None and name in ("", key.casefold()):
                yield Place(self.path, (*self.steps, key), value)

    def items(self) -> Iterator[Place]:
        """Yield the items of a list.

        Raises:
            ManifestError: This is not a list.
        """
        if not isinstance(self.value, list):
            self.fail(f"{self.name} has to be a list")
        for index, value in enumerate(self.value):
            yield Place(self.path, (*self.steps, index), value)

    def texts(self) -> Iterator[Place]:
        """Yield the items of a list of texts, or the text that this is.

        Raises:
            ManifestError: An item is not a text, or is an empty one.
        """
        for item in [self] if isinstance(self.value, str) else self.items():
            if not isinstance(item.value, str) or not item.value or "\0" in item.value:
                item.fail(f"{item.name} has to hold texts that are not empty")
            yield item

    def holding(self, value: Any) -> Place:
        """Return another value at this place: what the text here consists of."""
        return replace(self, value=value)

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise a ManifestError that names file and line."""
        line, column = self._position()
        raise ManifestError(message, source=str(self.path), line=line, column=column, hint=hint)

    def refuse(self, text: str, message: str, hint: str = "") -> NoReturn:
        """Raise an UnsafeSourceError that names file, line and the offending text."""
        line, column = self._position()
        raise UnsafeSourceError(message, source=str(self.path), line=line, column=column, text=text, hint=hint)

    def _position(self) -> tuple[int, int]:
        """Return line and column, of the nearest holder when the value came by a merge key or stands in a text."""
        found: Any = None
        # The text has been read before; JSON with tabs is the one thing that this parser alone does not take.
        with contextlib.suppress(OSError, yaml.YAMLError, IndexError, StopIteration):
            nodes = yaml.compose_all(self.path.read_bytes(), Loader=_Loader)
            found = [node for node in nodes if node.value != ""][int(self.steps[0])]
            for step in self.steps[1:]:
                if isinstance(found, yaml.MappingNode):
                    found = next(value for key, value in found.value if key.value == step)
                elif isinstance(found, yaml.SequenceNode):
                    found = found.value[int(step)]
        return (found.start_mark.line + 1, found.start_mark.column + 1) if found else (0, 0)


def read_places(path: Path) -> list[Place]:
    """Return the documents of a YAML file.

    Raises:
        SourceUnavailableError: It can not be read.
        ManifestError: It is not YAML that Kubernetes would read as it stands.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SourceUnavailableError(f"{path} can not be read: {error.strerror}") from error
    documents = load_documents(text, source=str(path))
    return [Place(path, (number,), document) for number, document in enumerate(documents)]
