# SPDX-License-Identifier: Apache-2.0
"""A stand-in for GitHub's API, as far as an App needs it to get tokens for its installation.

It verifies the App's JWT as GitHub does (RS256 by the App's public key, issuer, times) and issues tokens, which a Git
server then takes as the password of ``x-access-token``.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
import secrets
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .serving import HttpServer

_PATH = re.compile(r"(?:/api/v3)?/app/installations/(\d+)/access_tokens")
_LONGEST = 600  # seconds that GitHub lets a JWT live
_SKEW = 60


def new_app_key() -> tuple[str, rsa.RSAPublicKey]:
    """Return the private key of an App as GitHub hands it out, PEM, and its public key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return private.decode(), key.public_key()


class GitHubStandIn(HttpServer):
    """Serves on 127.0.0.1 while it is entered.

    Args:
        app: Id of the App.
        installation: Id of its installation.
        key: Public key of the App; a test may replace it while the server runs.

    Attributes:
        url: Base URL of the API.
        tokens: All tokens that were issued.
    """

    def __init__(self, app: int, installation: int, key: rsa.RSAPublicKey) -> None:
        self.app, self.installation, self.key = app, installation, key
        self.tokens: set[str] = set()
        super().__init__(self._handler())
        self.url = f"http://{self.address}"

    def _answer(self, path: str, authorization: str) -> tuple[HTTPStatus, dict[str, Any]]:
        found = _PATH.fullmatch(path)
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer" or not self._is_from_app(token):
            return HTTPStatus.UNAUTHORIZED, {"message": "A JSON web token could not be decoded"}
        if found is None or int(found[1]) != self.installation:
            return HTTPStatus.NOT_FOUND, {"message": "Not Found"}
        issued = f"ghs_{secrets.token_hex(18)}"
        self.tokens.add(issued)
        expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        return HTTPStatus.CREATED, {"token": issued, "expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}

    def _is_from_app(self, token: str) -> bool:
        try:
            head, claims, signature = token.split(".")
            self.key.verify(_decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
            given = json.loads(_decoded(claims))
            return (
                json.loads(_decoded(head))["alg"] == "RS256"
                and str(given["iss"]) == str(self.app)
                and given["iat"] <= time.time() + _SKEW
                and time.time() < given["exp"] <= given["iat"] + _LONGEST + _SKEW
            )
        except (ValueError, KeyError, InvalidSignature):
            return False

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, body = standin._answer(self.path, self.headers.get("Authorization", ""))
                content = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
