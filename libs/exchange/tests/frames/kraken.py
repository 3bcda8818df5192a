"""Kraken spot.

Source: docs.kraken.com, "Book" and "Book checksum (WebSocket v2)".
"""

import zlib
from typing import Any, ClassVar

from libs.exchange.tests.frames.market import BookState, Levels, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame


class KrakenSpot(Dialect):
    """A snapshot first, then updates, each with the checksum of the best 10; levels fall out of the depth unsaid."""

    exchange = "kraken"
    market_id = "XBTUSDT"
    is_numbered = False
    depth = 10
    market: ClassVar = {"precision": {"price": 0.1, "amount": 0.001}}

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge, and begin with the book; a second subscription is refused."""
        if message.get("method") != "subscribe":
            return []
        answer = {"method": "subscribe", "req_id": message.get("req_id"), "time_in": "1", "time_out": "1"}
        if connection.topics:
            return [{**answer, "success": False, "error": "Already subscribed"}]
        connection.topics["book"] = True
        result = {"channel": "book", "depth": 10, "snapshot": True, "symbol": self.symbol}
        return [{**answer, "success": True, "result": result}, self._frame("snapshot", state, state.bids, state.asks)]

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an update, if the best levels changed."""
        bids = _unless_out(changes(before.bids, after.bids), after.bids, -1)
        asks = _unless_out(changes(before.asks, after.asks), after.asks, 1)
        return [self._frame("update", after, bids, asks)] if bids or asks else []

    def _frame(self, kind: str, state: BookState, bids: Any, asks: Any) -> Frame:
        data = {"symbol": self.symbol, "bids": _named(bids), "asks": _named(asks), "checksum": checksum(state)}
        return {"channel": "book", "type": kind, "data": [{**data, "timestamp": "2026-10-06T17:35:55.440295Z"}]}


def checksum(state: BookState) -> int:
    """Return the checksum of the best 10, from the numbers in full precision."""
    levels = [*state.asks[:10], *state.bids[:10]]
    texts = [text for price, amount in levels for text in (f"{price:.1f}", f"{amount:.3f}")]
    return zlib.crc32("".join(text.replace(".", "").lstrip("0") for text in texts).encode())


def _named(levels: Any) -> list[dict[str, float]]:
    return [{"price": price, "qty": amount} for price, amount in levels]


def _unless_out(found: list[tuple[float, float]], after: Levels, sign: int) -> list[tuple[float, float]]:
    full = len(after) == KrakenSpot.depth
    return [(price, amount) for price, amount in found if amount or not full or sign * price < sign * after[-1][0]]
