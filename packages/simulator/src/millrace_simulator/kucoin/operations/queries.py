"""Orders and fills as high-frequency accounts ask for them: by symbol, in pages that go on from a number."""

from __future__ import annotations

from typing import Any

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import AccountOperation, Exchange
from millrace_simulator.kucoin.operations import forms, history
from millrace_simulator.kucoin.operations.naming import named_order
from millrace_simulator.kucoin.operations.paged import page_of
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Order

DEFAULT_ROWS = 20
MOST_ROWS = 100


def order(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one order, open or done, that the exchange's id or the client's names."""
    exchange.instrument(parameters)
    found = named_order(exchange, account, parameters)
    if forms.is_waiting(found):
        raise errors.no_such_order()
    return _show(exchange, found)


def open_orders(exchange: Exchange, account: Account, parameters: Parameters) -> list[dict[str, Any]]:
    """Return the open orders of a symbol, newest first."""
    exchange.instrument(parameters)
    return [_show(exchange, order) for order in history.open_orders(exchange, account, parameters)]


def open_orders_by_page(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return one page of the open orders of a symbol."""
    return page_of(open_orders(exchange, account, parameters), parameters, number="pageNum", size=DEFAULT_ROWS)


def open_symbols(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the symbols on which orders are open."""
    found = history.open_orders(exchange, account, parameters)
    return {"symbols": sorted({order.symbol for order in found})}


def done_orders(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return orders of a symbol that are done, the latest first."""
    exchange.instrument(parameters)
    found = history.done_orders(exchange, account, parameters)
    rows, last = _after_last([(_number(order), _show(exchange, order)) for order in found], parameters)
    return {"lastId": last, "items": rows}


def fills(exchange: Exchange, account: Account, parameters: Parameters) -> dict[str, Any]:
    """Return the account's fills of a symbol, the latest first."""
    exchange.instrument(parameters)
    found = [(fill["id"], fill) for fill in history.fills(exchange, account, parameters)]
    rows, last = _after_last(found, parameters)
    return {"items": rows, "lastId": last}


def _after_last(
    rows: list[tuple[int, dict[str, Any]]], parameters: Parameters
) -> tuple[list[dict[str, Any]], int | None]:
    """Return the rows below `lastId`, as many as were asked for, and the number of the last one."""
    last, limit = parameters.integer("lastId"), parameters.integer("limit") or DEFAULT_ROWS
    below = [row for row in rows if not last or row[0] < last][: min(limit, MOST_ROWS)]
    return [row for _, row in below], below[-1][0] if below else None


def _number(order: Order) -> int:
    """Return a number that falls from one order to the next in a list of those that are done."""
    return order.updated_us * 1000 + order.order_id % 1000


def _show(exchange: Exchange, order: Order) -> dict[str, Any]:
    return forms.high_frequency_order(order, exchange.venue.instrument(order.symbol).rules.quote)


ORDER = AccountOperation(order, weight=2)
OPEN_ORDERS = AccountOperation(open_orders, weight=2)
OPEN_ORDERS_BY_PAGE = AccountOperation(open_orders_by_page, weight=2)
OPEN_SYMBOLS = AccountOperation(open_symbols, weight=2)
DONE_ORDERS = AccountOperation(done_orders, weight=2)
FILLS = AccountOperation(fills, weight=2)
