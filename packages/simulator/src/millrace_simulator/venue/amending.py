"""Amending: less of an open order, which keeps its place in the book."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from millrace_matching import Event
from millrace_simulator.venue.checks import check_quantity
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.errors import Amend, AmendRejected, DuplicateClientOrderId, Rule, RuleBroken, UnknownOrder
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.list_trading import ListTrading
from millrace_simulator.venue.order_changes import Amendment
from millrace_simulator.venue.orders import NO_LIST, Order, OrderStatus
from millrace_simulator.venue.settlement import Settlement


class Amended(Struct, frozen=True):
    """An order that was amended."""

    order: Order
    """Its new state."""
    amendment: Amendment


class Amending:
    """Amends orders, and the other one of a pair with each."""

    def __init__(
        self, ledger: Ledger, settlement: Settlement, lists: ListTrading, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._ledger = ledger
        self._settlement = settlement
        self._lists = lists
        self._clock = clock
        self._new_id = new_id

    def amend(self, order: Order, instrument: Instrument, quantity: Decimal, client_order_id: str | None) -> Amended:
        """Lower an order's quantity, and give it a client order id: a new one by default.

        Raises:
            VenueError: it was refused and nothing changed.
        """
        self._check(order, instrument, quantity, client_order_id)
        partner = self._lists.partner(order)
        self._reduce(order, instrument, quantity, client_order_id or self._new_id(), frees=True)
        if partner is not None:
            self._reduce(partner, instrument, quantity, partner.client_order_id, frees=False)
        amended = self._ledger.of_symbol(order.symbol)[order.order_id]
        if order.list_id != NO_LIST and amended.client_order_id != order.client_order_id:
            self._lists.rename(amended)
        return Amended(amended, self._ledger.amendments(order.symbol, order.order_id)[-1])

    def _check(self, order: Order, instrument: Instrument, quantity: Decimal, client_order_id: str | None) -> None:
        if not order.status.is_open:
            raise UnknownOrder(order.symbol)
        if order.amendments >= instrument.rules.max_amendments:
            raise RuleBroken(Rule.AMENDMENTS)
        if quantity == order.quantity:
            raise AmendRejected(Amend.NO_CHANGE)
        if quantity > order.quantity:
            raise AmendRejected(Amend.INCREASE)
        if quantity <= order.quantity - order.available:
            raise AmendRejected(Amend.FILLED)
        check_quantity(quantity, order.price or order.stop_price or Decimal(0), instrument)
        used = client_order_id and self._ledger.has_open(order.account_id, order.symbol, client_order_id)
        if client_order_id is not None and used and client_order_id != order.client_order_id:
            raise DuplicateClientOrderId(client_order_id)

    def _reduce(
        self, order: Order, instrument: Instrument, quantity: Decimal, client_order_id: str, *, frees: bool
    ) -> None:
        events: list[Event] = []
        if order.status is OrderStatus.PENDING_NEW:
            self._lists.reduce_pending(order, quantity)
        else:
            left = instrument.scale.lots(quantity - (order.quantity - order.available)) or 0
            events = instrument.engine.reduce(order.order_id, left)
        self._settlement.clearing.amend(order, quantity, client_order_id, self._clock.now_us(), frees=frees)
        self._settlement.conclude(instrument, events)
