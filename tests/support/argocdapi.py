# SPDX-License-Identifier: Apache-2.0
"""Argo CD's own HTTP API, as its command line and its user interface use it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pulumi_gitops.core.errors import SandboxError

_START_SECONDS = 60.0


class RefusedError(Exception):
    """The API answers that one may not; ``str()`` is its message."""


@dataclass(frozen=True)
class ArgoCDApi:
    """The API of a sandbox's Argo CD.

    Attributes:
        url: Asks for its URL anew each time: it is another one when Argo CD was installed anew.
    """

    url: Callable[[], str]

    def login(self, password: str) -> str:
        """Log in as admin and return the token."""
        return str(self._ask("/api/v1/session", body={"username": "admin", "password": password})["token"])

    def refuses(self, password: str) -> bool:
        """Tell whether it does not take a password."""
        try:
            self.login(password)
        except RefusedError as error:
            return "Invalid username or password" in str(error)
        return False

    def until_it_takes(self, password: str) -> str:
        """Log in once it has heard of a password that was just set, and return the token."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return self.login(password)
            except RefusedError:
                assert time.monotonic() < deadline, "the password is not taken"
                time.sleep(0.2)

    def applications(self, token: str) -> dict[str, str]:
        """Return name -> sync status of all applications."""
        items = self._ask("/api/v1/applications", token=token).get("items") or []
        return {item["metadata"]["name"]: item["status"]["sync"]["status"] for item in items}

    def _ask(self, path: str, *, token: str = "", body: dict[str, str] | None = None) -> dict[str, Any]:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                request = urllib.request.Request(self.url() + path, None if body is None else json.dumps(body).encode())
                request.add_header("Content-Type", "application/json")
                if token:
                    request.add_header("Authorization", f"Bearer {token}")
                with urllib.request.urlopen(request, timeout=30) as answer:
                    found: dict[str, Any] = json.load(answer)
                    return found
            except urllib.error.HTTPError as error:
                with error:
                    message = json.load(error).get("message", "")
                if error.code in (401, 403):
                    raise RefusedError(message) from None
                raise AssertionError(f"{path}: {error.code} {message}") from None
            except (OSError, SandboxError):  # it starts
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
