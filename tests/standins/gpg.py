# SPDX-License-Identifier: Apache-2.0
"""As much of ``gpg`` as Argo CD and git need, for machines that have none: Ed25519 keys, and who is trusted.

Its keyring is a file of its own: fingerprint -> owner, and the key, which of the key that it makes itself is empty.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import secrets
import sys
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_SIGNATURE, _PUBLIC_KEY, _USER_ID, _FINGERPRINT = 2, 6, 13, 33
_MADE = "2026-01-01"


def install(folder: Path) -> None:
    """Put a program ``gpg`` into a folder."""
    program = folder / "gpg"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -P "{Path(__file__).resolve()}" "$@"\n')
    program.chmod(0o755)


def packets(text: str) -> dict[int, bytes]:
    """Return the packets, which have short heads, of the first armoured block of a text: kind -> body."""
    found: dict[int, bytes] = {}
    [body] = re.findall(r"-----BEGIN PGP [A-Z ]*-----\n\n(.*?)\n=", text, re.DOTALL)
    data = base64.b64decode(body)
    while data:
        size, start = (data[1], 2) if data[1] < 192 else ((data[1] - 192 << 8) + data[2] + 192, 3)
        found.setdefault(data[0] & 0x3F, data[start : start + size])
        data = data[start + size :]
    return found


def add(keyring: dict[str, list[str]], text: str) -> str:
    """Take a public key into a keyring; return what gpg says of it."""
    found = packets(text)
    key, owner = found[_PUBLIC_KEY], found[_USER_ID].decode()
    fingerprint = hashlib.sha1(b"\x99" + len(key).to_bytes(2) + key, usedforsecurity=False).hexdigest().upper()
    keyring[fingerprint] = [owner, key[-32:].hex()]
    return f'gpg: key {fingerprint[-16:]}: public key "{owner}" imported'


def shown(keyring: dict[str, list[str]], ids: list[str]) -> str:
    """Return the list of keys, all or some."""
    return "\n".join(
        f"pub   ed25519 {_MADE} [SC]\n      {fingerprint}\nuid           [ultimate] {owner}\n"
        for fingerprint, (owner, _) in keyring.items()
        if not ids or fingerprint[-16:] in ids
    )


def verify(keyring: dict[str, list[str]], signature: str, content: bytes) -> list[str]:
    """Return what git reads to know whose signature it is."""
    body = packets(signature)[_SIGNATURE]
    head = body[: 6 + int.from_bytes(body[4:6])]
    fingerprint = head[9:29].hex().upper() if head[7] == _FINGERPRINT else ""
    digest = hashlib.sha256(content + head + b"\x04\xff" + len(head).to_bytes(4)).digest()
    numbers = body[len(head) + 2 + int.from_bytes(body[len(head) : len(head) + 2]) + 2 :]
    first = (int.from_bytes(numbers[:2]) + 7) // 8
    signed = b"".join(part.rjust(32, b"\0") for part in (numbers[2 : 2 + first], numbers[4 + first :]))
    owner, key = keyring.get(fingerprint, ("", ""))
    if not key:
        return [f"ERRSIG {fingerprint[-16:]} 22 8 00 0 9 {fingerprint}"]
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(signed, digest)
    except InvalidSignature:
        return [f"BADSIG {fingerprint[-16:]} {owner}"]
    valid = f"VALIDSIG {fingerprint} {_MADE} 0 0 4 0 22 8 00 {fingerprint}"
    return [f"GOODSIG {fingerprint[-16:]} {owner}", valid, "TRUST_ULTIMATE 0 pgp"]


def main(arguments: list[str], home: Path) -> tuple[str, int]:
    """Run as ``gpg``; return what it writes, and the exit status."""
    path = home / "keyring.json"
    keyring: dict[str, list[str]] = json.loads(path.read_text()) if path.exists() else {}
    said = ""
    if "--verify" in arguments:
        found = verify(keyring, Path(arguments[-2]).read_text(), sys.stdin.buffer.read())
        return "".join(f"[GNUPG:] {line}\n" for line in ("NEWSIG", *found)), 0 if len(found) > 1 else 1
    if "--gen-key" in arguments:
        keyring[secrets.token_hex(20).upper()] = ["Anon Ymous", ""]
        (home / "trustdb.gpg").touch()
    elif "--import" in arguments:
        said = add(keyring, Path(arguments[-1]).read_text())
    elif "--delete-keys" in arguments:
        keyring = {fingerprint: key for fingerprint, key in keyring.items() if fingerprint[-16:] != arguments[-1]}
    elif "--list-public-keys" in arguments:
        said = shown(keyring, arguments[arguments.index("--list-public-keys") + 1 :])
    elif "--list-secret-keys" in arguments:
        own = {fingerprint: key for fingerprint, key in keyring.items() if not key[1]}
        said = shown(own, arguments[-1:]) or "gpg: error reading key: No secret key"
    path.write_text(json.dumps(keyring))
    return f"{said}\n", 0


if __name__ == "__main__":
    text, status = main(sys.argv[1:], Path(os.environ["GNUPGHOME"]))
    sys.stdout.write(text)
    sys.exit(status)
