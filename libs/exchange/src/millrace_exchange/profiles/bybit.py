"""Bybit.

Source: Bybit's documentation, "Orderbook".
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.profile import BookFeed, ExchangeProfile

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("bybit"),
    book=BookFeed(proof="sequence", checked_by="millrace", frame_numbers="update_id"),
)
