"""The own trades of one market in the order in which they count, each once, with the strategy of its order."""

from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS
from millrace_core.instrument import Instrument
from millrace_core.position import Fee, Fill
from millrace_store.backends.database import Reader
from millrace_store.queries.account_records import AMOUNT_BY_CURRENCY, first_of_its_id
from millrace_store.queries.pages import beyond
from millrace_store.schema import tables

_PIECE: Final = 5_000
_LONGEST_NUMBER: Final = 40
_BIG: Final = sa.BigInteger()
_Prices = Mapping[tuple[str, int], Decimal | None]
"""Prices of fees' currencies by currency and minute; None where none is known although it was asked for."""
UNATTRIBUTED: Final = ""
"""Stands for the strategy of trades that belong to no known request."""


class AttributedFill(NamedTuple):
    """A fill, whose it is, and which prices of its fees' currencies must still be found."""

    source: str
    fill: Fill
    unpriced: tuple[str, ...]
    """The currencies of its fees of which no price of that minute was asked for yet."""


class Market(NamedTuple):
    """A stream of own trades: one market of one tenant."""

    stream: int
    tenant: str
    exchange: str
    symbol: str

    @property
    def instrument(self) -> Instrument:
        """What is traded."""
        return Instrument.of(self.symbol)


async def markets_of(reader: Reader, *where: sa.ColumnElement[bool]) -> list[Market]:
    """Return the streams of own trades of one symbol that meet conditions on `streams`."""
    table = tables.streams.c
    wanted = sa.select(table.id, table.tenant, table.exchange, table.symbol).where(
        table.action == "watchMyTrades", table.face == "deltas", table.symbol.is_not(None), *where
    )
    return [Market(*row) for row in await reader.fetch(wanted.order_by(table.id))]


async def fills_of(reader: Reader, market: Market, since_ms: int) -> AsyncIterator[AttributedFill]:
    """Return the fills of a market from a moment on, oldest first; trades of one time by the exchange's numbers."""
    held: list[Sequence[Any]] = []
    prices: _Prices = {}
    instrument = market.instrument
    async for piece in _pieces(reader, market, since_ms):
        held += piece
        last_ms = held[-1][0]
        prices = await _fee_prices(reader, market, held)
        for _, group in groupby([row for row in held if row[0] < last_ms], key=lambda row: int(row[0])):
            for row in sorted(group, key=_order):
                yield _fill(row, instrument, prices)
        held = [row for row in held if row[0] == last_ms]
    for row in sorted(held, key=_order):
        yield _fill(row, instrument, prices)


def _order(row: Sequence[Any]) -> tuple[int, ...]:
    """Return where a trade stands among those of its time: by its number, else in the order in which it came."""
    _, epoch, seq, n, number, *_ = row
    is_number = number is not None and number.isascii() and number.isdecimal() and len(number) <= _LONGEST_NUMBER
    return (int(number) if is_number else -1, epoch, seq, n)


async def _pieces(reader: Reader, market: Market, since_ms: int) -> AsyncIterator[Sequence[Sequence[Any]]]:
    table = tables.own_trades.c
    key = [table.at_ms, table.epoch, table.seq, table.n]
    rows = await reader.fetch(_wanted(market).where(table.at_ms >= sa.literal(since_ms, _BIG)))
    while rows:
        yield rows
        if len(rows) < _PIECE:
            return
        rows = await reader.fetch(_wanted(market).where(beyond(key, tuple(rows[-1][:4]), descending=False)))


def _wanted(market: Market) -> sa.Select[Any]:
    trade, order = tables.own_trades.c, tables.orders.c
    its_order = (order.tenant == market.tenant) & (order.exchange == market.exchange) & (order.symbol == market.symbol)
    return (
        sa.select(
            *(trade.at_ms, trade.epoch, trade.seq, trade.n, trade.trade_id, trade.side, trade.price, trade.amount),
            *(trade.cost, trade.fee_cost, trade.fee_currency, trade.fees_by_currency, order.order_source),
        )
        .select_from(tables.own_trades)
        .outerjoin(tables.orders, its_order & (order.order_id == trade.order_id))
        .where(trade.stream_id == sa.literal(market.stream, _BIG), trade.side.in_(("buy", "sell")), first_of_its_id())
        .order_by(trade.at_ms, trade.epoch, trade.seq, trade.n)
        .limit(_PIECE)
    )


async def _fee_prices(reader: Reader, market: Market, rows: Sequence[Sequence[Any]]) -> _Prices:
    """Return the prices of the time of some trades, which are in order."""
    if not any(_is_priced(fee.currency, market.instrument) for row in rows for fee in _fees(row)):
        return {}
    table = tables.fee_prices.c
    first, last = (sa.literal(_minute(row[0]), _BIG) for row in (rows[0], rows[-1]))
    wanted = sa.select(table.currency, table.at_ms, table.price).where(
        table.stream_id == sa.literal(market.stream, _BIG), table.at_ms.between(first, last)
    )
    return {(currency, at_ms): _decimal(price) for currency, at_ms, price in await reader.fetch(wanted)}


def _fill(row: Sequence[Any], instrument: Instrument, prices: _Prices) -> AttributedFill:
    at_ms, *_, side, price, amount, cost, _, _, _, source = row
    minute, charged = _minute(at_ms), _fees(row)
    fees = tuple(fee._replace(price=prices.get((fee.currency, minute))) for fee in charged)
    value = _decimal(cost) if instrument.settle is not None else None
    priced = (fee.currency for fee in charged if _is_priced(fee.currency, instrument))
    unpriced = tuple(currency for currency in priced if (currency, minute) not in prices)
    fill = Fill(at_ms, side == "buy", Decimal(price), Decimal(amount), value, fees)
    return AttributedFill(source or UNATTRIBUTED, fill, unpriced)


def _fees(row: Sequence[Any]) -> tuple[Fee, ...]:
    *_, cost, currency, several, _ = row
    if several is not None:
        return tuple(Fee(amount, code) for code, amount in AMOUNT_BY_CURRENCY.decode(several).items())
    return () if cost is None else (Fee(Decimal(cost), currency or ""),)


def _is_priced(currency: str, instrument: Instrument) -> bool:
    """Tell whether the value of a fee in a currency depends on a price."""
    return currency not in ("", instrument.currency) and not instrument.takes_from_quantity(currency)


def _minute(at_ms: int) -> int:
    return at_ms - at_ms % MINUTE_MS


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
