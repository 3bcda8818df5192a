"""How long an exchange may still be working on a request that was sent to it."""

from typing import Final

from millrace_exchange.ccxt.exchange import Exchange
from millrace_exchange.ccxt.settings import RECV_WINDOW_MS

BACKEND_MS: Final = 10_000
"""Binance's matching engine is given up on after this long."""


def settling_ms(exchange: Exchange) -> int:
    """Return the ms after sending, by the exchange's clock, from which "no such order" proves that there will be none.

    A request is taken for `recvWindow` after its timestamp, and may be worked on for 10 s then: see "General
    information on endpoints" and error -1007 in Binance's documentation. Other exchanges promise no more.
    """
    window_ms = exchange.ccxt.options.get("recvWindow", RECV_WINDOW_MS)
    return max(int(window_ms), RECV_WINDOW_MS) + BACKEND_MS
