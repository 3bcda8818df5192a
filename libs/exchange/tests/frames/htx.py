"""HTX spot.

Source: HTX's spot API, "Market By Price (incremental update)"; frames are compressed by gzip.
"""

import gzip
import json
from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame

_CHANNEL = "market.btcusdt.mbp.150"


class HtxSpot(Dialect):
    """`prevSeqNum` is the `seqNum` before; snapshots are asked for over the socket."""

    exchange = "htx"
    market_id = "btcusdt"
    depth = 150

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge, or answer with the book."""
        if "sub" in message:
            connection.topics[_CHANNEL] = True
            return [_frame({"id": message["id"], "status": "ok", "subbed": message["sub"], "ts": 1})]
        if "unsub" in message:
            connection.topics.clear()
            return [_frame({"id": message["id"], "status": "ok", "unsubbed": message["unsub"], "ts": 1})]
        if "req" not in message:
            return []
        data = {"seqNum": 3 * state.version, "bids": state.bids, "asks": state.asks}
        return [_frame({"id": message["id"], "rep": message["req"], "status": "ok", "ts": 1, "data": data})]

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an increment."""
        levels = {"bids": changes(before.bids, after.bids), "asks": changes(before.asks, after.asks)}
        numbers = {"seqNum": 3 * after.version, "prevSeqNum": 3 * before.version}
        return [_frame({"ch": _CHANNEL, "ts": 1_700_000_000_000, "tick": {**numbers, **levels}})]


def _frame(message: Any) -> bytes:
    return gzip.compress(json.dumps(message).encode())
