"""Bybit spot.

Source: bybit-exchange.github.io/docs/v5/websocket/public/orderbook.
"""

from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame, texts

_TOPIC = "orderbook.50.BTCUSDT"


class BybitSpot(Dialect):
    """A snapshot first, then deltas with the next `u`."""

    exchange = "bybit"
    depth = 50

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge, and begin with the book."""
        operation = message.get("op")
        answer = {"success": True, "ret_msg": "", "conn_id": "1", "req_id": message.get("req_id"), "op": operation}
        if operation == "subscribe":
            connection.topics[_TOPIC] = True
            return [answer, self._frame("snapshot", state, state.bids, state.asks)]
        if operation == "unsubscribe":
            connection.topics.clear()
        return [answer] if message else []

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return a delta."""
        return [self._frame("delta", after, changes(before.bids, after.bids), changes(before.asks, after.asks))]

    def _frame(self, kind: str, state: BookState, bids: Any, asks: Any) -> Frame:
        data = {"s": self.market_id, "b": texts(bids), "a": texts(asks), "u": state.version, "seq": state.version}
        return {"topic": _TOPIC, "type": kind, "ts": 1_700_000_000_000, "data": data, "cts": 1_700_000_000_000}
