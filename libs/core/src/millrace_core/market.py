"""Market data and account data as they travel in messages. Field names in JSON are ccxt's, in camelCase.

Numbers here are floats, and travel with every digit that the exchange printed: where a float would print others, it is
an `ExactFloat`, which remembers them. Who only calculates may decode plain floats; who stores or publishes again
decodes with `exact_json`. Levels of books are plain floats: as multiples of a market's steps they print back as they
came (see docs/protocol.md, "Numbers"). Orders hold decimals instead (`millrace_core.orders`).
"""

from decimal import Decimal
from typing import Any

import msgspec

from millrace_core.decimals import number
from millrace_core.position import EXACT

Level = tuple[float, float]
"""Price and absolute amount; amount 0 removes the level."""
Candle = tuple[int, float, float, float, float, float]
"""Open time in ms, open, high, low, close, volume in base currency."""


def candle_of(opened_ms: int, first: str, high: str, low: str, last: str, volume: str) -> Candle:
    """Return a candle with every digit of its prices and its volume.

    Raises:
        ValueError: one of them is no number.
    """
    return opened_ms, number(first), number(high), number(low), number(last), number(volume)


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
    """What it cost, in one currency; None if that is not known, or `fees` has several."""
    fees: tuple[Fee, ...] = ()
    """What it cost in each currency, where those are several."""

    @property
    def charged(self) -> tuple[Fee, ...]:
        """All that it cost, each currency once; empty if that is not known."""
        return self.fees or (() if self.fee is None else (self.fee,))


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
    """With what is borrowed."""
    debt: float | None = None
    """What is owed of it, with the interest; None if the exchange does not say."""

    @property
    def net(self) -> Decimal | None:
        """Return what is owned, below zero if more is owed; None if the total is not known."""
        return None if self.total is None else net_of(Decimal(repr(self.total)), Decimal(repr(self.debt or 0.0)))


def net_of(total: Decimal, debt: Decimal) -> Decimal:
    """Return what is owned of a currency. A total below zero is a debt by itself, and counts once."""
    return EXACT.subtract(total, debt) if total >= 0 else min(total, -debt)


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


class ExchangePosition(_MarketStruct, frozen=True):
    """What an account holds of a contract, as the exchange reports it: ccxt's unified structure."""

    symbol: str
    side: str | None = None
    """`long` or `short`; an account in hedge mode may have both of one symbol."""
    margin_mode: str | None = None
    """`cross` or `isolated`; some exchanges keep one of each."""
    contracts: float = 0.0
    """Without a sign; 0: the position is closed."""
    contract_size: float | None = None
    hedged: bool | None = None
    """Whether the account is in hedge mode; None if the exchange does not say."""
    id: str | None = None
    timestamp: int | None = None
    datetime: str | None = None
    entry_price: float | None = None
    mark_price: float | None = None
    liquidation_price: float | None = None
    notional: float | None = None
    leverage: float | None = None
    collateral: float | None = None
    initial_margin: float | None = None
    maintenance_margin: float | None = None
    unrealized_pnl: float | None = None
    realized_pnl: float | None = None

    @property
    def key(self) -> "ExchangePositionKey":
        """Return what tells the positions of an account apart."""
        return self.symbol, self.side, self.margin_mode


ExchangePositionKey = tuple[str, str | None, str | None]
"""Symbol, side and margin mode."""


class ExchangePositionsDelta(_MarketStruct, frozen=True):
    """Positions that changed, each whole; one with 0 contracts is closed."""

    positions: list[ExchangePosition]


class ExchangePositionsSnapshot(_MarketStruct, frozen=True):
    """The open positions."""

    positions: list[ExchangePosition]
    as_of: str


class Liquidation(_MarketStruct, frozen=True):
    """A position that an exchange closed by force: ccxt's unified structure. Exchanges give them no id."""

    symbol: str
    timestamp: int | None = None
    side: str | None = None
    """As the exchange says: of most, `buy` or `sell` of the order that closed the position."""
    price: float | None = None
    contracts: float | None = None
    contract_size: float | None = None
    base_value: float | None = None
    quote_value: float | None = None
    datetime: str | None = None


class LiquidationsDelta(_MarketStruct, frozen=True):
    """New liquidations, oldest first, each once."""

    liquidations: list[Liquidation]


class LiquidationsSnapshot(_MarketStruct, frozen=True):
    """The newest liquidations, oldest first, 1,000 at most."""

    liquidations: list[Liquidation]
    as_of: str


class CandlesDelta(_MarketStruct, frozen=True):
    """Candles of one timeframe that are new or changed, oldest first."""

    timeframe: str
    candles: list[Candle]


class CandlesSnapshot(_MarketStruct, frozen=True):
    """The newest 500 candles of each timeframe, oldest first."""

    timeframes: dict[str, list[Candle]]
    as_of: str
