"""OKX spot.

Source: www.okx.com/docs-v5, "WS / Order book channel".
"""

from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame, texts


class OkxSpot(Dialect):
    """A snapshot first, then updates whose `prevSeqId` is the `seqId` before."""

    exchange = "okx"
    market_id = "BTC-USDT"
    depth = 400

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge, and begin with the book."""
        frames: list[Frame] = []
        for argument in message.get("args", ()):
            frames.append({"event": message["op"], "arg": argument, "connId": "a4d3ae55"})
            if message["op"] == "unsubscribe":
                connection.topics.pop(argument["channel"], None)
            elif argument["channel"] == "books":
                connection.topics["books"] = True
                frames.append(self._frame("snapshot", state, -1, state.bids, state.asks))
        return frames

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an update."""
        bids, asks = changes(before.bids, after.bids), changes(before.asks, after.asks)
        return [self._frame("update", after, before.version, bids, asks)]

    def _frame(self, action: str, state: BookState, previous: int, bids: Any, asks: Any) -> Frame:
        levels = {
            "bids": [[*level, "0", "1"] for level in texts(bids)],
            "asks": [[*level, "0", "1"] for level in texts(asks)],
        }
        numbers = {"ts": "1700000000000", "checksum": 0, "seqId": state.version, "prevSeqId": previous}
        return {
            "arg": {"channel": "books", "instId": self.market_id},
            "action": action,
            "data": [{**levels, **numbers}],
        }
