# SPDX-License-Identifier: Apache-2.0
"""Find the programs that render, and give them an environment without the user's settings and without a network."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..errors import ProcessError
from ..process import allowed_env, run

_VERSION_TIMEOUT = 30.0
_VERSION = re.compile(r"\bv?(\d+)\.(\d+)\.(\d+)")
# Port 0 can not be connected to. Loopback is not sent through a proxy: what is served there stays reachable.
_NOWHERE = "http://127.0.0.1:0"
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
_INSTALL = {
    "helm": "Install Helm 3 or 4 (https://helm.sh/docs/intro/install/) and put it on PATH.",
    "kustomize": "Install kustomize 5 (https://kubectl.docs.kubernetes.io/installation/kustomize/), or a kubectl that "
    "has it (1.27 or newer), and put it on PATH.",
}


class ToolMissingError(ProcessError):
    """A program that renders is not installed, or has a version that is not supported."""

    code = "process.missing"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program whose version has been checked.

    Attributes:
        path: Absolute path.
        version: Major, minor, patch; of the kustomize inside for kubectl.
        is_kubectl: It is kubectl, with kustomize as a subcommand.
    """

    path: str
    version: tuple[int, int, int]
    is_kubectl: bool = False


def find_helm(binary: str = "") -> Tool:
    """Return Helm 3 or 4.

    Args:
        binary: Name or path; ``helm`` on PATH when empty.

    Raises:
        ToolMissingError: There is none, or another version.
    """
    return _checked("helm", _located(binary, ("helm",)), ("version", "--short"), (3, 4))


def find_kustomize(binary: str = "") -> Tool:
    """Return kustomize 5, or a kubectl that holds it.

    Args:
        binary: Name or path of kustomize or kubectl; ``kustomize`` on PATH when empty, else ``kubectl``.

    Raises:
        ToolMissingError: There is none, or another version.
    """
    path = _located(binary, ("kustomize", "kubectl"))
    if Path(path).name.startswith("kubectl"):
        return _checked("kustomize", path, ("version", "--client", "--output=json"), (5,), is_kubectl=True)
    return _checked("kustomize", path, ("version",), (5,))


def _located(binary: str, names: Sequence[str]) -> str:
    for name in (binary,) if binary else names:
        path = shutil.which(name)
        if path:
            return str(Path(path).absolute())
    if binary:
        raise ToolMissingError(f"{binary} can not be run: no such program", hint=_INSTALL[names[0]])
    raise ToolMissingError(f"{' or '.join(names)} is not installed: not on PATH", hint=_INSTALL[names[0]])


@lru_cache(maxsize=16)  # once per process: a Pulumi program may render hundreds of times
def _checked(
    name: str, path: str, arguments: tuple[str, ...], majors: tuple[int, ...], *, is_kubectl: bool = False
) -> Tool:
    answer = run([path, *arguments], timeout=_VERSION_TIMEOUT, env=_settings_free(allowed_env())).stdout
    # kubectl tells its own version first.
    told = answer.partition("kustomizeVersion")[2] if is_kubectl else answer
    match = _VERSION.search(told)
    if match is None or int(match[1]) not in majors:
        what = f"{name} {match[0].lstrip('v')}" if match else f"it says {told.strip()[:80]!r}"
        wanted = " or ".join(map(str, majors))
        raise ToolMissingError(f"{path} is not {name} {wanted}: {what}", hint=_INSTALL[name])
    return Tool(path, (int(match[1]), int(match[2]), int(match[3])), is_kubectl)


def offline_env(private: Path) -> dict[str, str]:
    """Return an environment in which a program finds neither the user's settings nor a way out.

    There is no other program on its PATH (kustomize can not start git), and every proxy leads nowhere. What a source
    refers to is checked before; this is for what no check foresees.

    Args:
        private: Empty folder that becomes home and search path.
    """
    home = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(private))
    blocked = dict.fromkeys(_PROXIES, _NOWHERE) | {"NO_PROXY": "", "no_proxy": ""}
    return _settings_free(allowed_env() | home | blocked | {"PATH": str(private)})


def online_env() -> dict[str, str]:
    """Return an environment with the user's home, proxies and SSH agent, in which nothing asks for a password."""
    agent = {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
    silent = {
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
        "GIT_ALLOW_PROTOCOL": "http:https:ssh",
    }
    return _settings_free(allowed_env(agent | silent))


def _settings_free(env: dict[str, str]) -> dict[str, str]:
    # Neither a cluster nor kubectl's file of default flags (kuberc) has a say in what is rendered.
    return env | {"KUBECONFIG": os.devnull, "KUBERC": "off"}
