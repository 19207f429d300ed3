# SPDX-License-Identifier: Apache-2.0
"""Write tasks and read what they returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Played:
    """What a run of ansible-playbook printed, and what its tasks returned."""

    output: str
    tasks: tuple[tuple[str, dict[str, Any]], ...]

    def __getitem__(self, task: str) -> dict[str, Any]:
        """The result of the task of that name."""
        [found] = [result for name, result in self.tasks if name == task]
        return found

    @property
    def changed(self) -> list[str]:
        """Names of the tasks that reported a change."""
        return [name for name, result in self.tasks if result.get("changed")]


def task(module: str, name: str = "", /, **options: Any) -> dict[str, Any]:
    """A task of a playbook; the keywords of tasks start with an underscore."""
    keywords = {key[1:]: value for key, value in options.items() if key.startswith("_")}
    given = {key: value for key, value in options.items() if not key.startswith("_")}
    return {"name": name or module, f"iac.gitops.{module}": given, **keywords}
