"""Order ids as KuCoin writes them: 24 hexadecimal digits that name an order over all symbols.

The venue counts orders for each symbol, so an id is the symbol's checksum and the order's number: it can be read back,
and a simulator that goes on from a journal writes the same one.
"""

from __future__ import annotations

import re
from zlib import crc32

_FORM = re.compile(r"[0-9a-f]{24}")


def order_id_text(symbol: str, order_id: int) -> str:
    """Return the id of an order of a symbol."""
    return f"{crc32(symbol.encode()):08x}{order_id:016x}"


def order_number(symbol: str, text: str) -> int | None:
    """Return which order of a symbol an id names; None when it is no id of this symbol's orders."""
    if not _FORM.fullmatch(text) or not text.startswith(f"{crc32(symbol.encode()):08x}"):
        return None
    return int(text[8:], 16)


def user_id_text(account_id: int) -> str:
    """Return the id of a user."""
    return f"{account_id:024x}"


def asset_account_id(account_id: int, asset: str) -> str:
    """Return the id of the account that a user has for one asset: decimal digits."""
    return f"{account_id}{crc32(asset.encode()):010d}"
