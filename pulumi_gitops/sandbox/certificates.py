# SPDX-License-Identifier: Apache-2.0
"""Makes the keys of a control plane: its certificate authority, the API server's, those of service accounts."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from .state import write_private

_VALID = dt.timedelta(days=365)
_SKEW = dt.timedelta(hours=1)
_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


def write_keys(folder: Path, *, service_address: str) -> None:
    """Make fresh keys in an existing folder; the key of the authority is not kept.

    Args:
        folder: Gets ``ca.crt``, ``apiserver.crt``, ``apiserver.key``, ``service-accounts.key`` and
            ``service-accounts.pub``, all in PEM, readable by the owner only.
        service_address: Cluster IP of the service ``kubernetes``.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def private(key: ec.EllipticCurvePrivateKey) -> bytes:
        return key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def usage(*, authority: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=authority,
            crl_sign=authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = named("pulumi-gitops sandbox")
    ca_identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        x509.CertificateBuilder(
            ca_name, ca_name, ca_key.public_key(), x509.random_serial_number(), now - _SKEW, now + _VALID
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(authority=True), critical=True)
        .add_extension(ca_identifier, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    key = ec.generate_private_key(ec.SECP256R1())
    addresses = [ipaddress.ip_address(address) for address in ("127.0.0.1", service_address)]
    certificate = (
        x509.CertificateBuilder(
            ca_name, named("kube-apiserver"), key.public_key(), x509.random_serial_number(), now - _SKEW, now + _VALID
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([*map(x509.DNSName, _NAMES), *map(x509.IPAddress, addresses)]), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    accounts = ec.generate_private_key(ec.SECP256R1())
    public = accounts.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_private(folder / "ca.crt", ca.public_bytes(serialization.Encoding.PEM))
    write_private(folder / "apiserver.crt", certificate.public_bytes(serialization.Encoding.PEM))
    write_private(folder / "apiserver.key", private(key))
    write_private(folder / "service-accounts.key", private(accounts))
    write_private(folder / "service-accounts.pub", public)
