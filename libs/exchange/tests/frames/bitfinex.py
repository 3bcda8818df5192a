"""Bitfinex.

Source: docs.bitfinex.com, "Books", "WebSocket Checksum", "Conf Flags", error 10301.
"""

import json
import zlib
from typing import Any

from libs.exchange.tests.frames.market import BookState, changes
from libs.exchange.tests.frames.player import Connection, Dialect, Frame

_CHECKSUMS = 131_072


class Bitfinex(Dialect):
    """A whole book first, then one level a frame, then their checksum in a frame of its own if asked for."""

    exchange = "bitfinex"
    market_id = "tBTCUST"
    is_numbered = False
    depth = 25

    def receive(self, connection: Connection, message: Any, state: BookState) -> list[Frame]:
        """Acknowledge, and begin with the book; a second subscription is refused."""
        event = message.get("event")
        if event == "conf":
            connection.sent = message["flags"]
            return [{"event": "conf", "status": "OK", "flags": message["flags"]}]
        if event == "unsubscribe":
            connection.topics.clear()
            return [{"event": "unsubscribed", "status": "OK", "chanId": message["chanId"]}]
        if event != "subscribe":
            return []
        if connection.topics:
            return [{"event": "error", "msg": "subscribe: dup", "code": 10301}]
        channel = connection.topics["book"] = self.market_numbered()
        answer = {**message, "event": "subscribed", "chanId": channel, "len": "25", "pair": "BTCUST"}
        return [answer, [channel, _entries(state.bids, 1) + _entries(state.asks, -1)]]

    def market_numbered(self) -> int:
        """Return the number of the next channel."""
        self._channels = getattr(self, "_channels", 100) + 1
        return self._channels

    def update(self, connection: Connection, before: BookState, after: BookState) -> list[Frame]:
        """Return a frame for each level, and the checksum."""
        channel = connection.topics["book"]
        entries = _entries(changes(before.bids, after.bids), 1) + _entries(changes(before.asks, after.asks), -1)
        frames: list[Frame] = [[channel, entry] for entry in entries]
        if entries and connection.sent & _CHECKSUMS:
            frames.append([channel, "cs", checksum(after)])
        return frames


def checksum(state: BookState) -> int:
    """Return the signed CRC-32 of the best 25 levels, as JavaScript prints their numbers."""
    parts = []
    for bid, ask in zip(state.bids, state.asks, strict=True):
        parts += [*map(_printed, bid), _printed(ask[0]), _printed(-ask[1])]
    unsigned = zlib.crc32(":".join(parts).encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


def _entries(levels: Any, sign: int) -> list[list[float]]:
    return [[price, 1 if amount else 0, sign * (amount or 1)] for price, amount in levels]


def _printed(number: float) -> str:
    return json.dumps(int(number) if number == int(number) else number)
