"""Admission: every check that an order passes before the engine sees it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from millrace_matching import NewOrder, OrderType, Side, TimeInForce
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.checks import Ticket, hold_rate, ticket
from millrace_simulator.venue.errors import (
    DuplicateClientOrderId,
    InsufficientBalance,
    Rule,
    RuleBroken,
    SymbolHalted,
    WouldTake,
    WouldTrigger,
)
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.orders import OrderRequest


class Admitted(Struct, frozen=True):
    """An order that the engine will accept, and the amount to lock for it."""

    new: NewOrder
    """Not yet numbered."""
    asset: str
    hold: Decimal


def admit(account: Account, request: OrderRequest, instrument: Instrument, ledger: Ledger) -> Admitted:
    """Check the symbol, its rules, the account, then the book; nothing is changed.

    Raises:
        VenueError: the order is refused.
    """
    if not instrument.trading:
        raise SymbolHalted(request.symbol)
    checked = ticket(request, instrument, account)
    check_orders(account, (request,), instrument, ledger)
    return _admitted(account, request, instrument, checked)


def admit_counted(account: Account, request: OrderRequest, instrument: Instrument) -> Admitted:
    """Check an order that is counted among those that stand already: its rules, the account, then the book.

    Raises:
        VenueError: the order is refused.
    """
    return _admitted(account, request, instrument, ticket(request, instrument, account))


def _admitted(account: Account, request: OrderRequest, instrument: Instrument, checked: Ticket) -> Admitted:
    free = account.free(checked.asset)
    if free < checked.hold:
        raise InsufficientBalance(checked.asset, checked.hold, free)
    hold = max(checked.hold, min(checked.hold_up_to, free))
    new = _new_order(account, request, checked, instrument, hold)
    if instrument.rules.refuses_takers and would_take(new, instrument):
        raise WouldTake
    if instrument.engine.would_trigger(new):
        raise WouldTrigger
    return Admitted(new, checked.asset, hold)


def would_take(new: NewOrder, instrument: Instrument) -> bool:
    """Tell whether a limit-maker order would trade at once."""
    return new.type is OrderType.LIMIT_MAKER and instrument.engine.side(new.side.opposite).reaches(new.price)


def check_orders(account: Account, requests: Sequence[OrderRequest], instrument: Instrument, ledger: Ledger) -> None:
    """Check how many orders would stand, and that no two of them have the same client order id.

    Raises:
        RuleBroken: they are too many.
        DuplicateClientOrderId: one has a client order id that another has, or an open order.
    """
    standing = ledger.open_orders(account.account_id, instrument.symbol)
    if len(standing) + len(requests) > instrument.rules.max_orders:
        raise RuleBroken(Rule.OPEN_ORDERS)
    if wait := sum(request.type.waits_for_trigger for request in requests):
        waiting = sum(order.type.waits_for_trigger and not order.is_working for order in standing)
        if waiting + wait > instrument.rules.max_algo_orders:
            raise RuleBroken(Rule.WAITING_ORDERS)
    if not instrument.rules.unique_client_order_ids:
        return
    ids = [request.client_order_id for request in requests if request.client_order_id]
    for client_order_id in ids:
        used = ledger.has_open(account.account_id, instrument.symbol, client_order_id)
        if used or ids.count(client_order_id) > 1:
            raise DuplicateClientOrderId(client_order_id)


def _new_order(
    account: Account, request: OrderRequest, checked: Ticket, instrument: Instrument, hold: Decimal
) -> NewOrder:
    budget = checked.budget
    if budget is None and checked.price is None and request.side is Side.BUY:
        budget = instrument.scale.budget(hold / (1 + hold_rate(account, instrument)))
    return NewOrder(
        0,
        request.side,
        request.type,
        checked.lots,
        checked.price,
        request.time_in_force or TimeInForce.GTC,
        checked.trigger,
        budget,
        account.account_id,
        request.self_trade_prevention or instrument.rules.default_self_trade_mode,
        request.hidden,
    )
