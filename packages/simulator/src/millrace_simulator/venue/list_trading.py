"""Placing and canceling order lists, and what their orders do to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal

from msgspec.structs import replace

from millrace_matching import Canceled, Event, NewOrder, OrderType, Side, TimeInForce
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.admission import Admitted, admit_counted, check_orders
from millrace_simulator.venue.checks import ticket
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.errors import (
    DuplicateClientOrderId,
    PriceRelation,
    Rule,
    RuleBroken,
    SymbolHalted,
    VenueError,
)
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.listener import Listener
from millrace_simulator.venue.order_lists import ListBook, ListPlacement, ListRequest, ListStatus, OrderList
from millrace_simulator.venue.orders import (
    NO_LIST,
    ExecutionReport,
    Order,
    OrderExpiry,
    OrderRequest,
    OrderStatus,
    Placement,
    accepted,
)
from millrace_simulator.venue.settlement import Settlement

_STOPS = frozenset({OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT})


class ListTrading(Listener):
    """Keeps the lists of all accounts moving: it hears what happens to their orders, and acts when that is settled."""

    def __init__(
        self,
        book: ListBook,
        accounts: Mapping[int, Account],
        instruments: Mapping[str, Instrument],
        ledger: Ledger,
        settlement: Settlement,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._book = book
        self._accounts = accounts
        self._instruments = instruments
        self._ledger = ledger
        self._settlement = settlement
        self._clock = clock
        self._new_id = new_id
        self._pending: dict[tuple[str, int], OrderRequest] = {}
        """What each pending order asks for."""
        self._moved: dict[int, None] = {}
        self._busy = False

    def on_execution(self, report: ExecutionReport) -> None:
        """Remember the lists whose orders ended."""
        if report.order.list_id != NO_LIST and not report.order.status.is_open:
            self._moved[report.order.list_id] = None

    def place(self, account: Account, request: ListRequest) -> ListPlacement:
        """Place an order list.

        Raises:
            VenueError: it was rejected and nothing changed.
        """
        instrument = self._instruments[request.symbol]
        self._check(account, request, instrument)
        first = request.orders if request.working is None else (request.working,)
        admitted = _admit(account, first, instrument)
        order_list, orders = self._open(account, request, instrument)
        mark = self._ledger.mark(account.account_id, request.symbol)
        working, pending = orders[: len(first)], orders[len(first) :]
        with self._holding_back():
            self._work(instrument, working, admitted)
            for order in pending:
                self._settlement.clearing.report_new(order, order.created_us)
            self._settlement.report_list(order_list)
        placed = (self._ledger.placement(order, mark) for order in working)
        placement = ListPlacement(order_list, (*placed, *(Placement(order, ()) for order in pending)))
        self.advance()
        return placement

    def advance(self) -> None:
        """Do what follows from the orders that ended: bring others into the book, end them, or close their list."""
        if self._busy:
            return
        with self._holding_back():
            while self._moved:
                list_id, _ = self._moved.popitem()
                self._advance(self._book.get(list_id))

    @contextmanager
    def _holding_back(self) -> Iterator[None]:
        """Let nothing follow from what happens inside before it is over."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def reduce_pending(self, order: Order, quantity: Decimal) -> None:
        """Lower the quantity that a pending order asks for."""
        key = (order.symbol, order.order_id)
        self._pending[key] = replace(self._pending[key], quantity=quantity)

    def partner(self, order: Order) -> Order | None:
        """Return the open order that is the other one of an order's pair."""
        if order.list_id == NO_LIST:
            return None
        order_list = self._book.get(order.list_id)
        pair = order_list.pair
        if order.order_id not in pair:
            return None
        other = self._orders(order_list)[pair[1] if pair[0] == order.order_id else pair[0]]
        return other if other.status.is_open else None

    def rename(self, order: Order) -> None:
        """Enter and report the new client order id of a list's order."""
        order_list = self._book.get(order.list_id)
        known = self._orders(order_list)
        self._update(
            replace(
                order_list,
                client_order_ids=tuple(known[order_id].client_order_id for order_id in order_list.order_ids),
                status=ListStatus.UPDATED,
                updated_us=order.updated_us,
            )
        )

    def _check(self, account: Account, request: ListRequest, instrument: Instrument) -> None:
        if not instrument.trading:
            raise SymbolHalted(request.symbol)
        for each in request.all:
            ticket(each, instrument, account)
        check_orders(account, request.all, instrument, self._ledger)
        open_lists = [each for each in self._book.of(account.account_id) if each.is_open]
        if request.client_id in {each.client_id for each in open_lists}:
            raise DuplicateClientOrderId(request.client_id or "")
        if sum(each.symbol == request.symbol for each in open_lists) >= instrument.rules.max_order_lists:
            raise RuleBroken(Rule.ORDER_LISTS)

    def _open(
        self, account: Account, request: ListRequest, instrument: Instrument
    ) -> tuple[OrderList, tuple[Order, ...]]:
        """Enter a list and its orders; those that wait for the working one are pending."""
        now_us, list_id = self._clock.now_us(), self._book.next_id()
        orders = tuple(self._entered(each, account, instrument, list_id, now_us) for each in request.all)
        if request.working is not None:
            orders = (orders[0], *(self._suspended(*pair) for pair in zip(orders[1:], request.orders, strict=True)))
        for order in orders:
            self._ledger.add(order)
        order_list = OrderList(
            list_id=list_id,
            account_id=account.account_id,
            symbol=request.symbol,
            client_id=request.client_id or self._new_id(),
            contingency=request.contingency,
            order_ids=tuple(order.order_id for order in orders),
            client_order_ids=tuple(order.client_order_id for order in orders),
            created_us=now_us,
            updated_us=now_us,
        )
        self._book.update(order_list)
        return order_list, orders

    def _entered(
        self, request: OrderRequest, account: Account, instrument: Instrument, list_id: int, now_us: int
    ) -> Order:
        new = NewOrder(
            instrument.next_order_id(),
            request.side,
            quantity=instrument.scale.lots(request.quantity or Decimal(0)),
            time_in_force=request.time_in_force or TimeInForce.GTC,
            self_trade_prevention=request.self_trade_prevention or instrument.rules.default_self_trade_mode,
        )
        client_id = request.client_order_id or self._new_id()
        return accepted(request, new, account.account_id, client_id, instrument.scale, now_us, list_id)

    def _suspended(self, order: Order, request: OrderRequest) -> Order:
        self._pending[order.symbol, order.order_id] = request
        return replace(order, status=OrderStatus.PENDING_NEW, is_working=False, working_us=-1)

    def _work(self, instrument: Instrument, orders: Sequence[Order], admitted: Sequence[Admitted]) -> None:
        """Bring admitted orders into the book; of two, the first that trades ends the other."""
        self._settlement.clearing.hold(orders, admitted[0].asset, max(each.hold for each in admitted))
        for order, each in zip(orders, admitted, strict=True):
            new = replace(each.new, order_id=order.order_id)
            self._settlement.conclude(instrument, instrument.engine.submit(new))
        if len(orders) > 1:
            instrument.engine.pair(*(order.order_id for order in orders))

    def _advance(self, order_list: OrderList) -> None:
        known = self._orders(order_list)
        orders = [known[order_id] for order_id in order_list.order_ids]
        standing = [order for order in orders if order.status.is_open]
        pending = [order for order in standing if order.status is OrderStatus.PENDING_NEW]
        if not standing:
            now_us = self._clock.now_us()
            for order in orders:
                self._pending.pop((order.symbol, order.order_id), None)
            self._update(replace(order_list, status=ListStatus.ALL_DONE, updated_us=now_us))
        elif any(order.status is OrderStatus.CANCELED for order in orders):
            self._cancel(order_list, standing)
        elif pending and orders[0].status is OrderStatus.FILLED:
            self._activate(order_list, pending)
        elif pending and not orders[0].status.is_open:
            self._expire(pending, OrderExpiry.OTO_PHASE_ONE_EXPIRED)

    def _cancel(self, order_list: OrderList, orders: Sequence[Order]) -> None:
        instrument = self._instruments[order_list.symbol]
        for order in orders:
            pending = order.status is OrderStatus.PENDING_NEW
            events: list[Event] = [Canceled(order.order_id, 0)] if pending else instrument.engine.cancel(order.order_id)
            self._settlement.conclude(instrument, events)

    def _activate(self, order_list: OrderList, pending: Sequence[Order]) -> None:
        """Bring the pending orders into the book; they expire if that is refused now."""
        instrument = self._instruments[order_list.symbol]
        requests = [self._pending.pop((order.symbol, order.order_id)) for order in pending]
        try:
            admitted = _admit(self._accounts[order_list.account_id], requests, instrument)
        except VenueError:
            self._expire(pending, OrderExpiry.REJECTED)
            return
        now_us = self._clock.now_us()
        orders = [_working(order, now_us) for order in pending]
        for order in orders:
            self._ledger.update(order)
        self._work(instrument, orders, admitted)

    def _expire(self, orders: Sequence[Order], expiry: OrderExpiry) -> None:
        for order in orders:
            self._settlement.clearing.expire(order, expiry, self._clock.now_us())

    def _update(self, order_list: OrderList) -> None:
        self._book.update(order_list)
        self._settlement.report_list(order_list)

    def _orders(self, order_list: OrderList) -> Mapping[int, Order]:
        return self._ledger.of_symbol(order_list.symbol)


def _admit(account: Account, requests: Sequence[OrderRequest], instrument: Instrument) -> list[Admitted]:
    """Check one order, or a pair, against everything."""
    if len(requests) > 1:
        _check_pair(requests, instrument)
    return [admit_counted(account, request, instrument) for request in requests]


def _check_pair(pair: Sequence[OrderRequest], instrument: Instrument) -> None:
    """Check that the last price lies between the prices of a pair.

    Raises:
        PriceRelation: it does not.
    """
    last = instrument.scale.price(instrument.last_price)
    for request in pair:
        limits = request.type in {OrderType.LIMIT_MAKER, OrderType.TAKE_PROFIT_LIMIT}
        reference = (request.price if limits else request.stop_price) or Decimal(0)
        above = (request.side is Side.SELL) != (request.type in _STOPS)
        if (reference <= last) if above else (reference >= last):
            raise PriceRelation


def _working(order: Order, now_us: int) -> Order:
    """Return a pending order as it comes into the book."""
    works = not order.type.waits_for_trigger
    return replace(
        order, status=OrderStatus.NEW, is_working=works, working_us=now_us if works else -1, updated_us=now_us
    )
