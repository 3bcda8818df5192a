"""Queries of what a tenant owns and did: orders, own trades, balances, requests, answers."""

from millrace_store.database import Database
from millrace_store.records import (
    BalanceRecord,
    FailedExecution,
    OrderRecord,
    OrderStory,
    RequestRecord,
    ResponseRecord,
    TradeRecord,
)
from millrace_store.scope import DEFAULT_LIMIT, Page, Scope


class Account:
    """What a tenant did. Pages run newest first, or oldest first with `descending=False`."""

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
    ) -> Page[OrderRecord]:
        """Give orders by when they were created; `status` is ccxt's, such as `open`."""
        raise NotImplementedError

    async def story(
        self, scope: Scope, *, order_id: str | None = None, request_id: str | None = None
    ) -> OrderStory | None:
        """Give everything known of one order or of one request; None when nothing is.

        One of the two ids must be given. `scope` needs a tenant only; an exchange makes an order's id unambiguous.
        """
        raise NotImplementedError

    async def own_trades(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[TradeRecord]:
        """Give the tenant's own trades by their time."""
        raise NotImplementedError

    async def balances(
        self,
        scope: Scope,
        *,
        currency: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        descending: bool = True,
    ) -> Page[BalanceRecord]:
        """Give each change of a balance."""
        raise NotImplementedError

    async def requests(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[RequestRecord]:
        """Give requests to trade."""
        raise NotImplementedError

    async def responses(
        self, scope: Scope, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None, descending: bool = True
    ) -> Page[ResponseRecord]:
        """Give the executor's answers."""
        raise NotImplementedError

    async def failed_executions(
        self,
        scope: Scope,
        *,
        kind: str | None = None,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
        descending: bool = True,
    ) -> Page[FailedExecution]:
        """Give every answer that was not `done`, and how the unknown ones ended."""
        raise NotImplementedError
