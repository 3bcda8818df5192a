"""The histories that can be exported: the rows and columns of each."""

from typing import Any, Final, Literal, NamedTuple, get_args

import sqlalchemy as sa

from millrace_store.backends.database import Reader
from millrace_store.queries.account_records import first_of_its_id, of_source
from millrace_store.queries.listings import StreamRow, streams_of
from millrace_store.queries.pages import Scope, within
from millrace_store.schema import tables
from millrace_store.schema.tables import MONEY, Table

ExportKind = Literal[
    "trades",
    "bookDeltas",
    "snapshots",
    "tickers",
    "candles",
    "ownTrades",
    "orders",
    "orderEvents",
    "balances",
    "exchangePositions",
    "events",
    "statuses",
    "requests",
    "responses",
    "failedExecutions",
    "gaps",
]
"""The histories that can be exported."""

_TABLES: Final[dict[ExportKind, Table]] = {
    "trades": tables.trades,
    "bookDeltas": tables.book_deltas,
    "snapshots": tables.snapshots,
    "tickers": tables.tickers,
    "candles": tables.candles,
    "ownTrades": tables.own_trades,
    "orders": tables.orders,
    "orderEvents": tables.order_events,
    "balances": tables.balances,
    "exchangePositions": tables.exchange_positions,
    "events": tables.events,
    "statuses": tables.statuses,
    "requests": tables.requests,
    "responses": tables.responses,
    "failedExecutions": tables.failed_executions,
    "gaps": tables.gaps,
}
KINDS: Final[tuple[ExportKind, ...]] = get_args(ExportKind)
_STREAM_KINDS: Final[dict[ExportKind, tuple[str, ...]]] = {
    "snapshots": ("snapshots",),
    "requests": ("requests",),
    "balances": ("deltas", "snapshots"),
    "gaps": ("deltas", "snapshots", "requests"),
}
"""The kinds of streams whose messages left the rows; deltas for every history that is not here."""
_OF_ACCOUNTS: Final[frozenset[ExportKind]] = frozenset(
    {
        *("ownTrades", "orders", "orderEvents", "balances", "exchangePositions"),
        *("requests", "responses", "failedExecutions"),
    }
)
_NAMED_BY_ROWS: Final = ("requests", "orders")
"""Histories whose rows hold their exchange and symbol."""
_OF_ORDERS: Final = ("ownTrades", "orderEvents")
"""Histories whose rows hold an order id."""


def has_source(kind: ExportKind) -> bool:
    """Tell whether a history can be exported of one order source."""
    return kind in _OF_ORDERS or "order_source" in _TABLES[kind].c


def is_of_account(kind: ExportKind) -> bool:
    """Tell whether a history tells of an account, rather than of streams, of which some show a market."""
    return kind in _OF_ACCOUNTS


class Column(NamedTuple):
    """A column of an exported file."""

    name: str
    is_number: bool
    """False for text. Decimals are text, so that no digit is lost."""


class Part(NamedTuple):
    """The rows of one stream, in order."""

    exchange: str | None
    symbol: str | None
    statement: sa.Select[Any]


def columns_of(kind: ExportKind) -> list[Column]:
    """Return an exported file's columns: exchange, symbol, then the table's own."""
    named = [] if kind in _NAMED_BY_ROWS else [Column("exchange", False), Column("symbol", False)]
    return named + [Column(column.name, isinstance(column.type, sa.BigInteger)) for column in _own(kind)]


async def parts_of(reader: Reader, kind: ExportKind, scope: Scope) -> list[Part]:
    """Return an export's queries, one per stream, each ordered by time."""
    table: Any = _TABLES[kind].c
    columns = [_exact(column) for column in _own(kind)]
    if kind == "orders":
        of_tenant = sa.select(*columns).where(table.tenant == scope.tenant, *_of_scope(table, scope))
        order = (table.created_ms, table.exchange, table.order_id, table.symbol)
        return [Part(None, None, of_tenant.where(*within(scope, table.created_ms)).order_by(*order))]
    wide = scope._replace(exchange=None, symbol=None) if kind in _NAMED_BY_ROWS else scope
    at = table.found_ms if kind == "gaps" else table.at_ms
    key = [table[name] for name in ("timeframe", "at_ms", "found_ms", "epoch", "seq", "n") if name in table]
    filters = _of_scope(table, scope) if kind in _NAMED_BY_ROWS else _by_source(table, scope)
    if kind in _OF_ORDERS and scope.source is not None:
        filters = (of_source(table, scope.tenant, scope.source),)
    once = (first_of_its_id(),) if kind == "ownTrades" else ()

    def part(stream: StreamRow) -> Part:
        mine = table.stream_id == sa.literal(stream.id, sa.BigInteger())
        rows = sa.select(*columns).where(mine, *filters, *once, *within(scope, at)).order_by(*key)
        return Part(stream.exchange, stream.symbol, rows)

    kinds = _STREAM_KINDS.get(kind, ("deltas",))
    return [part(stream) for one in kinds for stream in await streams_of(reader, wide, kind=one)]


def _own(kind: ExportKind) -> list[sa.ColumnClause[Any]]:
    return [column for column in _TABLES[kind].columns if column.name not in ("stream_id", "tenant")]


def _exact(column: sa.ColumnClause[Any]) -> sa.ColumnElement[Any]:
    return sa.cast(column, sa.Text()).label(column.name) if column.type is MONEY else column


def _of_scope(table: Any, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    wanted = {"exchange": scope.exchange, "symbol": scope.symbol}
    named = tuple(table[name] == value for name, value in wanted.items() if value is not None)
    return (*named, *_by_source(table, scope))


def _by_source(table: Any, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    return (table.order_source == scope.source,) if scope.source is not None and "order_source" in table else ()
