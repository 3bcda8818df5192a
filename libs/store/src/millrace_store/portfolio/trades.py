"""The own trades of one market in the order in which they count, each once, with the strategy of its order."""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS
from millrace_core.instrument import Instrument
from millrace_core.position import Fee, Fill
from millrace_store.backends.database import Reader
from millrace_store.queries.account_records import first_of_its_id
from millrace_store.queries.pages import beyond
from millrace_store.schema import tables

_PIECE: Final = 5_000
_LONGEST_NUMBER: Final = 40
_BIG: Final = sa.BigInteger()
UNATTRIBUTED: Final = ""
"""Stands for the strategy of trades that belong to no known request."""


class AttributedFill(NamedTuple):
    """A fill, whose it is, and whether the price of its fee's currency must still be found."""

    source: str
    fill: Fill
    unpriced: str | None
    """The currency of its fee if no price of that minute was asked for yet."""


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
    instrument = market.instrument
    async for piece in _pieces(reader, market, since_ms):
        held += piece
        last_ms = held[-1][0]
        for _, group in groupby([row for row in held if row[0] < last_ms], key=lambda row: int(row[0])):
            for row in sorted(group, key=_order):
                yield _fill(row, instrument)
        held = [row for row in held if row[0] == last_ms]
    for row in sorted(held, key=_order):
        yield _fill(row, instrument)


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
    trade, order, priced = tables.own_trades.c, tables.orders.c, tables.fee_prices.c
    its_order = (order.tenant == market.tenant) & (order.exchange == market.exchange) & (order.symbol == market.symbol)
    minute = trade.at_ms - trade.at_ms % sa.literal(MINUTE_MS, _BIG)
    its_fee = (priced.stream_id == trade.stream_id) & (priced.currency == trade.fee_currency)
    return (
        sa.select(
            *(trade.at_ms, trade.epoch, trade.seq, trade.n, trade.trade_id, trade.side, trade.price, trade.amount),
            *(trade.cost, trade.fee_cost, trade.fee_currency, order.order_source, priced.at_ms, priced.price),
        )
        .select_from(tables.own_trades)
        .outerjoin(tables.orders, its_order & (order.order_id == trade.order_id))
        .outerjoin(tables.fee_prices, its_fee & (priced.at_ms == minute))
        .where(trade.stream_id == sa.literal(market.stream, _BIG), trade.side.in_(("buy", "sell")), first_of_its_id())
        .order_by(trade.at_ms, trade.epoch, trade.seq, trade.n)
        .limit(_PIECE)
    )


def _fill(row: Sequence[Any], instrument: Instrument) -> AttributedFill:
    at_ms, *_, side, price, amount, cost, fee_cost, currency, source, asked_ms, fee_price = row
    fee = None if fee_cost is None else Fee(Decimal(fee_cost), currency or "", _decimal(fee_price))
    value = _decimal(cost) if instrument.settle is not None else None
    fill = Fill(at_ms, side == "buy", Decimal(price), Decimal(amount), value, fee)
    return AttributedFill(source or UNATTRIBUTED, fill, _unpriced(fee, instrument) if asked_ms is None else None)


def _unpriced(fee: Fee | None, instrument: Instrument) -> str | None:
    """Return the currency of a fee if the fee's value depends on a price."""
    if fee is None or fee.currency in ("", instrument.currency) or instrument.takes_from_quantity(fee.currency):
        return None
    return fee.currency


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)
