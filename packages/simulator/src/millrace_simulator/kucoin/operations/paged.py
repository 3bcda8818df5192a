"""Orders and fills as accounts that are not high-frequency ask for them: over all symbols, in numbered pages."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange
from millrace_simulator.kucoin.operations import forms, history
from millrace_simulator.kucoin.operations.naming import named_order
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Order

DEFAULT_PAGE = 50
LARGEST_PAGE = 500
RECENT = 1000
"""How many rows the lists of the last 24 hours show."""
DAY_MS = 86_400_000


def order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one order, open or done, that the exchange's id names."""
    return _show(exchange, named_order(exchange, account, parameters))


def active_order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the open order that the client's id names; one that is done is not found."""
    found = named_order(exchange, account, parameters)
    if not found.status.is_open:
        raise errors.refused("The order does not exist.")
    return _show(exchange, found)


def orders(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one page of the orders that are open, or of those that are done."""
    if parameters.choice("status", ("active", "done"), "done") == "active":
        found = history.open_orders(exchange, account, parameters)
    else:
        found = history.done_orders(exchange, account, parameters)
    return page_of([_show(exchange, order) for order in found], parameters)


def recent_orders(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the orders that ended within 24 hours."""
    found = history.done_orders(exchange, account, _last_day(exchange))
    return [_show(exchange, order) for order in found[:RECENT]]


def fills(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one page of the account's fills."""
    return page_of(_fills(exchange, account, parameters), parameters)


def recent_fills(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the fills of the last 24 hours."""
    return _fills(exchange, account, _last_day(exchange))[:RECENT]


def page_of(
    rows: list[dict[str, Any]], parameters: Parameters, *, number: str = "currentPage", size: int = DEFAULT_PAGE
) -> dict[str, Any]:
    """Return the page that the parameters ask for.

    Raises:
        KucoinError: it would be too large.
    """
    page, page_size = max(1, parameters.integer(number) or 1), parameters.integer("pageSize") or size
    if page_size > LARGEST_PAGE:
        raise errors.bad_parameter(f"pageSize should not greater than {LARGEST_PAGE}")
    first = (page - 1) * page_size
    return {
        "currentPage": page,
        "pageSize": page_size,
        "totalNum": len(rows),
        "totalPage": -(-len(rows) // page_size),
        "items": rows[first : first + page_size],
    }


def _fills(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    found = history.fills(exchange, account, parameters)
    return [{**fill, "tradeId": str(fill["tradeId"])} for fill in found]


def _last_day(exchange: Exchange) -> Parameters:
    return Parameters({"startAt": exchange.now_ms() - DAY_MS, "endAt": exchange.now_ms()})


def _show(exchange: Exchange, order: Order) -> dict[str, Any]:
    return forms.classic_order(order, exchange.venue.instrument(order.symbol).rules.quote)


ORDER = AccountOperation(order, weight=2)
ACTIVE_ORDER = AccountOperation(active_order, weight=3)
ORDERS = AccountOperation(orders, weight=2)
RECENT_ORDERS = AccountOperation(recent_orders, weight=3)
FILLS = AccountOperation(fills, weight=10)
RECENT_FILLS = AccountOperation(recent_fills, weight=20)
