from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from millrace_core.clock import now_ms
from millrace_core.config import Credentials
from millrace_core.ids import new_request_id
from millrace_core.requests import CancelOrder, CancelPayload, CreateOrder, CreatePayload
from millrace_exchange import Exchange, open_exchange
from millrace_executor.resolution import Resolver, order_of_own_trades

BUY = CreatePayload(symbol="KCS/USDT", side="buy", type="market", amount_base=Decimal(1))


@pytest.fixture
async def exchange(floor: Any) -> AsyncIterator[Exchange]:
    """Return the simulator as the executor's account sees it."""
    credentials = Credentials(api_key="demo-key", secret="demo-secret", urls={"base": floor.simulator.url})
    exchange = await open_exchange("binance", credentials)
    await exchange.prepare()
    yield exchange
    await exchange.close()


async def test_a_filled_order_is_found_by_its_trades(exchange: Exchange) -> None:
    """Where an exchange forgets our id once an order is filled, its trades lead to it, and to no other order."""
    ours, other = new_request_id(), new_request_id()
    began_ms = now_ms() - 1_000
    for request_id in (other, ours):
        await exchange.execution.create_order(BUY, request_id)
    found = await order_of_own_trades(exchange.account, BUY, ours, began_ms)
    assert found is not None
    assert found.client_order_id == ours
    assert await order_of_own_trades(exchange.account, BUY, new_request_id(), began_ms) is None


async def test_one_question_settles_what_is_there(exchange: Exchange) -> None:
    """An order that was placed, and its cancel that came too late, are proven by asking once."""
    request_id = new_request_id()
    placed = await exchange.execution.create_order(BUY, request_id)
    resolver = Resolver(exchange, lambda _: None)
    created = CreateOrder(exchange_id="binance", payload=BUY)
    answer = await resolver.ask_once(request_id, created, request_id, now_ms())
    assert answer is not None
    assert (answer.status, answer.order.id if answer.order else None) == ("done", placed.orders[0].id)
    cancel = CancelOrder(exchange_id="binance", payload=CancelPayload(symbol="KCS/USDT", order_id=placed.orders[0].id))
    too_late = await resolver.ask_once(new_request_id(), cancel, request_id, now_ms())
    assert too_late is not None
    assert too_late.status == "failed"
