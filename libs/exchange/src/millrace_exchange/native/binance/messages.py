"""The events of Binance's market streams, decoded straight into structures.

Prices and amounts of books become floats while they are decoded; all other numbers stay the texts that came.
"""

from collections.abc import Hashable
from typing import Any

import msgspec

from millrace_core.market import Level


class _Event(msgspec.Struct, frozen=True, gc=False, tag_field="e"):
    """The base of all."""


class DepthUpdate(
    _Event,
    tag="depthUpdate",
    frozen=True,
    gc=False,
    rename={"time": "E", "symbol": "s", "first": "U", "last": "u", "bids": "b", "asks": "a"},
):
    """Changes of an order book."""

    time: int
    symbol: str
    first: int
    last: int
    """The updates that it covers, by number."""
    bids: list[Level]
    asks: list[Level]

    @property
    def route(self) -> Hashable:
        """Return the stream that it belongs to."""
        return DepthUpdate, self.symbol

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.last


class TradeEvent(
    _Event,
    tag="trade",
    frozen=True,
    gc=False,
    rename={"symbol": "s", "id": "t", "price": "p", "amount": "q", "time": "T", "is_buyer_maker": "m"},
):
    """A trade."""

    symbol: str
    id: int
    price: str
    amount: str
    time: int
    is_buyer_maker: bool

    @property
    def route(self) -> Hashable:
        """Return the stream that it belongs to."""
        return TradeEvent, self.symbol

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.id


class Kline(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"opened": "t", "interval": "i", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "v"},
):
    """A candle."""

    opened: int
    interval: str
    open: str
    high: str
    low: str
    close: str
    volume: str


class KlineEvent(_Event, tag="kline", frozen=True, gc=False, rename={"time": "E", "symbol": "s", "kline": "k"}):
    """A candle that changed."""

    time: int
    symbol: str
    kline: Kline

    @property
    def route(self) -> Hashable:
        """Return the stream that it belongs to."""
        return KlineEvent, self.symbol, self.kline.interval

    @property
    def position(self) -> tuple[int, int]:
        """Return its place in the stream: a candle closes and the next opens at the same time."""
        return self.time, self.kline.opened


class TickerEvent(
    _Event,
    tag="24hrTicker",
    frozen=True,
    gc=False,
    rename={
        "time": "E",
        "symbol": "s",
        "change": "p",
        "percentage": "P",
        "average": "w",
        "previous": "x",
        "last": "c",
        "bid": "b",
        "bid_amount": "B",
        "ask": "a",
        "ask_amount": "A",
        "open": "o",
        "high": "h",
        "low": "l",
        "base_volume": "v",
        "quote_volume": "q",
        "closed": "C",
    },
):
    """The statistics of 24 hours and the best prices."""

    time: int
    symbol: str
    change: str
    percentage: str
    average: str
    previous: str
    last: str
    bid: str
    bid_amount: str
    ask: str
    ask_amount: str
    open: str
    high: str
    low: str
    base_volume: str
    quote_volume: str
    closed: int

    @property
    def route(self) -> Hashable:
        """Return the stream that it belongs to."""
        return TickerEvent, self.symbol

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.time


class BestPrices(
    msgspec.Struct,
    frozen=True,
    gc=False,
    rename={"update": "u", "symbol": "s", "bid": "b", "bid_amount": "B", "ask": "a", "ask_amount": "A"},
):
    """The best bid and ask; an empty side has the price 0."""

    update: int
    symbol: str
    bid: float
    bid_amount: float
    ask: float
    ask_amount: float

    @property
    def route(self) -> Hashable:
        """Return the stream that it belongs to."""
        return BestPrices, self.symbol

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.update


class Reply(msgspec.Struct, frozen=True):
    """Everything else that the exchange sends: answers to requests, and notices."""

    id: int | None = None
    error: dict[str, Any] | None = None
    """What is wrong with a request, where it does not stand beside the id."""
    code: int | None = None
    msg: str | None = None
    e: str | None = None
    s: Any = None
    k: Any = None
    u: Any = None
    event: dict[str, Any] | None = None
    """A notice, where it is wrapped."""
