"""Gate spot.

Source: Gate's announcement 45317, "Gate Spot Depth Channel Upgrade", channel spot.obu.
"""

from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame, texts

_TOPIC = "ob.BTC_USDT.50"


class GateSpot(Dialect):
    """A full book first, then increments whose `U` is one behind the `u` before."""

    exchange = "gate"
    market_id = "BTC_USDT"
    depth = 50

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge, and begin with the book; a second subscription is refused."""
        if message.get("channel") != "spot.obu":
            return []
        answer = {key: message[key] for key in ("time", "id", "channel", "event", "payload")}
        if message["event"] == "unsubscribe":
            connection.topics.clear()
        elif connection.topics:
            return [{**answer, "error": {"code": 2, "message": f"Alert sub {_TOPIC}"}}]
        else:
            connection.topics[_TOPIC] = True
            full = {"full": True, "u": 3 * state.version, "b": texts(state.bids), "a": texts(state.asks)}
            return [{**answer, "result": {"status": "success"}}, _frame(full)]
        return [{**answer, "result": {"status": "success"}}]

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return an increment."""
        levels = {"b": texts(changes(before.bids, after.bids)), "a": texts(changes(before.asks, after.asks))}
        return [_frame({"U": 3 * before.version + 1, "u": 3 * after.version, **levels})]


def _frame(result: dict[str, Any]) -> Frame:
    return {"channel": "spot.obu", "time_ms": 1, "event": "update", "result": {"t": 1, "s": _TOPIC, **result}}
