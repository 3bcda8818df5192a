"""A busy account's balances."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.market import Balance, Balances
from millrace_core.names import Action, ExchangeId, StreamName, Tenant
from millrace_exchange import EventTimes, Exchange
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream
from millrace_gatherer.streams.balance import BalanceStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

X = ExchangeId("x")


def held(total: float) -> Balance:
    """Return a balance, all of it free."""
    return Balance(free=total, used=0.0, total=total)


class BusyAccount:
    """An account on which something happens during every question about it."""

    def __init__(self) -> None:
        self.asked = 0
        self._listener: Any = None

    async def balance(self, listener: Any, on_subscribed: Any) -> None:
        """Stream what the questions bring about."""
        self._listener = listener
        on_subscribed()
        await asyncio.Event().wait()

    async def fetch_balance(self) -> Balances:
        """Return balances from before the message that comes meanwhile."""
        self.asked += 1
        await asyncio.sleep(0.01)
        self._listener.balance_changed({"KCS": held(100.0 + self.asked)}, EventTimes(None, now_ns()))
        return {"KCS": held(1.0), "USDT": held(5.0)}


async def test_a_busy_account_is_not_asked_without_end(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a message changed meanwhile stays; the rest of the answer holds, and one question is enough."""
    account = BusyAccount()
    monkeypatch.setattr("millrace_gatherer.streams.following.SUBSCRIBING_S", ())
    exchange = cast(Exchange, SimpleNamespace(account=account, profile=ExchangeProfile(exchange=X)))
    name = StreamName(Tenant("T"), X, Action("watchBalance"), None)
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
    stream = BalanceStream(unit, exchange, bus, UnitHealthReporter("balance", changed=lambda: None, errors=ErrorLog()))
    arrived = asyncio.Event()
    follower = bus.follow(name, lambda _: arrived.set())
    running = asyncio.create_task(run_stream(stream))
    async with asyncio.timeout(60):
        while not (follower.trusted and follower.status == "live"):
            arrived.clear()
            await arrived.wait()
    assert cast(Any, follower.state).balances == {"KCS": held(101.0), "USDT": held(5.0)}
    assert account.asked == 1
    await follower.close()
    running.cancel()
    await asyncio.wait({running})
