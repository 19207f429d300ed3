# SPDX-License-Identifier: Apache-2.0
"""Keep secrets out of everything that a person or a log can read.

Two mechanisms, used together:

- *known values*: whoever receives a credential registers it with :func:`register`; every text that passes
  :func:`redact` has the value (and its usual encodings) replaced, wherever it stands;
- *known shapes*: credentials in URLs, bearer tokens, private key blocks and kubeconfig fields are replaced even
  when nobody registered them.
"""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterable
from urllib.parse import quote

MASK = "***"

# A registered value shorter than this would blank out ordinary words; it is masked by shape only.
_SHORTEST = 4

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    # user:password@host in a URL; the user name alone is not secret, what stands behind the colon is.
    (re.compile(r"(?P<head>[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^/\s@]*@"), r"\g<head>***@"),
    (re.compile(r"(?i)(?P<head>\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{8,}"), r"\g<head>***"),
    (
        re.compile(r"-----BEGIN (?P<kind>[A-Z0-9 ]*PRIVATE KEY)-----.*?(?:-----END (?P=kind)-----|\Z)", re.DOTALL),
        r"*** (private key)",
    ),
    (
        re.compile(
            r"(?i)(?P<head>\b(?:client-key-data|token|password|api_key|id-token|refresh-token)\"?\s*[:=]\s*)\"?[^\s\",}]+"
        ),
        r"\g<head>***",
    ),
)

_lock = threading.Lock()
_known: set[str] = set()


def register(*values: str | None) -> None:
    """Remember secret values so that :func:`redact` hides them.

    Args:
        values: Secrets in clear. None and values of fewer than four characters are ignored. The base64 and the
            percent-encoded form of each is hidden too.
    """
    with _lock:
        for value in values:
            if not value or len(value.strip()) < _SHORTEST:
                continue
            _known.update(_encodings(value))
            # A multi-line secret shows up line by line in tool output.
            _known.update(line for line in value.splitlines() if len(line.strip()) >= 8)


def _encodings(value: str) -> Iterable[str]:
    stripped = value.strip()
    yield value
    yield stripped
    yield quote(stripped, safe="")
    for text in {value, stripped}:
        encoded = base64.b64encode(text.encode()).decode()
        yield encoded
        yield encoded.rstrip("=")


def redact(text: str) -> str:
    """Return `text` with every known secret and every secret-looking shape replaced by ``***``."""
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for value in known:
        if value in text:
            text = text.replace(value, MASK)
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


def forget_all() -> None:
    """Forget every registered value (tests only: the registry lives as long as the process)."""
    with _lock:
        _known.clear()
