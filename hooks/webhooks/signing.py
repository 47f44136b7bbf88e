"""Signatures of messages: HMAC-SHA256 over identity, time and body (Standard Webhooks 1.0, symmetric signatures)."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from catalog.errors import SecretUnavailable

SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins, not one
#: Length of a key in bytes.
SHORTEST_KEY, LONGEST_KEY = 24, 64


def key_of(secret: str, *, name: str) -> bytes:
    """Return the key that a secret's text holds; raise `SecretUnavailable`, which shows the secret's name alone."""
    encoded = secret.strip().removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        message = f"expected {SECRET_PREFIX} and base64 of {SHORTEST_KEY} to {LONGEST_KEY} bytes in the secret {name}"
        # `from None`: what failed to decode is the secret.
        raise SecretUnavailable(message, secret=name) from None
    return key


def signed_headers(message: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers of one attempt: identity, time in seconds since 1970, and a signature by each key."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signature(message, timestamp, body, key) for key in keys),
    }


def signature(message: str, timestamp: int, body: bytes, key: bytes) -> str:
    """Return one signature in the form `v1,BASE64`."""
    signed = f"{message}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"
