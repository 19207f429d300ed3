# SPDX-License-Identifier: Apache-2.0
"""Keys that Argo CD would pass over, or not start with, are refused before anything is sent."""

from __future__ import annotations

import base64

import pytest

from pulumi_gitops.core.controllers import ControllerSpec, ProjectSpec
from pulumi_gitops.core.controllers.argocd import manifests
from pulumi_gitops.core.controllers.openpgp import crc24
from pulumi_gitops.core.errors import InputError
from tests.support.pgpsig import PgpKey

TEAM, OTHER = PgpKey(), PgpKey("Other <other@example.com>")
LINES = TEAM.public.splitlines()
DATA = base64.b64decode("".join(LINES[2:-2]))
KEY_PACKET = DATA[: 2 + DATA[1]]


def armoured(data: bytes) -> str:
    """Armour without a checksum, which the newest standard leaves out."""
    return "\n".join([LINES[0], "", base64.b64encode(data).decode(), LINES[-1]])


def old_format(data: bytes) -> bytes:
    """The same packets with heads as GnuPG writes them."""
    made = b""
    while data:
        size = data[1]
        made += bytes([0x80 | (data[0] & 0x3F) << 2 | 1]) + size.to_bytes(2) + data[2 : 2 + size]
        data = data[2 + size :]
    return made


@pytest.mark.parametrize(
    "text",
    [
        TEAM.public,
        f"Key of the team:\n{TEAM.public}\n",
        TEAM.public.replace("\n", "\r\n"),
        TEAM.public.replace("\n\n", "\nVersion: GnuPG v2\nComment: of the team\n\n", 1),
        armoured(DATA),
        armoured(old_format(DATA)),
    ],
    ids=["as it is", "after words", "of Windows", "with headers", "without a checksum", "old packets"],
)
def test_a_key_under_its_id_gets_into_the_config_map_that_argocd_reads(text):
    spec = ControllerSpec(gpg_keys={TEAM.id: text, OTHER.id: OTHER.public})
    [keys] = manifests.adjust([], spec)
    assert (keys["metadata"]["name"], keys["data"]) == (
        "argocd-gpg-keys-cm",
        {TEAM.id: text, OTHER.id: OTHER.public},
    )


@pytest.mark.parametrize(
    "name",
    ["team", TEAM.id[8:], TEAM.fingerprint, f"0x{TEAM.id}", "4aee18f83afdeb23", 41 * 10**14],
    ids=["word", "short", "fingerprint", "0x", "small letters", "number"],
)
def test_a_name_that_is_not_the_id_of_a_key_is_refused(name):
    with pytest.raises(InputError, match=r"gpg_keys: .* is not the id of a key") as caught:
        ControllerSpec(gpg_keys={name: TEAM.public})
    assert "capitals" in caught.value.hint
    assert caught.value.details["property"] == "gpg_keys"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (OTHER.public, f"the key under {TEAM.id} is {OTHER.id}"),
        (TEAM.public.replace("PUBLIC KEY", "PRIVATE KEY"), "is a private key"),
        ("ssh-ed25519 AAAA", "is not an armoured public key"),
        ("team.asc", "is not an armoured public key"),
        ("", "is not an armoured public key"),
        (None, "is not an armoured public key"),
        (f"{TEAM.public}\n{OTHER.public}", "holds 2 keys"),
        (armoured(DATA + KEY_PACKET), "holds 2 keys"),
        (armoured(DATA[len(KEY_PACKET) :]), "holds 0 keys"),
        (armoured(KEY_PACKET), "has no user id"),
        (armoured(DATA[:2] + b"\x06" + DATA[3:]), "is a key of version 6"),
        (TEAM.public.replace(LINES[2], LINES[2][::-1]), "checksum is wrong"),
        (TEAM.public.replace(LINES[2], f"{LINES[2]}*"), "is not base64"),
        (armoured(DATA[:-1]), "ends too early"),
        (armoured(b"\xc6"), "ends too early"),
        (armoured(b"\x00" + DATA), "is not made of OpenPGP packets"),
        (armoured(b"\xc6\xe1" + DATA), "a packet has no length"),
        (armoured(b"\x9b" + DATA), "a packet has no length"),
    ],
    ids=map(str, range(18)),
)  # fmt: skip
def test_what_is_not_the_one_public_key_of_that_id_is_refused_and_not_repeated(text, words):
    with pytest.raises(InputError, match=words) as caught:
        ControllerSpec(gpg_keys={TEAM.id: text})
    assert caught.value.hint
    assert not text or text not in str(caught.value.as_dict())


def test_the_checksum_of_armour_is_that_of_the_standard():
    assert crc24(b"") == 0xB704CE  # where it starts
    assert crc24(b"123456789") == 0x21CF02  # the check value of CRC-24/OPENPGP


@pytest.mark.parametrize("key", ["team", "4aee18f83afdeb23", TEAM.id[8:]], ids=["word", "small letters", "short"])
def test_a_project_takes_ids_and_fingerprints_of_keys_and_nothing_that_would_never_match(key):
    project = ProjectSpec(name="team", signature_keys=[TEAM.id, OTHER.fingerprint])
    assert project.objects()[0]["spec"]["signatureKeys"] == [{"keyID": TEAM.id}, {"keyID": OTHER.fingerprint}]
    with pytest.raises(InputError, match=r"signature_keys: .* is not the id of a key") as caught:
        ProjectSpec(name="team", signature_keys=[key])
    assert "capitals" in caught.value.hint
