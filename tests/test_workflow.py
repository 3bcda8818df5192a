"""The whole way of an order, seen in Redis step by step."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from tests.support.platform import ROOT, Platform, running, until

REQUESTS = "StrankaXY.traderActions"
ANSWERS = "stream.StrankaXY.binance.createOrder.KCS/USDT"
ORDERS = "stream.StrankaXY.binance.watchOrders.KCS/USDT"
LIVELY = {"eventsPerSecond": 800, "limits": {"enforce": False}}
BY_HAND = (
    '{"action":"createOrder","exchangeId":"binance","payload":{"symbol":"KCS/USDT","side":"buy","type":"market",'
    '"amountBase":1,"price":25,"orderSource":"James"}}'
)

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """All but strategies."""
    folder = tmp_path_factory.mktemp("platform")
    async with running(folder, ("gatherer", "executor"), simulator=LIVELY) as platform:
        yield platform


class Tap:
    """Everything published on some channels, in order."""

    def __init__(self) -> None:
        self.messages: dict[str, list[dict[str, Any]]] = {}
        self._news = asyncio.Condition()

    async def listen(self, channel: Any) -> None:
        """Receive messages until cancelled."""
        async for message in channel.listen():
            async with self._news:
                self.messages.setdefault(message["channel"], []).append(json.loads(message["data"]))
                self._news.notify_all()

    async def first(self, channel: str, **wanted: Any) -> dict[str, Any]:
        """Wait for the first message on a channel that is a request, or whose data has these values."""
        async with asyncio.timeout(60), self._news:
            while True:
                for message in self.messages.get(channel, []):
                    if wanted.items() <= (message.get("data") or message).items():
                        return message
                await self._news.wait()


@asynccontextmanager
async def tapped(platform: Platform, *channels: str) -> AsyncIterator[Tap]:
    """Listen to some channels with nothing but a Redis client."""
    tap = Tap()
    async with platform.redis.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe(*channels)
        listening = asyncio.create_task(tap.listen(channel))
        try:
            yield tap
        finally:
            listening.cancel()
            await asyncio.wait([listening])


async def test_a_decision_comes_all_the_way_back_to_its_strategy(platform: Platform, tmp_path: Path) -> None:
    """Decision → request → order at the exchange → answer → hash → the gatherer's update → the strategy's own list."""
    diary = tmp_path / "diary.jsonl"
    plugins = ROOT / "tests" / "support" / "strategies"
    async with tapped(platform, REQUESTS, ANSWERS, ORDERS) as tap:
        config = platform.example("magicbox")
        config["workplans"][0]["plugins"] = [{"pluginName": "Witness", "configuration": {"diary": str(diary)}}]
        await platform.configure("magicbox", config)
        await platform.start_service("magicbox", plugins)

        request = await tap.first(REQUESTS)
        assert (request["action"], request["journaled"]) == ("createOrder", True)
        assert request["payload"]["orderSource"] == "Witness"
        assert {"received", "published", "delivered", "decided"} <= set(request["trace"])

        answer = await tap.first(ANSWERS, requestId=request["requestId"])
        assert (answer["type"], answer["data"]["status"]) == ("response", "done")
        assert {"delivered", "decided", "accepted", "sent", "acknowledged"} <= set(answer["trace"])
        order_id = answer["data"]["order"]["id"]

        [at_exchange] = await platform.get_signed("/api/v3/allOrders", symbol="KCSUSDT", orderId=order_id)
        assert str(at_exchange["orderId"]) == order_id
        assert at_exchange["clientOrderId"] == request["requestId"]

        record = await platform.redis.hgetall(f"order.{{StrankaXY}}.{order_id}")
        assert (record["orderSource"], record["requestId"]) == ("Witness", request["requestId"])
        assert json.loads(record["order"])["id"] == order_id

        async def filled() -> dict[str, Any] | None:
            updates = [order for message in tap.messages.get(ORDERS, []) for order in message["data"].get("orders", [])]
            return next((order for order in updates if order["id"] == order_id and order["filled"] > 0), None)

        update = await until(filled, "the gatherer tells of a fill", platform=platform)
        assert update["filled"] >= answer["data"]["order"]["filled"]

        await until(lambda: saw(diary, order_id, open_=True), "the strategy has it among its open orders")
        await until(lambda: saw(diary, order_id, open_=False), "the strategy sees it filled", timeout=30)
        await platform.end("magicbox")


async def saw(diary: Path, order_id: str, *, open_: bool) -> bool:
    """Tell whether the strategy's diary shows the order open, or filled and no longer open."""
    lines = [json.loads(line) for line in diary.read_text().splitlines()] if diary.exists() else []
    if open_:
        return any(order_id in line["open"] for line in lines)
    return any(line["orders"].get(order_id, [""])[0] == "closed" and order_id not in line["open"] for line in lines)


async def test_a_person_buys_with_nothing_but_publish(platform: Platform) -> None:
    """README's example buys 1 KCS, and the order's hash names its source."""
    async with tapped(platform, ANSWERS) as tap:
        await until(lambda: platform.redis.publish(REQUESTS, BY_HAND), "the request is received", platform=platform)
        answer = await tap.first(ANSWERS, status="done")
        assert answer["data"]["orderSource"] == "James"
        order = answer["data"]["order"]
        assert (order["status"], order["filled"]) == ("closed", 1)

        record = await platform.redis.hgetall(f"order.{{StrankaXY}}.{order['id']}")
        assert record["orderSource"] == "James"
        [trade] = await platform.get_signed("/api/v3/myTrades", symbol="KCSUSDT", orderId=order["id"])
        assert (float(trade["qty"]), trade["isBuyer"]) == (1.0, True)
