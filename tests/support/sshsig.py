# SPDX-License-Identifier: Apache-2.0
"""Sign with an SSH key, as git does with ``gpg.format=ssh``; no ssh-keygen is needed."""

from __future__ import annotations

import base64
import hashlib
import struct
import textwrap

import asyncssh

from .gitssh import new_key

_NAMESPACE, _HASH = b"git", b"sha512"


class SshKey:
    """A new key.

    Attributes:
        public: The public key as a line of an authorized_keys file.
    """

    def __init__(self) -> None:
        private, self.public = new_key()
        self._key = asyncssh.import_private_key(private)

    def sign(self, content: bytes) -> bytes:
        """Return the armoured signature of a text (openssh, PROTOCOL.sshsig)."""
        common = _text(_NAMESPACE) + _text(b"") + _text(_HASH)
        signed = b"SSHSIG" + common + _text(hashlib.sha512(content).digest())
        signature = _text(self._key.sign(signed, self._key.algorithm))
        blob = b"SSHSIG" + struct.pack(">I", 1) + _text(self._key.public_data) + common + signature
        lines = textwrap.wrap(base64.b64encode(blob).decode(), 70)
        return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----"]).encode()


def _text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data
