# SPDX-License-Identifier: Apache-2.0
"""What GitHub Actions and GitLab CI offer to a job: groups of log lines, a summary, and commands to keep away from."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

_NOT_IN_A_SECTION = re.compile(r"[^A-Za-z0-9_.-]+")
# A line that starts like this (white space aside), and the old form anywhere in a line, is a command to the runner.
_COMMAND = re.compile(r"(?m)^(\s*:):(?=\S)")
_OLD_COMMAND = re.compile(r"#(?=#\[)")


def on_github(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this is a job of GitHub Actions (or of Gitea, which speaks its language)."""
    return (os.environ if environ is None else environ).get("GITHUB_ACTIONS") == "true"


def on_gitlab(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this is a job of GitLab CI."""
    return (os.environ if environ is None else environ).get("GITLAB_CI") == "true"


@contextlib.contextmanager
def log_group(title: str, stream: TextIO) -> Iterator[None]:
    """Fold what is printed to `stream` meanwhile under a title, where the CI system can."""
    if on_github():
        before, after = f"::group::{title}", "::endgroup::"
    elif on_gitlab():
        section = "pulumi_gitops_" + _NOT_IN_A_SECTION.sub("_", title)
        before, after = _section("start", section) + title, _section("end", section)
    else:
        yield
        return
    _write(stream, before)
    try:
        yield
    finally:
        _write(stream, after)


def _section(what: str, name: str) -> str:
    return f"\x1b[0Ksection_{what}:{time.time():.0f}:{name}\r\x1b[0K"


def _write(stream: TextIO, text: str) -> None:
    with contextlib.suppress(OSError):
        stream.write(text + "\n")
        stream.flush()


def append_summary(markdown: str) -> str:
    """Append Markdown to the summary of the job (``GITHUB_STEP_SUMMARY``), if there is one.

    Returns:
        Why it did not work; "" when it did, or when there is no summary.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY", "")
    if not path:
        return ""
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(markdown.rstrip() + "\n\n")
    except OSError as error:
        return f"the job's summary {path} can not be written: {error.strerror}"
    return ""


def without_workflow_commands(text: str) -> str:
    """Return a text in which GitHub Actions finds no command: a pod's log line must not set variables of the job."""
    if not on_github():
        return text
    return _OLD_COMMAND.sub("# ", _COMMAND.sub(r"\1 :", text))
