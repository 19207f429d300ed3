# SPDX-License-Identifier: Apache-2.0
"""What helm prints: objects with the template that each came from, hooks, errors."""

from __future__ import annotations

import base64
import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..errors import GitOpsError, InputError, ManifestError, SourceUnavailableError
from ..objects import KubeObject, ObjectRef, annotations_of
from ..redact import MASK, redact
from ..yamlio import load_manifests
from .helm_chart import OCI

_SOURCE = re.compile(r"^---\n# Source: (.*)\n", re.MULTILINE)
_HOOK, _WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"
_TEST_EVENTS = frozenset({"test", "test-success", "test-failure"})
_KEPT_EVENTS = frozenset({"pre-install", "pre-upgrade"})
# "shop/charts/cache/templates/web.yaml:12:3"; the innermost template is the last one that a message names.
_TEMPLATE = r"[\w.+-]+(?:/[\w.+-]+)*/templates/[\w./+-]+"
_PLACE = re.compile(rf"({_TEMPLATE}(?::\d+)*)")
_LINE = re.compile(rf"({_TEMPLATE}):(\d+)(?::(\d+))?")
_PARSE_ERROR = re.compile(rf"YAML parse error on ({_TEMPLATE})")
_NOTICE = re.compile(r"(?i)\bwarn(ing)?\b|skipping unknown hook")
# What stands around a message in the logs of Helm 3 and of Helm 4.
_LOG_PREFIX = re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d )?[\w.]+\.go:\d+: ")
_LOG_FIELDS = re.compile(r'^(time=\S+ )?level=\w+ msg="((?:[^"\\]|\\.)*)"')
# As in core.redact: shorter ones would blank out ordinary words.
_SHORTEST = 4

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_output(text: str) -> tuple[list[KubeObject], list[str]]:
    """Return the objects of ``helm template``, and a warning for each hook that is left out.

    Which hooks are left out and where the others stand: see :func:`.helm.render_helm`.

    Raises:
        ManifestError: A template yields something that is not an object; names the template, counts lines of what it
            yields.
    """
    first: list[tuple[int, KubeObject]] = []
    rest: list[KubeObject] = []
    left_out: list[str] = []
    _, *parts = _SOURCE.split(text)  # before the first one: what helm says about a download
    for source, content in zip(parts[::2], parts[1::2], strict=True):
        for obj in load_manifests(content, source=f"{source}, rendered"):
            events = {event.strip().lower() for event in str(annotations_of(obj).get(_HOOK) or "").split(",")} - {""}
            if not events:
                rest.append(obj)
            elif events & _KEPT_EVENTS:
                first.append((_weight(obj), obj))
            elif not events <= _TEST_EVENTS:
                left_out.append(
                    f"{ObjectRef.of(obj)} ({source}) is left out: it is a Helm hook for {', '.join(sorted(events))}, "
                    "and only pre-install and pre-upgrade hooks are deployed"
                )
    first.sort(key=lambda entry: entry[0])  # stable: helm prints hooks in the order of their kinds
    return [obj for _, obj in first] + rest, left_out


def _weight(obj: KubeObject) -> int:
    try:
        return int(str(annotations_of(obj).get(_WEIGHT) or 0))
    except ValueError:
        return 0  # as Helm has it


def notices(stderr: str) -> list[str]:
    """Return what helm warned of, such as a value that it ignores; it says some things twice."""
    lines = [line.strip() for line in stderr.splitlines() if _NOTICE.search(line)]
    return list(dict.fromkeys("helm: " + _LOG_FIELDS.sub(r"\2", _LOG_PREFIX.sub("", line)) for line in lines))


def failure(chart: str, stderr: str, returncode: int) -> GitOpsError:
    """Return the error for a helm that failed.

    Args:
        chart: Path or reference.
        stderr: What it said, masked.
        returncode: Its exit code.
    """
    _, _, told = f"\n{stderr}".rpartition("\nError: ")
    reason = told.partition("\nUse --debug flag")[0].strip() or f"exit code {returncode}"
    message = f"helm can not render the chart {chart}: {reason}"
    places = _LINE.findall(reason)
    if places:
        source, line, column = places[-1]
        return ManifestError(message, source=source, line=int(line), column=int(column or 0))
    if match := _PARSE_ERROR.search(reason):
        hint = "The line counts in what the template yields, not in the template."
        return ManifestError(message, source=match[1], hint=hint)
    details = {"returncode": returncode}
    if "missing in charts/ directory" in reason:
        return InputError(
            message, hint=f"Fetch them once: helm dependency build {chart}, and keep charts/ with it.", details=details
        )
    if "HTTP request failed for" in reason:
        hint = "values.schema.json refers to the network: set allow_network, or put what it refers to into the chart."
        return InputError(message, hint=hint, details=details)
    if chart.startswith(OCI):
        hint = "Check reference, version and network; a private registry needs helm registry login."
        return SourceUnavailableError(message, hint=hint, details=details)
    return InputError(message, hint="Check the chart and the values.", details=details)


# --- secrets ---------------------------------------------------------------------------------------------------------


def value_mask(values: Mapping[str, Any], files: Sequence[Path]) -> Callable[[str], str]:
    """Return a function that hides the values of a chart in a text.

    helm's errors quote values, and which of them are secret nobody knows. Names of templates and their line numbers
    stay. The values are not registered for all texts of the process: most are words that are in every message.

    Args:
        values: Values of the user.
        files: Value files of the user.
    """
    texts = {text for text in _texts(values) if len(text.strip()) >= _SHORTEST}
    for file in files:
        texts.update(text for text in _file_texts(file) if len(text.strip()) >= _SHORTEST)
    hidden = {form for text in texts for form in _forms(text)}
    if not hidden:
        return redact
    pattern = re.compile("|".join(re.escape(text) for text in sorted(hidden, key=len, reverse=True)))

    def mask(text: str) -> str:
        parts = _PLACE.split(text)
        return redact("".join(part if i % 2 else pattern.sub(MASK, part) for i, part in enumerate(parts)))

    return mask


def _forms(text: str) -> Iterator[str]:
    """Yield the forms in which a template or Go may print a text."""
    yield text
    yield text.strip()
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield base64.b64encode(text.encode()).decode()
    yield from (line for line in text.splitlines() if len(line.strip()) >= _SHORTEST)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _file_texts(path: Path) -> Iterator[str]:
    """Yield the texts of a value file, which may be YAML that we would refuse and Helm takes."""
    with contextlib.suppress(OSError, yaml.YAMLError):  # helm will say so
        seen: set[int] = set()
        todo = list(yaml.compose_all(path.read_bytes(), Loader=_Loader))
        while todo:
            node = todo.pop()
            if id(node) in seen:  # an alias
                continue
            seen.add(id(node))
            if isinstance(node, yaml.MappingNode):
                todo += [value for _, value in node.value]
            elif isinstance(node, yaml.SequenceNode):
                todo += node.value
            elif node.tag == "tag:yaml.org,2002:str":
                yield node.value
