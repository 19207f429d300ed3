# SPDX-License-Identifier: Apache-2.0
"""Turn what git says about a remote into one typed error. GitPython makes git speak English."""

from __future__ import annotations

import re

from ..errors import GitAuthError, GitError, GitUnreachableError

_AUTH = re.compile(r"terminal prompts disabled|Authentication failed|returned error: 40[13]|HTTP Basic: Access denied")
_MISSING = re.compile(r"repository '.*' not found|returned error: 404")
_TLS = re.compile(r"certificate|SSL|TLS", re.IGNORECASE)
_UNREACHABLE = re.compile(
    r"unable to access|unable to connect|Could not resolve|RPC failed|early EOF|hung up|timed out"
)


def remote_error(url: str, stderr: str, *, authenticated: bool) -> GitError:
    """Build the error for a failed fetch, ls-remote or push.

    Args:
        url: URL of the repository, without credentials.
        stderr: What git wrote.
        authenticated: Whether a password was sent.
    """
    reason = _reason(stderr)
    if _AUTH.search(stderr):
        if "returned error: 403" in stderr:
            return GitAuthError(
                f"{url}: access denied (HTTP 403)", hint="The account or token lacks the right for this repository."
            )
        if authenticated:
            return GitAuthError(
                f"{url}: the server refused the user name or password", hint="Is the token right, and not expired?"
            )
        return GitAuthError(f"{url}: the server asks for credentials", hint="Give username and password.")
    if _MISSING.search(stderr):
        return GitUnreachableError(
            f"{url}: there is no repository",
            hint="Check the URL. Some servers answer like this for private repositories when credentials are missing.",
        )
    if _TLS.search(reason):
        return GitUnreachableError(
            f"{url}: no trusted connection: {reason}", hint="Give the server's CA certificate as ca_cert."
        )
    if _UNREACHABLE.search(stderr):
        return GitUnreachableError(f"{url}: not reachable: {reason}", hint="Check the URL, the network and proxies.")
    return GitError(f"{url}: {reason}")


def server_text(stderr: str) -> str:
    """Return what the server itself said (the ``remote:`` lines)."""
    lines = (line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:"))
    return "\n".join(line for line in lines if line)


def _reason(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith(("fatal:", "error:", "remote:"))]
    return "; ".join(line.partition(":")[2].strip() for line in lines) or "git failed without a message"
