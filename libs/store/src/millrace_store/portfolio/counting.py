"""Counts own trades into the table `positions`.

A row holds what all trades of one strategy in one market add up to after the last trade of an hour. New trades, late
ones, and those whose strategy became known are counted alike: from the last row before them on.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from millrace_core.clock import MINUTE_MS
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.position import Fill, Position, after, digits
from millrace_store.backends.columns import Columns
from millrace_store.backends.database import Reader, Writer
from millrace_store.portfolio.trades import Market, fills_of, markets_of
from millrace_store.queries.account_records import AMOUNT_BY_CURRENCY, first_of_its_id
from millrace_store.schema import tables
from millrace_store.schema.streams import stream_id
from millrace_store.writing.orders import OrderRowKey

HOUR_MS: Final = 60 * MINUTE_MS
AMOUNTS: Final = ("quantity", "opened_quantity", "opened_cost", "realised", "fees", "bought", "sold", "turnover")
"""Columns that hold the amounts of a `Position`, by its names of them."""
SUMS: Final = ("fees_by_currency", "unvalued_fees")
"""Columns that hold its amounts by currency."""
_ORDERS_A_STATEMENT: Final = 500
_BIG: Final = sa.BigInteger()


async def changes(reader: Reader, own_trades: Columns, attributed: Collection[OrderRowKey]) -> dict[int, int]:
    """Return from when on each market must be counted: its first new trade, or first one of an order newly attributed.

    `own_trades` are the rows that a commit has added; of them, trades that were stored before change nothing.
    """
    found = [await _first_new(reader, list(rows)) for rows in _by_stream(own_trades)]
    found += await _first_of_orders(reader, attributed)
    since: dict[int, int] = {}
    for stream, at_ms in found:
        if at_ms is not None:
            since[stream] = min(at_ms, since.get(stream, at_ms))
    return since


async def recount(writer: Writer, stream: int, since_ms: int) -> int:
    """Count the trades of a market from a moment on; return how many. Those before it must be counted.

    The tenant must be locked by `lock_accounts`.
    """
    found = await markets_of(writer, tables.streams.c.id == sa.literal(stream, _BIG))
    if not found:
        return 0
    table, mine = tables.positions.c, tables.positions.c.stream_id == sa.literal(stream, _BIG)
    if not await writer.fetch(sa.select(table.at_ms).where(mine).limit(1)):
        since_ms = 0  # nothing was counted yet
    hour_ms = _hour(since_ms)
    affected = (mine, table.at_ms >= sa.literal(hour_ms, _BIG), table.last_ms >= sa.literal(since_ms, _BIG))
    first = (await writer.fetch(sa.select(sa.func.min(table.at_ms)).where(*affected)))[0][0]
    # A row of that very hour goes, so what it held from before the moment is counted again too.
    start_ms = hour_ms if first == hour_ms else since_ms
    tally = _Tally(found[0], since_ms)
    async for source, fill, unpriced in fills_of(writer, found[0], start_ms):
        await tally.add(writer, source, fill, unpriced)
    await writer.execute(sa.delete(tables.positions).where(*affected))
    await tally.write(writer)
    return tally.trades


class _Tally:
    """The rows that a count makes."""

    def __init__(self, market: Market, since_ms: int) -> None:
        self._market, self._since_ms = market, since_ms
        self._instrument = market.instrument
        self._bases: dict[str, int] = {}
        """By source, up to when its trades were counted before."""
        self._positions: dict[str, Position] = {}
        self._rows: dict[tuple[str, int], tuple[int, Position]] = {}
        self._unpriced: set[tuple[str, int]] = set()
        self.trades = 0

    async def add(self, reader: Reader, source: str, fill: Fill, unpriced: Collection[str]) -> None:
        """Count a fill unless it was counted before."""
        if source not in self._positions:
            self._bases[source], self._positions[source] = await _base(reader, self._market, source, self._since_ms)
        if fill.at_ms <= self._bases[source]:
            return
        self._positions[source] = after(self._positions[source], [fill], self._instrument)
        self._rows[source, _hour(fill.at_ms)] = fill.at_ms, self._positions[source]
        self.trades += 1
        self._unpriced.update((currency, fill.at_ms - fill.at_ms % MINUTE_MS) for currency in unpriced)

    async def write(self, writer: Writer) -> None:
        """Write the rows, and which prices of fees' currencies are wanted."""
        stream = self._market.stream
        rows = [
            (stream, source, hour, last, *_values(position)) for (source, hour), (last, position) in self._rows.items()
        ]
        if rows:
            await writer.replace(tables.positions, rows)
        if self._unpriced:
            await writer.insert_missing(tables.fee_prices, [(stream, *one, None) for one in sorted(self._unpriced)])


