"""The balances of a busy account, and over a restart."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace_bus import Bus, Update
from millrace_core.clock import now_ns
from millrace_core.config.common import Credentials
from millrace_core.decimals import number
from millrace_core.market import Balance, Balances
from millrace_core.names import Action, ExchangeId, StreamName, Tenant
from millrace_core.states import BalanceState
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


class QuietAccount:
    """An account with one balance, of more digits than a float has."""

    def __init__(self) -> None:
        self.held = held(number("100.123456789012345678"))
        self.listener: Any = None

    async def balance(self, listener: Any, on_subscribed: Any) -> None:
        """Stream nothing by itself."""
        self.listener = listener
        on_subscribed()
        await asyncio.Event().wait()

    async def fetch_balance(self) -> Balances:
        """Return the balance."""
        return {"KCS": self.held}


class Reader:
    """Follows the balances of a tenant, with every digit."""

    def __init__(self, bus: Bus, tenant: str) -> None:
        self.name = StreamName(Tenant(tenant), X, Action("watchBalance"), None)
        self.deltas: list[Balances] = []
        self.said: list[tuple[str, str | None]] = []
        self._arrived = asyncio.Event()
        self.follower = bus.follow(self.name, self._take, exact=True)

    def _take(self, update: Update) -> None:
        if update.kind == "delta":
            self.deltas.append(update.data)
        if update.kind == "status":
            self.said.append((update.data.status, update.data.reason))
        self._arrived.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        """Wait for messages until a condition holds."""
        async with asyncio.timeout(60):
            while not reached():
                self._arrived.clear()
                await self._arrived.wait()

    @property
    def is_live(self) -> bool:
        """Whether what it has is the account's."""
        return self.follower.trusted and self.follower.status == "live"

    @property
    def balances(self) -> Balances:
        """Return what it has."""
        return cast(BalanceState, self.follower.state).balances


@asynccontextmanager
async def gathering(bus: Bus, name: StreamName, account: Any, remark: str | None = None) -> AsyncIterator[None]:
    """Gather an account's balances."""
    exchange = cast(Exchange, SimpleNamespace(account=account, profile=ExchangeProfile(exchange=X)))
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1, remark=remark)
    stream = BalanceStream(unit, exchange, bus, UnitHealthReporter("balance", changed=lambda: None, errors=ErrorLog()))
    running = asyncio.create_task(run_stream(stream))
    yield
    running.cancel()
    await asyncio.wait({running})


@pytest.fixture(autouse=True)
def _asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("millrace_gatherer.streams.following.SUBSCRIBING_S", ())


async def test_a_busy_account_is_not_asked_without_end(bus: Bus) -> None:
    """What a message changed meanwhile stays; the rest of the answer holds, and one question is enough."""
    account, reader = BusyAccount(), Reader(bus, "T")
    async with gathering(bus, reader.name, account):
        await reader.until(lambda: reader.is_live)
        assert reader.balances == {"KCS": held(101.0), "USDT": held(5.0)}
        assert account.asked == 1
    await reader.follower.close()


async def test_readers_learn_what_live_balances_leave_out(bus: Bus) -> None:
    """Also those that begin later, at a snapshot."""
    first = Reader(bus, "Wallets")
    async with gathering(bus, first.name, QuietAccount(), "of one wallet"):
        await first.until(lambda: first.is_live)
        later = Reader(bus, "Wallets")
        await later.until(lambda: ("live", "of one wallet") in later.said)
    for reader in (first, later):
        assert ("live", "of one wallet") in reader.said
        await reader.follower.close()


async def test_a_debt_stays_until_an_answer_says_another(bus: Bus) -> None:
    """A streamed balance without its debt leaves the one that was answered; one that says it has its own."""
    account, reader = QuietAccount(), Reader(bus, "Debts")
    account.held = Balance(5.0, 0.0, 5.0, debt=2.0)
    async with gathering(bus, reader.name, account):
        await reader.until(lambda: reader.is_live)
        for balance in (held(7.0), Balance(7.0, 0.0, 7.0, debt=0.0)):
            account.listener.balance_changed({"KCS": balance}, EventTimes(None, now_ns()))
        await reader.until(lambda: len(reader.deltas) == 2)
        assert reader.deltas == [{"KCS": Balance(7.0, 0.0, 7.0, debt=2.0)}, {"KCS": Balance(7.0, 0.0, 7.0, debt=0.0)}]
    await reader.follower.close()


async def test_what_is_free_is_asked_for_at_once_where_the_stream_does_not_say_it(bus: Bus) -> None:
    """A balance that did not change keeps it; of another it is not known until the answer."""
    account, reader = QuietAccount(), Reader(bus, "Free")
    account.held = Balance(5.0, 2.0, 7.0)
    async with gathering(bus, reader.name, account):
        await reader.until(lambda: reader.is_live)
        account.listener.balance_changed({"KCS": Balance(total=7.0)}, EventTimes(None, now_ns()))
        account.held = Balance(9.0, 2.0, 11.0)
        account.listener.balance_changed({"KCS": Balance(total=11.0)}, EventTimes(None, now_ns()))
        await reader.until(lambda: len(reader.deltas) == 2)
        assert reader.deltas == [{"KCS": Balance(total=11.0)}, {"KCS": Balance(9.0, 2.0, 11.0)}]
    await reader.follower.close()


async def test_a_restart_publishes_nothing_new_and_loses_no_digit(bus: Bus) -> None:
    """The next gatherer goes on with the digits of the last; a change of the last of them is a change."""
    account, reader = QuietAccount(), Reader(bus, "Digits")
    async with gathering(bus, reader.name, account):
        await reader.until(lambda: reader.is_live)
        epoch = reader.follower.last
    async with gathering(bus, reader.name, account):
        await reader.until(lambda: reader.is_live and reader.follower.last.epoch > epoch.epoch)
        assert reader.balances == {"KCS": account.held}
        changed = held(number("100.123456789012345679"))
        account.listener.balance_changed({"KCS": changed}, EventTimes(None, now_ns()))
        await reader.until(lambda: bool(reader.deltas))
        assert reader.deltas == [{"KCS": changed}]
    await reader.follower.close()
