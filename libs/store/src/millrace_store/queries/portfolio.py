"""Queries of positions, profit and equity."""

from collections.abc import Collection
from decimal import Decimal
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from millrace_core.actions import MY_TRADES
from millrace_core.clock import now_ms
from millrace_core.instrument import Instrument
from millrace_core.intervals import Interval
from millrace_core.names import Tenant
from millrace_core.position import EXACT, Position, average_price, plain, unrealised
from millrace_store.backends.database import Database, Reader
from millrace_store.backends.sql import Row
from millrace_store.errors import RangeTooLarge
from millrace_store.portfolio.counting import HOUR_MS, position_columns, position_of
from millrace_store.portfolio.prices import Price, Prices
from millrace_store.portfolio.profit import Apart, Profit, summed
from millrace_store.queries.pages import DEFAULT_LIMIT, MAX_LIMIT, Page, Scope, newest, within
from millrace_store.queries.portfolio_records import EquityRecord, Holding, PositionRecord, ProfitRecord
from millrace_store.schema import tables

_MOST_PERIODS: Final = 2 * MAX_LIMIT
"""Of all strategies and markets of one question, before they are summed."""
_BIG: Final = sa.BigInteger()
_HOLDINGS: Final = msgspec.json.Decoder(list[Holding])


class PortfolioQueries:
    """What a tenant's own trades add up to, and what its balances are worth.

    `sources` are order sources; an empty text stands for trades that belong to no known request.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def own_trades_stored(self, tenant: Tenant) -> dict[str, tuple[int, int]]:
        """Return how far each of a tenant's streams of own trades is stored: epoch and number of its last message.

        A stream has a message every 5 s at least, so one that is watched and stored goes on.
        """
        table = tables.streams.c
        wanted = sa.select(table.name, table.position_epoch, table.position_seq).where(
            table.tenant == tenant, table.action == MY_TRADES.name, table.face == "deltas"
        )
        async with self._database.reading() as reader:
            return {name: (int(epoch or 0), int(seq or 0)) for name, epoch, seq in await reader.fetch(wanted)}

    async def positions(
        self,
        scope: Scope,
        *,
        sources: Collection[str] = (),
        is_open: bool | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[PositionRecord]:
        """Return the positions as they are now, by exchange, symbol and source; `is_open` chooses those not zero.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table, stream = tables.positions.c, tables.streams.c
        key: list[Any] = [stream.exchange, stream.symbol, table.source]
        wanted = _newest_positions(scope, sources, key)
        if is_open is not None:
            zero = sa.literal(Decimal(0), table.quantity.type)
            wanted = wanted.where(table.quantity != zero if is_open else table.quantity == zero)
        rows, after = await newest(
            self._database,
            wanted,
            key,
            (str, str, str),
            limit,
            cursor,
            lambda row: (row[0], row[1], row[2]),
            descending=False,
        )
        async with self._database.reading() as reader:
            market = _MarketPrices(reader, scope.tenant)
            return Page([_position(row, await market.price(row[0], row[1])) for row in rows], after)

    async def profits(
        self,
        scope: Scope,
        *,
        sources: Collection[str] = (),
        apart: Collection[Apart] = (),
        interval: Interval | None = None,
    ) -> list[ProfitRecord]:
        """Return the profit of the scope's time range, or of each interval in it, oldest first.

        The hours (UTC) that contain the ends of the range are counted whole. Profits are separated by what
        `apart` names and by currency, and summed over everything else.

        Raises:
            ValueError: the interval is not a number of whole hours.
            RangeTooLarge: the answer has too many rows.
        """
        if interval is not None and not interval.is_whole(HOUR_MS):
            raise ValueError("the interval must be a number of whole hours")
        async with self._database.reading() as reader:
            rows = await reader.fetch(_periods(scope, sources, interval).limit(_MOST_PERIODS + 1))
        found = summed([_profit(row, _began_ms(int(row[0]), scope, interval)) for row in rows], apart)
        if len(rows) > _MOST_PERIODS or len(found) > MAX_LIMIT:
            raise RangeTooLarge(MAX_LIMIT)
        return found

    async def equity(
        self,
        scope: Scope,
        *,
        interval: Interval | None = None,
        holdings: bool = False,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        descending: bool = False,
    ) -> Page[EquityRecord]:
        """Return the value of a tenant's balances over time: each sample, or the last one of each interval.

        Raises:
            BadCursor: `cursor` is not from a page of this query.
        """
        table = tables.equity.c
        mine = (table.tenant == scope.tenant, *within(scope, table.at_ms))
        wanted = sa.select(table.at_ms, table.currency, table.value, table.holdings).where(*mine)
        if interval is not None:
            last = sa.select(sa.func.max(table.at_ms)).where(*mine).group_by(interval.number_of(table.at_ms))
            wanted = wanted.where(table.at_ms.in_(last))
        rows, after = await newest(
            self._database, wanted, [table.at_ms], (int,), limit, cursor, lambda row: (row[0],), descending=descending
        )
        return Page([_equity(row, holdings=holdings) for row in rows], after)


class _MarketPrices:
    """The newest prices of spot markets, each looked up once."""

    def __init__(self, reader: Reader, tenant: Tenant) -> None:
        self._reader, self._tenant, self._now_ms = reader, tenant, now_ms()
        self._exchanges: dict[str, Prices] = {}
        self._found: dict[tuple[str, str], Price | None] = {}

    async def price(self, exchange: str, symbol: str) -> Price | None:
        """Return the newest price of a market."""
        if exchange not in self._exchanges:
            self._exchanges[exchange] = await Prices.of(self._reader, self._tenant, exchange)
        if (exchange, symbol) not in self._found:
            self._found[exchange, symbol] = await self._exchanges[exchange].of_market(symbol, self._now_ms)
        return self._found[exchange, symbol]