def position_of(row: Sequence[Any]) -> Position:
    """Return the position of a row's columns `trades`, `AMOUNTS` and `SUMS`."""
    trades, *values = row
    amounts = dict(zip(AMOUNTS, map(Decimal, values[: len(AMOUNTS)]), strict=True))
    sums = dict(zip(SUMS, map(AMOUNT_BY_CURRENCY.decode, values[len(AMOUNTS) :]), strict=True))
    return Position(trades=trades, **amounts, **sums)  # type: ignore[arg-type]


def position_columns(table: Any) -> tuple[sa.ColumnClause[Any], ...]:
    """Return the columns of a position, for `position_of`."""
    return tuple(table[name] for name in ("trades", *AMOUNTS, *SUMS))


def _values(position: Position) -> tuple[Any, ...]:
    amounts = (digits(getattr(position, name)) for name in AMOUNTS)
    sums = ({code: digits(amount) for code, amount in getattr(position, name).items()} for name in SUMS)
    return (position.trades, *amounts, *(msgspec.json.encode(one).decode() for one in sums))


async def _base(reader: Reader, market: Market, source: str, since_ms: int) -> tuple[int, Position]:
    """Return the last row of a source from before a moment: up to when it counts, and its position."""
    table = tables.positions.c
    wanted = (
        sa.select(table.last_ms, *position_columns(table))
        .where(
            table.stream_id == sa.literal(market.stream, _BIG),
            table.source == source,
            table.at_ms <= sa.literal(since_ms, _BIG),
            table.last_ms < sa.literal(since_ms, _BIG),
        )
        .order_by(table.at_ms.desc())
        .limit(1)
    )
    rows = await reader.fetch(wanted)
    return (rows[0][0], position_of(rows[0][1:])) if rows else (-1, Position())


def _by_stream(own_trades: Columns) -> Collection[list[tuple[int, int, int, int]]]:
    """Return stream, time and message of each row, stream by stream."""
    rows: dict[int, list[tuple[int, int, int, int]]] = {}
    for row in zip(*own_trades.lists[:4], strict=True):
        rows.setdefault(row[0], []).append(row)
    return rows.values()


async def _first_new(reader: Reader, rows: list[tuple[int, int, int, int]]) -> tuple[int, int | None]:
    """Return a stream, and the time of the first of these rows that is no repetition."""
    stream, times = rows[0][0], [row[1] for row in rows]
    table = tables.own_trades.c
    message = sa.tuple_(*(sa.literal(part, _BIG) for part in min(row[2:4] for row in rows)))
    wanted = sa.select(sa.func.min(table.at_ms)).where(
        table.stream_id == sa.literal(stream, _BIG),
        table.at_ms.between(sa.literal(min(times), _BIG), sa.literal(max(times), _BIG)),
        sa.tuple_(table.epoch, table.seq) >= message,
        first_of_its_id(),
    )
    return stream, (await reader.fetch(wanted))[0][0]


async def _first_of_orders(reader: Reader, orders: Collection[OrderRowKey]) -> list[tuple[int, int]]:
    """Return the streams that have trades of these orders, with the times of those."""
    wanted: set[tuple[int, str]] = set()
    for tenant, exchange, order_id, symbol in orders:
        if symbol:
            name = StreamName(Tenant(tenant), ExchangeId(exchange), Action("watchMyTrades"), Symbol(symbol))
            wanted.add((stream_id(str(name)), order_id))
    order_ids, table, found = sorted({order_id for _, order_id in wanted}), tables.own_trades.c, []
    for at in range(0, len(order_ids), _ORDERS_A_STATEMENT):
        # By the order alone: given the stream too, a planner may read all of it for the few trades that it wants.
        of_orders = sa.select(table.stream_id, table.order_id, table.at_ms).where(
            table.order_id.in_(order_ids[at : at + _ORDERS_A_STATEMENT])
        )
        found += [
            (stream, at_ms) for stream, order, at_ms in await reader.fetch(of_orders) if (stream, order) in wanted
        ]
    return found


def _hour(at_ms: int) -> int:
    return at_ms - at_ms % HOUR_MS
