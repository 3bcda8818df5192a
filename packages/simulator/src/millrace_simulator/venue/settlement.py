"""Settlement: what an action of an engine means for the tape, the accounts and everybody who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from millrace_matching import Event, LevelChanged, Prevented, Side, Traded
from millrace_simulator.venue.accounts import Account
from millrace_simulator.venue.clearing import Clearing
from millrace_simulator.venue.clock import Clock
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.ledger import Ledger
from millrace_simulator.venue.listener import BalanceChange, BookChange, Listener
from millrace_simulator.venue.order_changes import PreventedMatch
from millrace_simulator.venue.order_lists import OrderList
from millrace_simulator.venue.orders import ExecutionReport, Order


class Settlement:
    """Applies the engines' events, and notifies every listener of each once."""

    def __init__(self, clock: Clock, accounts: Mapping[int, Account], ledger: Ledger, last_execution_id: int) -> None:
        self.listeners: list[Listener] = []
        self.clearing = Clearing(accounts, ledger, self._report, last_execution_id)
        self._clock = clock
        self._accounts = accounts
        self._ledger = ledger
        self._after: Callable[[], None] = lambda: None

    def afterwards(self, act: Callable[[], None]) -> None:
        """Call `act` at the end of each action, when everything that it did is settled."""
        self._after = act

    def conclude(self, instrument: Instrument, events: list[Event]) -> None:
        """Settle one action of an engine."""
        now_us = self._clock.now_us()
        orders = self._ledger.of_symbol(instrument.symbol)
        changes: list[tuple[Side, int, int]] = []
        traded = False
        for event in events:
            if isinstance(event, LevelChanged):
                changes.append((event.side, event.price, event.quantity))
            elif isinstance(event, Traded):
                traded = True
                self._trade(instrument, event, orders, now_us)
            elif isinstance(event, Prevented):
                self._prevent(instrument, event, orders, now_us)
            elif (order := orders.get(event.order_id)) is not None:
                self.clearing.apply(event, order, now_us)
        if traded:
            self._print_aggregates(instrument)
        if changes:
            self._report_book(instrument, changes, now_us)
        self.report_balances()
        self._after()

    def report_balances(self) -> None:
        """Notify every listener of the balances that changed since the last time."""
        now_us = self._clock.now_us()
        for account_id, assets in self.clearing.touched().items():
            account = self._accounts[account_id]
            account.updated_us = now_us
            balances = tuple(account.balance(asset) for asset in sorted(assets))
            for listener in self.listeners:
                listener.on_balances(BalanceChange(account_id, now_us, balances))

    def report_list(self, order_list: OrderList) -> None:
        """Notify every listener of an order list's new state."""
        for listener in self.listeners:
            listener.on_order_list(order_list)

    def _report_book(self, instrument: Instrument, changes: list[tuple[Side, int, int]], now_us: int) -> None:
        last = instrument.engine.last_update_id
        change = BookChange(instrument.symbol, last - len(changes) + 1, last, tuple(changes), now_us)
        for listener in self.listeners:
            listener.on_book(change)

    def _print_aggregates(self, instrument: Instrument) -> None:
        for aggregate in instrument.tape.end_action():
            for listener in self.listeners:
                listener.on_aggregate(aggregate)

    def _trade(self, instrument: Instrument, event: Traded, orders: Mapping[int, Order], now_us: int) -> None:
        """Print a trade, count it, and settle it for the accounts that took part."""
        trade = instrument.tape.add(event, now_us)
        instrument.statistics.add_trade(
            now_us // 1000, event.price, event.quantity, event.trade_id, trade.buyer_is_maker
        )
        for listener in self.listeners:
            listener.on_trade(trade)
        for order_id in (event.taker_id, event.maker_id):
            order = orders.get(order_id)
            if order is not None:
                self.clearing.trade(event, order, instrument, now_us)

    def _prevent(self, instrument: Instrument, event: Prevented, orders: Mapping[int, Order], now_us: int) -> None:
        """Number a match that was prevented, and take from its orders what each lost."""
        taker, scale = orders[event.taker_id], instrument.scale
        match = PreventedMatch(
            symbol=instrument.symbol,
            match_id=self._ledger.next_match_id(instrument.symbol),
            account_id=taker.account_id,
            taker_order_id=event.taker_id,
            maker_order_id=event.maker_id,
            mode=taker.self_trade_prevention,
            price=scale.price(event.price),
            taker_quantity=scale.quantity(event.taker_quantity),
            maker_quantity=scale.quantity(event.maker_quantity),
            time_us=now_us,
        )
        self._ledger.add_prevented(match)
        for order_id, ends in ((event.taker_id, event.taker_ends), (event.maker_id, event.maker_ends)):
            if match.lost_by(order_id):
                self.clearing.prevent(match, orders[order_id], ends=ends)

    def _report(self, report: ExecutionReport) -> None:
        for listener in self.listeners:
            listener.on_execution(report)
