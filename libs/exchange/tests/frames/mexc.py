"""MEXC spot.

Source: MEXC's API v3, "Diff.Depth Stream", "How to properly maintain a local copy of the order book"; the frames'
schema: github.com/mexcdevelop/websocket-proto, which ccxt contains in compiled form.
"""

from itertools import pairwise
from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame, texts

_CHANNEL = "spot@public.aggre.depth.v3.api.pb@100ms@BTCUSDT"


class MexcSpot(Dialect):
    """`fromVersion` is one behind the `toVersion` before; snapshots by REST, which may lie within a frame."""

    exchange = "mexc"

    def rest(self, path: str, query: dict[str, str], state: BookState, url: str) -> Any:
        """Answer the depth."""
        if not path.endswith("/depth"):
            return {}
        best = state.best(int(query.get("limit", 100)))
        return {"lastUpdateId": state.version, "bids": texts(best.bids), "asks": texts(best.asks), "timestamp": 1}

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge."""
        for topic in message.get("params", ()):
            if message["method"] == "SUBSCRIPTION":
                connection.topics[topic], connection.kept_state = True, None
            else:
                connection.topics.pop(topic, None)
        return [{"id": 0, "code": 0, "msg": message["params"][0]}] if message.get("params") else []

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return a frame of two changes, or nothing yet."""
        if after.version % 2:
            connection.kept_state = before
            return []
        first, connection.kept_state = connection.kept_state or before, None
        return [_frame([first, before, after])]


def _frame(states: list[BookState]) -> bytes:
    from ccxt.protobuf.mexc.PushDataV3ApiWrapper_pb2 import PushDataV3ApiWrapper

    after = states[-1]
    frame = PushDataV3ApiWrapper(channel=_CHANNEL, symbol="BTCUSDT", sendTime=1_700_000_000_000 + after.version)
    depths = frame.publicAggreDepths
    depths.fromVersion, depths.toVersion = str(states[0].version + 1), str(after.version)
    for side, levels in (
        (depths.bids, [state.bids for state in states]),
        (depths.asks, [state.asks for state in states]),
    ):
        # Also what changed and changed back: a snapshot may lie in between.
        touched = {price for old, new in pairwise(levels) for price, _ in changes(old, new)}
        for price, quantity in texts((price, dict(levels[-1]).get(price, 0.0)) for price in sorted(touched)):
            side.add(price=price, quantity=quantity)
    return bytes(frame.SerializeToString())
