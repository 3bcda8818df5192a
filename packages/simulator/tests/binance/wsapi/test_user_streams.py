"""Subscriptions to accounts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal

from millrace_simulator.binance.times import TimeUnit
from millrace_simulator.binance.wsapi.user_streams import UserStreams
from millrace_simulator.venue import Balance, BalanceChange


@dataclass(eq=False)
class Ear:
    """A subscriber that keeps what it receives."""

    time_unit: TimeUnit = TimeUnit.MILLISECOND
    received: list[tuple[int, dict[str, object]]] = field(default_factory=list)

    def deliver(self, account_id: int, _name: str, event: bytes) -> None:
        """Keep the event."""
        self.received.append((account_id, json.loads(event)))


def _deposit(account_id: int) -> BalanceChange:
    return BalanceChange(account_id, 1_500, (Balance("BTC", Decimal(1), Decimal(0)),), "BTC", Decimal(1))


def test_only_the_subscribers_of_an_account_hear_of_it() -> None:
    """Events of other accounts, and those after leaving, never reach a subscriber."""
    streams, one, other = UserStreams(), Ear(), Ear()
    streams.subscribe(1, one)
    streams.subscribe(2, other)
    streams.on_balances(_deposit(1))
    streams.unsubscribe(1, one)
    streams.on_balances(_deposit(1))
    assert [account for account, _ in one.received] == [1, 1]
    assert other.received == []


def test_a_deposit_is_reported_before_the_totals() -> None:
    """A client that adds the difference and then takes the totals ends with the totals."""
    streams, ear = UserStreams(), Ear()
    streams.subscribe(1, ear)
    streams.on_balances(_deposit(1))
    assert [event["e"] for _, event in ear.received] == ["balanceUpdate", "outboundAccountPosition"]


def test_each_subscriber_gets_its_own_unit_of_time() -> None:
    """Milliseconds and microseconds of the same event go to those who asked for them."""
    streams, coarse, fine = UserStreams(), Ear(), Ear(TimeUnit.MICROSECOND)
    streams.subscribe(1, coarse)
    streams.subscribe(1, fine)
    streams.on_balances(_deposit(1))
    assert (coarse.received[0][1]["E"], fine.received[0][1]["E"]) == (1, 1_500)
