# SPDX-License-Identifier: Apache-2.0
"""Sign a commit with an SSH key, as ``git commit -S`` does with ``gpg.format=ssh``; no ssh-keygen is needed."""

from __future__ import annotations

import base64
import hashlib
import struct
import subprocess
import textwrap
from pathlib import Path

import asyncssh

_NAMESPACE, _HASH = b"git", b"sha512"


def sign_head(repository: Path, branch: str, private_key: str) -> str:
    """Put a signed copy of a branch's newest commit in its place; return its id.

    Args:
        repository: Bare repository.
        branch: Name of the branch.
        private_key: OpenSSH private key (Ed25519).
    """
    ref = f"refs/heads/{branch}"
    commit = _git(repository, "cat-file", "commit", ref)
    signature = _signature(commit, asyncssh.import_private_key(private_key))
    head, _, message = commit.partition(b"\n\n")
    signed = head + b"\ngpgsig " + signature.replace(b"\n", b"\n ") + b"\n\n" + message
    made = _git(repository, "hash-object", "-t", "commit", "-w", "--stdin", data=signed).decode().strip()
    _git(repository, "update-ref", ref, made)
    return made


def _signature(content: bytes, key: asyncssh.SSHKey) -> bytes:
    """Return the armoured signature (openssh, PROTOCOL.sshsig)."""
    common = _text(_NAMESPACE) + _text(b"") + _text(_HASH)
    signed = b"SSHSIG" + common + _text(hashlib.sha512(content).digest())
    blob = b"SSHSIG" + struct.pack(">I", 1) + _text(key.public_data) + common + _text(key.sign(signed, key.algorithm))
    lines = textwrap.wrap(base64.b64encode(blob).decode(), 70)
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----"]).encode()


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _git(repository: Path, *arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["git", "-C", repository, *arguments], input=data, capture_output=True, check=True).stdout
