"""Which rows a query asks for: the parameters that every history takes, and the tenant that only the token gives."""

from typing import Annotated, NamedTuple

from fastapi import Depends, Query

from millrace_api.access.principal import Caller, Principal
from millrace_api.problems import ApiError
from millrace_api.times import Timestamp
from millrace_core.names import PUBLIC, ExchangeId, Symbol, Tenant
from millrace_store import Scope
from millrace_store.scope import MAX_LIMIT

ExchangeQuery = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="ccxt's id of an exchange", examples=["binance"])
]
SymbolQuery = Annotated[
    str | None, Query(pattern=r"^[^\s*?\[\]\x00]{1,64}$", description="ccxt's symbol", examples=["ETH/BTC"])
]
SourceQuery = Annotated[
    str | None, Query(max_length=128, pattern=r"^[^\x00]*$", description="Only of orders of this `orderSource`.")
]
TenantQuery = Annotated[
    str | None,
    Query(max_length=64, description="Your own (so when not given), or PUBLIC; any other is denied and logged."),
]


class Paging(NamedTuple):
    """Which page of a query is wanted."""

    limit: int
    cursor: str | None


def tenant_of(principal: Principal, wanted: str | None, *, public: bool = True) -> Tenant:
    """Return the tenant whose data is meant: the token's own, or the one of the feeds that all share.

    Raises:
        ApiError: it is another's.
    """
    if wanted is None or wanted == principal.tenant:
        return principal.tenant
    if public and wanted == PUBLIC:
        return PUBLIC
    raise ApiError(403, f"this token is of the tenant {principal.tenant}; leave `tenant` out to get its data")


def _market_scope(
    caller: Caller,
    tenant: TenantQuery = None,
    exchange: ExchangeQuery = None,
    symbol: SymbolQuery = None,
    since: Annotated[Timestamp | None, Query(description="From then on, inclusive.")] = None,
    until: Annotated[Timestamp | None, Query(description="Until then, exclusive.")] = None,
) -> Scope:
    return scope_of(tenant_of(caller, tenant), exchange, symbol, since, until)


def _account_scope(
    caller: Caller,
    tenant: TenantQuery = None,
    exchange: ExchangeQuery = None,
    symbol: SymbolQuery = None,
    since: Annotated[Timestamp | None, Query(description="From then on, inclusive.")] = None,
    until: Annotated[Timestamp | None, Query(description="Until then, exclusive.")] = None,
) -> Scope:
    return scope_of(tenant_of(caller, tenant, public=False), exchange, symbol, since, until)


def scope_of(
    of: Tenant, exchange: str | None, symbol: str | None, since: int | None = None, until: int | None = None
) -> Scope:
    """Return the scope that parameters name, checked by their patterns."""
    return Scope(
        of,
        exchange=None if exchange is None else ExchangeId(exchange),
        symbol=None if symbol is None else Symbol(symbol),
        since_ms=since,
        until_ms=until,
    )


def _paging(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows a page.")] = 1_000,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the page before.")] = None,
) -> Paging:
    return Paging(limit, cursor)


MarketScope = Annotated[Scope, Depends(_market_scope)]
"""Data of markets: the tenant's own feeds, or the public ones."""
AccountScope = Annotated[Scope, Depends(_account_scope)]
"""What is the tenant's alone."""


def _sourced_scope(scope: AccountScope, source: SourceQuery = None) -> Scope:
    return scope._replace(source=source)


SourcedScope = Annotated[Scope, Depends(_sourced_scope)]
"""What came of the tenant's orders."""
PageWanted = Annotated[Paging, Depends(_paging)]
