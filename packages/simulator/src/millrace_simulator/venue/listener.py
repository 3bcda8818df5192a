"""Notifications of the venue, synchronous and in order."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from millrace_matching import Side
from millrace_simulator.venue.accounts import Balance
from millrace_simulator.venue.instrument import Instrument
from millrace_simulator.venue.order_lists import OrderList
from millrace_simulator.venue.orders import ExecutionReport
from millrace_simulator.venue.tape import AggregateTrade, PublicTrade


class BookChange(Struct, frozen=True, gc=False):
    """The change that one action made to an order book."""

    symbol: str
    first_update_id: int
    """Always the `last_update_id` of the change before, plus one."""
    last_update_id: int
    changes: tuple[tuple[Side, int, int], ...]
    """(side, price in ticks, new total in lots; 0 when the level is gone), one for each update id, in order."""
    time_us: int


class BalanceChange(Struct, frozen=True):
    """Changed balances of an account."""

    account_id: int
    time_us: int
    balances: tuple[Balance, ...]
    """Each changed balance, after the change."""
    asset: str | None = None
    """The asset deposited or withdrawn; None when orders caused the change."""
    delta: Decimal | None = None
    """The deposited (positive) or withdrawn (negative) amount; None if orders caused the change."""


class Listener:
    """Receives the venue's notifications; override those that you need. It must not act on the venue."""

    def on_listing(self, instrument: Instrument) -> None:
        """A symbol was listed while the venue is open."""

    def on_book(self, change: BookChange) -> None:
        """An order book changed."""

    def on_trade(self, trade: PublicTrade) -> None:
        """A trade happened; every fill of every participant comes here once."""

    def on_aggregate(self, aggregate: AggregateTrade) -> None:
        """An aggregate trade is whole; it comes after the trades that it holds."""

    def on_execution(self, report: ExecutionReport) -> None:
        """Something happened to an account's order."""

    def on_order_list(self, order_list: OrderList) -> None:
        """An account's order list was placed, updated or is done; it comes after the reports of its orders."""

    def on_balances(self, change: BalanceChange) -> None:
        """An account's balances changed: once for each action, deposit or withdrawal that changed them."""

    def on_step(self, now_us: int) -> None:
        """A step of the market ended (about every 10 ms, also when nothing happened): flush batched events."""
