"""Market data and account data as they travel in messages. Field names on the wire are ccxt's, in camelCase.

Prices and amounts here are floats exactly as the exchange printed them: a float prints back as the same
digits. Orders, where money is decided upon, hold decimals instead (`millrace_core.orders`).
"""

from typing import Any

import msgspec

Level = tuple[float, float]
"""Price and absolute amount; amount 0 removes the level."""
Candle = tuple[int, float, float, float, float, float]
"""Open time in ms, open, high, low, close, volume in base currency."""


class _Wire(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What travels: frozen, camelCase, absent when it has nothing to say."""


class BookDelta(_Wire, frozen=True):
    """What changed in an order book."""

    bids: list[Level]
    asks: list[Level]
    nonce: int | None = None
    """The exchange's own number of the book's state after this change."""
    checksum: int | None = None
    """CRC-32 of the book after this change (see `OrderBook.checksum`), on some messages."""


class BookSnapshot(_Wire, frozen=True):
    """A whole order book, best levels first."""

    bids: list[Level]
    asks: list[Level]
    as_of: str
    checksum: int
    nonce: int | None = None


class Fee(_Wire, frozen=True):
    """What a trade cost beyond its price."""

    currency: str | None = None
    cost: float | None = None
    rate: float | None = None


class Trade(_Wire, frozen=True):
    """A trade: ccxt's unified structure."""

    id: str | None
    timestamp: int | None
    symbol: str
    side: str | None
    """`buy` or `sell`: what the taker did (in own trades: what we did)."""
    price: float
    amount: float
    cost: float | None = None
    datetime: str | None = None
    order: str | None = None
    """Our order's id; own trades only."""
    type: str | None = None
    taker_or_maker: str | None = None
    fee: Fee | None = None


class TradesDelta(_Wire, frozen=True):
    """New trades, oldest first, never one twice."""

    trades: list[Trade]


class TradesSnapshot(_Wire, frozen=True):
    """The newest trades, oldest first, 1,000 at most."""

    trades: list[Trade]
    as_of: str


class Balance(_Wire, frozen=True):
    """What an account holds of one currency."""

    free: float | None = None
    used: float | None = None
    total: float | None = None


Balances = dict[str, Balance]
"""Balances by currency code: in a delta those that changed, in a snapshot all. It stands in `data` as it is."""
Ticker = dict[str, Any]
"""Fields of ccxt's unified ticker: in a delta those that changed, in a snapshot all. It stands in `data` as it is."""


class CandlesDelta(_Wire, frozen=True):
    """Candles of one timeframe that are new or changed, oldest first."""

    timeframe: str
    candles: list[Candle]


class CandlesSnapshot(_Wire, frozen=True):
    """The newest 500 candles of each timeframe, oldest first."""

    timeframes: dict[str, list[Candle]]
    as_of: str
