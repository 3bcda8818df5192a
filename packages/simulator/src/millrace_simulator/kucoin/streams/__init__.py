"""KuCoin's streams, opened with a bullet.

    venue ── MarketFeed, AccountFeed (listeners) ── Hub ── StreamSession ── ClientConnection ── client
                                                     └ who listens to what, by the topic of one symbol

`topics` reads what a client subscribes to, `requests` what it asks; `market_events` and `account_events` write the
messages.
"""

from millrace_simulator.kucoin.streams.server import add_stream_routes

__all__ = ["add_stream_routes"]
