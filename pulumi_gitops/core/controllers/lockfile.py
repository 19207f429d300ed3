# SPDX-License-Identifier: Apache-2.0
"""A file that remembers the sha256 of what was downloaded, for manifests whose digests the catalog does not know."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .download import shown_url

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file; it need not exist yet.

    Attributes:
        path: Where it is: beside the program or playbook, kept in version control.
    """

    path: Path

    def get(self, url: str) -> str:
        """Return the sha256 that is recorded for a URL, "" for none.

        Raises:
            InputError: The file can not be read, is no lock file, or has no folder to be written to.
        """
        if not self.path.parent.is_dir():
            raise InputError(
                f"the lock file {self.path} can not be written: there is no folder {self.path.parent}",
                hint="Relative paths start at the working directory.",
            )
        return self._read().get(shown_url(url), "")

    def put(self, url: str, digest: str) -> None:
        """Record the sha256 of what a URL returned.

        Raises:
            InputError: The file can not be written.
        """
        content = {"format": _FORMAT, "sha256": dict(sorted({**self._read(), shown_url(url): digest}.items()))}
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            fresh.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            fresh.replace(self.path)
        except OSError as error:
            raise InputError(f"the lock file {self.path} can not be written: {error.strerror}") from error

    def _read(self) -> dict[str, str]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["format"] != _FORMAT:
                raise InputError(f"the lock file {self.path} has format {content['format']}, not {_FORMAT}")
            return {str(url): str(digest) for url, digest in content["sha256"].items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self.path} is not a lock file of pulumi-gitops",
                hint="Restore it from version control, or remove it.",
            ) from error
