# SPDX-License-Identifier: Apache-2.0
"""Write the result of each task to the file named by RESULTS, one JSON document a line."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results
type: notification
short_description: Write results to a file
description: Tests read what tasks returned from it.
"""


class CallbackModule(CallbackBase):
    """Appends the result of each task."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results"

    def _append(self, result):
        line = json.dumps({"task": result._task.name, "result": result._result}, default=str)
        with Path(os.environ["RESULTS"]).open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def v2_runner_on_ok(self, result):
        """Append it."""
        self._append(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Append it."""
        self._append(result)
