"""From the venue to accounts' own topics.

An order that comes in may trade at once, so `open` is published only when the action is over and the order rests.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from millrace_simulator.kucoin.numbers import ZERO
from millrace_simulator.kucoin.operations import forms
from millrace_simulator.kucoin.streams import account_events, topics
from millrace_simulator.streaming import Hub
from millrace_simulator.venue import (
    Balance,
    BalanceChange,
    ExecutionReport,
    ExecutionType,
    Listener,
    Order,
    Venue,
)

OrderKey = tuple[int, str, int]


class AccountFeed(Listener):
    """Publishes what happens to accounts' orders and balances."""

    def __init__(self, venue: Venue, hub: Hub[None]) -> None:
        self._hub = hub
        self._number = 0
        self._last_order: dict[int, Order] = {}
        self._arriving: dict[OrderKey, Order] = {}
        """Orders that came in, of which it is not known yet whether they rest."""
        self._balances = {
            (account.account_id, balance.asset): balance
            for account in venue.accounts.values()
            for balance in account.balances
        }

    def on_execution(self, report: ExecutionReport) -> None:
        """Publish what happened to an order."""
        order = report.order
        self._last_order[order.account_id] = order
        if order.stop_price is not None and self._is_of_waiting(report):
            self._publish_waiting(report)
            if forms.is_waiting(order):
                return
        if report.execution_type is ExecutionType.NEW:
            self._arriving[_key(order)] = order
            self._publish(topics.ORDERS_V2, order, partial(account_events.order_received, topics.ORDERS_V2, order))
        elif _key(order) in self._arriving:
            self._arriving[_key(order)] = order
        if report.trade is not None:
            for topic in (topics.ORDERS, topics.ORDERS_V2):
                self._deliver(topic, order.account_id, partial(account_events.order_match, topic, order, report.trade))
        if not order.status.is_open:
            self._arriving.pop(_key(order), None)
            self._publish_change(order, account_events.order_done)

    def on_balances(self, change: BalanceChange) -> None:
        """Publish an account's changed balances, after the orders that now rest."""
        self._publish_resting()
        cause = None if change.asset is not None else self._last_order.get(change.account_id)
        for now in change.balances:
            before = self._balances.get((change.account_id, now.asset), Balance(now.asset, *_NOTHING))
            self._balances[change.account_id, now.asset] = now
            self._number += 1
            self._deliver(
                topics.BALANCE,
                change.account_id,
                partial(account_events.balance, change.account_id, before, now, change.time_us, cause, self._number),
            )

    def on_step(self, now_us: int) -> None:
        """Publish the orders that now rest, where nothing else happened to their account."""
        self._publish_resting()

    def _publish_resting(self) -> None:
        arriving, self._arriving = self._arriving, {}
        for order in arriving.values():
            self._publish_change(order, account_events.order_open)

    def _publish_change(self, order: Order, event: Callable[[str, Order, int], bytes]) -> None:
        for topic in (topics.ORDERS, topics.ORDERS_V2):
            self._publish(topic, order, partial(event, topic, order))

    def _publish(self, topic: str, order: Order, event: Callable[[int], bytes]) -> None:
        self._deliver(topic, order.account_id, partial(event, order.updated_us))

    @staticmethod
    def _is_of_waiting(report: ExecutionReport) -> bool:
        """Tell whether a stop order begins or ends to wait."""
        return report.execution_type is ExecutionType.NEW or forms.is_waiting(report.order)

    def _publish_waiting(self, report: ExecutionReport) -> None:
        order = report.order
        if not order.status.is_open:
            event = partial(account_events.stop_order, order, report.time_us, "cancel")
        elif forms.is_waiting(order):
            event = partial(account_events.stop_order, order, report.time_us, "open")
        else:
            event = partial(account_events.stop_order, order, report.time_us, "TRIGGERED", triggerSuccess=True)
        self._deliver(topics.STOP_ORDERS, order.account_id, event)

    def _deliver(self, topic: str, account_id: int, render: Callable[[], bytes]) -> None:
        self._hub.deliver(topics.private_stream(topic, account_id), lambda _: render())


_NOTHING = (ZERO, ZERO)


def _key(order: Order) -> OrderKey:
    return (order.account_id, order.symbol, order.order_id)
