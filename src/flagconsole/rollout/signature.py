"""Signatures of what is sent: a receiver with the key can tell that it is ours, unchanged and new."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

TIMESTAMP: Final = "X-Flagconsole-Timestamp"
SIGNATURE: Final = "X-Flagconsole-Signature"
DELIVERY: Final = "X-Flagconsole-Delivery"


def signature(secret: bytes, timestamp: int, body: bytes) -> str:
    """``v1=`` and the hex HMAC-SHA256 of ``timestamp.body``; ``timestamp`` in seconds since the epoch."""
    return "v1=" + hmac.new(secret, f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()


def signed_headers(secret: bytes | None, timestamp: int, body: bytes, delivery_id: str) -> dict[str, str]:
    """The headers of one message. Without a key there is no signature; the delivery's id is always there."""
    headers = {"Content-Type": "application/json", TIMESTAMP: str(timestamp), DELIVERY: delivery_id}
    if secret is not None:
        headers[SIGNATURE] = signature(secret, timestamp, body)
    return headers
