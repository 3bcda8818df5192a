"""Binance's market streams, `/ws…` and `/stream…`.

    venue ── MarketFeed (a listener) ── Hub ── StreamSession ── ClientConnection ── client
                │                        └ who listens to what; renders once, frames once, sends to all
                └ BookFeed, TradeFeed, KlineFeed, TickerFeed a symbol; `events` writes the JSON

`requests` is what clients ask, `frames` and `connection` the WebSocket below, shared with the WebSocket API.
"""

from millrace_simulator.binance.streams.connection import ConnectionRules
from millrace_simulator.binance.streams.server import add_stream_routes

__all__ = ["ConnectionRules", "add_stream_routes"]
