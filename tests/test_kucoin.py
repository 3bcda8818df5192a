"""The platform on another exchange: KuCoin, with nothing changed but its name in the configurations."""

import json
from pathlib import Path

import pytest
from tests.support.platform import running, until
from tests.test_workflow import tapped

REQUESTS = "StrankaXY.traderActions"
ANSWERS = "stream.StrankaXY.kucoin.createOrder.KCS/USDT"
ORDERS = "stream.StrankaXY.kucoin.watchOrders.KCS/USDT"
BY_HAND = (
    '{"action": "createOrder", "exchangeId": "kucoin", "payload": {"symbol": "KCS/USDT", "side": "buy", '
    '"type": "market", "amountBase": 1, "price": 25, "orderSource": "James"}}'
)
LIVELY = {"dialect": "kucoin", "eventsPerSecond": 800, "limits": {"enforce": False}}


@pytest.mark.system
async def test_a_person_buys_on_kucoin_with_nothing_but_publish(tmp_path: Path) -> None:
    """The typed request buys 1 KCS; the answer, what the gatherer hears of the order completes its hash."""
    async with (
        running(tmp_path, ("gatherer", "executor"), simulator=LIVELY) as platform,
        tapped(platform, ANSWERS, ORDERS) as tap,
    ):
        # KuCoin answers a new order with its id alone: what became of it comes by the account's own stream.
        await tap.first(ORDERS, status="live")
        await until(lambda: platform.redis.publish(REQUESTS, BY_HAND), "the request is received", platform=platform)
        answer = await tap.first(ANSWERS, status="done")
        assert answer["data"]["orderSource"] == "James"
        order = answer["data"]["order"]

        async def filled() -> bool:
            record = await platform.redis.hgetall(f"order.{{StrankaXY}}.{order['id']}")
            kept = json.loads(record.get("order", "{}"))
            return (record.get("orderSource"), kept.get("status"), kept.get("filled")) == ("James", "closed", 1)

        await until(filled, "the order's hash says that 1 KCS was bought", platform=platform)
        assert await platform.redis.smembers("openOrders.{StrankaXY}.kucoin.KCS/USDT") == set()
