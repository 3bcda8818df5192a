"""Admission: every check that an order passes before the engine sees it."""

from __future__ import annotations

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
    _check_orders(account, request, instrument, ledger)
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


def _check_orders(account: Account, request: OrderRequest, instrument: Instrument, ledger: Ledger) -> None:
    """Check how many orders stand, and that none of them has the same client order id."""
    standing = ledger.open_orders(account.account_id, request.symbol)
    if len(standing) >= instrument.rules.max_orders:
        raise RuleBroken(Rule.OPEN_ORDERS)
    waiting = sum(not order.is_working for order in standing)
    if request.type.waits_for_trigger and waiting >= instrument.rules.max_algo_orders:
        raise RuleBroken(Rule.WAITING_ORDERS)
    client_order_id = request.client_order_id
    if not client_order_id or not instrument.rules.unique_client_order_ids:
        return
    if ledger.has_open(account.account_id, request.symbol, client_order_id):
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
