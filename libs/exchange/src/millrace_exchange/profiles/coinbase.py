"""Coinbase Advanced Trade.

Source: Coinbase's documentation, "WebSocket overview"; ccxt does not translate the unified client order id.
"""

from typing import Final

from millrace_core.names import ExchangeId
from millrace_exchange.profile import BookFeed, ClientOrderIds, ExchangeProfile

PROFILE: Final = ExchangeProfile(
    exchange=ExchangeId("coinbase"),
    book=BookFeed(proof="sequence", checked_by="millrace", frame_numbers="connection_sequence"),
    client_order_ids=ClientOrderIds(parameters=("clientOrderId", "client_order_id")),
)
