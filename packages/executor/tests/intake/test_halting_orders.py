"""A halt that cancels what is open."""

import asyncio
from typing import Any

from tests.support.promptness import prompt

from millrace_core.clock import now_ms
from millrace_core.names import ExchangeId
from millrace_core.requests import CreateOrder, CreatePayload

ALL = ExchangeId("all")


def order(number: int) -> dict[str, Any]:
    """A limit order that stays open."""
    payload = {
        "symbol": "KCS/USDT",
        "side": "buy",
        "type": "limit",
        "amountBase": 1,
        "price": round(5 + number / 1000, 3),
    }
    return {"action": "createOrder", "exchangeId": "binance", "payload": payload}


def is_open(each: Any) -> bool:
    return bool(each.status.is_open)


async def test_a_halt_cancels_the_open_orders_if_it_says_so(platform: Any) -> None:
    """Those that were on their way too; without saying so, they stay."""
    await platform.start()
    answers, halted = await platform.answers(), await platform.answers("halt", None, ALL)
    for number in range(3):
        await platform.publish(order(number))
    await answers.number(3)
    await platform.publish('{"action":"halt","payload":{"by":"Ann"}}')
    await halted.number(1)
    assert [is_open(each) for each in platform.orders()] == [True] * 3
    await platform.publish('{"action":"halt","payload":{"by":"Ann","cancelOrders":true}}')
    assert (await halted.number(2)).response.status == "done"
    canceled = await platform.answers("cancelAllOrders", None)
    assert len((await canceled.number(1)).response.orders) == 3
    assert not any(map(is_open, platform.orders()))


async def test_a_halt_of_one_source_cancels_nothing(platform: Any) -> None:
    """An exchange cancels by account and symbol: what cannot be done is refused, and nothing is halted."""
    await platform.start()
    halted = await platform.answers("halt", None, ExchangeId("unknown"))
    await platform.publish('{"action":"halt","payload":{"orderSource":"PingPong","cancelOrders":true}}')
    response = (await halted.number(1)).response
    assert response.status == "rejected"
    assert "leave orderSource out" in response.error.message


async def test_no_order_is_accepted_long_after_a_halt_under_load(platform: Any) -> None:
    """200 requests a second: what the exchange accepted later than 100 ms after the halt was published is none."""
    await platform.start()
    answers, halted = await platform.answers(), await platform.answers("halt", None, ALL)
    stop = asyncio.Event()

    async def load() -> None:
        while not stop.is_set():
            payload = CreatePayload(symbol="KCS/USDT", side="buy", type="limit", amount_base=1, price=5)  # type: ignore[arg-type]
            await platform.bus.requests.send("StrankaXY", CreateOrder(exchange_id="binance", payload=payload))
            await asyncio.sleep(0.005)

    loading = asyncio.create_task(load())
    await answers.number(20)
    published_ms = now_ms()
    await platform.publish('{"action":"halt","payload":{"by":"Ann"}}')
    await halted.number(1)
    refused = len(answers.all)
    await answers.number(refused + 20)
    stop.set()
    await loading
    assert answers.all[-1].response.error.kind == "Halted"
    late_ms = max(each.created_us / 1000 for each in platform.orders()) - published_ms
    assert late_ms <= prompt(0.1) * 1000