def _of_scope(scope: Scope) -> list[sa.ColumnElement[bool]]:
    stream = tables.streams.c
    conditions = [stream.tenant == scope.tenant, stream.action == "watchMyTrades"]
    conditions += [stream.exchange == scope.exchange] if scope.exchange is not None else []
    conditions += [stream.symbol == scope.symbol] if scope.symbol is not None else []
    return conditions


def _newest_positions(scope: Scope, sources: Collection[str], key: list[Any]) -> sa.Select[Any]:
    table = tables.positions.c
    last = _hours(scope, sources, sa.func.max(table.at_ms).label("at_ms")).subquery()
    is_last = (last.c.stream_id == table.stream_id) & (last.c.source == table.source) & (last.c.at_ms == table.at_ms)
    return (
        sa.select(*key, table.last_ms, *position_columns(table))
        .select_from(tables.positions)
        .join(last, is_last)
        .join(tables.streams, tables.streams.c.id == table.stream_id)
    )


def _hours(scope: Scope, sources: Collection[str], *columns: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """Select from the counted hours of a scope, grouped by stream and source."""
    table = tables.positions.c
    wanted = (
        sa.select(table.stream_id, table.source, *columns)
        .select_from(tables.positions)
        .join(tables.streams, tables.streams.c.id == table.stream_id)
        .where(*_of_scope(scope))
        .group_by(table.stream_id, table.source)
    )
    return wanted.where(table.source.in_(sources)) if sources else wanted


def _periods(scope: Scope, sources: Collection[str], interval: Interval | None) -> sa.Select[Any]:
    """Select for each period its first hour that was counted, the position at its end, and the one before it."""
    table, stream = tables.positions.c, tables.streams.c
    first, last = sa.func.min(table.at_ms).label("first_ms"), sa.func.max(table.at_ms).label("at_ms")
    hours = _hours(scope, sources, first, last)
    hours = hours.where(*within(scope._replace(since_ms=_first_hour(scope)), table.at_ms))
    period = (hours if interval is None else hours.group_by(interval.number_of(table.at_ms))).subquery()
    end, before, earlier = (tables.positions.alias(name) for name in ("ended", "before_it", "earlier"))

    def is_same(other: Any) -> sa.ColumnElement[bool]:
        return sa.and_(other.c.stream_id == period.c.stream_id, other.c.source == period.c.source)

    is_earlier = is_same(earlier) & (earlier.c.at_ms < period.c.first_ms)
    last_before = sa.select(sa.func.max(earlier.c.at_ms)).where(is_earlier).scalar_subquery()
    return (
        sa.select(
            *(period.c.first_ms, stream.exchange, stream.symbol, period.c.source),
            *(*position_columns(end.c), *position_columns(before.c)),
        )
        .select_from(period)
        .join(end, is_same(end) & (end.c.at_ms == period.c.at_ms))
        .outerjoin(before, is_same(before) & (before.c.at_ms == last_before))
        .join(tables.streams, stream.id == period.c.stream_id)
    )


def _first_hour(scope: Scope) -> int:
    return 0 if scope.since_ms is None else scope.since_ms - scope.since_ms % HOUR_MS


def _began_ms(at_ms: int, scope: Scope, interval: Interval | None) -> int:
    return _first_hour(scope) if interval is None else interval.open_of(at_ms)


def _position(row: Row, price: Price | None) -> PositionRecord:
    exchange, symbol, source, last_ms, *values = row
    instrument, position = Instrument.of(symbol), position_of(values)
    known = price.price if price is not None and position.quantity else None
    return PositionRecord(
        exchange=exchange,
        symbol=symbol,
        order_source=source or None,
        currency=instrument.currency,
        quantity=position.quantity,
        cost=plain(position.cost),
        average_price=average_price(position) if instrument.settle is None else None,
        price=None if price is None else price.price,
        price_at_ms=None if price is None else price.at_ms,
        unrealised=None if known is None else unrealised(position, known),
        realised=position.realised,
        fees=position.fees,
        fees_by_currency=position.fees_by_currency,
        unvalued_fees=position.unvalued_fees,
        bought=position.bought,
        sold=position.sold,
        turnover=position.turnover,
        trades=position.trades,
        updated_ms=last_ms,
    )


def _profit(row: Row, began_ms: int) -> Profit:
    _, exchange, symbol, source, *values = row
    half = len(values) // 2
    before = Position() if values[half] is None else position_of(values[half:])
    return Profit(began_ms, exchange, symbol, source, before, position_of(values[:half]))


def _equity(row: Row, *, holdings: bool) -> EquityRecord:
    at_ms, currency, value, held = row
    every, by_exchange = _HOLDINGS.decode(held), dict[str, Decimal]()
    for one in every:
        by_exchange[one.exchange] = EXACT.add(by_exchange.get(one.exchange, Decimal(0)), one.value or Decimal(0))
    return EquityRecord(
        at_ms=at_ms,
        currency=currency,
        value=Decimal(value),
        by_exchange={exchange: plain(amount) for exchange, amount in by_exchange.items()},
        unvalued=[one for one in every if one.value is None],
        holdings=every if holdings else None,
    )
