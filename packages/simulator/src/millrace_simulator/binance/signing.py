"""Authentication of requests: API key, timestamp and signature.

Keys are HMAC (a shared secret) or Ed25519 (the account's public key). See Binance's rest-api.md, "Timing security"
and "SIGNED endpoint security".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_public_key

from millrace_simulator.binance import errors
from millrace_simulator.binance.errors import BinanceError
from millrace_simulator.binance.parameters import Parameters

DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60_000
AHEAD_MS = 1000
"""A timestamp this far in the future is rejected: Binance's allowance for clocks that run fast."""


def check_timing(parameters: Parameters, now_ms: int) -> None:
    """Reject a request whose `timestamp` is not within its `recvWindow` (5 s by default) of `now_ms`.

    Raises:
        BinanceError: -1102 without a timestamp, -1131 for a window over 60 s, -1021 out of the window.
    """
    sent_us = parameters.moment_us("timestamp")
    if sent_us is None:
        raise errors.mandatory("timestamp")
    timestamp = sent_us // 1000
    window_ms = _receive_window(parameters)
    if timestamp >= now_ms + AHEAD_MS:
        raise errors.timestamp_ahead()
    if now_ms - timestamp > window_ms:
        raise errors.timestamp_too_old()


def check_signature(payload: str, signature: str | None, *, secret: str | None, public_key: str | None) -> None:
    """Reject a request whose signature does not cover `payload` with one of the account's keys.

    Raises:
        BinanceError: -1102 without a signature, -1022 with a wrong one.
    """
    if not signature:
        raise errors.mandatory("signature")
    if secret is not None and _is_hmac(payload, signature, secret):
        return
    if public_key is not None and _is_ed25519(payload, signature, public_key):
        return
    raise errors.invalid_signature()


def _receive_window(parameters: Parameters) -> Decimal:
    value = parameters.text("recvWindow")
    if value is None:
        return Decimal(DEFAULT_WINDOW_MS)
    try:
        window_ms = Decimal(value)
    except InvalidOperation:
        raise errors.illegal_characters("recvWindow", r"^([0-9]{1,5})(\.[0-9]{1,3})?$") from None
    if not 0 <= window_ms <= LONGEST_WINDOW_MS:
        raise BinanceError(-1131, "recvWindow must be less than 60000.")
    return window_ms


def _is_hmac(payload: str, signature: str, secret: str) -> bool:
    digest = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    # Hex digits in either case are the same signature (rest-api.md).
    return hmac.compare_digest(digest.encode(), signature.lower().encode())


def _is_ed25519(payload: str, signature: str, public_key: str) -> bool:
    try:
        _ed25519_key(public_key).verify(base64.b64decode(signature, validate=True), payload.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=256)
def _ed25519_key(text: str) -> Ed25519PublicKey:
    """Read a public key: PEM as Binance wants it uploaded, or the base64 inside of it.

    Raises:
        ValueError: it is no public key at all.
        TypeError: it is one of another kind than Ed25519.
    """
    if text.lstrip().startswith("-----"):
        key = load_pem_public_key(text.encode())
    else:
        key = load_der_public_key(base64.b64decode(text))
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError("the public key of an account must be an Ed25519 key")
    return key
