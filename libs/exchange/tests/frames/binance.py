"""Binance spot and USD-M futures.

Source: developers.binance.com, "Diff. Depth Stream" and "How to manage a local order book correctly" of both.
"""

from typing import Any, ClassVar

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame, texts


class BinanceSpot(Dialect):
    """`U` follows the `u` before by one; snapshots by REST."""

    exchange = "binance"

    def rest(self, path: str, query: dict[str, str], state: BookState, url: str) -> Any:
        """Answer the depth."""
        if not path.endswith("/depth"):
            return {}
        best = state.best(int(query.get("limit", 100)))
        return {"lastUpdateId": _last(state), "bids": texts(best.bids), "asks": texts(best.asks)}

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge."""
        for topic in message.get("params", ()):
            if message["method"] == "SUBSCRIBE":
                connection.topics[topic] = True
            else:
                connection.topics.pop(topic, None)
        return [{"result": None, "id": message["id"]}] if message else []

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an event of two updates."""
        return [self._event(before, after)]

    def _event(self, before: BookState, after: BookState) -> dict[str, Any]:
        return {
            "e": "depthUpdate",
            "E": 1_700_000_000_000 + after.version,
            "s": self.market_id,
            "U": _last(before) + 1,
            "u": _last(after),
            "b": texts(changes(before.bids, after.bids)),
            "a": texts(changes(before.asks, after.asks)),
        }


class BinanceFutures(BinanceSpot):
    """`pu` is the `u` before."""

    exchange = "binanceusdm"
    symbol = "BTC/USDT:USDT"
    market: ClassVar = {"type": "swap", "swap": True, "linear": True, "settle": "USDT", "settleId": "USDT"}
    options: ClassVar = {"defaultType": "future"}

    def rest(self, path: str, query: dict[str, str], state: BookState, url: str) -> Any:
        """Answer the depth, which has times too."""
        answer = super().rest(path, query, state, url)
        return {**answer, "E": 1_700_000_000_000, "T": 1_700_000_000_000} if answer else {}

    def _event(self, before: BookState, after: BookState) -> dict[str, Any]:
        return {**super()._event(before, after), "T": 1_700_000_000_000 + after.version, "pu": _last(before)}


def _last(state: BookState) -> int:
    return 2 * state.version
