# SPDX-License-Identifier: Apache-2.0
"""Print results and messages: without secrets, without what a terminal or a CI system would take for a command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

from ..core.errors import GitOpsError, InputError
from ..core.redact import redact
from .ci import without_workflow_commands

# Pod logs and messages of the cluster are printed: no escape sequence of theirs may reach the terminal.
_CONTROL = {code: "�" for code in (*range(32), 127, *range(0x80, 0xA0)) if chr(code) not in "\n\t"}


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a text to standard output, or to another stream.

    A reader that has seen enough (``| head -1``) ends the printing, not the command: its exit code still counts.
    """
    stream = stream or sys.stdout
    try:
        stream.write(clean(text) + "\n")
        stream.flush()
    except BrokenPipeError:
        abandon(stream)


def tell(text: str) -> None:
    """Print a message to standard error."""
    say(text, sys.stderr)


def say_json(value: Mapping[str, Any]) -> None:
    """Print one JSON document to standard output."""
    try:
        sys.stdout.write(json.dumps(_redacted(value), indent=2) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        abandon(sys.stdout)


def show_error(error: GitOpsError, *, as_json: bool) -> None:
    """Print an error and its hint; as a JSON document on standard output too if that is the form of the output."""
    tell(f"error: {error.message}")
    if error.hint:
        tell(error.hint)
    if as_json:
        say_json({"error": error.as_dict()})


def show_warnings(warnings: Iterable[str]) -> None:
    """Print warnings to standard error."""
    for warning in warnings:
        tell(f"warning: {warning}")


def clean(text: str) -> str:
    """Return a text that can be shown: redacted, without control characters and commands for the CI system."""
    return without_workflow_commands(redact(text).replace("\r\n", "\n").translate(_CONTROL))


def one_line(message: str) -> str:
    """Return a message as it may be shown in one line."""
    return " ".join(clean(message).split())


def _redacted(value: Any) -> Any:
    # Text by text: in the finished document a replacement could swallow a quotation mark.
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {str(key): _redacted(below) for key, below in value.items()}
    if isinstance(value, Sequence):
        return [_redacted(item) for item in value]
    return value


def abandon(stream: TextIO) -> None:
    """Let a stream go nowhere from now on; the interpreter must not try again to write the rest."""
    with contextlib.suppress(OSError, io.UnsupportedOperation):
        target = os.open(os.devnull, os.O_WRONLY)
        os.dup2(target, stream.fileno())
        os.close(target)


def write_file(path: str, text: str, *, option: str, private: bool = False) -> None:
    """Write a file that an option names.

    Args:
        path: The file.
        text: Its content.
        option: The option, for the error.
        private: Only the user may read it, even if it is there already and others may.

    Raises:
        InputError: It can not be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o666)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if private and stat.S_ISREG(os.fstat(handle).st_mode):
                os.fchmod(handle, 0o600)
            file.write(text)
    except OSError as error:
        raise InputError(f"{option}: {path} can not be written: {error.strerror}") from error


def objects(number: int) -> str:
    """Return ``1 object``, ``2 objects``."""
    return f"{number} object" + ("" if number == 1 else "s")


def in_columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the first of them headings, as a table."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
