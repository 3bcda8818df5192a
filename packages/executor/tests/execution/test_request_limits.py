"""An account whose limits are used up by another process."""

from decimal import Decimal
from typing import Any

import pytest

from millrace_core.budget import RequestBudget
from millrace_core.config.common import Credentials
from millrace_core.heartbeat import Heartbeat
from millrace_core.names import ExchangeId, Tenant
from millrace_core.requests import CancelOrder, CancelPayload, CreateOrder, CreatePayload
from millrace_exchange import Retryable, profile_of
from millrace_exchange.ccxt.settings import gate_of

TENANT = Tenant("StrankaXY")
BID = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=Decimal(1), price=Decimal("8.5"))


async def use_up(platform: Any, budget: RequestBudget) -> None:
    """Place, as far as the budget knows, as many orders as the account may."""
    account = Credentials(api_key="demo-key", urls={"base": platform.address})
    gate = gate_of(profile_of(ExchangeId("binance")), account, budget)
    while True:
        try:
            await gate.enter("createOrder")
        except Retryable:
            return


def left(heartbeat: Heartbeat) -> list[int | float]:
    """Return how many orders the account may place, as the heartbeat shows it."""
    return [unit.counters["left.ORDERS"] for unit in heartbeat.units if "left.ORDERS" in unit.counters]


async def test_no_order_goes_beyond_what_all_processes_may_send(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that cannot be sent within its validity fails without having been sent; its cancel is not held."""
    # What the executor knew of the limits before another process used them up is too old at once.
    monkeypatch.setattr("millrace_bus.budget.shared.FRESH_MS", 0)
    await platform.start()
    created, canceled = await platform.answers(), await platform.answers("cancelOrder")
    await platform.bus.requests.send(TENANT, CreateOrder(exchange_id="binance", payload=BID))
    placed = (await created.number(1)).response
    await use_up(platform, platform.bus.budget(TENANT))
    await platform.bus.requests.send(TENANT, CreateOrder(exchange_id="binance", payload=BID, valid_for=2_000))
    held = (await created.number(2)).response
    assert (placed.status, held.status, held.error.kind) == ("done", "failed", "RateLimitExceeded")
    assert "limits are used up" in held.error.message
    cancel = CancelPayload(symbol="KCS/USDT", order_id=placed.order.id)
    await platform.bus.requests.send(TENANT, CancelOrder(exchange_id="binance", payload=cancel))
    assert (await canceled.number(1)).response.status == "done"
    assert len(platform.orders()) == 1
    await platform.heartbeat_where(lambda beat: left(beat) == [0])
