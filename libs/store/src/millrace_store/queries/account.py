"""Queries of a tenant's account: orders, own trades, balances, requests, answers."""

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from millrace_store.backends.database import Database, Reader
from millrace_store.queries import account_records as make
from millrace_store.queries.listings import FoundRow, Listing, answers_of, page_of, page_rows, streams_of
from millrace_store.queries.order_history import find_order, history_of
from millrace_store.queries.pages import DEFAULT_LIMIT, Page, Scope, newest, within
from millrace_store.queries.records import (
    BalanceRecord,
    CurrentOrder,
    ExchangePositionRecord,
    FailedExecution,
    OrderHistory,
    RequestRecord,
    ResponseRecord,
    TradeRecord,
)
from millrace_store.schema import tables

_FINAL: Final = ("done", "rejected", "failed", "expired")


class AccountQueries:
    """History of a tenant's account. Pages run newest first, or oldest first with `descending=False`.

    Each query raises `BadCursor` for a cursor that is not its own.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def orders(
        self,
        scope: Scope,
        *,
        status: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        descending: bool = True,
    ) -> Page[CurrentOrder]:
        """Return orders by time of creation; `status` is ccxt's, such as `open`."""
        table = tables.orders.c
        filters = {"exchange": scope.exchange, "symbol": scope.symbol, "order_source": scope.source, "status": status}
        key = [table.created_ms, table.exchange, table.order_id, table.symbol]
        wanted = sa.select(*key, table.data).where(
            table.tenant == scope.tenant,
            *(table[name] == value for name, value in filters.items() if value is not None),
            *within(scope, table.created_ms),
        )
        rows, after = await newest(
            self._database,
            wanted,
            key,
            (int, str, str, str),
            limit,
            cursor,
            lambda row: (row[0], row[1], row[2], row[3]),
            descending=descending,
        )
        return Page([make.current_order(row[4]) for row in rows], after)

    async def order(self, scope: Scope, order_id: str) -> CurrentOrder | None:
        """Return the current state of one order; if several have the id, the scope's exchange and symbol select one.

        Raises:
            AmbiguousOrder: several orders have that id, and the scope fits more than one.
        """
        async with self._database.reading() as reader:
            return await find_order(reader, scope, order_id)

    async def order_history(
        self, scope: Scope, *, order_id: str | None = None, request_id: str | None = None
    ) -> OrderHistory | None:
        """Return everything known of one order or one request, or None.

        One of the two ids must be given. Where several orders have that id, the scope's exchange and symbol choose one.

        Raises:
            AmbiguousOrder: several orders have that id, and the scope fits more than one.
        """
        async with self._database.reading() as reader:
            return await history_of(reader, scope, order_id, request_id)

    async def own_trades(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[TradeRecord]:
        """Return the tenant's own trades by time, each once; if the scope names a source, those of its orders."""
        which: tuple[sa.ColumnElement[bool], ...] = (make.first_of_its_id(),)
        if scope.source is not None:
            which += (make.of_source(tables.own_trades.c, scope.tenant, scope.source),)
        listing = Listing(tables.own_trades, make.OWN_TRADE, limit, cursor, descending, which)
        return await page_of(self._database, scope, ("watchMyTrades",), listing, make.own_trade)

    async def balances(
        self,
        scope: Scope,
        *,
        currency: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        descending: bool = True,
    ) -> Page[BalanceRecord]:
        """Return each change of a balance, and the balances with which each epoch of the stream began."""
        which = () if currency is None else (tables.balances.c.currency == currency,)
        listing = Listing(tables.balances, make.BALANCE, limit, cursor, descending, which)
        async with self._database.reading() as reader:
            changes = await streams_of(reader, scope, "watchBalance")
            snapshots = await streams_of(reader, scope, "watchBalance", kind="snapshots")
            found, after = await page_rows(reader, scope, [*changes, *snapshots], listing)
        return Page([make.balance(one) for one in found], after)

    async def exchange_positions(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[ExchangePositionRecord]:
        """Return each change of a position, as the exchange reported it."""
        # The stream is the account's: its name has no symbol.
        table, of_account = tables.exchange_positions, scope._replace(symbol=None)
        which = () if scope.symbol is None else (table.c.symbol == scope.symbol,)
        listing = Listing(table, make.EXCHANGE_POSITION, limit, cursor, descending, which)
        return await page_of(self._database, of_account, ("watchPositions",), listing, make.exchange_position)

    async def requests(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[RequestRecord]:
        """Return requests to trade."""
        table = tables.requests.c
        # All requests of a tenant travel on one name; the exchange and the symbol are in the request.
        said = {"exchange": scope.exchange, "symbol": scope.symbol, "order_source": scope.source}
        which = tuple(table[name] == value for name, value in said.items() if value is not None)
        listing = Listing(tables.requests, make.REQUEST, limit, cursor, descending, which)
        whole = scope._replace(exchange=None, symbol=None)
        return await page_of(self._database, whole, ("traderActions",), listing, make.request, kind="requests")

    async def responses(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[ResponseRecord]:
        """Return the executor's answers to requests of every kind."""
        which = _by_source(tables.responses.c, scope)
        listing = Listing(tables.responses, make.RESPONSE, limit, cursor, descending, which)
        async with self._database.reading() as reader:
            found, after = await page_rows(reader, scope, await answers_of(reader, scope), listing)
        return Page([make.response(one) for one in found], after)

    async def failed_executions(
        self,
        scope: Scope,
        *,
        kind: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        descending: bool = True,
    ) -> Page[FailedExecution]:
        """Return every answer that is not `done`, and how the unknown ones ended."""
        table = tables.failed_executions.c
        which = (*_by_source(table, scope), *(() if kind is None else (table.kind == kind,)))
        listing = Listing(tables.failed_executions, make.FAILED, limit, cursor, descending, which)
        async with self._database.reading() as reader:
            found, after = await page_rows(reader, scope, await answers_of(reader, scope), listing)
            settled = await _settled(reader, found)
        return Page([make.failed_execution(one, settled.get(one)) for one in found], after)


def _by_source(table: Any, scope: Scope) -> tuple[sa.ColumnElement[bool], ...]:
    return () if scope.source is None else (table.order_source == scope.source,)


async def _settled(reader: Reader, found: Sequence[FoundRow]) -> dict[FoundRow, str]:
    """Return the final status of each unknown answer whose request has one by now."""
    unknown = [one for one in found if one.values[1] == "unknown"]
    table, ends = tables.responses.c, {}
    for at in range(0, len(unknown), 500):
        wanted = sa.select(table.stream_id, table.request_id, table.status).where(
            table.request_id.in_({one.values[0] for one in unknown[at : at + 500]}), table.status.in_(_FINAL)
        )
        ends.update({(stream, request): status for stream, request, status in await reader.fetch(wanted)})
    return {one: ends[key] for one in unknown if (key := (one.stream.id, one.values[0])) in ends}
