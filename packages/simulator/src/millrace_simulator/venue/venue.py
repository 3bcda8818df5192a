"""The venue: symbols, accounts, and the actions that accounts may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random
from string import ascii_letters, digits

from msgspec.structs import replace

from millrace_matching import Accepted, Canceled, Event, Expired, ExpiryReason, NewOrder, OrderType, Side
from millrace_simulator.venue.accounts import Account, AccountSettings
from millrace_simulator.venue.admission import admit, would_take
from millrace_simulator.venue.amending import Amended, Amending
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.errors import (
    CancelRestricted,
    UnknownOrder,
    UnknownOrderList,
    UnknownSymbol,
)
from millrace_simulator.venue.history import BookHistory
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.lifetimes import Lifetimes
from millrace_simulator.venue.list_trading import ListTrading
from millrace_simulator.venue.listener import BalanceChange, Listener
from millrace_simulator.venue.order_lists import ListBook, ListPlacement, ListRef, ListRequest
from millrace_simulator.venue.orders import (
    Cancellation,
    CancelRestriction,
    OrderRef,
    OrderRequest,
    OrderStatus,
    Placement,
    accepted,
)
from millrace_simulator.venue.past import Past
from millrace_simulator.venue.records import Records
from millrace_simulator.venue.rules import SymbolRules
from millrace_simulator.venue.settlement import Settlement

_ID_CHARACTERS = digits + ascii_letters
_ID_LENGTH = 22


class Venue(Records):
    """An exchange: each call is one indivisible action."""

    def __init__(
        self,
        symbols: Sequence[SymbolRules],
        accounts: Sequence[AccountSettings] = (),
        *,
        clock: Clock,
        seed: int = 1,
        record: bool = False,
        past: Past | None = None,
    ) -> None:
        self.clock = clock
        self.history: BookHistory | None = BookHistory() if record else None
        """Every past book; None unless recording."""
        self._seed = seed
        self._instruments = {rules.symbol: self._instrument(rules) for rules in symbols}
        now_us, past = clock.now_us(), past or Past()
        members = {number: Account(number, settings, now_us) for number, settings in enumerate(accounts, 1)}
        order_lists = ListBook(each for each in past.order_lists.values() if each.account_id in members)
        super().__init__(self._instruments, members, Ledger(), order_lists)
        self._resume(past, now_us)
        self._settlement = Settlement(clock, members, self._ledger, past.execution_id)
        if self.history is not None:
            self.listen(self.history)
        self._clearing = self._settlement.clearing
        self._lists = ListTrading(
            order_lists, members, self._instruments, self._ledger, self._settlement, clock, self._new_id
        )
        self._settlement.afterwards(self._lists.advance)
        self.listen(self._lists)
        self._amending = Amending(self._ledger, self._settlement, self._lists, clock, self._new_id)
        self._lifetimes = Lifetimes()
        self._delisted: dict[str, Instrument] = {}
        """By name; it may be listed again."""
        self._ids = Random(f"{seed} client order ids {past.execution_id}")  # noqa: S311

    def _resume(self, past: Past, now_us: int) -> None:
        """Go on where an earlier run ended; of symbols and accounts that are no longer listed nothing is kept."""
        for symbol, instrument in self.instruments.items():
            instrument.resume(past.trades.get(symbol, ()), past.last_order_id(symbol), now_us)
        orders = [order for order in past.orders.values() if order.account_id in self.accounts]
        self._ledger.resume(orders, past.fills, past.prevented.values(), past.amendments)
        for (account_id, _), balance in past.balances.items():
            if (account := self.accounts.get(account_id)) is not None:
                account.resume(balance)

    def _instrument(self, rules: SymbolRules) -> Instrument:
        rng = Random(f"{self._seed} {rules.symbol}")  # noqa: S311
        return Instrument(rules, self.clock, rng, keep_all_trades=self.history is not None)

    def list_symbol(self, rules: SymbolRules) -> Instrument:
        """List a symbol that is not listed, and notify every listener; no number is ever given twice."""
        instrument = self._instruments[rules.symbol] = self._instrument(rules)
        if (former := self._delisted.pop(rules.symbol, None)) is not None:
            instrument.succeed(former, self.clock.now_us())
        for listener in self._settlement.listeners:
            listener.on_listing(instrument)
        return instrument

    def delist(self, symbol: str) -> None:
        """List a symbol no more: no order is accepted any longer, and the open ones expire.

        Raises:
            UnknownSymbol: it is not listed.
        """
        instrument = self.instrument(symbol)
        instrument.trading = False
        known = self._ledger.of_symbol(symbol)
        for account_id in self.accounts:
            for order in self._ledger.open_orders(account_id, symbol):
                # An order of a list may have ended with the one before.
                if known[order.order_id].status.is_open:
                    self._settlement.conclude(instrument, _ended(order.order_id, instrument))
        self._delisted[symbol] = self._instruments.pop(symbol)

    def listen(self, listener: Listener) -> None:
        """Add a listener; listeners are called in the order in which they were added."""
        self._settlement.listeners = [*self._settlement.listeners, listener]

    def unlisten(self, listener: Listener) -> None:
        """Remove a listener."""
        self._settlement.listeners = [other for other in self._settlement.listeners if other is not listener]

    def check(self, account: Account, request: OrderRequest) -> None:
        """Run every check of `place` and change nothing.

        Raises:
            VenueError: the error that `place` would have raised.
        """
        admit(account, request, self.instrument(request.symbol), self._ledger)

    def place(self, account: Account, request: OrderRequest) -> Placement:
        """Place an order and match it.

        A market, IOC or FOK order that finds too little gets the status EXPIRED, as at Binance.

        Raises:
            VenueError: it was rejected and nothing changed.
        """
        instrument = self.instrument(request.symbol)
        admitted = admit(account, request, instrument, self._ledger)
        new = replace(admitted.new, order_id=instrument.next_order_id())
        client_id = request.client_order_id or self._new_id()
        order = accepted(request, new, account.account_id, client_id, instrument.scale, self.clock.now_us())
        self._clearing.enter(order, admitted.asset, admitted.hold)
        mark = self._ledger.mark(account.account_id, order.symbol)
        self._settlement.conclude(instrument, _submitted(new, instrument))
        self._lifetimes.add(order)
        return self._ledger.placement(order, mark)

    def cancel(
        self,
        account: Account,
        symbol: str,
        ref: OrderRef,
        *,
        cancel_client_order_id: str | None = None,
        restriction: CancelRestriction | None = None,
    ) -> Cancellation:
        """Cancel an open order.

        Raises:
            UnknownOrder: there is no such order, or it is final.
            CancelRestricted: its status is not the required one.
        """
        instrument = self.instrument(symbol)
        order = self._ledger.find(account.account_id, symbol, ref)
        if not order.status.is_open:
            raise UnknownOrder(symbol)
        if restriction is not None and order.status is not restriction.status:
            raise CancelRestricted(order.status)
        cancel_id = cancel_client_order_id or self._new_id()
        self._clearing.cancel_client_order_id = cancel_id
        pending = order.status is OrderStatus.PENDING_NEW
        events: list[Event] = [Canceled(order.order_id, 0)] if pending else instrument.engine.cancel(order.order_id)
        self._settlement.conclude(instrument, events)
        return Cancellation(self._ledger.of_symbol(symbol)[order.order_id], cancel_id)

    def cancel_all(self, account: Account, symbol: str) -> tuple[Cancellation, ...]:
        """Cancel every open order of the account on a symbol.

        Raises:
            UnknownOrder: there are no open orders, as at Binance.
        """
        self.instrument(symbol)
        orders = self._ledger.open_orders(account.account_id, symbol)
        if not orders:
            raise UnknownOrder(symbol)
        cancel_id, known = self._new_id(), self._ledger.of_symbol(symbol)
        for order in orders:
            # An order of a list may have ended with the one before.
            if known[order.order_id].status.is_open:
                self.cancel(account, symbol, OrderRef(order.order_id), cancel_client_order_id=cancel_id)
        return tuple(Cancellation(known[order.order_id], cancel_id) for order in orders)

    def amend(
        self, account: Account, symbol: str, ref: OrderRef, quantity: Decimal, client_order_id: str | None = None
    ) -> Amended:
        """Lower the quantity of an open order, which keeps its place in the book.

        Raises:
            UnknownOrder: there is no such order, or it is final.
            AmendRejected: the quantity is not lower, or filled already.
            VenueError: a rule of the symbol is broken, or the client order id is in use.
        """
        instrument = self.instrument(symbol)
        order = self._ledger.find(account.account_id, symbol, ref)
        return self._amending.amend(order, instrument, quantity, client_order_id)

    def place_list(self, account: Account, request: ListRequest) -> ListPlacement:
        """Place an order list.

        Raises:
            VenueError: it was rejected and nothing changed.
        """
        self.instrument(request.symbol)
        return self._lists.place(account, request)

    def cancel_list(
        self, account: Account, symbol: str, ref: ListRef, *, cancel_client_order_id: str | None = None
    ) -> Cancellation:
        """Cancel the open orders of a list; return the first that was canceled.

        Raises:
            UnknownOrderList: there is no such list on this symbol, or it is done.
        """
        found = self._order_lists.find(account.account_id, ref)
        if found is None or found.symbol != symbol or not found.is_open:
            raise UnknownOrderList
        known = self._ledger.of_symbol(symbol)
        first = next(order_id for order_id in found.order_ids if known[order_id].status.is_open)
        # The list cancels the others.
        return self.cancel(account, symbol, OrderRef(first), cancel_client_order_id=cancel_client_order_id)

    def deposit(self, account: Account, asset: str, amount: Decimal) -> None:
        """Add to an account's free balance; a negative amount withdraws.

        Raises:
            InsufficientBalance: less than that is free.
        """
        if amount >= 0:
            account.credit(asset, amount)
        else:
            account.debit(asset, -amount)
        account.updated_us = now_us = self.clock.now_us()
        change = BalanceChange(account.account_id, now_us, (account.balance(asset),), asset, amount)
        for listener in self._settlement.listeners:
            listener.on_balances(change)

    @property
    def fees(self) -> Mapping[str, Decimal]:
        """Return the commission that accounts have paid so far, by asset."""
        return self._clearing.fees

    def crowd_submit(self, instrument: Instrument, side: Side, lots: int, price: int | None) -> int:
        """Place a background participant's order (a market order without a price) and return its id.

        It belongs to no account: neither balances nor filters are checked.
        """
        order_id = instrument.next_order_id()
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        self._settlement.conclude(instrument, instrument.engine.submit(NewOrder(order_id, side, kind, lots, price)))
        return order_id

    def crowd_quote(self, instrument: Instrument, side: Side, quotes: Sequence[tuple[int, int]]) -> list[int]:
        """Place background participants' orders, (lots, price), as one action, and return their ids; none may trade."""
        events: list[Event] = []
        order_ids = [instrument.next_order_id() for _ in quotes]
        for order_id, (lots, price) in zip(order_ids, quotes, strict=True):
            events += instrument.engine.submit(NewOrder(order_id, side, OrderType.LIMIT_MAKER, lots, price))
        self._settlement.conclude(instrument, events)
        return order_ids

    def crowd_cancel(self, instrument: Instrument, order_id: int) -> bool:
        """Cancel an order of `crowd_submit`; False when it was final already."""
        if order_id not in instrument.engine:
            return False
        self._settlement.conclude(instrument, instrument.engine.cancel(order_id))
        return True

    def end_step(self) -> None:
        """Notify every listener that a step of the market has ended."""
        now_us = self.clock.now_us()
        self._cancel_outlived(now_us)
        for listener in self._settlement.listeners:
            listener.on_step(now_us)

    def _cancel_outlived(self, now_us: int) -> None:
        for account_id, symbol, order_id in self._lifetimes.over(now_us):
            with suppress(UnknownOrder, UnknownSymbol):
                self.cancel(self.accounts[account_id], symbol, OrderRef(order_id))

    def _new_id(self) -> str:
        return "".join(self._ids.choices(_ID_CHARACTERS, k=_ID_LENGTH))


def _submitted(new: NewOrder, instrument: Instrument) -> list[Event]:
    """Return what the engine makes of an order that was admitted."""
    if would_take(new, instrument):
        return [Accepted(new.order_id, waits=False), Expired(new.order_id, ExpiryReason.UNFILLED)]
    return instrument.engine.submit(new)


def _ended(order_id: int, instrument: Instrument) -> list[Event]:
    """Return what the engine makes of an order that the exchange itself ends."""
    events = instrument.engine.cancel(order_id) if order_id in instrument.engine else []
    changes = [event for event in events if not isinstance(event, Canceled)]
    return [*changes, Expired(order_id, ExpiryReason.UNFILLED)]
