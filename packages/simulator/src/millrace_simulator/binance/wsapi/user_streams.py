"""User data streams: subscriptions to accounts, and delivery of their events."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.binance.wsapi import events
from millrace_simulator.venue import BalanceChange, ExecutionReport, Listener
from millrace_simulator.venue.order_lists import OrderList


class Subscriber(Protocol):
    """A connection that listens to accounts."""

    @property
    def time_unit(self) -> TimeUnit:
        """Return the unit of its events' times."""

    def deliver(self, account_id: int, name: str, event: bytes) -> None:
        """Take the name and the JSON of an event of the account, without blocking."""


class UserStreams(Listener):
    """Receives the events of all accounts, and renders those with subscribers once for each time unit."""

    def __init__(self) -> None:
        self._subscribers: dict[int, dict[Subscriber, None]] = {}

    def subscribe(self, account_id: int, subscriber: Subscriber) -> None:
        """Start delivering an account's events."""
        self._subscribers.setdefault(account_id, {})[subscriber] = None

    def unsubscribe(self, account_id: int, subscriber: Subscriber) -> None:
        """Stop to deliver the account's events."""
        subscribers = self._subscribers.get(account_id, {})
        subscribers.pop(subscriber, None)
        if not subscribers:
            self._subscribers.pop(account_id, None)

    def on_execution(self, report: ExecutionReport) -> None:
        """Deliver an order's report."""
        self._deliver(report.account_id, "executionReport", lambda unit: events.execution_report(report, unit))

    def on_order_list(self, order_list: OrderList) -> None:
        """Deliver an order list's status."""
        self._deliver(order_list.account_id, "listStatus", lambda unit: events.list_status(order_list, unit))

    def on_balances(self, change: BalanceChange) -> None:
        """Deliver an account's current balances."""
        asset, delta = change.asset, change.delta
        if asset is not None and delta is not None:
            # First the delta, then the totals: a client that applies both in order ends with the totals.
            update = partial(events.balance_update, change, asset, delta)
            self._deliver(change.account_id, "balanceUpdate", update)
        position = partial(events.account_position, change)
        self._deliver(change.account_id, "outboundAccountPosition", position)

    def _deliver(self, account_id: int, name: str, render: Callable[[TimeUnit], bytes]) -> None:
        rendered: dict[TimeUnit, bytes] = {}
        for subscriber in tuple(self._subscribers.get(account_id, ())):
            unit = subscriber.time_unit
            if unit not in rendered:
                rendered[unit] = render(unit)
            subscriber.deliver(account_id, name, rendered[unit])
