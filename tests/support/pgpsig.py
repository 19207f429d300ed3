# SPDX-License-Identifier: Apache-2.0
"""Sign with an OpenPGP key, as git does by default; no gpg is needed.

Packets of version 4 (RFC 4880) with an Ed25519 key as GnuPG makes them (algorithm 22), which all readers know.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import textwrap
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pulumi_gitops.core.controllers.openpgp import crc24

_SIGNATURE, _PUBLIC_KEY, _USER_ID = 2, 6, 13  # kinds of packets
_OF_DATA, _OF_A_USER_ID = 0x00, 0x13  # kinds of signatures; the second a positive certification
_CREATED, _ISSUER, _KEY_FLAGS, _FINGERPRINT = 2, 16, 27, 33  # kinds of subpackets
_MAY_CERTIFY_AND_SIGN = b"\x03"
_VERSION, _EDDSA, _SHA256 = 4, 22, 8
_CURVE = bytes.fromhex("2b06010401da470f01")  # object identifier of Ed25519


class PgpKey:
    """A new key that signs.

    Attributes:
        fingerprint: 40 hexadecimal digits, as gpg prints them.
        id: The last 16 of them.
        public: The public key, armoured, with `owner` as its user id.
    """

    def __init__(self, owner: str = "Team <team@example.com>") -> None:
        self._private = Ed25519PrivateKey.generate()
        self._made = struct.pack(">I", int(time.time()))
        point = b"\x40" + self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        key = bytes([_VERSION]) + self._made + bytes([_EDDSA, len(_CURVE)]) + _CURVE + _number(point)
        hashed_key = b"\x99" + struct.pack(">H", len(key)) + key
        # What the standard has as the fingerprint; nothing here depends on how strong it is.
        self._digest = hashlib.sha1(hashed_key, usedforsecurity=False).digest()
        self.fingerprint = self._digest.hex().upper()
        self.id = self.fingerprint[-16:]
        user = owner.encode()
        hashed_user = b"\xb4" + struct.pack(">I", len(user)) + user
        flags = _subpacket(_KEY_FLAGS, _MAY_CERTIFY_AND_SIGN)
        certificate = self._signature(_OF_A_USER_ID, hashed_key + hashed_user, flags)
        packets = _packet(_PUBLIC_KEY, key) + _packet(_USER_ID, user) + certificate
        self.public = _armoured("PUBLIC KEY BLOCK", packets).decode()

    def sign(self, content: bytes) -> bytes:
        """Return the armoured detached signature of a text."""
        return _armoured("SIGNATURE", self._signature(_OF_DATA, content))

    def _signature(self, kind: int, content: bytes, more: bytes = b"") -> bytes:
        now = struct.pack(">I", int(time.time()))
        hashed = _subpacket(_FINGERPRINT, bytes([_VERSION]) + self._digest) + _subpacket(_CREATED, now) + more
        unhashed = _subpacket(_ISSUER, self._digest[-8:])
        head = bytes([_VERSION, kind, _EDDSA, _SHA256]) + struct.pack(">H", len(hashed)) + hashed
        digest = hashlib.sha256(content + head + b"\x04\xff" + struct.pack(">I", len(head))).digest()
        signed = self._private.sign(digest)
        numbers = _number(signed[:32]) + _number(signed[32:])
        return _packet(_SIGNATURE, head + struct.pack(">H", len(unhashed)) + unhashed + digest[:2] + numbers)


def _packet(kind: int, body: bytes) -> bytes:
    return bytes([0xC0 | kind]) + _length(len(body)) + body


def _subpacket(kind: int, body: bytes) -> bytes:
    return _length(len(body) + 1) + bytes([kind]) + body


def _length(size: int) -> bytes:
    if size < 192:
        return bytes([size])
    return bytes([192 + (size - 192 >> 8), size - 192 & 0xFF])


def _number(data: bytes) -> bytes:
    """Return a multiprecision integer: how many bits it has, and those."""
    value = data.lstrip(b"\0")
    return struct.pack(">H", int.from_bytes(value).bit_length()) + value


def _armoured(what: str, data: bytes) -> bytes:
    lines = textwrap.wrap(base64.b64encode(data).decode(), 64)
    checksum = "=" + base64.b64encode(crc24(data).to_bytes(3)).decode()
    return "\n".join([f"-----BEGIN PGP {what}-----", "", *lines, checksum, f"-----END PGP {what}-----"]).encode()
