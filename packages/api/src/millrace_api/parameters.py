"""Query parameters that routes share, and the tenant and rows that they select.

Unknown parameters are errors: a mistyped filter would return, or cancel, more than was meant.
"""

from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, NamedTuple

from fastapi import Depends, Query, Request

from millrace_api.access.principal import Caller, Principal
from millrace_api.access.sharing import readable_actions
from millrace_api.problems import ApiError
from millrace_api.times import Timestamp
from millrace_core.errors import InvalidName, Problem
from millrace_core.names import PUBLIC, ExchangeId, Symbol, Tenant, tenant
from millrace_store import Scope
from millrace_store.queries.pages import MAX_LIMIT

ExchangeQuery = Annotated[
    str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,32}$", description="ccxt's id of an exchange", examples=["binance"])
]
SymbolQuery = Annotated[
    str | None, Query(pattern=r"^[^\s*?\[\]\x00]{1,64}$", description="ccxt's symbol", examples=["ETH/BTC"])
]
SourceQuery = Annotated[
    str | None, Query(max_length=128, pattern=r"^[^\x00]*$", description="Only orders with this `orderSource`.")
]
TenantQuery = Annotated[
    str | None,
    Query(max_length=64, description="Your own (the default) or PUBLIC; any other is denied and audited."),
]
AdministeredQuery = Annotated[
    str | None, Query(max_length=64, description="Your own (the default). An operator may name any tenant.")
]


class Paging(NamedTuple):
    """The requested page of a query."""

    limit: int
    cursor: str | None


def tenant_of(principal: Principal, wanted: str | None, *, public: bool = True) -> Tenant:
    """Return the requested tenant: the token's own, or PUBLIC, whose feeds all tenants share.

    Raises:
        ApiError: it is another tenant.
    """
    if wanted is None or wanted == principal.tenant:
        return principal.tenant
    if public and wanted == PUBLIC:
        return PUBLIC
    raise ApiError(403, f"this token belongs to the tenant {principal.tenant}; omit `tenant` to read its data")


def administered(principal: Principal, wanted: str | None) -> Tenant:
    """Return the tenant whose tokens are meant: the caller's own, or any that an operator names.

    Raises:
        ApiError: it is another tenant, and the caller is no operator; or no tenant has such a name.
    """
    if wanted is None or not principal.is_operator:
        return tenant_of(principal, wanted, public=False)
    try:
        return tenant(wanted)
    except InvalidName as error:
        raise ApiError(422, str(error), problems=[Problem("query.tenant", str(error))]) from error


def _scope(
    caller: Caller,
    tenant: TenantQuery = None,
    exchange: ExchangeQuery = None,
    symbol: SymbolQuery = None,
    since: Annotated[Timestamp | None, Query(description="Start of the time range, inclusive.")] = None,
    until: Annotated[Timestamp | None, Query(description="End of the time range, exclusive.")] = None,
) -> Scope:
    of = tenant_of(caller, tenant)
    return scope_of(of, exchange, symbol, since, until)._replace(actions=readable_actions(caller, of))


MarketScope = Annotated[Scope, Depends(_scope)]
"""Streams: all of the tenant's own, or the market feeds of PUBLIC."""


def own_account(caller: Principal, scope: Scope) -> Scope:
    """Return a scope of the caller's own account.

    Raises:
        ApiError: it is another tenant's; the account of PUBLIC is not shared either.
    """
    return scope._replace(tenant=tenant_of(caller, scope.tenant, public=False))


def _account_scope(caller: Caller, scope: MarketScope) -> Scope:
    return own_account(caller, scope)


AccountScope = Annotated[Scope, Depends(_account_scope)]
"""Data of the tenant's own account."""


def scope_of(
    of: Tenant, exchange: str | None, symbol: str | None, since: int | None = None, until: int | None = None
) -> Scope:
    """Return the scope that the parameters name; their patterns have been checked."""
    return Scope(
        of,
        exchange=None if exchange is None else ExchangeId(exchange),
        symbol=None if symbol is None else Symbol(symbol),
        since_ms=since,
        until_ms=until,
    )


def _paging(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Rows per page.")] = 1_000,
    cursor: Annotated[str | None, Query(max_length=512, description="`next_cursor` of the previous page.")] = None,
) -> Paging:
    return Paging(limit, cursor)


def _sourced_scope(scope: AccountScope, source: SourceQuery = None) -> Scope:
    return scope._replace(source=source)


SourcedScope = Annotated[Scope, Depends(_sourced_scope)]
"""Data of the tenant's orders, filtered by their source."""
PageWanted = Annotated[Paging, Depends(_paging)]


def only_known(document: Callable[[], dict[str, Any]]) -> Callable[[Request], None]:
    """Return the dependency that rejects parameters that are not in OpenAPI's `document`, and those that come twice."""

    @cache
    def known() -> dict[str, dict[str, bool]]:
        """Return the parameters of each operation, and whether each may be repeated."""
        return {
            operation["operationId"]: {
                each["name"]: '"array"' in str(each["schema"]).replace("'", '"')
                for each in operation.get("parameters", ())
                if each["in"] == "query"
            }
            for methods in document()["paths"].values()
            for operation in methods.values()
        }

    def check(request: Request) -> None:
        names = known()[request.scope["route"].operation_id]
        if strange := [name for name in request.query_params if name not in names]:
            there = ", ".join(names) or "none"
            problems = [Problem(f"query.{name}", f"unknown parameter; known: {there}") for name in strange]
            raise ApiError(422, "invalid request; nothing was changed", problems=problems)
        asked = request.query_params
        if twice := [name for name in asked if not names[name] and len(asked.getlist(name)) > 1]:
            problems = [Problem(f"query.{name}", "may be given once") for name in twice]
            raise ApiError(422, "invalid request; nothing was changed", problems=problems)

    return check
