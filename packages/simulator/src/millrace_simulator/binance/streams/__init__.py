"""Binance's market streams, `/ws…` and `/stream…`.

    venue ── MarketFeed (a listener) ── Hub ── StreamSession ── ClientConnection ── client
                │                        └ who listens to what; renders once, frames once, sends to all
                └ BookFeed, TradeFeed, KlineFeed, TickerFeed a symbol; `events` writes the JSON

`requests` is what clients ask. The WebSocket below is that of every dialect: `millrace_simulator.streaming`.
"""

from millrace_simulator.binance.streams.server import add_stream_routes
from millrace_simulator.streaming.connection import ConnectionRules

__all__ = ["ConnectionRules", "add_stream_routes"]
