"""Authentication of a request: key, passphrase, time and signature.

The signature is the HMAC-SHA256, in base64, of timestamp + method + path with query + body. Keys of version 2 and 3
sign their passphrase too, those of version 1 send it as it is. Source: www.kucoin.com/docs-new, "Authentication".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import unquote

from msgspec import Struct

from millrace_simulator.kucoin import errors
from millrace_simulator.venue import Account, Venue
from millrace_simulator.venue.errors import UnknownApiKey

WINDOW_MS = 5000
"""How far a request's time may lie from the exchange's."""


class Signed(Struct, frozen=True):
    """What a signature covers, as it was sent."""

    method: str
    target: str
    """The path with the query."""
    body: str


def authenticate(venue: Venue, headers: Mapping[str, str], signed: Signed) -> Account:
    """Return the account that sends a request.

    Raises:
        KucoinError: 400001 to 400005, for the first thing that is wrong.
    """
    key, signature = headers.get("KC-API-KEY"), headers.get("KC-API-SIGN")
    timestamp, passphrase = headers.get("KC-API-TIMESTAMP"), headers.get("KC-API-PASSPHRASE")
    if not key or not signature or not timestamp or not passphrase:
        raise errors.missing_headers()
    if not timestamp.isdecimal() or abs(venue.clock.now_us() // 1000 - int(timestamp)) > WINDOW_MS:
        raise errors.bad_timestamp()
    try:
        account = venue.account_by_key(key)
    except UnknownApiKey:
        raise errors.unknown_key() from None
    secret = account.secret or ""
    if not _is_passphrase(passphrase, account, headers.get("KC-API-KEY-VERSION", "1")):
        raise errors.bad_passphrase()
    # Some clients sign the query before they encode it, others after.
    targets = {signed.target, unquote(signed.target)}
    if not any(_equal(signature, sign(secret, timestamp + signed.method + each + signed.body)) for each in targets):
        raise errors.bad_signature()
    return account


def sign(secret: str, text: str) -> str:
    """Return the signature of a text."""
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def _is_passphrase(sent: str, account: Account, version: str) -> bool:
    passphrase = account.passphrase or ""
    return _equal(sent, passphrase if version == "1" else sign(account.secret or "", passphrase))


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
