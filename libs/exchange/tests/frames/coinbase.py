"""Coinbase Advanced Trade.

Source: docs.cdp.coinbase.com, "Advanced Trade WebSocket Channels", level2; "WebSocket overview", sequence_num.
"""

from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame


class CoinbaseSpot(Dialect):
    """A snapshot first, then updates; all frames of a connection are numbered together."""

    exchange = "coinbase"
    market_id = "BTC-USDT"

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Begin with the book, then acknowledge; a second subscription says nothing new."""
        if message.get("type") != "subscribe":
            return []
        is_first, connection.topics["level2"] = not connection.topics, message["product_ids"][0]
        frames = [self._events(connection, "snapshot", state.bids, state.asks)] if is_first else []
        subscriptions = [{"subscriptions": {"level2": message["product_ids"]}}]
        return [*frames, self._numbered(connection, "subscriptions", subscriptions)]

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an update."""
        bids, asks = changes(before.bids, after.bids), changes(before.asks, after.asks)
        return [self._events(connection, "update", bids, asks)]

    def _events(self, connection: Connection, kind: str, bids: Any, asks: Any) -> Frame:
        levels = [("bid", *level) for level in bids] + [("offer", *level) for level in asks]
        updates = [
            {
                "side": side,
                "event_time": "1970-01-01T00:00:00Z",
                "price_level": f"{price:.1f}",
                "new_quantity": str(amount),
            }
            for side, price, amount in levels
        ]
        event = {"type": kind, "product_id": connection.topics["level2"], "updates": updates}
        return self._numbered(connection, "l2_data", [event])

    def _numbered(self, connection: Connection, channel: str, events: Any) -> Frame:
        number, connection.sent = connection.sent, connection.sent + 1
        frame = {"channel": channel, "client_id": "", "timestamp": "2026-02-09T20:32:50.714964855Z"}
        return {**frame, "sequence_num": number, "events": events}
