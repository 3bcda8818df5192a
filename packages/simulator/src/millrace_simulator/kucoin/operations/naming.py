"""Which order a request names: by the exchange's id or the client's."""

from __future__ import annotations

from millrace_simulator.kucoin import errors
from millrace_simulator.kucoin.exchange import Exchange
from millrace_simulator.kucoin.parameters import Parameters
from millrace_simulator.venue import Account, Order, OrderRef
from millrace_simulator.venue.errors import UnknownOrder


def named_order(exchange: Exchange, account: Account, parameters: Parameters) -> Order:
    """Return the order that `orderId` or `clientOid` names, on `symbol` when that is given.

    Raises:
        KucoinError: neither was sent, or the account has no such order.
    """
    order_id, client_id = parameters.text("orderId"), parameters.text("clientOid")
    if order_id is not None:
        found = _by_order_id(exchange, account, order_id)
    elif client_id is not None:
        found = _by_client_id(exchange, account, client_id, [each.symbol for each in exchange.instruments(parameters)])
    else:
        raise errors.missing("orderId")
    if found is None or parameters.text("symbol") not in (None, found.symbol):
        raise errors.no_such_order()
    return found


def _by_order_id(exchange: Exchange, account: Account, order_id: str) -> Order | None:
    try:
        symbol, number = exchange.order_place(order_id)
        return exchange.venue.order(account, symbol, OrderRef(number))
    except (LookupError, UnknownOrder):
        return None


def _by_client_id(exchange: Exchange, account: Account, client_id: str, symbols: list[str]) -> Order | None:
    """Return the newest order that has a client's id, on any of these symbols."""
    found = []
    for symbol in symbols:
        try:
            found.append(exchange.venue.order(account, symbol, OrderRef(client_order_id=client_id)))
        except UnknownOrder:
            continue
    return max(found, key=lambda order: order.created_us, default=None)
