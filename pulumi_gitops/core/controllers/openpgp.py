# SPDX-License-Identifier: Apache-2.0
"""Keys that commits may be signed with, as Argo CD's repo-server imports them with GnuPG.

At its start it takes one key out of each entry that is called like a key's id, passes over the other entries, and ends
when an entry holds anything else. So what users give is read before anything is sent (RFC 4880, transferable public
keys; signatures on them are not checked).
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import InputError

# gpg writes ids in capitals, and Argo CD compares texts.
_ID = re.compile(r"[0-9A-F]{16}")
_ID_OR_FINGERPRINT = re.compile(r"[0-9A-F]{16}|[0-9A-F]{40}")
_BLOCK = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----[ \t\r]*\n(?:[^\n]*:[^\n]*\n)*[ \t\r]*\n(.*?)"
    r"(?:^=([A-Za-z0-9+/]{4})[ \t\r]*\n)?-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL | re.MULTILINE,
)
_PUBLIC_KEY, _USER_ID = 6, 13
_EXPORT = "`gpg --armor --export ID` prints the key."


def check_keys(option: str, keys: Mapping[Any, Any]) -> None:
    """Refuse public keys that Argo CD would pass over, or not start with.

    Args:
        option: Name of the option that holds them.
        keys: Id -> armoured public key; of what YAML may make of them.

    Raises:
        InputError: A name is not the id of the key under it, or what is under it is not one public key.
    """
    for name, text in keys.items():
        if not isinstance(name, str) or not _ID.fullmatch(name):
            raise _error(
                option,
                f"{name!r} is not the id of a key",
                "The last 16 digits of its fingerprint, in capitals, as `gpg --list-keys --keyid-format=long` prints "
                "them; in quotes when there are no letters in it.",
            )
        try:
            found = _id_of(text if isinstance(text, str) else "")
        except ValueError as e:
            raise _error(option, f"what is under {name} {e}", _EXPORT) from e
        if found != name:
            raise _error(option, f"the key under {name} is {found}", "Correct the id, or give the other key.")


def check_key_ids(option: str, ids: Sequence[str]) -> None:
    """Refuse what is not the id or the fingerprint of a key as gpg prints them, for Argo CD would trust none then.

    Raises:
        InputError: Names it.
    """
    for key in ids:
        if not _ID_OR_FINGERPRINT.fullmatch(key):
            raise _error(
                option,
                f"{key!r} is not the id of a key",
                "16 digits, or the 40 of the fingerprint, in capitals, as `gpg --list-keys --keyid-format=long` prints "
                "them.",
            )


def _error(option: str, message: str, hint: str) -> InputError:
    return InputError(f"{option}: {message}", hint=hint, details={"property": option})


def _id_of(text: str) -> str:
    """Return the id of the only key in a text.

    Raises:
        ValueError: Says what else the text is.
    """
    if "PRIVATE KEY BLOCK" in text:
        raise ValueError("is a private key, which nobody but its owner may have")
    blocks = _BLOCK.findall(text)
    if not blocks:
        raise ValueError("is not an armoured public key")
    packets = [packet for body, checksum in blocks for packet in _packets(_dearmoured(body, checksum))]
    keys = [body for kind, body in packets if kind == _PUBLIC_KEY]
    if len(keys) != 1:
        raise ValueError(f"holds {len(keys)} keys, and not one")
    if not any(kind == _USER_ID for kind, _ in packets):
        raise ValueError("has no user id")
    key = keys[0]
    if key[:1] != b"\x04":
        raise ValueError(f"is a key of version {key[0] if key else 0}: Argo CD knows those of version 4")
    # The standard says how a fingerprint is made.
    digest = hashlib.sha1(b"\x99" + len(key).to_bytes(2) + key, usedforsecurity=False).hexdigest()
    return digest[-16:].upper()


def _dearmoured(body: str, checksum: str) -> bytes:
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except ValueError as e:
        raise ValueError("is damaged: it is not base64") from e
    if checksum and base64.b64decode(checksum) != crc24(data).to_bytes(3):
        raise ValueError("is damaged: its checksum is wrong")
    return data


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and body of every packet."""
    damaged = ValueError("is damaged: it ends too early")
    at = 0
    while at < len(data):
        head = data[at]
        if not head & 0x80:
            raise ValueError("is damaged: it is not made of OpenPGP packets")
        if head & 0x40:
            kind, first = head & 0x3F, data[at + 1 : at + 2]
            if not first:
                raise damaged
            if first[0] < 192:
                start, size = at + 2, first[0]
            elif first[0] < 224:
                start, size = at + 3, (first[0] - 192 << 8) + int.from_bytes(data[at + 2 : at + 3]) + 192
            elif first[0] == 255:
                start, size = at + 6, int.from_bytes(data[at + 2 : at + 6])
            else:
                raise ValueError("is damaged: a packet has no length")
        else:
            kind, width = head >> 2 & 0xF, 1 << (head & 3)
            if width == 8:
                raise ValueError("is damaged: a packet has no length")
            start, size = at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width])
        at = start + size
        if at > len(data):
            raise damaged
        yield kind, data[start:at]


def crc24(data: bytes) -> int:
    """Return the checksum of armour (RFC 4880, 6.1)."""
    crc = 0xB704CE
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc = crc << 1 ^ (0x1864CFB if crc & 0x800000 else 0)
    return crc
