# SPDX-License-Identifier: Apache-2.0
"""Checks of single values that users give: names, namespaces, revisions, durations."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import InputError

# RFC 1123, as Kubernetes applies it to names (k8s.io/apimachinery/pkg/util/validation).
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# metav1.Duration as the CRDs of Flux accept it.
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")


def is_commit(revision: str) -> bool:
    """Tell whether `revision` can be a (short) commit id."""
    return _COMMIT.fullmatch(revision) is not None


def check_name(option: str, value: str) -> None:
    """Raise InputError unless `value` can be the name of an object."""
    if len(value) > 253 or not _SUBDOMAIN.fullmatch(value):
        raise InputError(
            f"{option} {value!r} can not be the name of a Kubernetes object",
            hint="Lower-case letters, digits, '-' and '.', starting and ending with a letter or digit.",
        )


def check_namespace(value: str | None, option: str = "namespace") -> None:
    """Raise InputError unless `value` can be the name of a namespace, or is None."""
    if value is not None and (len(value) > 63 or not _LABEL.fullmatch(value)):
        raise InputError(
            f"{option} {value!r} can not be the name of a namespace",
            hint="At most 63 lower-case letters, digits and '-', starting and ending with a letter or digit.",
        )


def check_revision(value: str) -> None:
    """Raise InputError unless `value` can be a branch, tag or commit id."""
    if not value or value.startswith("-") or any(c.isspace() or ord(c) < 32 for c in value):
        raise InputError(f"revision {value!r} is not a branch, tag or commit id")


def check_timeout(value: float) -> None:
    """Raise InputError unless `value` is a number of seconds to wait."""
    if not value > 0:
        raise InputError(f"wait_timeout is {value}, it has to be more than 0 seconds")


def check_duration(option: str, value: str) -> None:
    """Raise InputError unless `value` is a duration: ``30s``, ``1m``, ``1h30m``."""
    if not _DURATION.fullmatch(value):
        raise InputError(f"{option} {value!r} is not a duration", hint="A number with a unit: 30s, 10m, 1h30m.")


def check_texts(option: str, values: Mapping[str, object]) -> None:
    """Raise InputError unless all values of an option are texts, which a bare ``3`` or ``yes`` in YAML is not."""
    for key, value in values.items():
        if not isinstance(value, str):
            raise InputError(f"{option} {key} is not a text", hint="Quote it.")
