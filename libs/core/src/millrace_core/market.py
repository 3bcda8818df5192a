"""Market data and account data as they travel in messages. Field names in JSON are ccxt's, in camelCase.

Prices and amounts here are floats exactly as the exchange printed them: a float prints back as the same
digits. Orders hold decimals instead (`millrace_core.orders`).
"""

from typing import Any

import msgspec

Level = tuple[float, float]
"""Price and absolute amount; amount 0 removes the level."""
Candle = tuple[int, float, float, float, float, float]
"""Open time in ms, open, high, low, close, volume in base currency."""


class _MarketStruct(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The base of all: frozen, camelCase in JSON, without the fields that have their default."""


class BookDelta(_MarketStruct, frozen=True):
    """The changes of an order book."""

    bids: list[Level]
    asks: list[Level]
    nonce: int | None = None
    """The exchange's own number of the book's state after this change."""
    checksum: int | None = None
    """CRC-32 of the book after this change (see `OrderBook.checksum`), on some messages."""


class BookSnapshot(_MarketStruct, frozen=True):
    """A whole order book, best levels first."""

    bids: list[Level]
    asks: list[Level]
    as_of: str
    checksum: int
    nonce: int | None = None


class Fee(_MarketStruct, frozen=True):
    """The fee of a trade."""

    currency: str | None = None
    cost: float | None = None
    rate: float | None = None


class Trade(_MarketStruct, frozen=True):
    """A trade: ccxt's unified structure."""

    id: str | None
    timestamp: int | None
    symbol: str
    side: str | None
    """`buy` or `sell`: the taker's side (in own trades: ours)."""
    price: float
    amount: float
    cost: float | None = None
    datetime: str | None = None
    order: str | None = None
    """Our order's id; own trades only."""
    type: str | None = None
    taker_or_maker: str | None = None
    fee: Fee | None = None


class TradesDelta(_MarketStruct, frozen=True):
    """New trades, oldest first, each once."""

    trades: list[Trade]


class TradesSnapshot(_MarketStruct, frozen=True):
    """The newest trades, oldest first, 1,000 at most."""

    trades: list[Trade]
    as_of: str


class Balance(_MarketStruct, frozen=True):
    """An account's balance of one currency."""

    free: float | None = None
    used: float | None = None
    total: float | None = None


Balances = dict[str, Balance]
"""Balances by currency code: those that changed in a delta, all in a snapshot. `data` is this object itself."""
Fields = dict[str, Any]
"""Fields of one of ccxt's unified objects, such as a ticker: those that changed in a delta, all in a snapshot. `data`
is this object itself.

In a delta, null says that a field has no value any more.
"""


def fields_after(fields: Fields, changed: Fields) -> Fields:
    """Return the fields after a delta; only those with a value are in it."""
    return {name: value for name, value in {**fields, **changed}.items() if value is not None}


class CandlesDelta(_MarketStruct, frozen=True):
    """Candles of one timeframe that are new or changed, oldest first."""

    timeframe: str
    candles: list[Candle]


class CandlesSnapshot(_MarketStruct, frozen=True):
    """The newest 500 candles of each timeframe, oldest first."""

    timeframes: dict[str, list[Candle]]
    as_of: str
