# SPDX-License-Identifier: Apache-2.0
"""What a user waits for in an object beyond the rule of its kind: a condition, or a value at a JSONPath.

The texts are those of ``kubectl wait --for`` and of the annotation ``pulumi.com/waitFor``::

    condition=Ready    condition=Ready=False    jsonpath={.status.phase}=Running    jsonpath={.status.address}

A mapping limits them to some objects: ``{kind: Database, name: main, condition: Ready}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import InputError
from ..objects import KubeObject, ObjectRef, annotations_of
from . import jsonpath
from .jsonpath import MISSING, JsonPath
from .states import View

WAIT_FOR_ANNOTATION = "pulumi.com/waitFor"
SKIP_AWAIT_ANNOTATION = "pulumi.com/skipAwait"

_CONDITION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9./_-]*[A-Za-z0-9])?")
_STATUS = re.compile(r"[A-Za-z]+")
_LONGEST = 1000
_HINT = "Write condition=Ready, condition=Ready=False, jsonpath={.status.phase}=Running or jsonpath={.status.address}."
_KEYS = frozenset({"kind", "name", "namespace", "condition", "jsonpath"})


@dataclass(frozen=True, slots=True)
class WaitFor:
    """One expression.

    Attributes:
        condition: Type of the condition, "" for a JSONPath.
        status: Status that the condition has to have.
        path: Path, None for a condition.
        value: What every value at the path has to be, as text; None when it only has to be there.
        kind: Limits it to objects of this kind: ``Deployment``, or ``apps/Deployment`` where that is not unique.
        name: Limits it to the object of this name.
        namespace: Limits it to objects in this namespace.
    """

    condition: str = ""
    status: str = "True"
    path: JsonPath | None = None
    value: str | None = None
    kind: str = ""
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        """The text form, without what limits it."""
        if self.path is not None:
            return f"jsonpath={self.path}" + ("" if self.value is None else f"={_quoted(self.value)}")
        return f"condition={self.condition}" + ("" if self.status == "True" else f"={self.status}")

    def as_input(self) -> str | dict[str, str]:
        """Return what :func:`parse_wait_for` turns into this again."""
        if not self.kind:
            return str(self)
        what, _, text = str(self).partition("=")
        limits = {"kind": self.kind, "name": self.name, "namespace": self.namespace}
        return {**{key: value for key, value in limits.items() if value}, what: text}

    def applies_to(self, ref: ObjectRef) -> bool:
        """Tell whether an object is meant."""
        return (
            self.kind in ("", ref.kind, ref.group_kind)
            and self.name in ("", ref.name)
            and self.namespace in ("", ref.namespace)
        )

    def unmet(self, obj: KubeObject) -> str:
        """Return why it does not hold for an object, "" when it holds.

        A condition of an older generation does not hold. That ``status.observedGeneration`` is current is for the
        caller to check (:func:`.readiness.readiness` does).
        """
        if self.path is None:
            return self._unmet_condition(View.of(obj))
        found = self.path.find(obj)
        present = [value for value in found if value is not MISSING and value is not None]
        if not found or len(present) < len(found):
            return f"{self}: there is nothing at {self.path}"
        if self.value is None:
            return ""
        other = next((text for text in map(_text, present) if text != self.value), None)
        return "" if other is None else f"{self}: it is {other[:100]!r}"

    def _unmet_condition(self, view: View) -> str:
        wanted = self.condition.casefold()
        for name, condition in view.conditions.items():
            if name.casefold() == wanted:
                status = str(condition.get("status"))
                if not view.is_fresh(condition):
                    return f"{self}: the condition is of an older generation"
                if status.casefold() == self.status.casefold():
                    return ""
                detail = ": ".join(str(condition[key]) for key in ("reason", "message") if condition.get(key))
                return f"{self}: it is {status}" + (f" ({detail})" if detail else "")
        return f"{self}: there is no such condition"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _quoted(value: str) -> str:
    wrapped = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return f'"{value}"' if wrapped or not value or value != value.strip() else value


# --- reading ---------------------------------------------------------------------------------------------------------


def parse_wait_for(given: str | Mapping[str, Any] | WaitFor) -> WaitFor:
    """Read one expression.

    Args:
        given: A text, or a mapping with ``condition`` or ``jsonpath``, ``kind`` and, if wanted, ``name``,
            ``namespace``.

    Raises:
        InputError: It can not be read; says what is wrong and shows the forms.
    """
    if isinstance(given, WaitFor):
        return given
    if isinstance(given, str):
        return _parse_text(given.strip(), "")
    if isinstance(given, Mapping):
        return _parse_mapping(given)
    raise InputError(f"wait_for has to be a text or a mapping, not {type(given).__name__}", hint=_HINT)


def _parse_mapping(given: Mapping[str, Any]) -> WaitFor:
    wrong = [str(key) for key in given if key not in _KEYS]
    if wrong:
        raise InputError(f"wait_for knows no {', '.join(sorted(wrong))}", hint=f"It has {', '.join(sorted(_KEYS))}.")
    values = {str(key): value for key, value in given.items() if value is not None}
    bad = [key for key, value in values.items() if not isinstance(value, str) or not value.strip()]
    if bad:
        raise InputError(f"wait_for: {bad[0]} has to be a text that is not empty", hint=_HINT)
    forms = [name for name in ("condition", "jsonpath") if name in values]
    if len(forms) != 1 or "kind" not in values:
        raise InputError(
            "wait_for as a mapping needs kind, and either condition or jsonpath",
            hint="Write {kind: Database, name: main, condition: Ready}.",
        )
    limits = {name: values[name].strip() for name in ("kind", "name", "namespace") if name in values}
    return _parse_text(f"{forms[0]}={values[forms[0]].strip()}", **limits)


def _parse_text(text: str, kind: str, name: str = "", namespace: str = "") -> WaitFor:
    if len(text) > _LONGEST:
        raise InputError(f"wait_for {text[:40]!r}... is longer than {_LONGEST} characters", hint=_HINT)
    form, _, rest = text.partition("=")
    if form == "condition":
        condition, equals, status = rest.partition("=")
        if not _CONDITION.fullmatch(condition) or (equals and not _STATUS.fullmatch(status)):
            raise InputError(f"wait_for {text!r}: {rest!r} is no condition", hint=_HINT)
        return WaitFor(condition=condition, status=status or "True", kind=kind, name=name, namespace=namespace)
    if form == "jsonpath":
        try:
            path, value = jsonpath.parse(rest)
        except InputError as error:
            raise InputError(f"wait_for {text!r}: {error.message}", hint=error.hint) from error
        if value and (value == "=" or not value.startswith("=")):
            raise InputError(f"wait_for {text!r}: after the path comes nothing, or = and a value", hint=_HINT)
        wanted = _unquoted(value[1:]) if value else None
        return WaitFor(path=path, value=wanted, kind=kind, name=name, namespace=namespace)
    raise InputError(f"wait_for {text!r} is neither a condition nor a JSONPath", hint=_HINT)


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


# --- annotations -----------------------------------------------------------------------------------------------------


def annotated(obj: KubeObject) -> tuple[WaitFor, ...]:
    """Return the expressions that an object carries in the annotation ``pulumi.com/waitFor``.

    Raises:
        InputError: The annotation can not be read; names the object.
    """
    text = annotations_of(obj).get(WAIT_FOR_ANNOTATION)
    if not text:
        return ()
    try:
        given: Any = json.loads(text) if text.lstrip().startswith("[") else [text]
        return tuple(parse_wait_for(item) for item in given)
    except (ValueError, RecursionError) as error:
        problem, hint = f"not a JSON array: {error}", _HINT
        raise InputError(f"{ObjectRef.of(obj)}: annotation {WAIT_FOR_ANNOTATION}: {problem}", hint=hint) from error
    except InputError as error:
        raise InputError(
            f"{ObjectRef.of(obj)}: annotation {WAIT_FOR_ANNOTATION}: {error.message}", hint=error.hint
        ) from error


def skips_await(obj: KubeObject) -> bool:
    """Tell whether an object asks not to be awaited (annotation ``pulumi.com/skipAwait``)."""
    return str(annotations_of(obj).get(SKIP_AWAIT_ANNOTATION) or "").casefold() == "true"
