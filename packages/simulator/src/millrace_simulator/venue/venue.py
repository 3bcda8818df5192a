"""The venue: symbols, accounts, and the actions that accounts may take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from random import Random
from string import ascii_letters, digits

from msgspec.structs import replace

from millrace_matching import Accepted, Event, Expired, ExpiryReason, LevelChanged, NewOrder, OrderType, Side, Traded
from millrace_simulator.venue.accounts import Account, AccountSettings
from millrace_simulator.venue.admission import admit, would_take
from millrace_simulator.venue.clearing import Clearing
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.errors import (
    CancelRestricted,
    UnknownApiKey,
    UnknownOrder,
    UnknownSymbol,
)
from millrace_simulator.venue.history import BookHistory
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.lifetimes import Lifetimes
from millrace_simulator.venue.listener import BalanceChange, BookChange, Listener
from millrace_simulator.venue.orders import (
    Cancellation,
    CancelRestriction,
    ExecutionReport,
    Order,
    OrderRef,
    OrderRequest,
    OwnTrade,
    Placement,
    accepted,
)
from millrace_simulator.venue.past import Past
from millrace_simulator.venue.rules import SymbolRules

_ID_CHARACTERS = digits + ascii_letters
_ID_LENGTH = 22


class Venue:
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
        self.instruments: Mapping[str, Instrument] = {
            rules.symbol: Instrument(rules, clock, Random(f"{seed} {rules.symbol}"), keep_all_trades=record)  # noqa: S311
            for rules in symbols
        }
        now_us = clock.now_us()
        self.accounts: Mapping[int, Account] = {
            account_id: Account(account_id, settings, now_us) for account_id, settings in enumerate(accounts, 1)
        }
        self._keys = {account.api_key: account for account in self.accounts.values()}
        self._listeners: list[Listener] = [self.history] if self.history else []
        self._ledger = Ledger()
        past = past or Past()
        self._resume(past, now_us)
        self._clearing = Clearing(self.accounts, self._ledger, self._report, past.execution_id)
        self._lifetimes = Lifetimes()
        self._ids = Random(f"{seed} client order ids {past.execution_id}")  # noqa: S311

    def _resume(self, past: Past, now_us: int) -> None:
        """Go on where an earlier run ended; of symbols and accounts that are no longer listed nothing is kept."""
        for symbol, instrument in self.instruments.items():
            instrument.resume(past.trades.get(symbol, ()), past.last_order_id(symbol), now_us)
        orders = [order for order in past.orders.values() if order.account_id in self.accounts]
        self._ledger.resume(orders, past.fills)
        for (account_id, _), balance in past.balances.items():
            if (account := self.accounts.get(account_id)) is not None:
                account.resume(balance)

    def listen(self, listener: Listener) -> None:
        """Add a listener; listeners are called in the order in which they were added."""
        self._listeners = [*self._listeners, listener]

    def unlisten(self, listener: Listener) -> None:
        """Remove a listener."""
        self._listeners = [other for other in self._listeners if other is not listener]

    def instrument(self, symbol: str) -> Instrument:
        """Return the listed symbol.

        Raises:
            UnknownSymbol: it is not listed.
        """
        instrument = self.instruments.get(symbol)
        if instrument is None:
            raise UnknownSymbol(symbol)
        return instrument

    def account_by_key(self, api_key: str) -> Account:
        """Return the account of an API key.

        Raises:
            UnknownApiKey: no account has this key.
        """
        account = self._keys.get(api_key)
        if account is None:
            raise UnknownApiKey
        return account

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
        before = self._ledger.trade_count(account.account_id, order.symbol)
        self._conclude(instrument, _submitted(new, instrument))
        self._lifetimes.add(order)
        trades = self._ledger.trades_after(account.account_id, order.symbol, before)
        own = tuple(trade for trade in trades if trade.order_id == order.order_id)
        return Placement(self._ledger.of_symbol(order.symbol)[order.order_id], own)

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
        self._conclude(instrument, instrument.engine.cancel(order.order_id))
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
        return tuple(self.cancel(account, symbol, OrderRef(order.order_id)) for order in orders)

    def order(self, account: Account, symbol: str, ref: OrderRef) -> Order:
        """Return an order of the account, open or final; by client order id the newest that had it.

        Raises:
            UnknownOrder: no order has this id.
        """
        self.instrument(symbol)
        return self._ledger.find(account.account_id, symbol, ref)

    def open_orders(self, account: Account, symbol: str | None = None) -> tuple[Order, ...]:
        """Return the account's open orders, of one symbol or of all, oldest first."""
        symbols = self.instruments if symbol is None else (self.instrument(symbol).symbol,)
        found = [order for each in symbols for order in self._ledger.open_orders(account.account_id, each)]
        return tuple(sorted(found, key=lambda order: order.created_us))

    def all_orders(
        self,
        account: Account,
        symbol: str,
        *,
        from_order_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 500,
    ) -> tuple[Order, ...]:
        """Return the account's orders of a symbol, oldest first: from an id or time on, else the newest `limit`."""
        self.instrument(symbol)
        return self._ledger.orders(
            account.account_id, symbol, from_order_id=from_order_id, start_us=start_us, end_us=end_us, limit=limit
        )

    def own_trades(
        self,
        account: Account,
        symbol: str,
        *,
        order_id: int | None = None,
        from_trade_id: int | None = None,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 500,
    ) -> tuple[OwnTrade, ...]:
        """Return the account's fills on a symbol, oldest first: from an id or time on, else the newest `limit`."""
        self.instrument(symbol)
        return self._ledger.trades(
            account.account_id,
            symbol,
            order_id=order_id,
            from_trade_id=from_trade_id,
            start_us=start_us,
            end_us=end_us,
            limit=limit,
        )

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
        for listener in self._listeners:
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
        self._conclude(instrument, instrument.engine.submit(NewOrder(order_id, side, kind, lots, price)))
        return order_id

    def crowd_cancel(self, instrument: Instrument, order_id: int) -> bool:
        """Cancel an order of `crowd_submit`; False when it was final already."""
        if order_id not in instrument.engine:
            return False
        self._conclude(instrument, instrument.engine.cancel(order_id))
        return True

    def end_step(self) -> None:
        """Notify every listener that a step of the market has ended."""
        now_us = self.clock.now_us()
        self._cancel_outlived(now_us)
        for listener in self._listeners:
            listener.on_step(now_us)

    def _cancel_outlived(self, now_us: int) -> None:
        for account_id, symbol, order_id in self._lifetimes.over(now_us):
            with suppress(UnknownOrder):
                self.cancel(self.accounts[account_id], symbol, OrderRef(order_id))

    def _new_id(self) -> str:
        return "".join(self._ids.choices(_ID_CHARACTERS, k=_ID_LENGTH))

    def _conclude(self, instrument: Instrument, events: list[Event]) -> None:
        """Apply the engine's events to the accounts and the tape, and notify every listener."""
        now_us = self.clock.now_us()
        orders = self._ledger.of_symbol(instrument.symbol)
        changes: list[tuple[Side, int, int]] = []
        traded = False
        for event in events:
            if isinstance(event, LevelChanged):
                changes.append((event.side, event.price, event.quantity))
            elif isinstance(event, Traded):
                traded = True
                self._trade(instrument, event, orders, now_us)
            elif (order := orders.get(event.order_id)) is not None:
                self._clearing.apply(event, order, now_us)
        if traded:
            for aggregate in instrument.tape.end_action():
                for listener in self._listeners:
                    listener.on_aggregate(aggregate)
        if changes:
            last = instrument.engine.last_update_id
            change = BookChange(instrument.symbol, last - len(changes) + 1, last, tuple(changes), now_us)
            for listener in self._listeners:
                listener.on_book(change)
        self._report_balances(now_us)

    def _trade(self, instrument: Instrument, event: Traded, orders: Mapping[int, Order], now_us: int) -> None:
        """Print a trade, count it, and settle it for the accounts that took part."""
        trade = instrument.tape.add(event, now_us)
        instrument.statistics.add_trade(
            now_us // 1000, event.price, event.quantity, event.trade_id, trade.buyer_is_maker
        )
        for listener in self._listeners:
            listener.on_trade(trade)
        for order_id in (event.taker_id, event.maker_id):
            order = orders.get(order_id)
            if order is not None:
                self._clearing.trade(event, order, instrument, now_us)

    def _report_balances(self, now_us: int) -> None:
        for account_id, assets in self._clearing.touched().items():
            account = self.accounts[account_id]
            account.updated_us = now_us
            balances = tuple(account.balance(asset) for asset in sorted(assets))
            for listener in self._listeners:
                listener.on_balances(BalanceChange(account_id, now_us, balances))

    def _report(self, report: ExecutionReport) -> None:
        for listener in self._listeners:
            listener.on_execution(report)


def _submitted(new: NewOrder, instrument: Instrument) -> list[Event]:
    """Return what the engine makes of an order that was admitted."""
    if would_take(new, instrument):
        return [Accepted(new.order_id, waits=False), Expired(new.order_id, ExpiryReason.UNFILLED)]
    return instrument.engine.submit(new)
