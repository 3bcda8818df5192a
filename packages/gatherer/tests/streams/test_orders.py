"""What an account's orders are reconciled with, where the exchange answers less than it might."""

import asyncio
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from millrace_bus import Bus
from millrace_core.clock import now_ms
from millrace_core.config.common import Credentials
from millrace_core.names import Action, ExchangeId, StreamName, Symbol, Tenant
from millrace_core.orders import Order, OrderRecord
from millrace_exchange import Exchange, IncompleteList, Rejected
from millrace_exchange.profile import ExchangeProfile
from millrace_gatherer.streams import run_stream
from millrace_gatherer.streams.orders import OrdersStream
from millrace_gatherer.units import StreamUnitConfig
from millrace_service import UnitHealthReporter
from millrace_service.health import ErrorLog

TENANT, X, SYMBOL = Tenant("T"), ExchangeId("x"), Symbol("A/B")
HOUR_MS = 3_600_000


def refusal(action: str) -> Rejected:
    """Return what an exchange answers that does not support something."""
    return Rejected("not supported", exchange=X, action=action, kind="NotSupported")


class Account:
    """An account on an exchange that may not list all open orders, has no history and may not answer for one order."""

    def __init__(self, known: dict[str, Order | Rejected]) -> None:
        self._known = known
        self.asked = 0

    async def orders(self, *_: Any) -> None:
        """Stream nothing."""
        await asyncio.Event().wait()

    def replace_mute(self, _: int) -> None:
        """Do nothing: there is no connection."""

    async def fetch_open_orders(self, _: str) -> list[Order]:
        """Return a part of them, which is empty."""
        self.asked += 1
        raise IncompleteList([], exchange="x", action="fetchOpenOrders")

    async def fetch_closed_orders(self, *_: Any) -> list[Order]:
        """Refuse."""
        raise refusal("fetchClosedOrders")

    async def fetch_order(self, _: str, *, order_id: str) -> Order | None:
        """Return what is known of an order."""
        found = self._known.get(order_id)
        if isinstance(found, Rejected):
            raise found
        return found


async def run_until_asked(bus: Bus, account: Account, profile: ExchangeProfile, *, times: int, limit_s: float) -> None:
    """Run an account's stream until it has asked so often."""
    rules = SimpleNamespace(symbols=frozenset({SYMBOL}))
    exchange = cast(Exchange, SimpleNamespace(account=account, profile=profile, rules=rules, clock_offset_ms=lambda: 0))
    name = StreamName(TENANT, X, Action("watchOrders"), SYMBOL)
    unit = StreamUnitConfig(name, Credentials(), 1_000, snapshot_interval_s=60.0, checksum_every=1)
    health = UnitHealthReporter("orders", changed=lambda: None, errors=ErrorLog())
    running = asyncio.create_task(run_stream(OrdersStream(unit, exchange, bus, health)))
    async with asyncio.timeout(limit_s):
        while account.asked < times:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.wait({running})


@pytest.fixture
def reconciled(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs an account's stream until it has asked a few times."""
    monkeypatch.setattr(OrdersStream, "reconcile_s", 0.05)

    async def reconcile(known: dict[str, Order | Rejected], profile: ExchangeProfile) -> set[str]:
        account = Account(known)
        await run_until_asked(bus, account, profile, times=3, limit_s=10)
        return await bus.orders.open_ids(TENANT, X, SYMBOL)

    return reconcile


async def opened(bus: Bus, order_id: str, **fields: Any) -> None:
    """Have Redis take an order for open that was last heard of an hour ago."""
    order = Order(id=order_id, symbol=SYMBOL, status="open", **fields)
    await bus.orders.merge(TENANT, OrderRecord(order, X, now_ms() - HOUR_MS))


async def test_an_order_that_cannot_be_asked_for_keeps_no_other_open(bus: Bus, reconciled: Any) -> None:
    """Neither does a history that the exchange refuses."""
    await opened(bus, "1")
    await opened(bus, "2")
    answers = {"1": refusal("fetchOrder"), "2": Order(id="2", symbol=SYMBOL, status="canceled")}
    assert await reconciled(answers, ExchangeProfile(exchange=X)) == {"1"}


@pytest.mark.parametrize(("trigger_orders", "still_open"), [(False, {"1"}), (True, set())])
async def test_a_trigger_order_is_missed_only_where_it_would_be_listed(
    bus: Bus, reconciled: Any, trigger_orders: bool, still_open: set[str]
) -> None:
    """Many exchanges keep them apart, and answer for other orders alone."""
    await opened(bus, "1", trigger_price=Decimal(5))
    assert await reconciled({}, ExchangeProfile(exchange=X, trigger_orders=trigger_orders)) == still_open


class MuteAccount(Account):
    """An account whose stream brings nothing, although another order is filled each time that it is asked."""

    async def fetch_closed_orders(self, *_: Any) -> list[Order]:
        """Return one more."""
        return [Order(id=str(number), symbol=SYMBOL, status="closed") for number in range(self.asked)]


async def test_what_no_message_brought_is_asked_for_again_soon(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream may be mute, which silence does not show: while answers have something new, the next is due soon."""
    monkeypatch.setattr("millrace_gatherer.streams.questions.ACTIVE_S", 0.02)
    monkeypatch.setattr("millrace_gatherer.streams.questions.UNKNOWN_EACH_S", 0.0)
    await run_until_asked(bus, MuteAccount({}), ExchangeProfile(exchange=X), times=10, limit_s=4)
