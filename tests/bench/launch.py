# SPDX-License-Identifier: Apache-2.0
"""Run one program and print what it took, as JSON: ``python -I -S launch.py LOG SECONDS PROGRAM ARGUMENT...``.

A process of its own, and a small one: the kernel counts the memory of whoever starts a program as the program's own
peak until it has replaced it, and the benchmark itself is larger than some of the tools.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time


def main() -> None:
    """Write the program's output to LOG, kill it and its children after SECONDS."""
    log, seconds, *argv = sys.argv[1:]
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    started = time.monotonic()
    pid = os.posix_spawnp(
        argv[0],
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, output, 1),
            (os.POSIX_SPAWN_DUP2, output, 2),
        ],
        setsid=True,
    )
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(pid, signal.SIGKILL))
    signal.alarm(int(float(seconds)))
    _, status, usage = os.wait4(pid, 0)
    ended = time.monotonic()
    print(
        json.dumps(
            {
                "wall": ended - started,
                "cpu": usage.ru_utime + usage.ru_stime,
                "memory": usage.ru_maxrss * 1024,
                "returncode": os.waitstatus_to_exitcode(status),
                "ended": ended,
            }
        )
    )


if __name__ == "__main__":
    main()
