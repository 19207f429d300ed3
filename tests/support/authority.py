# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of a test: certificates for servers and clients, and TLS contexts that ask for them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SKEW, _VALID = dt.timedelta(hours=1), dt.timedelta(days=1)


class Authority:
    """Issues certificates.

    Args:
        folder: Holds the files that TLS contexts are made of.

    Attributes:
        certificate: Its own certificate, PEM.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("authority of a test")
        certificate = self._built(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = _pem(certificate.sign(self._key, hashes.SHA256()))

    def client(self, name: str) -> tuple[str, str]:
        """Return certificate and private key of a client, PEM."""
        return self._issued(name, ExtendedKeyUsageOID.CLIENT_AUTH, [])

    def server_context(self, *hosts: str, clients: bool = False) -> ssl.SSLContext:
        """Return the context of a server.

        Args:
            hosts: Names and addresses that it has.
            clients: Take only clients that have a certificate of this authority.
        """
        names: list[x509.GeneralName] = []
        for host in hosts:
            try:
                names.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                names.append(x509.DNSName(host))
        certificate, key = self._issued(hosts[0], ExtendedKeyUsageOID.SERVER_AUTH, names)
        path = self._folder / f"{hosts[0]}-{clients}.pem"
        path.touch(mode=0o600)
        path.write_text(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cadata=self.certificate)
        return context

    def _issued(self, name: str, use: x509.ObjectIdentifier, names: list[x509.GeneralName]) -> tuple[str, str]:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._built(_named(name), key.public_key()).add_extension(
            x509.ExtendedKeyUsage([use]), critical=False
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _pem(builder.sign(self._key, hashes.SHA256())), private.decode()

    def _built(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), now - _SKEW, now + _VALID)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
