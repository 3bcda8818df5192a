"""How each dialect writes what a fault concerns: the stream of a frame, and the numbers of a book's changes."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Span = tuple[int, int]
"""The first and the last update of a book that a frame covers."""


@dataclass(frozen=True)
class Stream:
    """The stream that a frame belongs to."""

    kind: str
    """`book`, `trades` or `account`."""
    market: str
    """The exchange's id of the market; empty where a frame names none."""


@dataclass(frozen=True)
class Dialect:
    """What must be known of one dialect."""

    name: str
    credentials: dict[str, str]
    separator: str
    """Between base and quote in the exchange's id of a market."""
    snapshot_path: str
    """Part of the path that asks for a book."""
    stream_of: Callable[[str], Stream | None]
    """Returns the stream of a frame; None of answers and notices."""
    numbers_trades: bool
    """Whether a gap in the numbers of trades shows that some are missing."""
    span_of: Callable[[str], Span | None]
    """Returns the numbers of a frame of a book."""

    def market(self, symbol: str) -> str:
        """Return the exchange's id of a symbol."""
        return symbol.replace("/", self.separator)


_BINANCE_EVENT = re.compile(r'"e":"(\w+)"')
_BINANCE_MARKET = re.compile(r'"s":"(\w+)"')
_BINANCE_SPAN = re.compile(r'"U":(\d+),"u":(\d+)')
_BINANCE_KINDS = {
    "depthUpdate": "book",
    "trade": "trades",
    "executionReport": "account",
    "outboundAccountPosition": "account",
}
_KUCOIN_TOPIC = re.compile(r'"topic":"([^":]+):?([^"]*)"')
_KUCOIN_SPAN = re.compile(r'"sequenceEnd":(\d+),"sequenceStart":(\d+)')
_KUCOIN_KINDS = {"/market/level2": "book", "/market/match": "trades"}


def _binance_stream(frame: str) -> Stream | None:
    event = _BINANCE_EVENT.search(frame)
    kind = _BINANCE_KINDS.get(event[1]) if event else None
    if kind is None:
        return None
    market = _BINANCE_MARKET.search(frame) if kind != "account" else None
    return Stream(kind, market[1] if market else "")


def _binance_span(frame: str) -> Span | None:
    found = _BINANCE_SPAN.search(frame)
    return (int(found[1]), int(found[2])) if found else None


def _kucoin_stream(frame: str) -> Stream | None:
    topic = _KUCOIN_TOPIC.search(frame) if '"type":"message"' in frame else None
    if topic is None:
        return None
    kind = _KUCOIN_KINDS.get(topic[1])
    return Stream("account", "") if kind is None else Stream(kind, topic[2])


def _kucoin_span(frame: str) -> Span | None:
    found = _KUCOIN_SPAN.search(frame)
    return (int(found[2]), int(found[1])) if found else None


_KEYS: dict[str, Any] = {"apiKey": "demo-key", "secret": "demo-secret"}
DIALECTS = {
    "binance": Dialect("binance", _KEYS, "", "/depth", _binance_stream, True, _binance_span),
    "kucoin": Dialect(
        "kucoin", _KEYS | {"password": "demo-passphrase"}, "-", "/orderbook/", _kucoin_stream, False, _kucoin_span
    ),
}
