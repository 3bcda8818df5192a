"""KuCoin spot.

Source: www.kucoin.com/docs-new, "Orderbook - Increment", "Get Part OrderBook", "Get Public Token - Spot/Margin".
"""

from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame, texts

_TOPIC = "/market/level2:BTC-USDT"


class KucoinSpot(Dialect):
    """`sequenceStart` is at most one behind the `sequenceEnd` before; without keys a snapshot has 100 levels."""

    exchange = "kucoin"
    market_id = "BTC-USDT"

    def rest(self, path: str, query: dict[str, str], state: BookState, url: str) -> Any:
        """Answer with a token, or the book."""
        if path.endswith("/bullet-public"):
            server = {"endpoint": f"{url.replace('http', 'ws')}/endpoint", "pingInterval": 18_000}
            return {"code": "200000", "data": {"token": "token", "instanceServers": [server]}}
        best = state.best(int(path.rpartition("_")[2]) if "level2_" in path else None)
        levels = {"bids": texts(best.bids), "asks": texts(best.asks)}
        return {"code": "200000", "data": {"time": 1, "sequence": str(state.version), **levels}}

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Welcome, acknowledge, answer pings."""
        if not message:
            return [{"id": "1", "type": "welcome"}]
        if message["type"] == "subscribe":
            connection.topics[message["topic"]] = True
        elif message["type"] == "unsubscribe":
            connection.topics.pop(message["topic"], None)
        return [{"id": message["id"], "type": "pong" if message["type"] == "ping" else "ack"}]

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an increment."""
        sides = {"bids": changes(before.bids, after.bids), "asks": changes(before.asks, after.asks)}
        levels = {side: [[*level, str(after.version)] for level in texts(found)] for side, found in sides.items()}
        data = {
            "changes": levels,
            "sequenceStart": after.version,
            "sequenceEnd": after.version,
            "symbol": self.market_id,
        }
        return [{"type": "message", "topic": _TOPIC, "subject": "trade.l2update", "data": {**data, "time": 1}}]
