"""The messages of KuCoin's streams, decoded straight into structures.

Prices and amounts of books become floats while they are decoded; all other numbers stay the texts that came.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import msgspec

from millrace_core.market import Level

SequencedLevel = tuple[float, float, int]
"""Price, amount, and the number of the change."""


class _Message(msgspec.Struct, frozen=True, gc=False, tag_field="subject"):
    """The base of all. `topic` names the stream of one market, whatever was asked for together."""

    topic: str

    @property
    def route(self) -> Hashable:
        """Return the stream that it belongs to."""
        return self.topic


class BookChanges(msgspec.Struct, frozen=True, gc=False):
    """Changes of both sides."""

    asks: list[SequencedLevel]
    bids: list[SequencedLevel]


class BookData(
    msgspec.Struct, frozen=True, gc=False, rename={"sequence_start": "sequenceStart", "sequence_end": "sequenceEnd"}
):
    """Changes of an order book."""

    changes: BookChanges
    sequence_start: int
    sequence_end: int
    time: int | None = None


class BookUpdate(_Message, tag="trade.l2update", frozen=True, gc=False):
    """Changes of an order book."""

    data: BookData

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.data.sequence_end

    @property
    def time(self) -> int | None:
        """Return the exchange's time, ms."""
        return self.data.time

    @property
    def first(self) -> int:
        """Return the number of the first change that it covers."""
        return self.data.sequence_start

    @property
    def last(self) -> int:
        """Return the number of the last one."""
        return self.data.sequence_end

    @property
    def bids(self) -> list[Level]:
        """Return the changed bids."""
        return _levels(self.data.changes.bids)

    @property
    def asks(self) -> list[Level]:
        """Return the changed asks."""
        return _levels(self.data.changes.asks)


class MatchData(msgspec.Struct, frozen=True, gc=False, rename={"trade_id": "tradeId"}):
    """A trade."""

    sequence: int
    price: str
    size: str
    side: str
    time: int
    """ns."""
    trade_id: str


class Match(_Message, tag="trade.l3match", frozen=True, gc=False):
    """A trade."""

    data: MatchData

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.data.sequence


class CandleData(msgspec.Struct, frozen=True, gc=False):
    """A candle that changed: its begin (s), open, close, high, low, volume, turnover."""

    candles: tuple[int, str, str, str, str, str, str]
    time: int
    """ns."""


class CandleUpdate(_Message, tag="trade.candles.update", frozen=True, gc=False):
    """A candle that changed."""

    data: CandleData

    @property
    def position(self) -> tuple[int, int]:
        """Return its place in the stream: a candle closes and the next opens at the same time."""
        return self.data.time, self.data.candles[0]


class BestPricesData(msgspec.Struct, frozen=True, gc=False):
    """The best bid and ask, price and amount of each; an empty side is an empty list."""

    asks: list[float]
    bids: list[float]
    timestamp: int


class BestPrices(_Message, tag="level1", frozen=True, gc=False):
    """The best bid and ask."""

    data: BestPricesData

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return self.data.timestamp


class StatisticsData(msgspec.Struct, frozen=True):
    """The statistics of 24 hours as the exchange prints them."""

    data: dict[str, Any]


class Statistics(_Message, tag="trade.snapshot", frozen=True):
    """The statistics of 24 hours and the best prices."""

    data: StatisticsData

    def __post_init__(self) -> None:
        _require(self.data.data, "datetime")

    @property
    def position(self) -> int:
        """Return its place in the stream."""
        return int(self.data.data["datetime"])


class OrderChange(_Message, tag="orderChange", frozen=True):
    """Something that happened to an own order."""

    data: dict[str, Any]

    def __post_init__(self) -> None:
        _require(self.data, "symbol", "orderId", "type", "ts")

    @property
    def route(self) -> Hashable:
        """Return the stream and the market that it belongs to."""
        return self.topic, self.data["symbol"]

    @property
    def position(self) -> int:
        """Return its place in the stream, ns."""
        return int(self.data["ts"])


class BalanceChange(_Message, tag="account.balance", frozen=True):
    """A balance that changed."""

    data: dict[str, Any]

    def __post_init__(self) -> None:
        _require(self.data, "currency", "available", "hold", "total", "time")

    @property
    def position(self) -> int:
        """Return its place in the stream, ms."""
        return int(self.data["time"])


class Reply(msgspec.Struct, frozen=True):
    """Everything else that the exchange sends."""

    type: str = ""
    id: str | None = None
    code: int | str | None = None
    data: Any = None
    subject: str | None = None
    topic: str | None = None


def _require(data: Mapping[str, Any], *names: str) -> None:
    """Refuse data without a field, which the decoder then reports."""
    if missing := [name for name in names if name not in data]:
        raise ValueError(f"no {', '.join(missing)}")


def _levels(changes: list[SequencedLevel]) -> list[Level]:
    # A change of the price 0 has a number and says nothing else.
    return [(price, amount) for price, amount, _ in changes if price]
